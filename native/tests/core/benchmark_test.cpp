// The benchmark runner measures what it says: orders of percentiles, fresh inputs, plausible rates.
#include "core/benchmark.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "catalog.hpp"
#include "core/clock.hpp"
#include "core/machine_limits.hpp"

namespace {

/// Doubles its buffer in place: after many calls on one buffer the values would be infinite.
struct DoubleInPlace {
  static constexpr std::string_view name = "test.double_in_place.float64";
  static constexpr std::string_view formula = "x_i = 2 x_i";
  static constexpr std::array<std::string_view, 1> size_names{"count"};
  static constexpr dd::Tolerance tolerance{};
  static std::vector<dd::KernelSize> test_sizes() { return {{{10}}}; }
  static std::vector<dd::KernelSize> benchmark_sizes() { return {{{10}}}; }
  static std::vector<dd::BufferSpec> buffers(const dd::KernelSize& size) {
    return {{"x", dd::DataType::float64, dd::BufferRole::in_out, size[0]}};
  }
  static void fill(dd::Workload& workload, dd::PhiloxStream&) {
    for (double& x : workload.buffer<double>("x")) x = 1;
  }
  static void reference(const dd::KernelSize& size, std::span<void* const> buffers) { cpu(1, size, buffers); }
  static void cpu(std::size_t, const dd::KernelSize& size, std::span<void* const> buffers) {
    auto* x = static_cast<double*>(buffers[0]);
    for (std::size_t i = 0; i < size[0]; ++i) {
      saw_only_ones = saw_only_ones && x[i] == 1;
      x[i] *= 2;
    }
    ++calls;
  }
  static void block(dd::BlockLauncher&, const dd::KernelSize& size, std::span<void* const> buffers) {
    cpu(1, size, buffers);
  }
  static double flops(const dd::KernelSize& size) { return static_cast<double>(size[0]); }
  static double bytes(const dd::KernelSize& size) { return 16.0 * static_cast<double>(size[0]); }
  static inline std::size_t calls = 0;
  static inline bool saw_only_ones = true;
};

}  // namespace

TEST_CASE("every call of an in-place kernel gets fresh input") {
  constexpr dd::KernelEntry entry = dd::kernel_entry<DoubleInPlace>();
  for (int form = 0; form < 2; ++form) {
    dd::HostLauncher launcher(dd::HostExecutor::ordered);
    const dd::KernelTarget target =
        form == 0 ? dd::KernelTarget::cpu(dd::active_isa(), 1) : dd::KernelTarget::on(launcher, "ordered");
    DoubleInPlace::calls = 0;
    const dd::BenchmarkResult result = dd::benchmark_kernel(entry, target, {{10}}, {.budget_seconds = 0.01});
    CHECK(DoubleInPlace::saw_only_ones);
    CHECK(DoubleInPlace::calls >= result.samples * result.calls_per_sample);
    CHECK(result.samples >= 5);
    CHECK(result.cpu_clock == (form == 0));
  }
}

TEST_CASE("every kernel of the catalog can be timed, and its figures fit together") {
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    const dd::KernelSize size = entry.benchmark_sizes().front();
    const dd::BenchmarkResult result =
        dd::benchmark_kernel(entry, dd::KernelTarget::cpu(dd::active_isa(), 1), size, {.budget_seconds = 0.005});
    INFO(entry.name);
    CHECK(result.seconds_p10 > 0);
    CHECK(result.seconds_p10 <= result.seconds_median);
    CHECK(result.seconds_median <= result.seconds_p90);
    CHECK(result.gflops == doctest::Approx(entry.flops(size) / result.seconds_p10 * 1e-9));
    CHECK(result.gigabytes == doctest::Approx(entry.bytes(size) / result.seconds_p10 * 1e-9));
    CHECK(result.calls_per_sample >= 1);
  }
}

TEST_CASE("the machine's limits are positive and cover the footprints asked for") {
  const dd::MachineLimits limits = dd::measure_machine_limits(std::size_t{1} << 20);
  CHECK(limits.fma_float64 > 0);
  CHECK(limits.fma_float32 > 0);
  CHECK(limits.bandwidth.size() == 3);
  for (const dd::BandwidthPoint& point : limits.bandwidth) {
    CHECK(std::isfinite(point.triad));
    CHECK(point.triad > 0.05);
    CHECK(point.read > 0.05);
  }
}

TEST_CASE("thread CPU time does not run while the thread sleeps on a lock or a clock") {
  const double cpu = dd::thread_cpu_seconds();
  const double wall = dd::wall_seconds();
  while (dd::wall_seconds() - wall < 0.002) {
  }
  CHECK(dd::thread_cpu_seconds() > cpu);
  CHECK(dd::thread_cpu_seconds() - cpu <= dd::wall_seconds() - wall + 0.001);
}
