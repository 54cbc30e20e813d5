// Every solver of the linear step against dense QR, with and without damping, and what `auto` chooses.
#include "odil/linear_step.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"

using namespace dd::odil;

namespace {

struct Kind {
  bool parameters = false;  ///< conductivity and reaction are unknown
  bool data = false;        ///< a second block: measured values everywhere
  bool steady = false;      ///< a Poisson problem on the same grid instead
  std::int32_t times = 7, cells = 10;
};

/// u_t = k u_xx - r u^2, implicit in time: u at all times, k and r unknown or given; or k (u_tt + u_xx) - r u^2 = 1.
std::unique_ptr<Problem> make(const Kind& kind) {
  ProblemDescription description;
  Graph& graph = description.graph;
  description.axis_names = {"t", "x"};
  const Shape shape{2, {kind.times, kind.cells, 1, 1, 1}};
  description.fields = {{"u", shape, "cc"}};
  description.parameters = kind.parameters ? 2 : 0;
  const NodeId k = kind.parameters ? graph.parameter(0) : graph.constant(0.8);
  const NodeId r = kind.parameters ? graph.parameter(1) : graph.constant(0.3);
  const NodeId u = graph.access(0, {});
  const auto second = [&](std::size_t axis) {
    Shift back{}, on{};
    back[axis] = -1;
    on[axis] = 1;
    const auto number = static_cast<std::int32_t>(axis);
    const NodeId minus = graph.where_index(number, 1, graph.negate(u), graph.access(0, back));
    const NodeId plus = graph.where_index(number, shape.count[axis] - 1, graph.access(0, on), graph.negate(u));
    return graph.add(graph.add(minus, plus), graph.multiply(graph.constant(-2), u));
  };
  const NodeId reaction = graph.multiply(r, graph.multiply(u, u));
  NodeId root = 0;
  if (kind.steady) {
    root = graph.subtract(graph.multiply(k, graph.add(second(0), second(1))), graph.add(reaction, graph.constant(-1)));
  } else {
    const NodeId step = graph.add(graph.subtract(u, graph.access(0, Shift{-1})), reaction);
    const NodeId start = graph.subtract(u, graph.constant(0.7));
    root = graph.where_index(0, 1, start, graph.subtract(step, graph.multiply(k, second(1))));
  }
  description.blocks.push_back({"pde", false, false, shape, {root}});
  if (kind.data) {
    const NodeId misfit = graph.multiply(graph.constant(0.2), graph.subtract(u, graph.constant(0.5)));
    description.blocks.push_back({"data", false, false, shape, {misfit}});
  }
  return std::make_unique<Problem>(std::move(description));
}

std::vector<double> random_state(const Problem& problem) {
  dd::PhiloxStream random(3, 0);
  std::vector<double> z(problem.unknowns());
  for (double& x : z) x = 0.2 + 0.6 * random.next_uniform();
  return z;
}

std::vector<double> step_of(const Problem& problem, LinearSolver solver, const Damping& damping) {
  const LinearChoice choice = choose_linear_step(problem, solver, Normalization::mean, 2);
  const std::vector<double> z = random_state(problem);
  std::vector<double> v(problem.residuals()), step(problem.unknowns());
  problem.evaluate<double>(z, v, 1);
  choice.step->weigh(v);
  choice.step->linearise(z);
  dd::RunControl control(2);
  const StepResult result = choice.step->solve(v, damping, step, control);
  CHECK(result.status == dd::linalg::FactorStatus::factored);
  CHECK(result.converged);
  return step;
}

void check_same(const std::vector<double>& a, const std::vector<double>& b) {
  double size = 0, distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    size = std::max(size, std::fabs(b[i]));
    distance = std::max(distance, std::fabs(a[i] - b[i]));
  }
  CHECK(distance <= 1e-9 * size);
}

LinearSolver chosen(const Kind& kind) {
  return choose_linear_step(*make(kind), LinearSolver::automatic, Normalization::mean, 1).step->solver();
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("all solvers of the linear step agree with dense QR") {
  constexpr Damping dampings[] = {{}, {.lambda = 0.1}, {.damp = 0.3, .damp_diagonal = 0.2, .lambda = 1e-3}};
  for (const Damping& damping : dampings) {
    CAPTURE(damping.lambda);
    for (const bool steady : {false, true}) {
      CAPTURE(steady);
      const auto data = make({.data = true, .steady = steady}), all = make({.parameters = true, .data = true});
      const std::vector<double> truth = step_of(*data, LinearSolver::qr, damping);
      for (const LinearSolver solver :
           {LinearSolver::cholesky, LinearSolver::block_tridiagonal, LinearSolver::conjugate_gradient}) {
        CAPTURE(linear_solver_name(solver));
        check_same(step_of(*data, solver, damping), truth);
      }
      const std::vector<double> with_parameters = step_of(*all, LinearSolver::qr, damping);
      for (const LinearSolver solver : {LinearSolver::cholesky, LinearSolver::bordered}) {
        CAPTURE(linear_solver_name(solver));
        check_same(step_of(*all, solver, damping), with_parameters);
      }
    }
  }
}

TEST_CASE("solvers of square problems agree with dense QR") {
  for (const bool steady : {false, true}) {
    const auto problem = make({.steady = steady});
    const std::vector<double> truth = step_of(*problem, LinearSolver::qr, {});
    check_same(step_of(*problem, LinearSolver::lu, {}), truth);
    if (steady) check_same(step_of(*problem, LinearSolver::multigrid, {}), truth);
  }
}

TEST_CASE("auto takes the solver that fits and refuses one that does not") {
  CHECK(chosen({}) == LinearSolver::lu);
  CHECK(chosen({.steady = true}) == LinearSolver::multigrid);
  CHECK(chosen({.data = true}) == LinearSolver::cholesky);
  CHECK(chosen({.parameters = true, .data = true}) == LinearSolver::bordered);
  CHECK(chosen({.data = true, .times = 400, .cells = 600}) == LinearSolver::conjugate_gradient);
  const auto data = make({.data = true}), all = make({.parameters = true, .data = true});
  for (const LinearSolver solver : {LinearSolver::lu, LinearSolver::multigrid, LinearSolver::bordered}) {
    CAPTURE(linear_solver_name(solver));
    try {
      choose_linear_step(*data, solver, Normalization::mean, 1);
      FAIL("must throw");
    } catch (const dd::Error& error) {
      CHECK(error.argument() == "linearSolver");
    }
  }
  CHECK_THROWS_AS(choose_linear_step(*all, LinearSolver::conjugate_gradient, Normalization::mean, 1), dd::Error);
  CHECK_THROWS_AS(choose_linear_step(*all, LinearSolver::block_tridiagonal, Normalization::mean, 1), dd::Error);
}

TEST_SUITE_END();
