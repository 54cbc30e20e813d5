// Runs solvers on problems.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/odil.hpp"
#include "addon/odil_options.hpp"
#include "odil/gauss_newton.hpp"

namespace dd::addon {
namespace {

using namespace dd::odil;

LinearSolver linear_solver_of(const std::string& name) {
  for (const LinearSolver solver :
       {LinearSolver::automatic, LinearSolver::cholesky, LinearSolver::lu, LinearSolver::qr, LinearSolver::bordered,
        LinearSolver::block_tridiagonal, LinearSolver::multigrid, LinearSolver::conjugate_gradient}) {
    if (name == linear_solver_name(solver)) return solver;
  }
  throw_type("linearSolver", "the name of a linear solver");
}

class GaussNewton final : public Computation {
 public:
  GaussNewton(std::shared_ptr<const Problem> problem, std::span<const double> unknowns, const Napi::Object& chosen)
      : problem_(std::move(problem)), unknowns_(unknowns.begin(), unknowns.end()) {
    options_.normalization = normalization_of(chosen.Get("normalization"));
    options_.linear_solver = linear_solver_of(text(chosen.Get("linearSolver"), "linearSolver"));
    options_.levenberg_marquardt = chosen.Get("levenbergMarquardt").ToBoolean();
    options_.weights = block_weights_of(chosen, problem_->description().blocks.size());
    options_.history_every = size(chosen.Get("historyEvery"), "historyEvery");
    memory_limit_ = number(chosen.Get("memoryLimitBytes"), "memoryLimitBytes");
    if (const Napi::Value resumed = chosen.Get("checkpoint"); resumed.IsObject()) {
      resume(resumed.As<Napi::Object>());
    }
    options_.max_iterations = size(chosen.Get("maxIterations"), "maxIterations");
    options_.initial_lambda = number(chosen.Get("initialLambda"), "initialLambda");
    options_.damp = number(chosen.Get("damp"), "damp");
    options_.damp_diagonal = number(chosen.Get("dampDiagonal"), "dampDiagonal");
    options_.gradient_tolerance = number(chosen.Get("gradientTolerance"), "gradientTolerance");
    options_.step_tolerance = number(chosen.Get("stepTolerance"), "stepTolerance");
    options_.loss_tolerance = number(chosen.Get("lossTolerance"), "lossTolerance");
  }
  void run(RunControl& control) override {
    control.limit_memory(memory_limit_);
    result_ = gauss_newton(*problem_, unknowns_, options_, control);
    seconds_ = control.seconds();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("unknowns", copy_to_typed_array<double>(env, unknowns_));
    object.Set("status", solve_status_name(result_.status));
    object.Set("loss", result_.loss);
    object.Set("iterations", static_cast<double>(result_.iterations));
    object.Set("factorizations", static_cast<double>(result_.factorizations));
    object.Set("linearSolver", linear_solver_name(result_.linear_solver));
    object.Set("linearSolverReason", result_.reason);
    object.Set("linearIterations", static_cast<double>(result_.linear_iterations));
    object.Set("seconds", seconds_);
    if (!result_.detail.empty()) object.Set("detail", result_.detail);
    object.Set("weights", weights_at(env, options_.weights, result_.state.iterations));
    object.Set("checkpoint", checkpoint(env));
    Napi::Array history = Napi::Array::New(env, result_.history.size());
    for (std::uint32_t k = 0; k < result_.history.size(); ++k) {
      const GaussNewtonStep& step = result_.history[k];
      Napi::Object one = Napi::Object::New(env);
      one.Set("iteration", static_cast<double>(step.iteration));
      one.Set("loss", step.loss);
      one.Set("gradient", step.gradient);
      one.Set("lambda", step.lambda);
      one.Set("step", step.step);
      history.Set(k, one);
    }
    object.Set("history", history);
    return object;
  }

  Napi::Value best(Napi::Env env, std::span<const std::byte> bytes) override {
    std::vector<double> state(bytes.size() / sizeof(double));
    std::memcpy(state.data(), bytes.data(), bytes.size());
    return copy_to_typed_array<double>(env, state);
  }

 private:
  static constexpr std::size_t state_values = 3, state_counters = 2;

  /// values: lambda, growth, first gradient, unknowns. counters: iterations, linear solver.
  Napi::Value checkpoint(Napi::Env env) const {
    const GaussNewtonState& state = result_.state;
    std::vector<double> values{state.lambda, state.growth, state.first_gradient};
    values.insert(values.end(), unknowns_.begin(), unknowns_.end());
    const double counters[] = {static_cast<double>(state.iterations), static_cast<double>(state.linear_solver)};
    Napi::Object object = Napi::Object::New(env);
    object.Set("values", copy_to_typed_array<double>(env, values));
    object.Set("counters", copy_to_typed_array<double>(env, counters));
    return object;
  }
  void resume(const Napi::Object& given) {
    const auto values = typed_array<double>(given.Get("values"), "checkpoint", state_values + unknowns_.size());
    const auto counters = typed_array<double>(given.Get("counters"), "checkpoint", state_counters);
    if (!(counters[0] >= 0 && counters[0] <= 0x1p53 && counters[1] >= 0 &&
          counters[1] <= static_cast<double>(LinearSolver::conjugate_gradient))) {
      throw_type("checkpoint", "one of Gauss-Newton");
    }
    options_.resume = GaussNewtonState{values[0], values[1], values[2], static_cast<std::uint64_t>(counters[0]),
                                       static_cast<LinearSolver>(static_cast<std::uint8_t>(counters[1]))};
    std::copy(values.begin() + state_values, values.end(), unknowns_.begin());
  }

  std::shared_ptr<const Problem> problem_;
  std::vector<double> unknowns_;
  GaussNewtonOptions options_;
  double memory_limit_ = 0;
  GaussNewtonResult result_;
  double seconds_ = 0;
};

/// (problem, unknowns, options, run).
Napi::Value solve_gauss_newton(const Napi::CallbackInfo& info) {
  auto problem = object_of<Problem>(info[0], "problem");
  const auto unknowns = typed_array<double>(info[1], "state", problem->unknowns());
  return run_computation(info[3],
                         std::make_unique<GaussNewton>(std::move(problem), unknowns, object(info[2], "options")));
}

}  // namespace

void export_odil_solve(Napi::Object room) { export_function<solve_gauss_newton>(room, "gaussNewton"); }

}  // namespace dd::addon
