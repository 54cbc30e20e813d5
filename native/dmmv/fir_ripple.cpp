// Response and ripple of a half impulse response, on the grid and between its points.
#include <algorithm>
#include <cmath>
#include <vector>

#include "dmmv/fir.hpp"
#include "dmmv/fir_grid.hpp"

namespace dd::dmmv {
namespace {

double band_error(const FirSpecification& specification, const FirBand& band, std::span<const double> half,
                  double gain_factor, double frequency) {
  const double response = fir_response(half, specification.type, specification.word_length, frequency);
  return band.weight * std::abs(response - gain_factor * band.wanted(frequency));
}

/// Largest value of a unimodal function on [a, b] by golden section, to rounding.
template <class Function>
double golden_maximum(Function&& f, double a, double b) {
  constexpr double ratio = 0.6180339887498949;
  double x = b - ratio * (b - a), y = a + ratio * (b - a);
  double fx = f(x), fy = f(y);
  for (int step = 0; step < 60 && b - a > 1e-13; ++step) {
    if (fx < fy) {
      a = x;
      x = y;
      fx = fy;
      y = a + ratio * (b - a);
      fy = f(y);
    } else {
      b = y;
      y = x;
      fy = fx;
      x = b - ratio * (b - a);
      fx = f(x);
    }
  }
  return std::max(fx, fy);
}

}  // namespace

double fir_response(std::span<const double> half, FirType type, std::int32_t word_length, double frequency) {
  double sum = 0;
  for (std::size_t k = half.size(); k-- > 0;) {
    if (half[k] != 0) sum += half[k] * fir_basis(type, k, frequency);
  }
  return std::ldexp(sum, 1 - word_length);
}

double grid_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor) {
  double largest = 0;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) {
      largest = std::max(largest, band_error(specification, band, half, gain_factor, grid_point(band, k, count)));
    }
  }
  return largest;
}

double continuous_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor) {
  constexpr std::size_t points = 4096;
  double largest = grid_ripple(specification, half, gain_factor);
  std::vector<double> errors(points);
  for (const FirBand& band : specification.bands) {
    for (std::size_t k = 0; k < points; ++k) {
      errors[k] = band_error(specification, band, half, gain_factor, grid_point(band, k, points));
    }
    const double coarse = std::max(largest, *std::max_element(errors.begin(), errors.end()));
    for (std::size_t k = 0; k < points; ++k) {
      const bool peak = (k == 0 || errors[k] >= errors[k - 1]) && (k + 1 == points || errors[k] >= errors[k + 1]);
      // A peak that is 1 % lower on 4096 points cannot overtake: between points an extremum rises by far less.
      if (!peak || errors[k] < 0.99 * coarse) continue;
      const double left = grid_point(band, k == 0 ? 0 : k - 1, points);
      const double right = grid_point(band, std::min(k + 1, points - 1), points);
      const auto error_at = [&](double f) { return band_error(specification, band, half, gain_factor, f); };
      largest = std::max({largest, errors[k], golden_maximum(error_at, left, right)});
    }
  }
  return largest;
}

}  // namespace dd::dmmv
