// Responses, symmetric coefficients, peaks between grid points, the free gain.
#include "dmmv/fir.hpp"

#include <doctest/doctest.h>

#include <cmath>

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
  CHECK(fir_response(std::vector<double>{4}, 3, 0.7) == 1);
  CHECK(std::abs(fir_response(std::vector<double>{0, 2}, 3, 0.5)) <= 1e-15);
  CHECK(fir_response(std::vector<double>{0, 2}, 3, 0) == 1);
  CHECK(fir_response(std::vector<double>{0, 2}, 3, 1) == -1);
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
      fine = std::max(fine, band.weight * std::abs(fir_response(half, 6, f) - band.gain));
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
