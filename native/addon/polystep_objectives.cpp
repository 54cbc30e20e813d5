// Reads arguments of the native objectives, makes them, scores points with them; no loop over data but conversions.
#include "addon/polystep_objectives.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "addon/edge.hpp"
#include "addon/job.hpp"
#include "polystep/objectives/functions.hpp"
#include "polystep/objectives/maxsat.hpp"
#include "polystep/objectives/maxsat_polish.hpp"
#include "polystep/objectives/support.hpp"

namespace dd::addon {
namespace {

using polystep::Objective;

Napi::Value dispose(const Napi::CallbackInfo& info) {
  handle_of<Objective>(info[0], "objective").release(info.Env());
  return info.Env().Undefined();
}

template <class Scalar>
std::unique_ptr<polystep::Evaluator<Scalar>> evaluator_of(const Objective& objective, const Napi::Object& options) {
  const std::size_t seed = size(options.Get("seed"), "seed");
  std::unique_ptr<polystep::Evaluator<Scalar>> evaluator;
  if constexpr (sizeof(Scalar) == 4) {
    evaluator = objective.float32_evaluator(seed);
  } else {
    evaluator = objective.float64_evaluator(seed);
  }
  evaluator->begin_step(size(options.Get("step"), "step"), threads_of(options.Get("threads")));
  return evaluator;
}

template <class Scalar>
Napi::Value evaluate_as(const Napi::CallbackInfo& info) {
  const auto objective = object_of<Objective>(info[0], "objective");
  const auto points = typed_array<Scalar>(info[1], "points");
  const std::size_t count = points.size() / objective->dimension();
  if (count * objective->dimension() != points.size()) {
    throw Error(ErrorCode::shape_mismatch, "points", "`points` must be rows of the objective's dimension");
  }
  const Napi::Object options = object(info[2], "options");
  const auto evaluator = evaluator_of<Scalar>(*objective, options);
  auto values = Napi::Float64Array::New(info.Env(), count);
  polystep::evaluate_points(*evaluator,
                            MatrixView<const Scalar>::row_major(points.data(), count, objective->dimension()),
                            std::span<double>(values.Data(), count), threads_of(options.Get("threads")));
  return values;
}

/// (objective, points, { seed, step, threads }) -> loss of each row.
Napi::Value evaluate(const Napi::CallbackInfo& info) {
  return is_single(info[1]) ? evaluate_as<float>(info) : evaluate_as<double>(info);
}

template <class Scalar>
Napi::Value replacements_as(const Napi::CallbackInfo& info) {
  const auto objective = object_of<Objective>(info[0], "objective");
  const auto base = typed_array<Scalar>(info[1], "base", objective->dimension());
  const std::size_t first = size(info[2], "first"), width = size(info[3], "width");
  const auto replacements = typed_array<Scalar>(info[4], "replacements");
  if (first >= objective->dimension() || width == 0 || replacements.size() % width != 0) {
    throw Error(ErrorCode::shape_mismatch, "replacements", "`replacements` must be rows of `width` numbers");
  }
  const Napi::Object options = object(info[5], "options");
  const auto evaluator = evaluator_of<Scalar>(*objective, options);
  const std::size_t threads = threads_of(options.Get("threads"));
  evaluator->set_base(base, threads);
  const std::size_t count = replacements.size() / width;
  auto values = Napi::Float64Array::New(info.Env(), count);
  parallel_for(
      threads, count, polystep::points_per_task, [&, data = values.Data()](std::size_t begin, std::size_t end) {
        evaluator->evaluate_replacements(
            first, MatrixView<const Scalar>::row_major(replacements.data() + begin * width, end - begin, width),
            {data + begin, end - begin});
      });
  return values;
}

/// (objective, base, first, width, replacements, { seed, step, threads }) -> loss of the base with each row put in.
Napi::Value evaluate_replacements(const Napi::CallbackInfo& info) {
  return is_single(info[1]) ? replacements_as<float>(info) : replacements_as<double>(info);
}

Napi::Value create_function(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  const std::size_t kind = size(options.Get("kind"), "kind");
  if (kind >= polystep::function_kinds) throw_type("kind", "the number of a function");
  const polystep::FunctionDescription description{
      static_cast<polystep::FunctionKind>(kind), size(options.Get("dimension"), "dimension"),
      number(options.Get("noise"), "noise"), options.Get("negate").ToBoolean().Value()};
  return objective_handle(info.Env(), std::make_shared<const polystep::Function>(description));
}

Napi::Value create_max_sat(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  polystep::MaxSatDescription description;
  description.variables = size(options.Get("variables"), "variables");
  description.literals = typed_array<std::int32_t>(options.Get("literals"), "literals");
  description.starts = typed_array<std::int32_t>(options.Get("starts"), "starts");
  const auto& starts = description.starts;
  if (starts.empty() || starts.front() != 0 || !std::is_sorted(starts.begin(), starts.end()) ||
      static_cast<std::size_t>(starts.back()) != description.literals.size()) {
    throw Error(ErrorCode::shape_mismatch, "starts", "`starts` must ascend from 0 to the number of literals");
  }
  if (const Napi::Value weights = options.Get("weights"); !weights.IsUndefined()) {
    description.weights = typed_array<double>(weights, "weights", starts.size() - 1);
  }
  description.cost =
      text(options.Get("cost"), "cost") == "count" ? polystep::MaxSatCost::count : polystep::MaxSatCost::ratio;
  return objective_handle(info.Env(), std::make_shared<const polystep::MaxSat>(description));
}

/// (variables, literals per clause, clauses, seed) -> DIMACS literals.
Napi::Value random_clauses(const Napi::CallbackInfo& info) {
  const std::size_t variables = size(info[0], "variables"), length = size(info[1], "literalsPerClause");
  if (length > variables) throw_type("literalsPerClause", "at most the number of variables");
  auto literals = Napi::Int32Array::New(info.Env(), length * size(info[2], "clauses"));
  polystep::random_clauses(variables, length, size(info[3], "seed"), ThreadPool::default_threads(),
                           {literals.Data(), literals.ElementLength()});
  return literals;
}

const char* stop_name(const polystep::PolishResult& result) {
  if (result.stopped == StopReason::cancelled) return "cancelled";
  if (result.stopped == StopReason::time_limit) return "time-limit";
  return result.unsatisfied == 0 ? "satisfied" : "finished";
}

class Polish final : public Computation {
 public:
  Polish(std::shared_ptr<const polystep::MaxSat> problem, std::vector<std::uint8_t> assignment,
         const polystep::PolishOptions& options)
      : problem_(std::move(problem)), assignment_(std::move(assignment)), options_(options) {}

