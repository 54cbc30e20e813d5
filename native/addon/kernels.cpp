// The kernel table: names and formulas, the self-test of one kernel on every way of running it, and its timing.
#include "addon/kernels.hpp"

#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "catalog.hpp"
#include "core/backend.hpp"
#include "core/benchmark.hpp"
#include "core/isa.hpp"
#include "core/machine_limits.hpp"
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
  const Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env);
  for (const KernelEntry& entry : all_kernels()) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", std::string(entry.name));
    object.Set("formula", std::string(entry.formula));
    Napi::Array sizes = Napi::Array::New(env);
    for (const KernelSize& size : entry.benchmark_sizes()) sizes.Set(sizes.Length(), describe_size(entry, size));
    object.Set("benchmarkSizes", sizes);
    result.Set(result.Length(), object);
  }
  return result;
}

Napi::Object outcome(Napi::Env env, const KernelTarget& target, const SelfTestResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("target", target.name);
  object.Set("passed", result.passed);
  object.Set("largestError", result.largest_error);
  object.Set("toleranceRatio", result.tolerance_ratio);
  object.Set("message", result.message);
  return object;
}

/// (kernel, names of back ends): the CPU and the host executors, then each back end. Blocks the calling thread and
/// switches the active instruction-set level meanwhile: not beside running jobs.
Napi::Value self_test_kernel(const Napi::CallbackInfo& info) {
  const KernelEntry& entry = kernel(info[0]);
  const auto names = object(info[1], "backends").As<Napi::Array>();
  Napi::Array results = Napi::Array::New(info.Env());
  for (const KernelTarget& target : host_kernel_targets()) {
    results.Set(results.Length(), outcome(info.Env(), target, self_test_all_sizes(entry, target)));
  }
  for (std::uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = text(names.Get(i), "backends");
    const std::unique_ptr<BlockLauncher> launcher = open_backend(name);
    const KernelTarget target = KernelTarget::on(*launcher, name);
    results.Set(results.Length(), outcome(info.Env(), target, self_test_all_sizes(entry, target)));
  }
  return results;
}

/// (kernel, position in benchmarkSizes, { isa, threads, seconds }): blocks the calling thread for about that long.
Napi::Value benchmark(const Napi::CallbackInfo& info) {
  const KernelEntry& entry = kernel(info[0]);
  const std::vector<KernelSize> sizes = entry.benchmark_sizes();
  const std::size_t position = size(info[1], "size");
  if (position >= sizes.size()) throw Error(ErrorCode::out_of_range, "size", "`size` must be a benchmark size");
  const Napi::Object options = object(info[2], "options");
  const KernelTarget target = KernelTarget::cpu(isa_level(options.Get("isa")), size(options.Get("threads"), "threads"));
  const BenchmarkResult measured =
      benchmark_kernel(entry, target, sizes[position], {.budget_seconds = number(options.Get("seconds"), "seconds")});
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("p10Seconds", measured.seconds_p10);
  result.Set("medianSeconds", measured.seconds_median);
  result.Set("p90Seconds", measured.seconds_p90);
  result.Set("gflops", measured.gflops);
  result.Set("gigabytes", measured.gigabytes);
  result.Set("samples", static_cast<double>(measured.samples));
  result.Set("clock", measured.cpu_clock ? "thread CPU time" : "wall time");
  return result;
}

Napi::Value machine_limits(const Napi::CallbackInfo& info) {
  const MachineLimits limits = measure_machine_limits();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("gflopsFloat32", limits.fma_float32);
  result.Set("gflopsFloat64", limits.fma_float64);
  Napi::Array bandwidth = Napi::Array::New(info.Env());
  for (const BandwidthPoint& point : limits.bandwidth) {
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("bytes", static_cast<double>(point.bytes));
    object.Set("triadGigabytes", point.triad);
    object.Set("readGigabytes", point.read);
    bandwidth.Set(bandwidth.Length(), object);
  }
  result.Set("bandwidth", bandwidth);
  return result;
}

}  // namespace

void export_kernels(Napi::Object exports) {
  Napi::Object room = Napi::Object::New(exports.Env());
  export_function<list>(room, "list");
  export_function<self_test_kernel>(room, "selfTest");
  export_function<benchmark>(room, "benchmark");
  export_function<machine_limits>(room, "machineLimits");
  exports.Set("kernels", room);
}

}  // namespace dd::addon
