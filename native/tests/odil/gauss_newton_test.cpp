#include "odil/gauss_newton.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"

using namespace dd::odil;

namespace {

constexpr std::int32_t cells = 24;

/// u'' + u^3 = f on a line with zero ends (half a cell beyond), f such that a chosen u solves it.
ProblemDescription nonlinear_line(bool raw) {
  ProblemDescription description;
  Graph& graph = description.graph;
  description.axis_names = {"x"};
  const Shape shape{1, {cells, 1, 1, 1, 1}};
  description.fields = {{"u", shape, "c"}};
  description.arrays = {{"f", shape}};
  const NodeId u = graph.access(0, {});
  const NodeId minus = graph.where_index(0, 1, graph.negate(u), graph.access(0, Shift{-1}));
  const NodeId plus = graph.where_index(0, cells - 1, graph.access(0, Shift{1}), graph.negate(u));
  const NodeId second = graph.multiply(graph.constant(cells * cells),
                                       graph.add(graph.add(minus, plus), graph.multiply(graph.constant(-2), u)));
  const NodeId cube = graph.multiply(u, graph.multiply(u, u));
  const NodeId root = graph.subtract(graph.add(second, cube), graph.access(1, {}));
  description.blocks.push_back({"pde", false, raw, shape, {root}});
  return description;
}

std::vector<double> exact_solution() {
  std::vector<double> u;
  for (int i = 0; i < cells; ++i) u.push_back(2 * std::sin(3.141592653589793 * (i + 0.5) / cells));
  return u;
}

void set_right_side(Problem& problem) {
  problem.set_array(0, std::vector<double>(cells, 0));
  std::vector<double> at_exact(cells);
  problem.evaluate<double>(exact_solution(), at_exact, 1);
  problem.set_array(0, at_exact);
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("Gauss-Newton converges to the solution it was made from") {
  Problem problem(nonlinear_line(false));
  set_right_side(problem);
  std::vector<double> u(cells, 0.1);
  dd::RunControl control;
  const GaussNewtonResult result = gauss_newton(problem, u, {.gradient_tolerance = 1e-15}, control);
  CHECK(result.loss < 1e-18);
  CHECK(result.iterations < 20);
  CHECK(result.status != SolveStatus::max_iterations);
  const std::vector<double> exact = exact_solution();
  for (std::size_t i = 0; i < u.size(); ++i) CHECK(std::fabs(u[i] - exact[i]) < 1e-9);
  for (std::size_t k = 1; k < result.history.size(); ++k) CHECK(result.history[k].loss <= result.history[k - 1].loss);

  std::vector<double> again(cells, 0.1);
  dd::RunControl threaded(5);
  gauss_newton(problem, again, {.gradient_tolerance = 1e-15}, threaded);
  CHECK(again == u);
}

TEST_CASE("Gauss-Newton refuses raw blocks and names a residual that is not finite") {
  Problem raw(nonlinear_line(true));
  set_right_side(raw);
  std::vector<double> u(cells, 0.1);
  dd::RunControl control;
  try {
    gauss_newton(raw, u, {}, control);
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.argument() == "pde");
  }
  Problem problem(nonlinear_line(false));
  set_right_side(problem);
  u[7] = 1e200;
  try {
    gauss_newton(problem, u, {}, control);
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::not_finite);
    CHECK(error.argument() == "pde[7]");
  }
}

TEST_CASE("a run goes on to the bit, with weights that decay too") {
  Problem problem(nonlinear_line(false));
  set_right_side(problem);
  dd::RunControl control;
  for (const BlockWeights& weights : {BlockWeights{}, BlockWeights{{.initial = 3, .half_life = 2}}}) {
    std::vector<double> whole(cells, 0.1), parts(cells, 0.1);
    GaussNewtonOptions options{.weights = weights, .max_iterations = 5, .initial_lambda = 1};
    const GaussNewtonResult at_once = gauss_newton(problem, whole, options, control);
    options.max_iterations = 2;
    options.resume = gauss_newton(problem, parts, options, control).state;
    options.max_iterations = 3;
    const GaussNewtonResult rest = gauss_newton(problem, parts, options, control);
    CHECK(parts == whole);
    CHECK(rest.loss == at_once.loss);
    CHECK(rest.state.lambda == at_once.state.lambda);
    CHECK(rest.state.iterations == 5);
    CHECK(rest.history.front().iteration == 3);
  }
}

TEST_CASE("a factor that is larger than the memory is refused") {
  Problem problem(nonlinear_line(false));
  set_right_side(problem);
  std::vector<double> u(cells, 0.1);
  dd::RunControl control;
  control.limit_memory(64);
  try {
    gauss_newton(problem, u, {.linear_solver = LinearSolver::cholesky}, control);
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::out_of_memory);
  }
}

TEST_CASE("a cancelled run keeps the last accepted state") {
  Problem problem(nonlinear_line(false));
  set_right_side(problem);
  std::vector<double> u(cells, 0.1);
  dd::RunControl control;
  control.cancel();
  const GaussNewtonResult result = gauss_newton(problem, u, {}, control);
  CHECK(result.status == SolveStatus::cancelled);
  CHECK(u == std::vector<double>(cells, 0.1));
}

TEST_SUITE_END();
