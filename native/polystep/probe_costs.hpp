// From the losses of a row to its costs, and what a step wants to know of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
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

struct RowCosts {
  double sum = 0, least = std::numeric_limits<double>::infinity();
  bool finite = true, constant = true;  ///< constant: nothing tells the vertices apart
};

/// One pass over the costs of a row.
inline RowCosts survey(std::span<const double> costs) {
  RowCosts row;
  for (const double cost : costs) {
    row.sum += cost;
    row.least = cost < row.least ? cost : row.least;
    row.finite &= std::abs(cost) <= std::numeric_limits<double>::max();
    row.constant &= cost == costs[0];
  }
  return row;
}

}  // namespace dd::polystep
