#include "dmmv/elite_pool.hpp"

#include <algorithm>

namespace dd::dmmv {
namespace {

std::size_t distance(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  std::size_t different = 0;
  for (std::size_t j = 0; j < a.size(); ++j) different += a[j] != b[j] ? 1 : 0;
  return different;
}

}  // namespace

void ElitePool::add(const SearchBest& candidate) {
  if (candidate.indices.empty()) return;
  const std::size_t least = (candidate.indices.size() + 99) / 100;
  const auto is_near = [&](const SearchBest& elite) { return distance(elite.indices, candidate.indices) < least; };
  const auto beats = [&](const SearchBest& elite) {
    return is_better(rows_, feasible_, candidate.objective, candidate.soft, elite);
  };
  if (std::any_of(elites_.begin(), elites_.end(), [&](const SearchBest& e) { return is_near(e) && !beats(e); })) return;
  std::erase_if(elites_, is_near);
  elites_.insert(std::find_if(elites_.begin(), elites_.end(), beats), candidate);
  if (elites_.size() > capacity) elites_.pop_back();
}

}  // namespace dd::dmmv
