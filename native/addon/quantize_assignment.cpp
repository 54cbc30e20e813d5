// Reads arguments of the knapsack, allocation and RCO, calls them, converts results.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "addon/quantize.hpp"
#include "core/aligned_buffer.hpp"
#include "quantize/allocate.hpp"
#include "quantize/knapsack.hpp"
#include "quantize/rco.hpp"

namespace dd::addon {
namespace {

using namespace dd::quantize;

const char* stop_name(StopReason reason) {
  return reason == StopReason::cancelled ? "cancelled" : reason == StopReason::time_limit ? "time-limit" : "";
}

LargeVector<double> copied(const Napi::Value& value, std::string_view argument) {
  const auto elements = typed_array<double>(value, argument);
  return {elements.begin(), elements.end()};
}

/// Whole numbers that arrive as float64.
LargeVector<std::int64_t> whole_numbers(const Napi::Value& value, std::string_view argument) {
  const auto elements = typed_array<double>(value, argument);
  LargeVector<std::int64_t> numbers;
  numbers.reserve(elements.size());
  for (const double element : elements) {
    if (!(element >= 0 && element <= 0x1p53) || element != static_cast<double>(static_cast<std::int64_t>(element))) {
      throw Error(ErrorCode::out_of_range, std::string(argument),
                  "`" + std::string(argument) + "` must hold whole numbers in [0, 2^53]");
    }
    numbers.push_back(static_cast<std::int64_t>(element));
  }
  return numbers;
}

class Knapsack final : public Computation {
 public:
  explicit Knapsack(const Napi::Object& given)
      : values_(copied(given.Get("values"), "values")), costs_(whole_numbers(given.Get("costs"), "costs")) {
    problem_.groups = size(given.Get("groups"), "groups");
    problem_.options = size(given.Get("options"), "options");
    problem_.values = values_;
    problem_.costs = costs_;
    problem_.budget = static_cast<std::int64_t>(size(given.Get("budget"), "budget"));
    problem_.constraint = static_cast<KnapsackConstraint>(size(given.Get("constraint"), "constraint"));
    options_.method = static_cast<KnapsackMethod>(size(given.Get("method"), "method"));
  }
  void run(RunControl& control) override { solution_ = solve_knapsack(problem_, options_, control); }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("choices", copy_to_typed_array<std::int32_t>(env, solution_.choices));
    object.Set("value", solution_.value);
    object.Set("cost", static_cast<double>(solution_.cost));
    object.Set("lowerBound", solution_.lower_bound);
    object.Set("gap", solution_.gap);
    object.Set("method", knapsack_method_name(solution_.method));
    object.Set("stopped", stop_name(solution_.stopped));
    return object;
  }

 private:
  LargeVector<double> values_;
  LargeVector<std::int64_t> costs_;
  KnapsackProblem problem_;
  KnapsackOptions options_;
  KnapsackSolution solution_;
};

Napi::Value solve_knapsack_call(const Napi::CallbackInfo& info) {
  return run_computation(info[1], std::make_unique<Knapsack>(object(info[0], "problem")));
}

/// (sensitivities, averageBits, maxBits, mode) -> { bits, levels, achievedBits, objective, gap }.
Napi::Value allocate_bits(const Napi::CallbackInfo& info) {
  const auto sensitivities = typed_array<double>(info[0], "sensitivities");
  const double average_bits = number(info[1], "averageBits"), max_bits = number(info[2], "maxBits");
  const std::string mode = text(info[3], "mode");
  RunControl control;
  BitAllocation allocation;
  if (mode == "continuous") {
    allocation = water_filling(sensitivities, average_bits, max_bits);
  } else if (mode == "int") {
    allocation = integer_bits(sensitivities, average_bits, static_cast<int>(max_bits));
  } else if (mode == "levels") {
    allocation = level_allocation(sensitivities, average_bits, max_bits, control);
  } else {
    allocation = official_levels(sensitivities, average_bits);
  }
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("bits", copy_to_typed_array<double>(info.Env(), allocation.bits));
  object.Set("levels", copy_to_typed_array<std::int32_t>(info.Env(), allocation.levels));
  object.Set("achievedBits", allocation.achieved_bits);
  object.Set("objective", allocation.objective);
  object.Set("gap", allocation.gap);
  return object;
}

// ---- RCO ---------------------------------------------------------------------------------------------------------

/// A problem and options with the arrays they point to.
struct RcoArguments {
  LargeVector<double> weights, costs, budgets, logits, proxy, uniforms;
  std::vector<std::int32_t> blocks;
  RcoProblem problem;
  RcoOptions options;

