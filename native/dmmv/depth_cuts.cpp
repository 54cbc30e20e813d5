#include "dmmv/depth_cuts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/infinity.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t most_cuts = 384;  // of one depth
constexpr double rounding = 1e-11;      // of sums of a few hundred terms of size one, with room to spare

}  // namespace

void DepthCuts::narrow(std::size_t free, std::span<const double> coordinates, double& low, double& high) const {
  for (const Cut& cut : cuts_[free]) {
    double rest = cut.start;
    for (std::size_t j = free + 1; j < unit_.columns; ++j) rest += cut.shares[j] * coordinates[j];
    const double share = cut.shares[free];
    const double tiny = 1e-14;
    if (std::abs(share) <= tiny) {
      if (std::abs(rest) > cut.limit + tiny * unit_.reach[free]) low = infinity;
      continue;
    }
    const double a = (-cut.limit - rest) / share, b = (cut.limit - rest) / share;
    low = std::max(low, std::min(a, b) - 1e-9);
    high = std::min(high, std::max(a, b) + 1e-9);
  }
}

bool DepthCuts::excludes(std::size_t free, std::span<const double> coordinates) {
  std::vector<Cut>& cuts = cuts_[free];
  for (std::size_t k = 0; k < cuts.size(); ++k) {
    double sum = cuts[k].start;
    for (std::size_t j = free; j < unit_.columns; ++j) sum += cuts[k].shares[j] * coordinates[j];
    if (std::abs(sum) <= cuts[k].limit) continue;
    if (k > 0) std::swap(cuts[k], cuts[k / 2]);  // what excludes often comes early
    return true;
  }
  return false;
}

void DepthCuts::add(std::size_t free, const ChebyshevReference& reference) {
  Cut cut;
  cut.shares.assign(unit_.columns, 0.0);
  double magnitude = 0;
  reference.for_multipliers([&](std::size_t i, double y) {
    cut.start += y * unit_.start[i];
    magnitude += std::abs(y) * std::abs(unit_.start[i]);
    for (std::size_t j = 0; j < unit_.columns; ++j) cut.shares[j] += y * unit_.matrix[i + j * unit_.rows];
  });
  // What the free coordinates may still contribute, because y is orthogonal to them but for rounding.
  cut.limit = 1 + rounding * (1 + magnitude);
  for (std::size_t j = 0; j < unit_.columns; ++j) {
    if (j < free) {
      cut.limit += (std::abs(cut.shares[j]) + 1e-15) * unit_.reach[j];
    } else {
      cut.limit += 1e-15 * std::abs(cut.shares[j]) * unit_.reach[j];
    }
  }
  ++count_;
  std::vector<Cut>& cuts = cuts_[free];
  if (cuts.size() < most_cuts) {
    cuts.push_back(std::move(cut));
  } else {
    // The last ones are those that exclude least.
    cuts[most_cuts - 1 - count_ % (most_cuts / 4)] = std::move(cut);
  }
}

}  // namespace dd::dmmv
