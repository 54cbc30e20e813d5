// Formulas as loops.
#include "quantize/reference.hpp"

#include <algorithm>
#include <cmath>

namespace dd::quantize::reference {
namespace {

struct Grid {
  double scale, zero, largest;

  double nearest(double weight) const { return std::clamp(std::nearbyint(weight / scale) + zero, 0.0, largest); }
  double value(double code) const { return scale * (code - zero); }
};

Grid grid_at(const GptqGrids& grids, std::size_t i, std::size_t j) {
  const std::size_t group = grids.group.empty() ? 0 : grids.group[j];
  const double largest = static_cast<double>(grids.levels[grids.levels.size() == 1 ? 0 : j]) - 1;
  const float first = grids.scale(i, group), second = grids.zero(i, group);
  if (grids.form == GptqGridForm::scale_and_zero) {
    return {static_cast<double>(first), static_cast<double>(second), largest};
  }
  return {static_cast<double>(first) / std::max(largest, 1.0),
          std::nearbyint(static_cast<double>(second * static_cast<float>(largest))), largest};
}

}  // namespace

void gptq(MatrixView<double> w, MatrixView<const float> u, const GptqGrids& grids, MatrixView<double> errors,
          MatrixView<std::uint8_t> codes) {
  for (std::size_t j = 0; j < w.columns; ++j) {
    for (std::size_t i = 0; i < w.rows; ++i) {
      // nearbyint rounds half to even unless the process changed the rounding mode.
      const Grid grid = grid_at(grids, i, j);
      const double code = grid.nearest(w(i, j)), value = grid.value(code);
      const double error = (w(i, j) - value) / static_cast<double>(u(j, j));
      codes(i, j) = static_cast<std::uint8_t>(code);
      errors(i, j) = error;
      for (std::size_t k = j + 1; k < w.columns; ++k) w(i, k) -= error * static_cast<double>(u(j, k));
      w(i, j) = value;
    }
  }
}

void rounding_table(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                    std::span<const std::uint32_t> levels, std::span<double> table) {
  std::fill(table.begin(), table.end(), 0.0);
  for (std::size_t j = 0; j < w.columns; ++j) {
    for (std::size_t k = 0; k < levels.size(); ++k) {
      const double largest = static_cast<double>(levels[k]) - 1;
      for (std::size_t i = 0; i < w.rows; ++i) {
        const double weight = static_cast<double>(w(i, j));
        const double scale = static_cast<double>(range[i]) / largest;
        const double zero = std::nearbyint(static_cast<double>(ratio[i] * static_cast<float>(largest)));
        const double code = std::clamp(std::nearbyint(weight / scale) + zero, 0.0, largest);
        const double error = weight - (levels[k] == 1 ? 0.0 : scale * (code - zero));
        table[j * levels.size() + k] += error * error;
      }
    }
  }
}

void range_candidates(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                      std::span<const std::uint32_t> levels, std::span<const float> importance,
                      std::span<const float> factors, std::span<float> losses) {
  for (std::size_t i = 0; i < w.rows; ++i) {
    for (std::size_t c = 0; c < factors.size(); ++c) {
      double sum = 0;
      for (std::size_t j = 0; j < w.columns; ++j) {
        const auto weight = static_cast<double>(w(i, j));
        double value = 0;
        if (levels[j] > 1) {
          const auto largest = static_cast<double>(levels[j] - 1);
          const double scale = static_cast<double>(range[i]) * static_cast<double>(factors[c]) / largest;
          const double zero = std::nearbyint(static_cast<double>(ratio[i]) * largest);
          value = scale * std::clamp(std::nearbyint(weight / scale), -zero, largest - zero);
        }
        sum += static_cast<double>(importance[j]) * (weight - value) * (weight - value);
      }
      losses[i * factors.size() + c] = static_cast<float>(sum);
    }
  }
}

void descent(MatrixView<const float> hessian, const GptqGrids& grids, MatrixView<double> gradient,
             MatrixView<double> quantized, MatrixView<std::uint8_t> codes) {
  for (std::size_t i = 0; i < quantized.rows; ++i) {
    for (std::size_t j = 0; j < quantized.columns; ++j) {
      const Grid grid = grid_at(grids, i, j);
      if (!(grid.largest > 0)) continue;
      const auto curvature = static_cast<double>(hessian(j, j));
      const double code = grid.nearest(quantized(i, j) + gradient(i, j) / curvature);
      const double step = grid.value(code) - quantized(i, j);
      if (!(step * (step * curvature - 2 * gradient(i, j)) < 0)) continue;
      for (std::size_t k = 0; k < quantized.columns; ++k) {
        gradient(i, k) -= step * static_cast<double>(hessian(j, k));
      }
      quantized(i, j) += step;
      codes(i, j) = static_cast<std::uint8_t>(code);
    }
  }
}

}  // namespace dd::quantize::reference
