// Solvers that march through time.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/odil.hpp"
#include "addon/odil_options.hpp"
#include "core/error.hpp"
#include "odil/control_space.hpp"
#include "odil/march.hpp"

namespace dd::addon {
namespace {

using namespace dd::odil;

/// A block's number, or -1 for none.
std::optional<std::size_t> block_of(const Napi::Value& value, const Problem& problem) {
  const double given = number(value, "block");
  if (given < 0) return std::nullopt;
  if (given >= static_cast<double>(problem.description().blocks.size())) throw_type("block", "a block");
  return static_cast<std::size_t>(given);
}

/// (problem, block) -> { block, hasData, otherPoints, reason }; block -1 where there is no evolution.
Napi::Value evolution_of(const Napi::CallbackInfo& info) {
  const auto problem = object_of<Problem>(info[0], "problem");
  const EvolutionSearch found = find_evolution(*problem, block_of(info[1], *problem));
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("block", found.evolution ? static_cast<double>(found.evolution->block) : -1);
  const std::optional<std::size_t> other = found.evolution ? found.evolution->other_points : std::nullopt;
  result.Set("otherPoints", other ? problem->description().blocks[*other].name : std::string());
  result.Set("hasData", found.evolution && found.evolution->has_data);
  result.Set("reason", found.reason);
  return result;
}

/// What both solvers hold: the problem, its evolution, and the unknowns in precision T.
template <class T>
class EvolutionRun : public Computation {
 public:
  EvolutionRun(std::shared_ptr<const Problem> problem, const Napi::CallbackInfo& info, const Napi::Object& options)
      : problem_(std::move(problem)), block_(block_of(options.Get("block"), *problem_)) {
    const auto unknowns = typed_array<T>(info[1], "state", problem_->unknowns());
    unknowns_.assign(unknowns.begin(), unknowns.end());
    // The packed state belongs to the call: with millions of unknowns its memory is not left to the collector.
    detach_typed_array(info[1]);
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> bytes) override {
    std::vector<T> state(bytes.size() / sizeof(T));
    std::memcpy(state.data(), bytes.data(), bytes.size());
    return copy_to_typed_array<T>(env, state);
  }

 protected:
  Evolution evolution() const {
    EvolutionSearch found = find_evolution(*problem_, block_);
    if (found.evolution) return std::move(*found.evolution);
    throw Error(ErrorCode::invalid_argument_value, "method",
                "the problem does not march through time: " + found.reason);
  }
  Napi::Object state_object(Napi::Env env, double seconds) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("unknowns", copy_to_typed_array<T>(env, unknowns_));
    object.Set("seconds", seconds);
    return object;
  }

  std::shared_ptr<const Problem> problem_;
  std::optional<std::size_t> block_;
  LargeVector<T> unknowns_;
  double seconds_ = 0;
};

template <class T>
class Marching final : public EvolutionRun<T> {
 public:
  Marching(std::shared_ptr<const Problem> problem, const Napi::CallbackInfo& info, const Napi::Object& options)
      : EvolutionRun<T>(std::move(problem), info, options),
        newton_steps_(size(options.Get("newtonSteps"), "newtonSteps")) {}
  void run(RunControl& control) override {
    const std::span<T> unknowns(this->unknowns_);
    const std::size_t points = this->problem_->grid_unknowns();
    const std::vector<double> parameters(unknowns.begin() + static_cast<std::ptrdiff_t>(points), unknowns.end());
    result_ = march<T>(*this->problem_, this->evolution(), unknowns.first(points), parameters, newton_steps_, control);
    stopped_ = control.stop_reason();
    this->seconds_ = control.seconds();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = this->state_object(env, this->seconds_);
    const bool finished = result_.status == MarchStatus::finished;
    object.Set("status", finished ? "solved" : solve_status_name(status_of(stopped_)));
    object.Set("iterations", static_cast<double>(result_.newton_steps));
    object.Set("sweeps", static_cast<double>(result_.sweeps));
    object.Set("history", Napi::Array::New(env));
    return object;
  }

