// Rounding of weight matrices: reads arguments, calls dmmv, converts results.
#include <memory>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/dmmv.hpp"
#include "addon/edge.hpp"
#include "addon/job.hpp"
#include "dmmv/weight_rounding.hpp"

namespace dd::addon {
namespace {

/// A float64 copy of float32 or float64 numbers.
std::vector<double> copied(const Napi::Value& value, std::string_view argument, std::size_t length) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array) {
    const auto single = typed_array<float>(value, argument, length);
    return {single.begin(), single.end()};
  }
  const auto given = typed_array<double>(value, argument, length);
  return {given.begin(), given.end()};
}

template <class Element>
std::vector<Element> copied_if_given(const Napi::Value& value, std::string_view argument, std::size_t length) {
  if (value.IsUndefined()) return {};
  const auto given = typed_array<Element>(value, argument, length);
  return {given.begin(), given.end()};
}

const char* status_name(dmmv::WeightRoundingResult::Status status) {
  using Status = dmmv::WeightRoundingResult::Status;
  return status == Status::cancelled ? "cancelled" : status == Status::time_limit ? "time" : "done";
}

class RoundWeights final : public Computation {
 public:
  RoundWeights(const Napi::Object& given, const Napi::Object& chosen)
      : rows_(size(given.Get("rows"), "rows")),
        columns_(size(given.Get("columns"), "columns")),
        tokens_(size(given.Get("tokens"), "tokens")),
        weights_(copied(given.Get("weights"), "weights", rows_ * columns_)),
        activations_(copied(given.Get("activations"), "activations", tokens_ * columns_)),
        offsets_(copied_if_given<double>(given.Get("offsets"), "offsets", rows_)),
        steps_(copied_if_given<double>(given.Get("steps"), "steps", rows_)),
        fixed_(copied_if_given<std::uint8_t>(given.Get("fixed"), "fixed", rows_ * columns_)),
        initial_(copied_if_given<std::int32_t>(given.Get("initial"), "initial", rows_ * columns_)),
        memory_limit_(number(chosen.Get("memoryLimitBytes"), "memoryLimitBytes")) {
    problem_.activations = given.Get("activationsByColumn").ToBoolean()
                               ? MatrixView<const double>::column_major(activations_.data(), tokens_, columns_)
                               : MatrixView<const double>::row_major(activations_.data(), tokens_, columns_);
    problem_.weights = MatrixView<const double>::row_major(weights_.data(), rows_, columns_);
    problem_.levels = static_cast<std::int32_t>(size(given.Get("levels"), "levels"));
    problem_.offsets = offsets_;
    problem_.steps = steps_;
    problem_.fixed = fixed_;
    problem_.initial = initial_;
    options_.seed = size(chosen.Get("seed"), "seed");
    options_.sweeps = size(chosen.Get("sweeps"), "sweeps");
    options_.attempts = static_cast<std::uint32_t>(size(chosen.Get("attempts"), "attempts"));
    const std::string moves = text(chosen.Get("moves"), "moves");
    options_.moves = moves == "unit"      ? dmmv::RoundingMoveKinds::unit
                     : moves == "lattice" ? dmmv::RoundingMoveKinds::lattice
                                          : dmmv::RoundingMoveKinds::automatic;
    options_.l2_weight = number(chosen.Get("l2Weight"), "l2Weight");
    if (const Napi::Value guard = chosen.Get("l2Guard"); !guard.IsUndefined()) {
      options_.l2_guard = number(guard, "l2Guard");
    }
    options_.reweighted = chosen.Get("reweighted").ToBoolean();
    options_.damping = number(chosen.Get("damping"), "damping");
  }

  void run(RunControl& control) override {
    control.limit_memory(memory_limit_);
    found_ = dmmv::round_weights(problem_, options_, control);
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("codes", copy_to_typed_array<std::int32_t>(env, found_.codes));
    object.Set("offsets", copy_to_typed_array<double>(env, found_.offsets));
    object.Set("steps", copy_to_typed_array<double>(env, found_.steps));
    object.Set("errors", copy_to_typed_array<double>(env, found_.errors));
    object.Set("norms", copy_to_typed_array<double>(env, found_.norms));
    object.Set("nearestErrors", copy_to_typed_array<double>(env, found_.nearest_errors));
    object.Set("gptqErrors", copy_to_typed_array<double>(env, found_.gptq_errors));
    object.Set("rounds", static_cast<double>(found_.rounds));
    object.Set("proposals", static_cast<double>(found_.proposals));
    object.Set("moves", static_cast<double>(found_.pairs));
    object.Set("status", status_name(found_.status));
    Napi::Object seconds = Napi::Object::New(env);
    seconds.Set("preparation", found_.seconds.preparation);
    seconds.Set("starts", found_.seconds.starts);
    seconds.Set("search", found_.seconds.search);
    object.Set("seconds", seconds);
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override {
    return copy_to_typed_array<std::int32_t>(
        env, {reinterpret_cast<const std::int32_t*>(state.data()), state.size() / sizeof(std::int32_t)});
  }

 private:
  std::size_t rows_, columns_, tokens_;
  std::vector<double> weights_, activations_, offsets_, steps_;
  std::vector<std::uint8_t> fixed_;
  std::vector<std::int32_t> initial_;
  double memory_limit_;
  dmmv::WeightRounding problem_;
  dmmv::WeightRoundingOptions options_;
  dmmv::WeightRoundingResult found_;
};

/// (problem, options, run).
Napi::Value round_weights(const Napi::CallbackInfo& info) {
  return run_computation(info[2],
                         std::make_unique<RoundWeights>(object(info[0], "options"), object(info[1], "search")));
}

}  // namespace

void export_dmmv_rounding(Napi::Object room) { export_function<round_weights>(room, "roundWeights"); }

}  // namespace dd::addon
