// The kernel table: names and formulas, and the self-test of one kernel on every way of running it.
#include "addon/kernels.hpp"

#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "catalog.hpp"
#include "core/self_test.hpp"

namespace dd::addon {
namespace {

const KernelEntry& kernel(const Napi::Value& value) {
  const std::string name = text(value, "kernel");
  for (const KernelEntry& entry : all_kernels()) {
    if (entry.name == name) return entry;
  }
  throw Error(ErrorCode::invalid_argument_value, "kernel",
              "`kernel` must be a registered kernel, got \"" + name + "\"");
}

Napi::Value list(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  for (const KernelEntry& entry : all_kernels()) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("name", std::string(entry.name));
    object.Set("formula", std::string(entry.formula));
    result.Set(result.Length(), object);
  }
  return result;
}

Napi::Object outcome(Napi::Env env, const SelfTestTarget& target, const SelfTestResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("target", target.name);
  object.Set("passed", result.passed);
  object.Set("largestError", result.largest_error);
  object.Set("toleranceRatio", result.tolerance_ratio);
  object.Set("message", result.message);
  return object;
}

/// Blocks the calling thread and switches the active instruction-set level meanwhile: not beside running jobs.
Napi::Value self_test_kernel(const Napi::CallbackInfo& info) {
  const KernelEntry& entry = kernel(info[0]);
  Napi::Array results = Napi::Array::New(info.Env());
  for (const SelfTestTarget& target : host_self_test_targets()) {
    results.Set(results.Length(), outcome(info.Env(), target, self_test_all_sizes(entry, target)));
  }
  return results;
}

}  // namespace

void export_kernels(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<list>(room, "list");
  export_function<self_test_kernel>(room, "selfTest");
  exports.Set("kernels", room);
}

}  // namespace dd::addon
