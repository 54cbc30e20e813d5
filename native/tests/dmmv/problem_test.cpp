// Bad input is named with its index; good input keeps its meaning in every form.
#include "dmmv/problem.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/fir.hpp"
#include "dmmv/solve.hpp"
#include "tests/dmmv/problems.hpp"

namespace {

using namespace dd;
using namespace dd::dmmv;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

void check_error(const std::function<void()>& call, ErrorCode code, const std::string& argument) {
  try {
    call();
    FAIL("no error for " << argument);
  } catch (const Error& error) {
    CHECK(error.argument() == argument);
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    CHECK(std::string(error.what()).find("`" + argument.substr(0, argument.find('['))) != std::string::npos);
  }
}

test::ProblemData good() { return test::random_problem(5, 4, 3, true); }

void check_change(const std::function<void(test::ProblemData&)>& change, ErrorCode code, const std::string& argument) {
  test::ProblemData data = good();
  change(data);
  check_error([&] { data.create(); }, code, argument);
}

}  // namespace

TEST_CASE("values outside section 11 are refused by name and index") {
  using D = test::ProblemData;
  check_change([](D& d) { d.matrix[1 + 2 * d.rows] = not_a_number; }, ErrorCode::not_finite, "matrix[1][2]");
  check_change([](D& d) { d.matrix[3] = infinity; }, ErrorCode::not_finite, "matrix[3][0]");
  check_change([](D& d) { d.lower[2] = not_a_number; }, ErrorCode::not_finite, "lower[2]");
  check_change([](D& d) { d.upper[0] = not_a_number; }, ErrorCode::not_finite, "upper[0]");
  check_change([](D& d) { d.lower[1] = 2, d.upper[1] = 1; }, ErrorCode::invalid_argument_value, "lower[1]");
  check_change([](D& d) { d.lower[1] = -infinity, d.upper[1] = infinity; }, ErrorCode::invalid_argument_value,
               "lower[1]");
  check_change([](D& d) { d.lower[1] = infinity, d.upper[1] = infinity; }, ErrorCode::invalid_argument_value,
               "lower[1]");
  check_change([](D& d) { d.upper[3] = -infinity, d.lower[3] = 0; }, ErrorCode::invalid_argument_value, "upper[3]");
  check_change([](D& d) { d.weights[3] = 0; }, ErrorCode::invalid_argument_value, "weights[3]");
  check_change([](D& d) { d.weights[0] = -1; }, ErrorCode::invalid_argument_value, "weights[0]");
  check_change([](D& d) { d.weights[0] = not_a_number; }, ErrorCode::not_finite, "weights[0]");
  check_change([](D& d) { d.weights.pop_back(); }, ErrorCode::shape_mismatch, "weights");
  check_change([](D& d) { d.lower.pop_back(); }, ErrorCode::shape_mismatch, "lower");
  check_change([](D& d) { d.upper.push_back(1); }, ErrorCode::shape_mismatch, "upper");
  check_change([](D& d) { d.levels.clear(); }, ErrorCode::invalid_argument_value, "levels");
  check_change([](D& d) { d.levels = {0, 2, 1}; }, ErrorCode::invalid_argument_value, "levels[2]");
  check_change([](D& d) { d.levels = {0, 1, 1}; }, ErrorCode::invalid_argument_value, "levels[2]");
  check_change([](D& d) { d.levels = {0, not_a_number}; }, ErrorCode::not_finite, "levels[1]");
  check_change(
      [](D& d) {
        d.levels = {0, 1, 2}, d.starts = {0, 2, 2, 3};
      },
      ErrorCode::invalid_argument_value, "levels[1]");
  check_change([](D& d) { d.levels = {0, 1, 2}, d.starts = {0, 1, 3}; }, ErrorCode::shape_mismatch, "levels");
  check_change(
      [](D& d) {
        d.levels = {0, 2, 1, 3}, d.starts = {0, 1, 3, 4};
      },
      ErrorCode::invalid_argument_value, "levels[1][1]");
  check_change(
      [](D& d) {
        d.rows = 0;
        d.matrix.clear();
        d.lower.clear();
        d.upper.clear();
        d.weights.clear();
      },
      ErrorCode::invalid_argument_value, "matrix");
}

