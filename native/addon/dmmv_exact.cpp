// The exact solver: reads arguments, calls dmmv, converts results.
#include <memory>
#include <utility>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/dmmv.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/job.hpp"
#include "dmmv/exact.hpp"

namespace dd::addon {
namespace {

class SolveExact final : public Computation {
 public:
  SolveExact(std::shared_ptr<const dmmv::Problem> problem, const Napi::Object& chosen) : problem_(std::move(problem)) {
    if (const Napi::Value value = chosen.Get("initial"); !value.IsUndefined()) {
      const auto indices = typed_array<std::int32_t>(value, "initial");
      initial_.assign(indices.begin(), indices.end());
      problem_->check_indices(initial_, "initial");
      options_.initial = initial_;
    }
    options_.seed = size(chosen.Get("seed"), "seed");
    options_.search_iterations = size(chosen.Get("searchIterations"), "searchIterations");
    options_.gap = number(chosen.Get("gap"), "gap");
    memory_limit_ = number(chosen.Get("memoryLimitBytes"), "memoryLimitBytes");
  }
  void run(RunControl& control) override {
    control.limit_memory(memory_limit_);
    found_ = dmmv::solve_exact(*problem_, options_, control);
  }
  Napi::Value result(Napi::Env env) override {
    using Status = dmmv::ExactResult::Status;
    Napi::Object object = Napi::Object::New(env);
    object.Set("indices", copy_to_typed_array<std::int32_t>(env, found_.indices));
    object.Set("values", copy_to_typed_array<double>(env, dmmv::level_values(*problem_, found_.indices)));
    object.Set("objective", found_.objective);
    object.Set("lowerBound", found_.lower_bound);
    object.Set("proven", found_.proven);
    object.Set("multipliers",
               found_.multipliers.empty() ? env.Null() : copy_to_typed_array<double>(env, found_.multipliers));
    object.Set("nodes", static_cast<double>(found_.nodes));
    object.Set("relaxations", static_cast<double>(found_.relaxations));
    object.Set("cuts", static_cast<double>(found_.cuts));
    object.Set("status", found_.status == Status::optimal     ? "optimal"
                         : found_.status == Status::cancelled ? "cancelled"
                                                              : "time");
    Napi::Object seconds = Napi::Object::New(env);
    seconds.Set("search", found_.seconds.search);
    seconds.Set("reduction", found_.seconds.reduction);
    seconds.Set("proof", found_.seconds.proof);
    object.Set("seconds", seconds);
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override {
    return copy_to_typed_array<std::int32_t>(
        env, {reinterpret_cast<const std::int32_t*>(state.data()), state.size() / sizeof(std::int32_t)});
  }

 private:
  std::shared_ptr<const dmmv::Problem> problem_;
  std::vector<std::int32_t> initial_;
  dmmv::ExactOptions options_;
  double memory_limit_ = 0;
  dmmv::ExactResult found_;
};

/// (problem, options, run).
Napi::Value solve_exact(const Napi::CallbackInfo& info) {
  return run_computation(
      info[2], std::make_unique<SolveExact>(object_of<dmmv::Problem>(info[0], "problem"), object(info[1], "options")));
}

}  // namespace

void export_dmmv_exact(Napi::Object room) { export_function<solve_exact>(room, "solveExact"); }

}  // namespace dd::addon