  RcoArguments(const Napi::Object& given, const Napi::Object& chosen)
      : weights(copied(given.Get("weights"), "weights")),
        costs(copied(given.Get("costs"), "costs")),
        budgets(copied(given.Get("budgets"), "budget")),
        logits(optional(chosen.Get("logits"), "logits")),
        proxy(optional(given.Get("proxy"), "proxy")),
        uniforms(optional(chosen.Get("uniforms"), "uniforms")) {
    if (const Napi::Value value = given.Get("blocks"); !value.IsUndefined()) {
      const auto elements = typed_array<std::int32_t>(value, "blocks");
      blocks.assign(elements.begin(), elements.end());
    }
    problem = {weights,
               costs,
               budgets,
               blocks,
               number(given.Get("resolution"), "resolution"),
               static_cast<KnapsackConstraint>(size(given.Get("constraint"), "constraint"))};
    options.steps = size(chosen.Get("steps"), "steps");
    options.samples = size(chosen.Get("samples"), "samples");
    options.antithetic = chosen.Get("antithetic").ToBoolean();
    options.learning_rate = number(chosen.Get("learningRate"), "learningRate");
    options.first_decay = number(chosen.Get("firstDecay"), "firstDecay");
    options.second_decay = number(chosen.Get("secondDecay"), "secondDecay");
    options.epsilon = number(chosen.Get("epsilon"), "epsilon");
    options.tau_first = number(chosen.Get("tauFirst"), "tau");
    options.tau_last = number(chosen.Get("tauLast"), "tau");
    options.start = static_cast<RcoStart>(size(chosen.Get("start"), "start"));
    options.logits = logits;
    options.proxy = proxy;
    options.uniforms = uniforms;
    options.seed = size(chosen.Get("seed"), "seed");
    options.gradient = chosen.Get("gradients").ToBoolean();
    const double swaps = number(chosen.Get("swapEvaluations"), "swapEvaluations");  // infinity: no limit
    options.swap_evaluations = swaps < 0x1p53 ? static_cast<std::uint64_t>(swaps) : UINT64_MAX;
  }
  RcoArguments(const RcoArguments&) = delete;
  RcoArguments& operator=(const RcoArguments&) = delete;

 private:
  static LargeVector<double> optional(const Napi::Value& value, std::string_view argument) {
    return value.IsUndefined() ? LargeVector<double>{} : copied(value, argument);
  }
};

Napi::Object rco_object(Napi::Env env, const RcoResult& found) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("choices", copy_to_typed_array<std::int32_t>(env, found.choices));
  object.Set("loss", found.loss);
  object.Set("cost", found.cost);
  object.Set("logits", copy_to_typed_array<double>(env, found.logits));
  std::vector<double> tau, loss, best;
  for (const RcoStep& step : found.history) {
    tau.push_back(step.tau);
    loss.push_back(step.loss);
    best.push_back(step.best);
  }
  Napi::Object history = Napi::Object::New(env);
  history.Set("tau", copy_to_typed_array<double>(env, tau));
  history.Set("loss", copy_to_typed_array<double>(env, loss));
  history.Set("best", copy_to_typed_array<double>(env, best));
  object.Set("history", history);
  object.Set("proxyLoss", found.proxy_loss);
  object.Set("finalLoss", found.final_loss);
  object.Set("evaluations", static_cast<double>(found.evaluations));
  object.Set("steps", static_cast<double>(found.steps));
  object.Set("stopped", stop_name(found.stopped));
  return object;
}