TEST_CASE("uniform levels are checked too") {
  const test::ProblemData data = good();
  const auto with = [&](UniformLevels levels) {
    ProblemDescription description = data.description();
    description.levels = levels;
    return Problem::create(description);
  };
  check_error([&] { with({not_a_number, 1, 2}); }, ErrorCode::not_finite, "levels.offset");
  check_error([&] { with({0, infinity, 2}); }, ErrorCode::not_finite, "levels.step");
  check_error([&] { with({0, 0, 2}); }, ErrorCode::invalid_argument_value, "levels.step");
  check_error([&] { with({0, 1, 0}); }, ErrorCode::invalid_argument_value, "levels.count");
  check_error([&] { with({0, 1, std::int64_t{1} << 31}); }, ErrorCode::invalid_argument_value, "levels.count");
  check_error([&] { with({1e18, 1, 3}); }, ErrorCode::invalid_argument_value, "levels.step");
  check_error([&] { with({0, 1e308, 3}); }, ErrorCode::not_finite, "levels.step");
  CHECK(with({-2, 1, 5}).levels().total() == 15);
}

TEST_CASE("sparse columns are checked and mean the same as dense ones") {
  const std::vector<std::int32_t> pointers{0, 2, 2, 3}, rows{0, 3, 1};
  const std::vector<double> values{1.5, -2, 4}, zeros(4, 0.0), table{-1, 0, 2};
  const auto with = [&](const std::vector<std::int32_t>& p, const std::vector<std::int32_t>& r,
                        const std::vector<double>& v) {
    ProblemDescription description;
    description.matrix = SparseColumns{4, 3, p, r, v};
    description.lower = description.upper = zeros;
    description.levels = SharedLevels{table};
    return Problem::create(description);
  };
  const Problem sparse = with(pointers, rows, values);
  test::ProblemData data;
  data.rows = 4;
  data.columns = 3;
  data.matrix = {1.5, 0, 0, -2, 0, 0, 0, 0, 0, 4, 0, 0};
  data.lower = data.upper = zeros;
  data.levels = table;
  const Problem dense = data.create();
  const std::vector<std::int32_t> indices{2, 0, 1};
  CHECK(evaluate(sparse, indices).violations == evaluate(dense, indices).violations);
  std::vector<double> one(9), other(9);
  one_flip_table(sparse, indices, 1, one);
  one_flip_table(dense, indices, 1, other);
  CHECK(one == other);
  check_error([&] { with({0, 2, 3}, rows, values); }, ErrorCode::shape_mismatch, "matrix.columnPointers");
  check_error([&] { with({0, 2, 1, 3}, rows, values); }, ErrorCode::out_of_range, "matrix.columnPointers[2]");
  check_error([&] { with({1, 2, 2, 3}, rows, values); }, ErrorCode::out_of_range, "matrix.columnPointers[0]");
  check_error([&] { with({0, 2, 2, 2}, rows, values); }, ErrorCode::out_of_range, "matrix.columnPointers[3]");
  check_error([&] { with(pointers, {0, 4, 1}, values); }, ErrorCode::out_of_range, "matrix.rowIndices[1]");
  check_error([&] { with(pointers, {3, 0, 1}, values); }, ErrorCode::invalid_argument_value, "matrix.rowIndices[1]");
  check_error([&] { with(pointers, {3, 3, 1}, values); }, ErrorCode::invalid_argument_value, "matrix.rowIndices[1]");
  check_error([&] { with(pointers, {0, 3}, values); }, ErrorCode::shape_mismatch, "matrix.rowIndices");
  check_error([&] { with(pointers, rows, {1, not_a_number, 1}); }, ErrorCode::not_finite, "matrix.values[1]");
}

