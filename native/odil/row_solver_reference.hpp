// The solves for one row of time written from their formulas, in float64.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace dd::odil::reference {

/// x = p + w (D^-1 (b - O D^-1 b) - p) on a box of points: `coefficients[k]` belongs to the neighbour -1 and +1 along
/// the last axis, then along the middle and the first one; a neighbour outside counts as 0.
inline std::vector<double> chebyshev_step(const std::array<std::size_t, 3>& counts,
                                          std::span<const std::vector<double>> coefficients,
                                          std::span<const double> diagonal, std::span<const double> right_side,
                                          std::span<const double> previous, double weight) {
  const std::size_t points = counts[0] * counts[1] * counts[2];
  const std::array<std::size_t, 3> stride{counts[1] * counts[2], counts[2], 1};
  std::vector<double> result(points);
  for (std::size_t i = 0; i < points; ++i) {
    double total = right_side[i];
    for (std::size_t k = 0; k < 6; ++k) {
      const std::size_t axis = 2 - k / 2, at = i / stride[axis] % counts[axis];
      const bool up = k % 2 == 1;
      if (up ? at + 1 == counts[axis] : at == 0) continue;
      const std::size_t j = up ? i + stride[axis] : i - stride[axis];
      total -= coefficients[k][i] * (right_side[j] / diagonal[j]);
    }
    result[i] = previous[i] + weight * (total / diagonal[i] - previous[i]);
  }
  return result;
}

/// L D U x = b with unit bidiagonal factors: y_i = b_i - l_i y_(i-1), x_i = y_i / d_i - u_i x_(i+1).
inline std::vector<double> thomas(std::span<const double> lower, std::span<const double> inverse_pivot,
                                  std::span<const double> upper, std::span<const double> right_side) {
  std::vector<double> x(right_side.begin(), right_side.end());
  for (std::size_t i = 1; i < x.size(); ++i) x[i] -= lower[i] * x[i - 1];
  for (std::size_t i = x.size(); i-- > 0;) {
    x[i] *= inverse_pivot[i];
    if (i + 1 < x.size()) x[i] -= upper[i] * x[i + 1];
  }
  return x;
}

}  // namespace dd::odil::reference