class Rco final : public Computation {
 public:
  Rco(const Napi::Object& given, const Napi::Object& chosen, const Napi::Object& objective)
      : arguments_(given, chosen), search_(arguments_.problem, arguments_.options) {
    LargeVector<double> interactions;
    if (const Napi::Value value = objective.Get("interactions"); !value.IsUndefined()) {
      interactions = copied(value, "objective.interactions");
    }
    objective_ = table_objective(typed_array<double>(objective.Get("table"), "objective.table"), interactions,
                                 arguments_.weights.size(), arguments_.costs.size());
  }
  void run(RunControl& control) override { result_ = minimize_rco(search_, *objective_, control); }
  Napi::Value result(Napi::Env env) override { return rco_object(env, result_); }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override {
    return copy_to_typed_array<std::int32_t>(
        env, {reinterpret_cast<const std::int32_t*>(state.data()), state.size() / sizeof(std::int32_t)});
  }

 private:
  RcoArguments arguments_;
  RcoSearch search_;  // made here, so that what is wrong is said before a job starts
  std::unique_ptr<RcoObjective> objective_;
  RcoResult result_;
};

/// (problem, options, { table, interactions? }, run).
Napi::Value solve_rco(const Napi::CallbackInfo& info) {
  return run_computation(info[3], std::make_unique<Rco>(object(info[0], "problem"), object(info[1], "options"),
                                                        object(info[2], "objective")));
}

/// A search whose losses JavaScript computes: used on the JavaScript thread only.
struct AskedSearch {
  mutable RcoSearch search;
  mutable RunControl control;

  AskedSearch(const RcoArguments& arguments, double seconds)
      : search(arguments.problem, arguments.options), control(1, seconds) {}
};

Napi::Value create_rco(const Napi::CallbackInfo& info) {
  const RcoArguments arguments(object(info[0], "problem"), object(info[1], "options"));
  auto search = std::make_shared<const AskedSearch>(arguments, number(info[2], "timeLimitSeconds"));
  const std::size_t bytes = arguments.weights.size() * arguments.costs.size() * 8 * sizeof(double);
  return make_handle<AskedSearch>(info.Env(), std::move(search), bytes);
}

/// -> { choices, phase, wantsGradient }, or null when there is nothing more to ask.
Napi::Value ask_rco(const Napi::CallbackInfo& info) {
  const auto asked = object_of<AskedSearch>(info[0], "search");
  if (asked->search.done()) return info.Env().Null();
  const std::span<const std::int32_t> choices = asked->search.ask(asked->control);
  if (choices.empty()) return info.Env().Null();
  Napi::Object question = Napi::Object::New(info.Env());
  question.Set("choices", copy_to_typed_array<std::int32_t>(info.Env(), choices));
  question.Set("phase", asked->search.phase());
  question.Set("wantsGradient", asked->search.wants_gradient());
  return question;
}

/// (search, loss, gradient or undefined).
Napi::Value tell_rco(const Napi::CallbackInfo& info) {
  const auto asked = object_of<AskedSearch>(info[0], "search");
  std::span<const double> gradient;
  if (!info[2].IsUndefined()) gradient = typed_array<double>(info[2], "objective.gradient");
  asked->search.tell(number(info[1], "objective"), gradient, asked->control);
  return info.Env().Undefined();
}

Napi::Value cancel_rco(const Napi::CallbackInfo& info) {
  object_of<AskedSearch>(info[0], "search")->control.cancel();
  return info.Env().Undefined();
}

Napi::Value rco_result(const Napi::CallbackInfo& info) {
  return rco_object(info.Env(), object_of<AskedSearch>(info[0], "search")->search.result());
}

Napi::Value dispose_rco(const Napi::CallbackInfo& info) {
  handle_of<AskedSearch>(info[0], "search").release(info.Env());
  return info.Env().Undefined();
}

}  // namespace

void export_quantize_assignment(Napi::Object room) {
  export_function<solve_knapsack_call>(room, "solveKnapsack");
  export_function<allocate_bits>(room, "allocateBits");
  export_function<solve_rco>(room, "solveRco");
  export_function<create_rco>(room, "createRco");
  export_function<ask_rco>(room, "askRco");
  export_function<tell_rco>(room, "tellRco");
  export_function<cancel_rco>(room, "cancelRco");
  export_function<rco_result>(room, "rcoResult");
  export_function<dispose_rco>(room, "disposeRco");
}

}  // namespace dd::addon
