// From the losses of a row to its costs.
#pragma once

#include <algorithm>
#include <span>

namespace dd::polystep {

/// The mean over probes; anything that is not finite makes it so.
inline void average_probes(std::span<const double> losses, std::size_t probes, std::span<double> costs) {
  if (probes == 1) {
    std::copy(losses.begin(), losses.end(), costs.begin());
    return;
  }
  for (std::size_t n = 0; n < costs.size(); ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < probes; ++k) sum += losses[n * probes + k];
    costs[n] = sum / static_cast<double>(probes);
  }
}

/// Whether nothing tells the vertices of a row apart.
inline bool constant(std::span<const double> costs) {
  return std::all_of(costs.begin(), costs.end(), [&](double cost) { return cost == costs[0]; });
}

}  // namespace dd::polystep
