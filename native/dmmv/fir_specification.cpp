// What a filter specification may be, and the problem it stands for.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "dmmv/fir.hpp"
#include "dmmv/fir_grid.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t largest_level_table = std::size_t{1} << 22;

void check_finite(double value, const std::string& argument) {
  if (!std::isfinite(value)) fail(ErrorCode::not_finite, argument, "must be finite, got " + std::to_string(value));
}

void check_taps(const FirSpecification& specification) {
  const bool odd = specification.type == FirType::one || specification.type == FirType::three;
  const std::int32_t least = specification.type == FirType::three ? 3 : odd ? 1 : 2;
  const bool fits = (specification.taps % 2 != 0) == odd;
  if (specification.taps < least || specification.taps > 4095 || !fits) {
    fail(ErrorCode::invalid_argument_value, "taps",
         std::string("must be ") + (odd ? "odd, " : "even, ") + std::to_string(least) + " to 4095, got " +
             std::to_string(specification.taps));
  }
}

void check_bands(const FirSpecification& specification) {
  if (specification.bands.empty()) fail(ErrorCode::invalid_argument_value, "bands", "must hold at least one band");
  for (std::size_t k = 0; k < specification.bands.size(); ++k) {
    const FirBand& band = specification.bands[k];
    const std::string name = "bands[" + std::to_string(k) + "]";
    check_finite(band.from, name + ".from");
    check_finite(band.to, name + ".to");
    check_finite(band.gain, name + ".gain");
    check_finite(band.weight, name + ".weight");
    check_finite(band.slope, name + ".slope");
    if (!(band.from >= 0 && band.from <= 1)) {
      fail(ErrorCode::invalid_argument_value, name + ".from",
           "must be 0 to 1 (Nyquist), got " + std::to_string(band.from));
    }
    if (!(band.to >= band.from && band.to <= 1)) {
      fail(ErrorCode::invalid_argument_value, name + ".to",
           "must be `from` to 1 (Nyquist), got " + std::to_string(band.to));
    }
    if (!(band.weight > 0)) {
      fail(ErrorCode::invalid_argument_value, name + ".weight", "must be > 0, got " + std::to_string(band.weight));
    }
    if (k > 0 && band.from < specification.bands[k - 1].to) {
      fail(ErrorCode::invalid_argument_value, name + ".from",
           "must not lie before the end of the band before it, " + std::to_string(specification.bands[k - 1].to) +
               ", got " + std::to_string(band.from));
    }
  }
}

void check_zeros(const FirSpecification& specification) {
  for (std::size_t k = 0; k < specification.zero_taps.size(); ++k) {
    const std::int32_t tap = specification.zero_taps[k];
    if (tap < 0 || tap >= specification.taps) {
      fail(ErrorCode::out_of_range, "zeroTaps[" + std::to_string(k) + "]",
           "must be 0 to " + std::to_string(specification.taps - 1) + ", got " + std::to_string(tap));
    }
  }
  if (specification.zero_tap_count < 0 || specification.zero_tap_count > specification.taps) {
    fail(
        ErrorCode::out_of_range, "zeroTaps",
        "must be 0 to " + std::to_string(specification.taps) + ", got " + std::to_string(specification.zero_tap_count));
  }
  if (specification.zero_tap_count > 0 && !specification.zero_taps.empty()) {
    fail(ErrorCode::invalid_argument_value, "zeroTaps", "must be positions or a count, not both");
  }
}

/// Appends every number whose digits at and below `highest` are a non-adjacent form of at most `terms` digits -1 and 1:
/// the shortest sums of signed powers of two, each number once (G. W. Reitwiesner, 1960).
void append_signed_sums(std::int64_t sum, int highest, int terms, std::vector<std::int64_t>& out) {
  out.push_back(sum);
  if (terms == 0) return;
  for (int digit = highest; digit >= 0; --digit) {
    const std::int64_t power = std::int64_t{1} << digit;
    append_signed_sums(sum + power, digit - 2, terms - 1, out);
    append_signed_sums(sum - power, digit - 2, terms - 1, out);
  }
}

std::int64_t lowest_coefficient(const FirSpecification& specification) {
  const auto half_range = std::int64_t{1} << (specification.word_length - 1);
  return is_symmetric(specification.type) ? -half_range : 1 - half_range;
}

std::int64_t highest_coefficient(const FirSpecification& specification) {
  return (std::int64_t{1} << (specification.word_length - 1)) - 1;
}

}  // namespace

void check_specification(const FirSpecification& specification) {
  check_taps(specification);
  if (specification.word_length < 2 || specification.word_length > 30) {
    fail(ErrorCode::invalid_argument_value, "wordLength",
         "must be 2 to 30 bits, got " + std::to_string(specification.word_length));
  }
  check_bands(specification);
  check_finite(specification.grid_density, "gridDensity");
  if (!(specification.grid_density > 0 && specification.grid_density <= 1024)) {
    fail(ErrorCode::invalid_argument_value, "gridDensity",
         "must be > 0 and <= 1024, got " + std::to_string(specification.grid_density));
  }
  check_finite(specification.gain_range.minimum, "gainRange.minimum");
  check_finite(specification.gain_range.maximum, "gainRange.maximum");
  if (!(specification.gain_range.minimum > 0)) {
    fail(ErrorCode::invalid_argument_value, "gainRange.minimum",
         "must be > 0, got " + std::to_string(specification.gain_range.minimum));
  }
  if (!(specification.gain_range.maximum >= specification.gain_range.minimum)) {
    fail(ErrorCode::invalid_argument_value, "gainRange.maximum",
         "must be >= `gainRange.minimum`, got " + std::to_string(specification.gain_range.maximum));
  }
  check_zeros(specification);
  if (specification.max_signed_powers < 0) {
    fail(ErrorCode::out_of_range, "maxSignedPowers",
         "must be at least 0, got " + std::to_string(specification.max_signed_powers));
  }
}

