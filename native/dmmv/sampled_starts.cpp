#include "dmmv/sampled_starts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dmmv/evaluate.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t samples_drawn = 1024;
constexpr std::size_t samples_evaluated = 128;

}  // namespace

void SampledStarts::prepare(const SearchRows& rows, const SearchLattice& lattice, std::span<const double> point,
                            const RunControl& control) {
  if (!lattice.available) return;
  const std::vector<double> factors = design_factors(problem_, rows, lattice);
  if (factors.empty()) return;
  const SearchLattice reduced = search_lattice(problem_, rows, factors, control);
  if (!reduced.available) return;
  plane_ = std::make_unique<NearestPlane>(problem_, rows, reduced, factors, point);
  if (!plane_->usable()) plane_.reset();
}

std::vector<std::int32_t> SampledStarts::draw(PhiloxStream& random, const RunControl& control) const {
  // Little noise finds the same points again and again, much noise far ones; so it varies.
  const double spread = 0.1 * std::pow(10.0, random.next_uniform());
  std::vector<std::pair<double, std::vector<std::int64_t>>> samples(samples_drawn);
  for (auto& [square, coordinates] : samples) {
    if (control.should_stop()) return {};
    coordinates = plane_->sample(random, spread, square);
  }
  std::partial_sort(samples.begin(), samples.begin() + samples_evaluated, samples.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::int32_t> best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < samples_evaluated && !control.should_stop(); ++k) {
    std::vector<std::int32_t> start = plane_->levels(samples[k].second);
    const double value = objective(problem_, start);
    if (value < least) {
      least = value;
      best = std::move(start);
    }
  }
  return best;
}

}  // namespace dd::dmmv
