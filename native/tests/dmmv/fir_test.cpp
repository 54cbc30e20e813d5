// Responses, symmetric coefficients, peaks between grid points, the free gain.
#include "dmmv/fir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <set>

#include "core/error.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

FirSpecification filter() {
  FirSpecification specification;
  specification.taps = 15;
  specification.word_length = 6;
  specification.bands = {{0, 0.35, 1, 1}, {0.55, 1, 0, 2}};
  return specification;
}

}  // namespace

TEST_CASE("response of a single tap and of a symmetric pair") {
  CHECK(fir_response(std::vector<double>{4}, FirType::one, 3, 0.7) == 1);
  CHECK(std::abs(fir_response(std::vector<double>{0, 2}, FirType::one, 3, 0.5)) <= 1e-15);
  CHECK(fir_response(std::vector<double>{0, 2}, FirType::one, 3, 0) == 1);
  CHECK(fir_response(std::vector<double>{0, 2}, FirType::one, 3, 1) == -1);
}

TEST_CASE("the design is symmetric, in range, and its figures are those of its coefficients") {
  SolveOptions options;
  options.iteration_limit = 5'000;
  RunControl control(1);
  const FirSpecification specification = filter();
  const FirDesign design = design_fir(specification, options, control);
  REQUIRE(design.coefficients.size() == 15);
  std::vector<double> half;
  for (std::size_t k = 0; k < 15; ++k) {
    CHECK(design.coefficients[k] == design.coefficients[14 - k]);
    CHECK(design.coefficients[k] >= -32);
    CHECK(design.coefficients[k] <= 31);
    if (k >= 7) half.push_back(design.coefficients[k]);
  }
  CHECK(std::abs(grid_ripple(specification, half) - design.ripple) <= 1e-13);
  // Between the grid points nothing is missed: a far finer grid finds no more.
  double fine = 0;
  for (const FirBand& band : specification.bands) {
    for (int k = 0; k <= 200'000; ++k) {
      const double f = band.from + (band.to - band.from) * k / 200'000;
      fine = std::max(fine, band.weight * std::abs(fir_response(half, FirType::one, 6, f) - band.gain));
    }
  }
  CHECK(design.continuous_ripple >= fine - 1e-13);
  CHECK(design.continuous_ripple <= fine + 1e-8);
  CHECK(design.unquantised_ripple < design.ripple);
  CHECK(design.lower_bound <= design.ripple);
  CHECK(design.ripple <= design.rounded_ripple);
}

