// Reads arguments of the knapsack and allocation, calls them, converts results.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/job.hpp"
#include "addon/quantize.hpp"
#include "quantize/allocate.hpp"
#include "quantize/knapsack.hpp"

namespace dd::addon {
namespace {

using namespace dd::quantize;

const char* stop_name(StopReason reason) {
  return reason == StopReason::cancelled ? "cancelled" : reason == StopReason::time_limit ? "time-limit" : "";
}

std::vector<double> copied(const Napi::Value& value, std::string_view argument) {
  const auto elements = typed_array<double>(value, argument);
  return {elements.begin(), elements.end()};
}

/// Whole numbers that arrive as float64.
std::vector<std::int64_t> whole_numbers(const Napi::Value& value, std::string_view argument) {
  std::vector<std::int64_t> numbers;
  for (const double element : typed_array<double>(value, argument)) {
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
  std::vector<double> values_;
  std::vector<std::int64_t> costs_;
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

}  // namespace

void export_quantize_assignment(Napi::Object room) {
  export_function<solve_knapsack_call>(room, "solveKnapsack");
  export_function<allocate_bits>(room, "allocateBits");
}

}  // namespace dd::addon
