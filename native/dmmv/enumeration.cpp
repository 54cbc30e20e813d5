#include "dmmv/enumeration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace dd::dmmv {
namespace {

constexpr std::size_t enumeration_work = std::size_t{1} << 24;

}  // namespace

bool is_worth_enumeration(const Problem& problem, const SearchRows& rows, std::span<const std::size_t> free) {
  std::size_t work = rows.stride;
  for (const std::size_t j : free) {
    work *= static_cast<std::size_t>(problem.levels().count(j));
    if (work > enumeration_work) return false;
  }
  return true;
}

bool enumerate_assignments(const Problem& problem, const SearchRows& rows, std::span<const std::size_t> free,
                           std::vector<std::int32_t> indices, const RunControl& control,
                           FunctionRef<void(double, const std::vector<std::int32_t>&)> visit) {
  const LevelSets& levels = problem.levels();
  const std::size_t n = problem.variables();
  std::vector<double> columns(rows.stride * n), residual(rows.stride);
  for (std::size_t j = 0; j < n; ++j) {
    search_column(problem, rows, j, std::span(columns).subspan(j * rows.stride, rows.stride));
  }
  std::vector<std::int32_t> direction(free.size(), 1);
  for (const std::size_t j : free) indices[j] = 0;
  std::vector<std::size_t> focus(free.size() + 1);
  for (std::size_t k = 0; k <= free.size(); ++k) focus[k] = k;
  for (std::uint64_t visited = 0;; ++visited) {
    if (visited % 256 == 0) search_residual(problem, rows, indices, residual);
    if (visited % 4096 == 0 && control.should_stop()) return false;
    double violation = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < rows.hard; ++i) {
      const double z = residual[i];
      violation = std::max(violation, rows.pure ? std::abs(z) : std::max(z - rows.upper[i], -z - rows.lower[i]));
    }
    visit(violation, indices);
    const std::size_t k = focus[0];
    focus[0] = 0;
    if (k == free.size()) return true;
    const std::size_t j = free[k];
    const double before = levels.value(j, indices[j]);
    indices[j] += direction[k];
    const double change = levels.value(j, indices[j]) - before;
    const double* column = columns.data() + j * rows.stride;
    for (std::size_t i = 0; i < rows.hard; ++i) residual[i] += change * column[i];
    if (indices[j] == 0 || indices[j] + 1 == levels.count(j)) {
      direction[k] = -direction[k];
      focus[k] = focus[k + 1];
      focus[k + 1] = k + 1;
    }
  }
}

}  // namespace dd::dmmv