TEST_CASE("a free gain is no worse than the fixed one it includes, and stays in its range") {
  SolveOptions options;
  options.iteration_limit = 60'000;
  RunControl control(1);
  FirSpecification specification = filter();
  const double fixed = design_fir(specification, options, control).ripple;
  specification.gain_range = {0.75, 1.25};
  const FirDesign design = design_fir(specification, options, control);
  CHECK(design.gain_factor >= 0.75);
  CHECK(design.gain_factor <= 1.25);
  CHECK(design.ripple <= fixed * 1.02);
  std::vector<double> half(design.coefficients.begin() + 7, design.coefficients.end());
  CHECK(std::abs(grid_ripple(specification, half, design.gain_factor) / design.gain_factor - design.ripple) <= 1e-13);
  CHECK(std::isinf(design.lower_bound));
  CHECK(design.search.iterations <= 60'000);
}

TEST_CASE("one tap and a band of a single frequency") {
  FirSpecification specification;
  specification.taps = 1;
  specification.word_length = 8;
  specification.bands = {{0.5, 0.5, 0.3, 1}};
  SolveOptions options;
  options.iteration_limit = 100;
  RunControl control(1);
  const FirDesign design = design_fir(specification, options, control);
  CHECK(design.coefficients == std::vector<std::int32_t>{38});  // 0.3 * 128 = 38.4
  CHECK(std::abs(design.ripple - (0.3 - 38.0 / 128)) <= 1e-15);
}

namespace {

/// A(f) from the definition: the transform of the impulse response, its linear phase taken off.
std::complex<double> transform(const std::vector<std::int32_t>& coefficients, const FirSpecification& specification,
                               double frequency) {
  std::complex<double> sum = 0;
  const double centre = (specification.taps - 1) / 2.0;
  for (std::size_t n = 0; n < coefficients.size(); ++n) {
    const double phase = -std::numbers::pi * frequency * (static_cast<double>(n) - centre);
    sum += std::polar(std::ldexp(coefficients[n], 1 - specification.word_length), phase);
  }
  return is_symmetric(specification.type) ? sum : sum / std::complex<double>(0, 1);
}

FirDesign design_of(const FirSpecification& specification, std::uint64_t steps = 3'000) {
  SolveOptions options;
  options.iteration_limit = steps;
  RunControl control(1);
  return design_fir(specification, options, control);
}

}  // namespace

TEST_CASE("every type: the transform of the coefficients is the response, real, with the zeros of its type") {
  for (const FirType type : {FirType::one, FirType::two, FirType::three, FirType::four}) {
    FirSpecification specification;
    specification.type = type;
    specification.taps = type == FirType::one || type == FirType::three ? 13 : 14;
    specification.word_length = 7;
    specification.bands = {{0.15, 0.4, 0.7, 1, is_symmetric(type) ? 0.0 : 0.5}, {0.7, 0.9, 0, 3}};
    const FirDesign design = design_of(specification);
    double ripple = 0;
    for (const FirBand& band : specification.bands) {
      const auto count =
          static_cast<int>(std::ceil((band.to - band.from) * 16 * (specification.taps + 1) / 2.0 - 1e-9)) + 1;
      for (int k = 0; k < count; ++k) {
        const double f = band.from + (band.to - band.from) * k / (count - 1);
        const std::complex<double> response = transform(design.coefficients, specification, f);
        CHECK(std::abs(response.imag()) <= 1e-14);
        ripple = std::max(ripple, band.weight * std::abs(response.real() - (band.gain + band.slope * f)));
      }
    }
    CHECK(std::abs(ripple - design.ripple) <= 1e-13);
    CHECK(design.continuous_ripple >= design.ripple);
    CHECK(design.lower_bound <= design.ripple);
    const std::size_t last = design.coefficients.size() - 1;
    for (std::size_t n = 0; n <= last; ++n) {
      CHECK(design.coefficients[n] == (is_symmetric(type) ? 1 : -1) * design.coefficients[last - n]);
      CHECK(design.coefficients[n] <= 63);
      CHECK(design.coefficients[n] >= (is_symmetric(type) ? -64 : -63));
    }
    const bool zero_at_nyquist = type == FirType::two || type == FirType::three;
    if (zero_at_nyquist) CHECK(std::abs(transform(design.coefficients, specification, 1)) <= 1e-13);
    if (!is_symmetric(type)) CHECK(std::abs(transform(design.coefficients, specification, 0)) <= 1e-13);
  }
}

TEST_CASE("signed powers of two: all numbers of so many terms are levels, and no other") {
  FirSpecification specification = filter();
  specification.word_length = 8;
  for (int terms = 1; terms <= 3; ++terms) {
    specification.max_signed_powers = terms;
    // Every sum of `terms` of 0, +-1, +-2 ... +-128.
    std::set<int> sums = {0};
    for (int term = 0; term < terms; ++term) {
      std::set<int> longer = sums;
      for (const int sum : sums) {
        for (int digit = 0; digit < 8; ++digit) longer.insert({sum + (1 << digit), sum - (1 << digit)});
      }
      sums = longer;
    }
    std::vector<double> expected;
    for (const int sum : sums) {
      if (sum >= -128 && sum <= 127) expected.push_back(sum);
    }
    CHECK(signed_power_levels(specification) == expected);
  }
  specification.max_signed_powers = 4;  // half of the digits: every number of the word
  CHECK(signed_power_levels(specification).empty());
  specification.max_signed_powers = 2;
  const FirDesign design = design_of(specification);
  const std::vector<double> levels = signed_power_levels(specification);
  for (const std::int32_t coefficient : design.coefficients) {
    CHECK(std::binary_search(levels.begin(), levels.end(), coefficient));
  }
  CHECK(design.ripple <= design.rounded_ripple);
  specification.word_length = 30;
  specification.max_signed_powers = 9;
  CHECK_THROWS_AS(signed_power_levels(specification), Error);
}

TEST_CASE("zero taps: at given positions with their mirror images, or as many as asked for") {
  FirSpecification specification = filter();
  specification.zero_taps = {0, 10};
  const FirDesign given = design_of(specification);
  for (const std::size_t tap : {0, 14, 10, 4}) CHECK(given.coefficients[tap] == 0);
  CHECK(given.unquantised[3] == 0);
  CHECK(given.unquantised[7] == 0);

  specification.zero_taps.clear();
  specification.zero_tap_count = 6;
  const FirDesign chosen = design_of(specification);
  CHECK(std::count(chosen.coefficients.begin(), chosen.coefficients.end(), 0) >= 6);
  // Of the 35 choices of three pairs few have a better real filter.
  int better = 0;
  RunControl control(1);
  for (std::int32_t first = 0; first < 7; ++first) {
    for (std::int32_t second = first + 1; second < 7; ++second) {
      for (std::int32_t third = second + 1; third < 7; ++third) {
        FirSpecification other = filter();
        other.zero_taps = {first, second, third};
        const double ripple = linear_relaxation(make_fir_problem(other), {}, control).objective;
        better += ripple < chosen.unquantised_ripple * (1 - 1e-9) ? 1 : 0;
      }
    }
  }
  CHECK(better <= 2);

  // With a start its zeros are the positions.
  const std::vector<std::int32_t> half(chosen.coefficients.begin() + 7, chosen.coefficients.end());
  SolveOptions options;
  options.iteration_limit = 1;
  options.initial = half;
  CHECK(design_fir(specification, options, control).ripple <= chosen.ripple);
  specification.zero_tap_count = 15;
  CHECK_THROWS_AS(design_fir(specification, options, control), Error);
}