TEST_CASE("arguments of the routines are checked") {
  const Problem problem = good().create();
  std::vector<double> table(15);
  check_error([&] { evaluate(problem, std::vector<std::int32_t>{0, 1}); }, ErrorCode::shape_mismatch, "indices");
  check_error([&] { evaluate(problem, std::vector<std::int32_t>{0, 5, 1}); }, ErrorCode::out_of_range, "indices[1]");
  check_error([&] { evaluate(problem, std::vector<std::int32_t>{0, 1, -1}); }, ErrorCode::out_of_range, "indices[2]");
  check_error(
      [&] {
        one_flip_table(problem, std::vector<std::int32_t>{0, 0, 0}, 1, std::span(table).first(3));
      },
      ErrorCode::shape_mismatch, "out");
  check_error(
      [&] {
        nearest_levels(problem, std::vector<double>{0, not_a_number, 0});
      },
      ErrorCode::not_finite, "point[1]");
  check_error([&] { check_certificate(problem, std::vector<double>{1}); }, ErrorCode::shape_mismatch, "multipliers");
  check_error(
      [&] {
        check_certificate(problem, std::vector<double>{0, not_a_number, 0, 0});
      },
      ErrorCode::not_finite, "multipliers[1]");
  const test::ProblemData one_sided = [] {
    test::ProblemData data = test::random_problem(1, 2, 2, false);
    data.upper[0] = infinity;
    return data;
  }();
  check_error(
      [&] {
        check_certificate(one_sided.create(), std::vector<double>{0.5, 0});
      },
      ErrorCode::invalid_argument_value, "multipliers[0]");
  check_error(
      [&] {
        check_certificate(one_sided.create(), std::vector<double>{-0.7, 0.7});
      },
      ErrorCode::invalid_argument_value, "multipliers");
  const auto solve_with = [&](const std::function<void(SolveOptions&)>& change) {
    SolveOptions options;
    options.iteration_limit = 10;
    change(options);
    RunControl control(1);
    solve(problem, options, control);
  };
  const std::vector<std::int32_t> outside{0, 0, 9};
  const std::vector<double> not_finite{0, not_a_number, 0}, short_point{0};
  check_error([&] { solve_with([&](SolveOptions& o) { o.initial = outside; }); }, ErrorCode::out_of_range,
              "initial[2]");
  check_error([&] { solve_with([&](SolveOptions& o) { o.continuous = not_finite; }); }, ErrorCode::not_finite,
              "continuous[1]");
  check_error([&] { solve_with([&](SolveOptions& o) { o.continuous = short_point; }); }, ErrorCode::shape_mismatch,
              "continuous");
  check_error([&] { solve_with([&](SolveOptions& o) { o.decay = 0; }); }, ErrorCode::invalid_argument_value, "decay");
  check_error([&] { solve_with([&](SolveOptions& o) { o.eta = not_a_number; }); }, ErrorCode::invalid_argument_value,
              "eta");
  check_error([&] { solve_with([&](SolveOptions& o) { o.target = not_a_number; }); }, ErrorCode::not_finite, "target");
}

TEST_CASE("filter specifications are checked by name") {
  const auto with = [](const std::function<void(FirSpecification&)>& change) {
    FirSpecification specification;
    specification.taps = 15;
    specification.word_length = 8;
    specification.bands = {{0, 0.4, 1, 1}, {0.6, 1, 0, 1}};
    change(specification);
    check_specification(specification);
  };
  using F = FirSpecification;
  const auto value = ErrorCode::invalid_argument_value;
  CHECK_NOTHROW(with([](F&) {}));
  check_error([&] { with([](F& f) { f.taps = 14; }); }, value, "taps");
  check_error([&] { with([](F& f) { f.word_length = 1; }); }, value, "wordLength");
  check_error([&] { with([](F& f) { f.bands.clear(); }); }, value, "bands");
  check_error([&] { with([](F& f) { f.bands[1].from = 0.3; }); }, value, "bands[1].from");
  check_error([&] { with([](F& f) { f.bands[1].to = 1.1; }); }, value, "bands[1].to");
  check_error([&] { with([](F& f) { f.bands[0].weight = 0; }); }, value, "bands[0].weight");
  check_error([&] { with([](F& f) { f.bands[0].gain = not_a_number; }); }, ErrorCode::not_finite, "bands[0].gain");
  check_error([&] { with([](F& f) { f.grid_density = 0; }); }, value, "gridDensity");
  check_error([&] { with([](F& f) { f.gain_range = {1.2, 1.1}; }); }, value, "gainRange.maximum");
}

TEST_CASE("nearest levels: ties go to the lower level, outside points to the ends") {
  test::ProblemData data = test::random_problem(3, 2, 4, false);
  data.levels = {-1, 0, 2, 2.5};
  const Problem problem = data.create();
  CHECK(nearest_levels(problem, std::vector<double>{-9, 1, 1.01, 99}) == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK_FALSE(problem.levels().equally_spaced());
  CHECK(level_values(problem, std::vector<std::int32_t>{0, 1, 2, 3}) == std::vector<double>{-1, 0, 2, 2.5});
}
