// The exact solver against all assignments of small random problems: whatever rows, weights and levels, and from the
// worst assignment as well as from a good one.
#include "dmmv/exact.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/philox.hpp"
#include "dmmv/chebyshev.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/fir.hpp"

namespace dd::dmmv {
namespace {

struct Random {
  std::size_t m, n;
  std::vector<double> matrix, lower, upper, weights, levels;
  std::vector<std::size_t> starts{0};

  /// kind 0: equalities, equal steps; 1: intervals and one-sided rows; 2: levels of any distance; 3: two levels.
  Random(std::size_t rows, std::size_t columns, int kind, std::uint64_t seed) : m(rows), n(columns) {
    PhiloxStream random(seed, static_cast<std::uint32_t>(kind));
    for (std::size_t k = 0; k < m * n; ++k) matrix.push_back(2 * random.next_uniform() - 1);
    for (std::size_t i = 0; i < m; ++i) {
      const double centre = random.next_uniform() - 0.5, width = kind == 1 ? 0.3 * random.next_uniform() : 0;
      lower.push_back(kind == 1 && i % 3 == 1 ? -infinity : centre - width);
      upper.push_back(kind == 1 && i % 3 == 2 ? infinity : centre + width);
      weights.push_back(0.5 + random.next_uniform());
    }
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t count = kind == 3 ? 2 : j == 1 ? 1 : 3 + random.next_below(2);
      double value = -1;
      for (std::size_t q = 0; q < count; ++q) {
        levels.push_back(value);
        value += kind == 2 ? 0.2 + random.next_uniform() : 0.7;
      }
      starts.push_back(levels.size());
    }
  }
  Problem problem() const {
    ProblemDescription description;
    description.matrix = MatrixView<const double>::column_major(matrix.data(), m, n);
    description.lower = lower;
    description.upper = upper;
    description.weights = weights;
    description.levels = OwnLevels{levels, starts};
    return Problem::create(description);
  }
};

double least_of_all(const Problem& problem, std::vector<std::int32_t>& worst) {
  std::vector<std::int32_t> indices(problem.variables(), 0);
  double least = infinity, most = -infinity;
  for (;;) {
    const double value = objective(problem, indices);
    least = std::min(least, value);
    if (value > most) most = value, worst = indices;
    std::size_t j = 0;
    while (j < indices.size() && ++indices[j] == problem.levels().count(j)) indices[j++] = 0;
    if (j == indices.size()) return least;
  }
}

}  // namespace

TEST_CASE("the optimum of every small problem is found from the worst assignment, and proven") {
  for (const std::array<std::size_t, 2>& shape : {std::array<std::size_t, 2>{12, 5}, {5, 6}, {3, 4}, {20, 7}, {1, 3}}) {
    for (int kind = 0; kind < 4; ++kind) {
      for (std::uint64_t seed = 0; seed < 6; ++seed) {
        CAPTURE(shape[0]);
        CAPTURE(kind);
        CAPTURE(seed);
        const Random random(shape[0], shape[1], kind, seed);
        const Problem problem = random.problem();
        std::vector<std::int32_t> worst;
        const double optimum = least_of_all(problem, worst);
        ExactResult result;
        RunControl control(1);
        enumerate_from(problem, worst, 1e-9, result, control);
        CHECK(result.proven);
        CHECK(result.objective == doctest::Approx(optimum).epsilon(1e-8));
        CHECK(result.objective == objective(problem, result.indices));
        CHECK(result.lower_bound <= optimum + 1e-12);
        CHECK(solve_exact(problem, {}, control).objective == doctest::Approx(optimum).epsilon(1e-8));
      }
    }
  }
}

TEST_CASE("a filter of 21 taps is proven from the worst coefficients") {
  FirSpecification specification;
  specification.taps = 21;
  specification.word_length = 6;
  specification.bands = {{0, 0.4, 1, 1}, {0.5, 1, 0, 1}};
  const Problem problem = make_fir_problem(specification);
  RunControl control(1);
  ExactOptions options;
  options.search_iterations = 100'000;
  const ExactResult searched = solve_exact(problem, options, control);
  CHECK(searched.proven);
  ExactResult plain;
  enumerate_from(problem, std::vector<std::int32_t>(problem.variables(), 0), 1e-9, plain, control);
  CHECK(plain.proven);
  CHECK(plain.objective == doctest::Approx(searched.objective).epsilon(1e-9));
}

TEST_CASE("a stopped proof returns what is known, and bad options are refused") {
  const Random random(12, 5, 0, 9);
  const Problem problem = random.problem();
  RunControl stopped(1);
  stopped.cancel();
  const ExactResult result = solve_exact(problem, {}, stopped);
  CHECK(result.status == (result.proven ? ExactResult::Status::optimal : ExactResult::Status::cancelled));
  CHECK(result.objective == objective(problem, result.indices));
  RunControl control(1);
  ExactOptions options;
  options.gap = -1;
  CHECK_THROWS_AS(solve_exact(problem, options, control), Error);
}

TEST_CASE("a reference tells inside from outside, and its multipliers prove it") {
  PhiloxStream random(5, 0);
  constexpr std::size_t m = 30, k = 4;
  std::vector<double> matrix(m * k), r(m);
  for (double& value : matrix) value = 2 * random.next_uniform() - 1;
  ChebyshevReference reference(matrix.data(), m, k);
  REQUIRE(reference.usable());
  int inside = 0, outside = 0;
  for (int question = 0; question < 400; ++question) {
    const double scale = 0.3 + 2 * random.next_uniform();
    for (double& value : r) value = scale * (2 * random.next_uniform() - 1);
    const ChebyshevReference::Answer answer = reference.ask(r, 1e-9);
    if (answer == ChebyshevReference::Answer::inside) {
      ++inside;
      for (std::size_t i = 0; i < m; ++i) {
        double sum = r[i];
        for (std::size_t j = 0; j < k; ++j) sum += matrix[i + j * m] * reference.point()[j];
        CHECK(std::abs(sum) <= 1 + 1e-9);
      }
    } else if (answer == ChebyshevReference::Answer::outside) {
      ++outside;
      double norm = 0, value = 0;
      std::array<double, k> products{};
      reference.for_multipliers([&](std::size_t i, double y) {
        norm += std::abs(y);
        value += y * r[i];
        for (std::size_t j = 0; j < k; ++j) products[j] += y * matrix[i + j * m];
      });
      CHECK(norm == doctest::Approx(1));
      CHECK(std::abs(value) > 1);
      for (const double product : products) CHECK(std::abs(product) < 1e-9);
    }
  }
  CHECK(inside > 20);
  CHECK(outside > 20);
}

}  // namespace dd::dmmv