 private:
  std::size_t newton_steps_;
  MarchResult result_;
  StopReason stopped_ = StopReason::none;
};

std::vector<ParameterRange> ranges_of(const Napi::Object& options, std::size_t count) {
  const auto lower = typed_array<double>(options.Get("lower"), "lower", count);
  const auto upper = typed_array<double>(options.Get("upper"), "upper", count);
  const auto scale = typed_array<double>(options.Get("scale"), "scale", count);
  const auto logarithm = typed_array<std::uint8_t>(options.Get("logarithm"), "logarithm", count);
  std::vector<ParameterRange> ranges;
  for (std::size_t k = 0; k < count; ++k) ranges.push_back({lower[k], upper[k], scale[k], logarithm[k] != 0});
  return ranges;
}

template <class T>
class ControlSpaceRun final : public EvolutionRun<T> {
 public:
  ControlSpaceRun(std::shared_ptr<const Problem> problem, const Napi::CallbackInfo& info, const Napi::Object& options)
      : EvolutionRun<T>(std::move(problem), info, options),
        ranges_(ranges_of(options, this->problem_->description().parameters)) {
    options_.normalization = normalization_of(options.Get("normalization"));
    const auto weights = typed_array<double>(options.Get("weights"), "weights");
    options_.weights.assign(weights.begin(), weights.end());
    options_.weak = options.Get("weak").ToBoolean();
    options_.max_iterations = size(options.Get("maxIterations"), "maxIterations");
    options_.loss_tolerance = number(options.Get("lossTolerance"), "lossTolerance");
    options_.linear_tolerance = number(options.Get("linearTolerance"), "linearTolerance");
    options_.linear_iterations = size(options.Get("linearIterations"), "linearIterations");
    options_.initial_lambda = number(options.Get("initialLambda"), "initialLambda");
    options_.halvings = size(options.Get("halvings"), "halvings");
  }
  void run(RunControl& control) override {
    result_ =
        control_space<T>(*this->problem_, this->evolution(), std::span<T>(this->unknowns_), ranges_, options_, control);
    this->seconds_ = control.seconds();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = this->state_object(env, this->seconds_);
    object.Set("status", solve_status_name(result_.status));
    if (!result_.detail.empty()) object.Set("detail", result_.detail);
    object.Set("iterations", static_cast<double>(result_.iterations));
    object.Set("linearIterations", static_cast<double>(result_.linear_iterations));
    object.Set("marches", static_cast<double>(result_.marches));
    object.Set("initialLoss", result_.initial_loss);
    object.Set("grids", Napi::Array::New(env));
    Napi::Array history = Napi::Array::New(env, result_.history.size());
    for (std::uint32_t k = 0; k < result_.history.size(); ++k) {
      const ControlSpaceStep& step = result_.history[k];
      Napi::Object one = Napi::Object::New(env);
      one.Set("loss", step.loss);
      one.Set("lambda", step.lambda);
      one.Set("alpha", step.alpha);
      one.Set("linearIterations", static_cast<double>(step.linear_iterations));
      one.Set("linearResidual", step.linear_residual);
      one.Set("marches", static_cast<double>(step.marches));
      one.Set("sweeps", static_cast<double>(step.sweeps));
      one.Set("activeBounds", numbers(env, step.active_bounds));
      one.Set("frozen", numbers(env, step.frozen));
      history.Set(k, one);
    }
    object.Set("history", history);
    return object;
  }

 private:
  static Napi::Value numbers(Napi::Env env, std::span<const std::size_t> values) {
    Napi::Array list = Napi::Array::New(env, values.size());
    for (std::uint32_t k = 0; k < values.size(); ++k) list.Set(k, static_cast<double>(values[k]));
    return list;
  }

  std::vector<ParameterRange> ranges_;
  ControlSpaceOptions options_;
  ControlSpaceResult result_;
};

/// (problem, unknowns, options, run).
template <template <class> class Run>
Napi::Value solve_evolution(const Napi::CallbackInfo& info) {
  auto problem = object_of<Problem>(info[0], "problem");
  const Napi::Object options = object(info[2], "options");
  if (is_float32(info[1])) {
    return run_computation(info[3], std::make_unique<Run<float>>(std::move(problem), info, options));
  }
  return run_computation(info[3], std::make_unique<Run<double>>(std::move(problem), info, options));
}

}  // namespace

void export_odil_evolution(Napi::Object room) {
  export_function<evolution_of>(room, "evolution");
  export_function<solve_evolution<Marching>>(room, "march");
  export_function<solve_evolution<ControlSpaceRun>>(room, "controlSpace");
}

}  // namespace dd::addon
