// Certificates hold for every point of the boxes, the relaxation is as good as its own dual, useless bounds say so.
#include "dmmv/bound.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "dmmv/evaluate.hpp"
#include "dmmv/fir.hpp"
#include "tests/dmmv/problems.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;

double value_at(const Problem& problem, const std::vector<double>& x) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    double activity = 0;
    for (std::size_t j = 0; j < x.size(); ++j) activity += problem.matrix().column(j)[i] * x[j];
    largest = std::max(largest,
                       problem.weights()[i] * std::max(activity - problem.upper()[i], problem.lower()[i] - activity));
  }
  return largest;
}

}  // namespace

TEST_CASE("any multipliers of norm one bound any point of the boxes") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const std::size_t rows = 1 + seed % 9, columns = 1 + seed % 5;
    const Problem problem = test::random_problem(seed, rows, columns, true).create();
    PhiloxStream random(seed, 5);
    for (int trial = 0; trial < 20; ++trial) {
      std::vector<double> y(rows), x(columns);
      double norm = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        y[i] = 2 * random.next_uniform() - 1;
        if (std::isinf(problem.upper()[i])) y[i] = -std::abs(y[i]);
        if (std::isinf(problem.lower()[i])) y[i] = std::abs(y[i]);
        norm += std::abs(y[i]);
      }
      for (double& value : y) value /= norm;
      for (double& value : x) value = 4 * random.next_uniform() - 2;
      CHECK(check_certificate(problem, y) <= value_at(problem, x) + 1e-15);
      // Half of the multipliers still bound the positive part.
      for (double& value : y) value /= 2;
      CHECK(check_certificate(problem, y) <= std::max(value_at(problem, x), 0.0) + 1e-15);
    }
  }
}

TEST_CASE("the relaxation meets its dual and no point of the boxes is below it") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const std::size_t rows = 1 + seed % 23, columns = 1 + seed % 7;
    CAPTURE(seed);
    const Problem problem = test::random_problem(seed, rows, columns, seed % 2 == 0).create();
    RunControl control(1);
    const LinearRelaxation relaxation = linear_relaxation(problem, {}, control);
    CHECK(relaxation.converged);
    CHECK(relaxation.bound <= relaxation.objective + 1e-12);
    CHECK(relaxation.objective - relaxation.bound <= 1e-8 * std::max(1.0, std::abs(relaxation.objective)));
    CHECK(std::abs(value_at(problem, relaxation.point) - relaxation.objective) <= 1e-12);
    double norm = 0;
    for (const double y : relaxation.multipliers) norm += std::abs(y);
    CHECK(norm <= 1 + 1e-12);
    PhiloxStream random(seed, 6);
    for (int trial = 0; trial < 50; ++trial) {
      std::vector<double> x(columns);
      for (double& value : x) value = 4 * random.next_uniform() - 2;
      CHECK(relaxation.bound <= value_at(problem, x) + 1e-12);
    }
  }
}

TEST_CASE("scaling rows and columns scales the bound and nothing else") {
  const test::ProblemData data = test::random_problem(8, 20, 6, false);
  test::ProblemData scaled = data;
  for (std::size_t i = 0; i < data.rows; ++i) {
    const double factor = std::ldexp(1.0, static_cast<int>(i % 13) * 3 - 18);
    for (std::size_t j = 0; j < data.columns; ++j) scaled.matrix[i + j * data.rows] *= factor;
    scaled.lower[i] *= factor;
    scaled.upper[i] *= factor;
    scaled.weights[i] /= factor;
  }
  // Column 2 in units of 2^-30.
  scaled.starts = {0};
  scaled.levels.clear();
  for (std::size_t j = 0; j < data.columns; ++j) {
    const double unit = j == 2 ? 0x1p-30 : 1.0;
    for (std::size_t i = 0; i < data.rows; ++i) scaled.matrix[i + j * data.rows] /= unit;
    for (const double level : data.levels) scaled.levels.push_back(level * unit);
    scaled.starts.push_back(scaled.levels.size());
  }
  RunControl control(1);
  const double one = linear_relaxation(data.create(), {}, control).bound;
  const double other = linear_relaxation(scaled.create(), {}, control).bound;
  CHECK(std::abs(one - other) <= 1e-10 * one);
  const std::vector<std::int32_t> indices{0, 1, 2, 3, 4, 0};
  CHECK(std::abs(objective(data.create(), indices) - objective(scaled.create(), indices)) <= 1e-13);
}

TEST_CASE("a target inside the boxes gives no useful bound") {
  test::ProblemData data = test::random_problem(9, 30, 5, false);
  for (std::size_t i = 0; i < data.rows; ++i) {
    double inside = 0;
    for (std::size_t j = 0; j < data.columns; ++j)
      inside += data.matrix[i + j * data.rows] * (0.3 - 0.1 * static_cast<double>(j));
    data.lower[i] = data.upper[i] = inside;
  }
  RunControl control(1);
  const LinearRelaxation relaxation = linear_relaxation(data.create(), {}, control);
  CHECK_FALSE(relaxation.useful);
  CHECK(relaxation.bound == 0);
  CHECK(relaxation.objective <= 1e-12);
}

