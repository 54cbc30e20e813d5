// The slow scalar truth of what acts on whole fields, float64, written from the formulas of specs/odil.md.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace dd::odil::reference {

/// Section 4: one level of interpolation, arrays row-major; `cells` of the coarse grid ('.': points).
std::vector<double> interpolate(std::span<const std::size_t> cells, std::string_view location,
                                std::span<const double> coarse);
/// Its transpose.
std::vector<double> interpolate_transposed(std::span<const std::size_t> cells, std::string_view location,
                                           std::span<const double> fine);

/// Section 5: step number `step` (from 1) of Adam.
void adam(std::span<const double> gradient, std::span<double> x, std::span<double> first_moment,
          std::span<double> second_moment, std::size_t step, double rate, double beta1, double beta2, double epsilon);

}  // namespace dd::odil::reference
