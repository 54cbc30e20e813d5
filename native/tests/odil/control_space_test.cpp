// Gauss-Newton in control space against Gauss-Newton on all unknowns, which knows nothing of time: the same minimum of
// the same loss, whatever data there are.
#include "odil/control_space.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/reductions.hpp"
#include "evolution_problems.hpp"
#include "odil/march.hpp"

using namespace dd::odil;

namespace {

constexpr std::int32_t rows = 9, cells = 13;

enum class Data : std::uint8_t { points, smooth, scalar, parameter };

/// Diffusion on a line with an unknown growth (parameter 0) and, with data of kind `parameter`, an unknown offset of
/// the measurements (parameter 1). Measurements are those of another growth with an error added.
std::unique_ptr<Problem> assimilation(Data data, double growth, const std::vector<double>* measured) {
  EvolutionBuilder b({rows, cells}, false);
  Graph& g = b.graph;
  b.description.parameters = 2;
  b.description.arrays = {{"measured", b.shape}, {"mask", b.shape}};
  add_diffusion(b, 0.8, g.multiply(g.constant(growth), g.parameter(0)));
  const NodeId value = g.access(1, {}), mask = g.access(2, {});
  const NodeId offset = data == Data::parameter ? g.parameter(1) : g.constant(0);
  b.block("data", g.multiply(mask, g.subtract(b.u(), g.add(value, offset))));
  if (data == Data::smooth) {
    const NodeId along_time = g.subtract(b.u(), b.u(Shift{-1}));
    b.block("smooth", g.multiply(g.constant(0.1), b.initial(g.constant(0), g.add(along_time, b.laplacian({})))));
  }
  std::vector<NodeId> prior{g.multiply(g.constant(0.01), g.subtract(g.parameter(0), g.constant(1))),
                            g.multiply(g.constant(0.01), g.parameter(1))};
  if (data == Data::scalar) {
    const NodeId end = g.pick(0, Shift{rows - 1, 4}), other = g.pick(0, Shift{rows - 2, 7});
    prior.push_back(g.subtract(g.add(end, g.multiply(other, g.parameter(1))), g.constant(0.9)));
  }
  b.description.blocks.push_back({"prior", true, false, {}, prior});
  auto problem = b.finish();
  std::vector<double> mask_values(static_cast<std::size_t>(rows * cells), 0);
  for (std::size_t i = 0; i < mask_values.size(); i += 5) mask_values[i] = 3;
  problem->set_array(0, measured == nullptr ? std::vector<double>(mask_values.size(), 0) : *measured);
  problem->set_array(1, mask_values);
  return problem;
}

std::vector<double> measurements() {
  const auto truth = assimilation(Data::points, 4, nullptr);
  std::vector<double> unknowns(truth->unknowns(), 0);
  unknowns[truth->grid_unknowns()] = 1;
  // Without its data the problem marches; here it is enough to march from the parameters.
  EvolutionBuilder b({rows, cells}, false);
  add_diffusion(b, 0.8, b.number(4));
  const auto forward = b.finish();
  dd::RunControl control;
  const std::span<double> state = std::span(unknowns).first(truth->grid_unknowns());
  march<double>(*forward, *find_evolution(*forward, std::nullopt).evolution, state, {}, 50, control);
  dd::PhiloxStream random(3, 0);
  std::vector<double> values(state.begin(), state.end());
  for (double& value : values) value += 0.05 * (random.next_uniform() - 0.5);
  return values;
}

const std::vector<ParameterRange> free_ranges{{.scale = 1}, {.scale = 1}};

template <class T>
struct Run {
  std::vector<T> state;
  std::vector<double> parameters;
  ControlSpaceResult result;