TEST_CASE("fixed variables, zero columns and no variables at all") {
  test::ProblemData data = test::random_problem(10, 6, 3, false);
  data.starts = {0, 1, 4, 6};
  data.levels = {0.5, -1, 0, 1, 2, 3};
  for (std::size_t i = 0; i < data.rows; ++i) data.matrix[i + data.rows] = 0;
  RunControl control(1);
  const Problem problem = data.create();
  const LinearRelaxation relaxation = linear_relaxation(problem, {}, control);
  CHECK(relaxation.converged);
  CHECK(relaxation.point[0] == 0.5);
  for (std::int32_t q = 0; q < 2; ++q) {
    CHECK(relaxation.bound <= objective(problem, std::vector<std::int32_t>{0, 1, q}));
  }
  test::ProblemData none = test::random_problem(11, 6, 0, false);
  const LinearRelaxation constant = linear_relaxation(none.create(), {}, control);
  CHECK(std::abs(constant.bound - evaluate(none.create(), {}).objective) <= 1e-14);
}

TEST_CASE("first-order steps and exchange agree, and what they prove holds") {
  LinearRelaxationOptions first_order;
  first_order.method = RelaxationMethod::first_order;
  LinearRelaxationOptions exchange;
  exchange.method = RelaxationMethod::exchange;
  RunControl control(1);
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    const Problem problem = test::random_problem(seed, 1 + seed % 23, 1 + seed % 7, seed % 2 == 0).create();
    const LinearRelaxation exact = linear_relaxation(problem, exchange, control);
    const LinearRelaxation found = linear_relaxation(problem, first_order, control);
    const double tolerance = 1e-5 * std::max(1.0, std::abs(exact.objective));
    CHECK(std::abs(found.objective - exact.objective) <= tolerance);
    CHECK(found.bound <= exact.objective + 1e-12);
    CHECK(found.bound >= exact.bound - tolerance);
    CHECK(std::abs(value_at(problem, found.point) - found.objective) <= 1e-12);
    if (found.useful) CHECK(check_certificate(problem, found.multipliers) == found.bound);
  }
}

TEST_CASE("first-order steps on a filter: the relaxation, for any number of threads") {
  FirSpecification specification;
  specification.taps = 35;
  specification.word_length = 8;
  specification.bands = {{0, 0.4, 1, 1}, {0.5, 1, 0, 10}};
  const Problem problem = make_fir_problem(specification);
  LinearRelaxationOptions options;
  options.method = RelaxationMethod::first_order;
  options.tolerance = 1e-3;
  RunControl one(1), three(3);
  const LinearRelaxation found = linear_relaxation(problem, options, one);
  CHECK(found.converged);
  const double exact = linear_relaxation(problem, {}, one).objective;
  CHECK(found.bound <= exact * (1 + 1e-9));
  CHECK(found.bound >= exact * (1 - 1e-3));
  CHECK(found.objective <= exact * (1 + 1.1e-3));
  CHECK(linear_relaxation(problem, options, three).multipliers == found.multipliers);
}

TEST_CASE("the spectrum bounds every assignment, and Hadamard's by the square root of their order") {
  for (unsigned m = 2; m <= 7; ++m) {
    const Problem problem = test::hadamard_problem(m).create();
    CHECK(spectral_bound(problem) == std::ceil(std::ldexp(1.0, static_cast<int>(m)) / std::sqrt(std::ldexp(1.0, m))));
  }
  int proven = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    const std::size_t columns = 1 + seed % 6;
    test::ProblemData data = test::random_problem(seed, columns + seed % 5, columns, seed % 2 == 0);
    data.levels = seed % 3 == 0 ? std::vector<double>{-1.5, -0.5, 0.25, 2} : std::vector<double>{-1, 1};
    for (std::size_t i = 0; i < data.rows; ++i) {
      if (seed % 4 == 1) data.lower[i] = data.upper[i] = 0;  // no centre at all
      if (seed % 4 == 3) {                                   // integers
        for (std::size_t j = 0; j < columns; ++j) {
          data.matrix[i + j * data.rows] = std::round(3 * data.matrix[i + j * data.rows]);
        }
        data.lower[i] = data.upper[i] = std::round(data.lower[i]);
      }
    }
    const Problem problem = data.create();
    const double bound = spectral_bound(problem);
    proven += bound > 0 ? 1 : 0;
    std::vector<std::int32_t> indices(columns, 0);
    for (std::size_t j = 0; j < columns;) {
      CHECK(bound <= objective(problem, indices));
      for (j = 0; j < columns && ++indices[j] == problem.levels().count(j); ++j) indices[j] = 0;
    }
  }
  CHECK(proven >= 10);
}

TEST_CASE("a bound says what it rests on") {
  RunControl control(1);
  const LinearRelaxation balanced = lower_bound(test::hadamard_problem(4).create(), {}, control);
  CHECK(balanced.source == BoundSource::spectrum);
  CHECK(balanced.useful);
  CHECK(balanced.bound == 4);
  const LinearRelaxation far = lower_bound(test::random_problem(3, 20, 4, false).create(), {}, control);
  CHECK(far.source == BoundSource::relaxation);
  test::ProblemData one = test::random_problem(5, 1, 6, false);
  one.lower[0] = one.upper[0] = 0;
  const LinearRelaxation partition = lower_bound(one.create(), {}, control);
  CHECK(partition.source == BoundSource::widths);
  CHECK_FALSE(partition.useful);
  // First-order steps see at once that there is nothing to be proven.
  LinearRelaxationOptions options;
  options.method = RelaxationMethod::first_order;
  CHECK(linear_relaxation(one.create(), options, control).iterations < 1000);
}