std::size_t half_length(const FirSpecification& specification) noexcept {
  const auto half = static_cast<std::size_t>(specification.taps / 2);
  return specification.type == FirType::one ? half + 1 : half;
}

std::size_t grid_count(const FirSpecification& specification, const FirBand& band) {
  const double spacings = (band.to - band.from) * specification.grid_density * ((specification.taps + 1) / 2.0);
  // (0.5 - 0.1) * 16 * 18 must not become one point more by rounding.
  return static_cast<std::size_t>(std::ceil(spacings - 1e-9)) + 1;
}

double grid_point(const FirBand& band, std::size_t k, std::size_t count) {
  if (k + 1 == count && count > 1) return band.to;
  return count == 1 ? band.from
                    : band.from + (band.to - band.from) * (static_cast<double>(k) / static_cast<double>(count - 1));
}

double fir_basis(FirType type, std::size_t k, double frequency) {
  const auto index = static_cast<double>(k);
  switch (type) {
    case FirType::one:
      return k == 0 ? 1 : 2 * std::cos(std::numbers::pi * (index * frequency));
    case FirType::two:
      return 2 * std::cos(std::numbers::pi * ((index + 0.5) * frequency));
    case FirType::three:
      return 2 * std::sin(std::numbers::pi * ((index + 1) * frequency));
    case FirType::four:
      return 2 * std::sin(std::numbers::pi * ((index + 0.5) * frequency));
  }
  return 0;
}

std::vector<double> fir_grid(const FirSpecification& specification) {
  check_specification(specification);
  std::vector<double> grid;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) grid.push_back(grid_point(band, k, count));
  }
  return grid;
}

std::vector<double> signed_power_levels(const FirSpecification& specification) {
  const int terms = specification.max_signed_powers, digits = specification.word_length;
  if (terms == 0 || terms >= (digits + 1) / 2) return {};  // no number of the word needs more digits
  // C(digits - t + 1, t) places for t digits that do not touch, with signs.
  double count = 0;
  for (int t = 0; t <= terms; ++t) {
    double places = 1;
    for (int k = 0; k < t; ++k) places *= 2.0 * (digits - t + 1 - k) / (k + 1);
    count += places;
  }
  if (count > static_cast<double>(largest_level_table)) {
    fail(ErrorCode::out_of_memory, "maxSignedPowers",
         "allows " + std::to_string(static_cast<std::int64_t>(count)) + " values a coefficient, more than " +
             std::to_string(largest_level_table));
  }
  std::vector<std::int64_t> sums;
  append_signed_sums(0, digits - 1, terms, sums);
  std::sort(sums.begin(), sums.end());
  std::vector<double> levels;
  for (const std::int64_t sum : sums) {
    if (sum >= lowest_coefficient(specification) && sum <= highest_coefficient(specification)) {
      levels.push_back(static_cast<double>(sum));
    }
  }
  return levels;
}

std::size_t half_index(const FirSpecification& specification, std::int32_t tap) {
  const std::int32_t twice_distance = std::abs(2 * tap - (specification.taps - 1));
  if (specification.type == FirType::three && twice_distance == 0) return half_length(specification);
  return static_cast<std::size_t>(specification.type == FirType::three ? twice_distance / 2 - 1 : twice_distance / 2);
}

std::vector<std::size_t> free_half_taps(const FirSpecification& specification) {
  std::vector<bool> zero(half_length(specification) + 1, false);
  for (const std::int32_t tap : specification.zero_taps) zero[half_index(specification, tap)] = true;
  std::vector<std::size_t> free;
  for (std::size_t k = 0; k < half_length(specification); ++k) {
    if (!zero[k]) free.push_back(k);
  }
  return free;
}

Problem make_fir_problem(const FirSpecification& specification, double gain_factor) {
  check_specification(specification);
  const std::vector<double> frequencies = fir_grid(specification);
  std::vector<double> target, weights;
  for (const FirBand& band : specification.bands) {
    const std::size_t count = grid_count(specification, band);
    for (std::size_t k = 0; k < count; ++k) {
      target.push_back(gain_factor * band.wanted(grid_point(band, k, count)));
      weights.push_back(band.weight);
    }
  }
  const std::size_t rows = frequencies.size();
  const std::vector<std::size_t> free = free_half_taps(specification);
  const double unit = std::ldexp(1.0, 1 - specification.word_length);
  std::vector<double> matrix(rows * free.size());
  for (std::size_t j = 0; j < free.size(); ++j) {
    for (std::size_t i = 0; i < rows; ++i) {
      matrix[i + j * rows] = unit * fir_basis(specification.type, free[j], frequencies[i]);
    }
  }
  ProblemDescription description;
  description.matrix = MatrixView<const double>::column_major(matrix.data(), rows, free.size());
  description.lower = target;
  description.upper = target;
  description.weights = weights;
  const std::vector<double> levels = signed_power_levels(specification);
  const std::int64_t lowest = lowest_coefficient(specification);
  if (levels.empty()) {
    description.levels =
        UniformLevels{static_cast<double>(lowest), 1.0, highest_coefficient(specification) - lowest + 1};
  } else {
    description.levels = SharedLevels{levels};
  }
  return Problem::create(description);
}

}  // namespace dd::dmmv