  Run(const Problem& problem, const ControlSpaceOptions& options, std::span<const ParameterRange> ranges = free_ranges,
      std::size_t threads = 1)
      : state(problem.unknowns(), T(0)) {
    dd::RunControl control(threads);
    const Evolution evolution = *find_evolution(problem, std::nullopt).evolution;
    state[problem.grid_unknowns()] = 1;
    result = control_space<T>(problem, evolution, state, ranges, options, control);
    parameters.assign(state.begin() + static_cast<std::ptrdiff_t>(problem.grid_unknowns()), state.end());
    state.resize(problem.grid_unknowns());
  }
};

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("control space finds the minimum that Gauss-Newton finds") {
  const std::vector<double> measured = measurements();
  for (const Data data : {Data::points, Data::smooth, Data::scalar, Data::parameter}) {
    CAPTURE(static_cast<int>(data));
    const auto problem = assimilation(data, 1, &measured);
    const Run<double> run(*problem, {.loss_tolerance = 1e-12, .linear_tolerance = 1e-6});
    std::vector<double> unknowns(problem->unknowns(), 0.5);
    dd::RunControl control;
    const GaussNewtonResult other = gauss_newton(*problem, unknowns, {}, control);
    CHECK(run.result.status == SolveStatus::loss);
    CHECK(run.result.initial_loss > 1.05 * run.result.loss);
    CHECK(run.result.loss == doctest::Approx(other.loss).epsilon(1e-8));
    for (std::size_t i = 0; i < run.state.size(); ++i) CHECK(std::fabs(run.state[i] - unknowns[i]) < 1e-4);
    for (std::size_t k = 0; k < 2; ++k) {
      CHECK(std::fabs(run.parameters[k] - unknowns[problem->grid_unknowns() + k]) < 1e-3);
    }
    // The loss is that of the state, computed anew.
    std::vector<double> all(run.state), residuals(problem->residuals());
    all.insert(all.end(), run.parameters.begin(), run.parameters.end());
    problem->evaluate<double>(all, residuals, 1);
    CHECK(run.result.loss == doctest::Approx(problem->loss<double>(residuals, Normalization::mean, 1)).epsilon(1e-12));
  }
}

TEST_CASE("control space: the same bytes for any number of threads, the same minimum in single precision") {
  const std::vector<double> measured = measurements();
  const auto problem = assimilation(Data::smooth, 1, &measured);
  const Run<double> first(*problem, {});
  for (const std::size_t threads : {2, 7}) {
    const Run<double> other(*problem, {}, free_ranges, threads);
    CHECK(other.state == first.state);
    CHECK(other.parameters == first.parameters);
  }
  const Run<float> single(*problem, {});
  CHECK(single.result.loss == doctest::Approx(first.result.loss).epsilon(1e-3));
}

TEST_CASE("strong constraint: the equations hold, and only parameters move") {
  const std::vector<double> measured = measurements();
  const auto problem = assimilation(Data::points, 1, &measured);
  const Run<double> strong(*problem, {.weak = false}), weak(*problem, {});
  std::vector<double> all(strong.state), residuals(problem->residuals());
  all.insert(all.end(), strong.parameters.begin(), strong.parameters.end());
  problem->evaluate<double>(all, residuals, 1);
  CHECK(dd::max_abs(std::span<const double>(residuals).first(problem->block_offset(1)), 1) < 1e-4);
  CHECK(strong.result.loss < strong.result.initial_loss);
  CHECK(weak.result.loss < strong.result.loss);
  CHECK(strong.result.linear_iterations == 0);
}

TEST_CASE("bounds and logarithms") {
  const std::vector<double> measured = measurements();
  const auto problem = assimilation(Data::points, 1, &measured);
  const Run<double> free(*problem, {.loss_tolerance = 1e-10});
  CHECK(free.parameters[0] > 2);
  const std::vector<ParameterRange> bounded{{.lower = 0.5, .upper = 1.5, .scale = 0.7, .logarithm = true}, {}};
  const Run<double> run(*problem, {.loss_tolerance = 1e-10}, bounded);
  CHECK(run.parameters[0] == 1.5);
  CHECK(run.result.loss > free.result.loss);
  CHECK(run.result.history.back().active_bounds == std::vector<std::size_t>{0});

  const std::vector<ParameterRange> wrong{{.lower = 2}, {}};
  CHECK_THROWS_AS(Run<double>(*problem, {}, wrong), dd::Error);
  const std::vector<ParameterRange> logarithm{{}, {.logarithm = true}};
  CHECK_THROWS_AS(Run<double>(*problem, {}, logarithm), dd::Error);
}

TEST_CASE("a loss that jumps as a parameter moves: the parameter is held for a while") {
  // The parameter is wanted at 2, but beyond 1.2 a where adds to the loss.
  EvolutionBuilder b({4, 5}, false);
  Graph& g = b.graph;
  b.description.parameters = 2;
  const NodeId p = g.parameter(0), q = g.parameter(1);
  b.block("decay", b.initial(g.subtract(b.u(), q), g.subtract(b.u(), b.u(Shift{-1}))));
  b.block("data", g.subtract(b.u(), g.constant(3)));
  const NodeId penalty = g.select_less(g.constant(1.2), p, g.constant(5), g.constant(0));
  b.description.blocks.push_back({"wish", true, false, {}, {g.subtract(p, g.constant(2)), penalty}});
  const auto problem = b.finish();
  const Run<double> run(*problem, {.loss_tolerance = 1e-8});
  CHECK(run.parameters[0] <= 1.2);
  CHECK(run.parameters[0] > 1.1);
  CHECK(run.parameters[1] == doctest::Approx(3).epsilon(1e-3));
  bool held = false;
  for (const ControlSpaceStep& step : run.result.history) held = held || step.frozen == std::vector<std::size_t>{0};
  CHECK(held);
}

TEST_CASE("a run that is stopped keeps the best state; a state that cannot be marched is an error") {
  const std::vector<double> measured = measurements();
  const auto problem = assimilation(Data::points, 1, &measured);
  const Evolution evolution = *find_evolution(*problem, std::nullopt).evolution;
  std::vector<double> unknowns(problem->unknowns(), 0.5);
  dd::RunControl control;
  control.cancel();
  const ControlSpaceResult result = control_space<double>(*problem, evolution, unknowns, free_ranges, {}, control);
  CHECK(result.status == SolveStatus::cancelled);
  CHECK(unknowns == std::vector<double>(problem->unknowns(), 0.5));

  EvolutionBuilder b({6, 4}, false);
  Graph& g = b.graph;
  const NodeId before = b.u(Shift{-1});
  const NodeId next = g.multiply(b.number(1e60), g.multiply(before, before));
  b.block("growth", b.initial(g.subtract(b.u(), b.number(1e30)), g.subtract(b.u(), next)));
  b.block("data", g.subtract(b.u(), b.number(1)));
  const auto exploding = b.finish();
  std::vector<double> start(exploding->grid_unknowns(), 1e200);
  dd::RunControl other;
  try {
    control_space<double>(*exploding, *find_evolution(*exploding, std::nullopt).evolution, start, {}, {}, other);
    FAIL("must throw");
  } catch (const dd::Error& error) {
    CHECK(error.argument() == "growth[3][0]");
  }
}

TEST_SUITE_END();
