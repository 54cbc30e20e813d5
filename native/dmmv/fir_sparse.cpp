// Which taps of a sparse filter are zero.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "dmmv/bound.hpp"
#include "dmmv/fir.hpp"
#include "dmmv/fir_grid.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t candidates_tried = 4;

/// Every tap whose entry of the half response is not in `free`.
std::vector<std::int32_t> zero_positions(const FirSpecification& specification, const std::vector<std::size_t>& free) {
  std::vector<std::int32_t> zeros;
  for (std::int32_t tap = 0; tap < specification.taps; ++tap) {
    if (!std::binary_search(free.begin(), free.end(), half_index(specification, tap))) zeros.push_back(tap);
  }
  return zeros;
}

}  // namespace

std::vector<std::int32_t> choose_zero_taps(const FirSpecification& specification, const RunControl& control) {
  FirSpecification thinned = specification;
  thinned.zero_tap_count = 0;
  std::vector<std::size_t> free = free_half_taps(thinned);
  const auto wanted = static_cast<std::size_t>(specification.zero_tap_count);
  thinned.zero_taps = zero_positions(thinned, free);
  LinearRelaxation relaxation = linear_relaxation(make_fir_problem(thinned), {}, control);
  while (thinned.zero_taps.size() < wanted) {
    std::vector<std::size_t> order(free.size());
    for (std::size_t j = 0; j < order.size(); ++j) order[j] = j;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::abs(relaxation.point[a]) < std::abs(relaxation.point[b]);
    });
    order.resize(std::min(order.size(), candidates_tried));
    // Whoever has no time left takes the smallest coefficient.
    if (control.should_stop()) order.resize(1);
    double least = std::numeric_limits<double>::infinity();
    std::vector<std::size_t> best_free;
    LinearRelaxation best;
    for (const std::size_t j : order) {
      std::vector<std::size_t> rest = free;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(j));
      thinned.zero_taps = zero_positions(thinned, rest);
      LinearRelaxation candidate = linear_relaxation(make_fir_problem(thinned), {}, control);
      if (best_free.size() == rest.size() && !(candidate.objective < least)) continue;
      least = candidate.objective;
      best = std::move(candidate);
      best_free = std::move(rest);
    }
    free = std::move(best_free);
    relaxation = std::move(best);
    thinned.zero_taps = zero_positions(thinned, free);
  }
  return thinned.zero_taps;
}

}  // namespace dd::dmmv
