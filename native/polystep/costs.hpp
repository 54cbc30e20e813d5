// From raw losses to costs that assignment rules can read: entries that are not finite, recentring, scaling.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/matrix_view.hpp"

namespace dd::polystep {

/// What costs are divided by after their minimum was subtracted. row_std and rank look at one row at a time; raw_mean
/// and raw_max are the rules of old releases, without recentring.
enum class CostScale : std::uint8_t { none, number, mean, max, standard_deviation, row_std, rank, raw_mean, raw_max };

/// Whether a row can be scaled without knowing the others.
constexpr bool is_row_scale(CostScale scale) noexcept {
  return scale == CostScale::none || scale == CostScale::number || scale == CostScale::row_std ||
         scale == CostScale::rank;
}

/// What stands for a NaN or an infinity where `largest` is the largest finite |cost|; 1 where nothing is finite
/// (`largest` < 0).
double infeasible_cost(double largest) noexcept;
/// The largest finite |cost|, -1 where there is none.
double largest_finite(std::span<const double> costs) noexcept;
/// Replaces what is not finite by `replacement`.
void replace_infeasible(std::span<double> costs, double replacement) noexcept;

struct ScaledCosts {
  double shift = 0;  ///< what was subtracted, in scaled units: scaled cost + shift = cost / divisor
  double divisor = 1;
};

/// Scales a whole matrix of finite costs (row-major, `vertices` a row) in place. `number`: for CostScale::number.
ScaledCosts scale_costs(std::span<double> costs, std::size_t vertices, CostScale scale, double number);
/// The same for one row and a scale for which is_row_scale holds: up to a constant that no row rule sees.
void scale_row(std::span<double> row, CostScale scale, double number);

}  // namespace dd::polystep
