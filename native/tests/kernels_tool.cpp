// The kernel table on the command line, without Node: `dd_kernels list` (block kernels as JSON, for check-ptxas),
// `dd_kernels test [back end]` (self-test of everything) and `dd_kernels bench [name part] [back end]`.
#include <cstdio>
#include <cstring>
#include <string_view>

#include "catalog.hpp"
#include "core/backend.hpp"
#include "core/benchmark.hpp"
#include "core/error.hpp"
#include "core/machine_limits.hpp"
#include "core/self_test.hpp"

namespace {

int list() {
  std::printf("[");
  const char* separator = "\n";
  for (const dd::BlockKernelInfo& kernel : dd::all_block_kernels()) {
    std::printf("%s  { \"name\": \"%s\", \"threads\": %u, \"sharedBytes\": %zu, \"argumentBytes\": %zu }", separator,
                kernel.name, kernel.shape.width * kernel.shape.height, kernel.shared_bytes, kernel.argument_bytes);
    separator = ",\n";
  }
  std::printf("\n]\n");
  return 0;
}

int test(std::string_view backend) {
  std::unique_ptr<dd::BlockLauncher> launcher;
  std::vector<dd::KernelTarget> targets;
  if (backend.empty()) {
    targets = dd::host_kernel_targets();
  } else {
    launcher = dd::open_backend(backend);
    targets.push_back(dd::KernelTarget::on(*launcher, std::string(backend)));
  }
  int failures = 0;
  for (const dd::KernelTarget& target : targets) {
    for (const dd::KernelEntry& entry : dd::all_kernels()) {
      const dd::SelfTestResult result = dd::self_test_all_sizes(entry, target);
      std::printf("%s  %-36.*s %-26s", result.passed ? "ok  " : "FAIL", static_cast<int>(entry.name.size()),
                  entry.name.data(), target.name.c_str());
      if (result.passed) {
        std::printf(" largest error %.2e, %.3f of the tolerance\n", result.largest_error, result.tolerance_ratio);
      } else {
        std::printf("\n      %s\n", result.message.c_str());
        ++failures;
      }
    }
  }
  return failures == 0 ? 0 : 1;
}

int bench(std::string_view part, std::string_view backend) {
  std::unique_ptr<dd::BlockLauncher> launcher;
  dd::KernelTarget target = dd::KernelTarget::cpu(dd::active_isa(), 1);
  if (!backend.empty()) {
    launcher = dd::open_backend(backend);
    target = dd::KernelTarget::on(*launcher, std::string(backend));
  }
  const auto print_limits = [] {
    const dd::MachineLimits limits = dd::measure_machine_limits();
    std::printf("limits: fma %.0f GFLOP/s float64, %.0f float32;", limits.fma_float64, limits.fma_float32);
    for (const dd::BandwidthPoint& point : limits.bandwidth) {
      std::printf(" %zu KiB %.0f/%.0f", point.bytes >> 10, point.triad, point.read);
    }
    std::printf(" GB/s triad/read\n");
  };
  print_limits();
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    if (entry.name.find(part) == std::string_view::npos) continue;
    for (const dd::KernelSize& size : entry.benchmark_sizes()) {
      const dd::BenchmarkResult result = dd::benchmark_kernel(entry, target, size);
      std::printf("%-32.*s %-28s %-22s p10 %.3e s, median %.3e s, %8.2f GFLOP/s, %8.2f GB/s\n",
                  static_cast<int>(entry.name.size()), entry.name.data(), dd::describe_size(entry, size).c_str(),
                  target.name.c_str(), result.seconds_p10, result.seconds_median, result.gflops, result.gigabytes);
    }
  }
  print_limits();
  return 0;
}

int status() {
  for (const dd::BackendStatus& backend : dd::backends()) {
    std::printf("%s: %s\n", backend.name.c_str(), backend.available ? "available" : backend.reason.c_str());
    for (const dd::BackendDevice& device : backend.devices) {
      std::printf("  %s, compute capability %s, %.1f GiB, driver for CUDA %s\n", device.name.c_str(),
                  device.compute_capability.c_str(), static_cast<double>(device.memory_bytes) / 1073741824.0,
                  device.driver_version.c_str());
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::string_view first = argc > 2 ? argv[2] : "";
  const std::string_view second = argc > 3 ? argv[3] : "";
  try {
    if (command == "list") return list();
    if (command == "test") return test(first);
    if (command == "bench") return bench(first, second);
    if (command == "backends") return status();
  } catch (const dd::Error& error) {
    std::fprintf(stderr, "%s: %s\n", dd::error_code_name(error.code()), error.what());
    return 1;
  }
  std::fprintf(stderr, "usage: dd_kernels list | backends | test [back end] | bench [part of a name] [back end]\n");
  return 2;
}
