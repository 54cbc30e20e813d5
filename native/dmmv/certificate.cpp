// The check of multipliers, in doubled precision.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/doubled.hpp"

namespace dd::dmmv {

double check_certificate(const Problem& problem, std::span<const double> y) {
  const std::size_t rows = problem.rows();
  if (y.size() != rows) {
    throw Error(ErrorCode::shape_mismatch, "multipliers",
                "`multipliers` must have length " + std::to_string(rows) + " (one entry per row), got " +
                    std::to_string(y.size()));
  }
  double norm = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string name = "multipliers[" + std::to_string(i) + "]";
    if (!std::isfinite(y[i])) throw Error(ErrorCode::not_finite, name, "`" + name + "` must be finite");
    if ((y[i] > 0 && problem.upper()[i] == infinity) || (y[i] < 0 && problem.lower()[i] == -infinity)) {
      throw Error(ErrorCode::invalid_argument_value, name,
                  "`" + name + "` leans on the infinite side of its row, got " + std::to_string(y[i]));
    }
    norm += std::abs(y[i]);
  }
  if (norm > 1 + 1e-9) {
    throw Error(ErrorCode::invalid_argument_value, "multipliers",
                "`multipliers` must have absolute sum <= 1, got " + std::to_string(norm));
  }

  // z = y w as rounded is taken as exact: it stands for multipliers within one rounding of y, whose sum is accounted
  // for at the end.
  std::vector<double> z(rows);
  for (std::size_t i = 0; i < rows; ++i) z[i] = y[i] * problem.weights()[i];
  Doubled total;
  double magnitude = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    Doubled c;
    double column_magnitude = 0;
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      if (z[i] == 0) return;
      c.add_product(z[i], entry);
      column_magnitude += std::abs(z[i] * entry);
    });
    const double low = problem.levels().minimum(j);
    const double high = problem.levels().maximum(j);
    const double end = c.value() > 0 ? low : high;
    total.add_product(c.high, end);
    total.add_product(c.low, end);
    magnitude += column_magnitude * std::max(std::abs(low), std::abs(high));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    if (z[i] == 0) continue;
    const double side = z[i] > 0 ? problem.upper()[i] : problem.lower()[i];
    total.add_product(-z[i], side);
    magnitude += std::abs(z[i] * side);
  }
  const double value = total.value();
  if (magnitude == 0) return 0.0;
  const auto terms = static_cast<double>(rows + problem.variables());
  const double allowance = terms * 0x1p-52 * std::abs(value) + terms * terms * 0x1p-102 * magnitude;
  return (norm > 1 ? value / norm : value) - allowance;
}

}  // namespace dd::dmmv