  void run(RunControl& control) override {
    result_ = polystep::polish(*problem_, std::move(assignment_), options_, control);
    seconds_ = control.seconds();
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("assignment", copy_to_typed_array<std::uint8_t>(env, result_.assignment));
    object.Set("cost", problem_->loss(result_.unsatisfied));
    object.Set("unsatisfiedWeight", static_cast<double>(result_.unsatisfied) * problem_->unit());
    object.Set("unsatisfiedClauses", static_cast<double>(result_.unsatisfied_clauses));
    object.Set("flips", static_cast<double>(result_.flips));
    object.Set("status", stop_name(result_));
    object.Set("seconds", seconds_);
    return object;
  }

 private:
  std::shared_ptr<const polystep::MaxSat> problem_;
  std::vector<std::uint8_t> assignment_;
  polystep::PolishOptions options_;
  polystep::PolishResult result_;
  double seconds_ = 0;
};

/// (objective, assignment, { maxFlips, seed, annealed }, run)
Napi::Value polish_max_sat(const Napi::CallbackInfo& info) {
  auto problem = objective_of<polystep::MaxSat>(info[0], "objective");
  const auto given = typed_array<std::uint8_t>(info[1], "assignment", problem->variables());
  std::vector<std::uint8_t> assignment(given.begin(), given.end());
  for (std::uint8_t& value : assignment) value = value != 0 ? 1 : 0;
  const Napi::Object options = object(info[2], "options");
  const polystep::PolishOptions polish_options{size(options.Get("maxFlips"), "maxFlips"),
                                               size(options.Get("seed"), "seed"), options.Get("annealed").ToBoolean()};
  return run_computation(info[3], std::make_unique<Polish>(std::move(problem), std::move(assignment), polish_options));
}

}  // namespace

void export_polystep_objectives(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<dispose>(room, "dispose");
  export_function<evaluate>(room, "evaluate");
  export_function<evaluate_replacements>(room, "evaluateReplacements");
  export_function<create_function>(room, "createFunction");
  export_function<create_max_sat>(room, "createMaxSat");
  export_function<random_clauses>(room, "randomClauses");
  export_function<polish_max_sat>(room, "polishMaxSat");
  export_polystep_networks(room);
  exports.Set("polystepObjectives", room);
}

}  // namespace dd::addon
