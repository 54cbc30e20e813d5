// Versions, levels, the random words, and the two functions by which tests and benchmarks measure the edge itself.
#include "addon/runtime.hpp"

#include <atomic>
#include <cmath>
#include <memory>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/job.hpp"
#include "core/backend.hpp"
#include "core/isa.hpp"
#include "core/philox.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"

#ifndef DD_VERSION
#define DD_VERSION "0"
#define DD_COMPILER "?"
#endif

namespace dd::addon {
namespace {

Napi::Value build_info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("version", DD_VERSION);
  result.Set("compiler", DD_COMPILER);
  result.Set("threads", static_cast<double>(ThreadPool::default_threads()));
  Napi::Array levels = Napi::Array::New(env);
  for (IsaLevel level : available_isa_levels()) levels.Set(levels.Length(), isa_name(level));
  result.Set("isaLevels", levels);
  result.Set("isa", isa_name(active_isa()));
  result.Set("isaProblem", isa_override_problem());
  return result;
}

Napi::Value set_isa(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), set_active_isa(isa_level(info[0])));
}

/// (folder of the add-on): every back end, with a reason where it is not available.
Napi::Value list_backends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  set_backend_directory(text(info[0], "folder"));
  Napi::Array result = Napi::Array::New(env);
  for (const BackendStatus& status : backends()) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", status.name);
    object.Set("available", status.available);
    object.Set("reason", status.reason);
    Napi::Array devices = Napi::Array::New(env);
    for (const BackendDevice& device : status.devices) {
      Napi::Object entry = Napi::Object::New(env);
      entry.Set("name", device.name);
      entry.Set("memoryBytes", static_cast<double>(device.memory_bytes));
      entry.Set("computeCapability", device.compute_capability);
      entry.Set("driverVersion", device.driver_version);
      devices.Set(devices.Length(), entry);
    }
    object.Set("devices", devices);
    result.Set(result.Length(), object);
  }
  return result;
}

Napi::Value philox(const Napi::CallbackInfo& info) {
  const auto words = typed_array<std::int32_t>(info[0], "words", 6);
  const auto word = [&](std::size_t i) { return static_cast<std::uint32_t>(words[i]); };
  const PhiloxCounter block = philox4x32({word(0), word(1), word(2), word(3)}, {word(4), word(5)});
  Napi::Array result = Napi::Array::New(info.Env(), 4);
  for (std::uint32_t i = 0; i < 4; ++i) result.Set(i, static_cast<double>(block[i]));
  return result;
}

Napi::Value first_bad_element(const Napi::CallbackInfo& info) {
  const bool single = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
  std::size_t length = 0;
  std::size_t index = 0;
  if (single) {
    const auto values = typed_array<float>(info[0], "values");
    length = values.size();
    index = first_non_finite(std::span<const float>(values), 1);
  } else {
    const auto values = typed_array<double>(info[0], "values");
    length = values.size();
    index = first_non_finite(std::span<const double>(values), 1);
  }
  return Napi::Number::New(info.Env(), index == length ? -1.0 : static_cast<double>(index));
}

Napi::Value no_operation(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

/// A computation that does nothing useful for a given time: what progress, cancellation and teardown are tested and
/// measured with.
class Spin final : public Computation {
 public:
  Spin(double seconds, bool fail) : seconds_(seconds), fail_(fail) {}

  void run(RunControl& control) override {
    while (control.seconds() < seconds_ && !control.should_stop()) {
      double sink = 0;
      for (int i = 1; i < 20000; ++i) sink += std::sqrt(static_cast<double>(i));
      sink_ = sink;
      ++iterations_;
      if (control.wants_progress()) {
        control.report({.phase = "spin",
                        .fraction = control.seconds() / seconds_,
                        .iterations = iterations_,
                        .objective = 0,
                        .best = std::as_bytes(std::span(&iterations_, 1))});
      }
    }
    stopped_ = control.stop_reason();
    if (fail_) throw Error(ErrorCode::singular, "spin", "`spin` was asked to fail");
  }
  Napi::Value result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("iterations", static_cast<double>(iterations_));
    object.Set("status", stopped_ == StopReason::none        ? "done"
                         : stopped_ == StopReason::cancelled ? "cancelled"
                                                             : "time-limit");
    return object;
  }
  Napi::Value best(Napi::Env env, std::span<const std::byte> state) override {
    return Napi::Number::New(env, static_cast<double>(*reinterpret_cast<const std::uint64_t*>(state.data())));
  }

 private:
  double seconds_;
  bool fail_;
  std::uint64_t iterations_ = 0;
  volatile double sink_ = 0;
  StopReason stopped_ = StopReason::none;
};

Napi::Value spin(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "options");
  return run_computation(
      info[1], std::make_unique<Spin>(number(options.Get("seconds"), "seconds"), options.Get("fail").ToBoolean()));
}

}  // namespace

void export_runtime(Napi::Object exports) {
  export_function<build_info>(exports, "buildInfo");
  export_function<set_isa>(exports, "setIsa");
  export_function<list_backends>(exports, "backends");
  export_function<philox>(exports, "philox");
  export_function<first_bad_element>(exports, "firstNonFinite");
  export_function<no_operation>(exports, "noOperation");
  export_function<spin>(exports, "spin");
}

}  // namespace dd::addon
