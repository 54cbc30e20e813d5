// Walks the table: every registered kernel, every host target, every test size; and what the table itself promises.
#include "core/kernel_registry.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "catalog.hpp"
#include "core/self_test.hpp"

namespace example {
extern const dd::KernelEntry scale_entry;  // of docs/gpu.md
}

namespace {

// Notes the device symbols that a kernel launches.
class RecordingLauncher final : public dd::BlockLauncher {
 public:
  std::set<std::string> symbols;

  void synchronize() override {}
  std::size_t allocations() const noexcept override { return host_.allocations(); }
  void release_allocations(std::size_t keep) noexcept override { host_.release_allocations(keep); }

 protected:
  void launch_kernel(const dd::BlockKernelInfo& kernel, const void* arguments, dd::Grid grid) override {
    symbols.insert(kernel.name);
    kernel.on(dd::HostExecutor::ordered)(arguments, grid, 0);
  }
  void* allocate_bytes(std::size_t bytes) override { return host_.allocate<std::byte>(bytes); }
  void upload_bytes(void* device, const void* source, std::size_t bytes) override {
    std::memcpy(device, source, bytes);
  }
  void download_bytes(const void* device, void* destination, std::size_t bytes) override {
    std::memcpy(destination, device, bytes);
  }

 private:
  dd::HostLauncher host_{dd::HostExecutor::ordered};
};

// A kernel whose three forms can be broken one by one.
struct Doubled {
  static constexpr std::string_view name = "test.doubled.float64";
  static constexpr std::string_view formula = "y_i = 2 x_i";
  static constexpr std::array<std::string_view, 1> size_names{"count"};
  static constexpr dd::Tolerance tolerance{};
  static std::vector<dd::KernelSize> test_sizes() { return {{{5}}}; }
  static std::vector<dd::KernelSize> benchmark_sizes() { return {{{5}}}; }
  static std::vector<dd::BufferSpec> buffers(const dd::KernelSize& size) {
    return {{"x", dd::DataType::float64, dd::BufferRole::input, size[0]},
            {"y", dd::DataType::float64, dd::BufferRole::output, size[0]}};
  }
  static void fill(dd::Workload& workload, dd::PhiloxStream& random) {
    for (double& x : workload.buffer<double>("x")) x = random.next_uniform();
  }
  static void reference(const dd::KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t i = 0; i < size[0]; ++i) y(buffers)[i] = 2 * x(buffers)[i];
  }
  static void cpu(std::size_t, const dd::KernelSize& size, std::span<void* const> buffers) {
    reference(size, buffers);
    if (break_value) y(buffers)[3] *= 1 + 0x1p-52;
    if (break_input) x(buffers)[0] = 1;
    if (break_nan) y(buffers)[4] = std::numeric_limits<double>::quiet_NaN();
  }
  static void block(dd::BlockLauncher&, const dd::KernelSize&, std::span<void* const>) {}
  static double flops(const dd::KernelSize&) { return 5; }
  static double bytes(const dd::KernelSize&) { return 80; }

  static double* x(std::span<void* const> buffers) { return static_cast<double*>(buffers[0]); }
  static double* y(std::span<void* const> buffers) { return static_cast<double*>(buffers[1]); }
  static inline bool break_value = false, break_input = false, break_nan = false;
};

struct WithoutReference : Doubled {
  static void reference() = delete;
};
struct WithoutCpu : Doubled {
  static void cpu() = delete;
};
struct WithoutBlock : Doubled {
  static void block() = delete;
};
static_assert(dd::RegistrableKernel<Doubled>);
static_assert(!dd::RegistrableKernel<WithoutReference>);
static_assert(!dd::RegistrableKernel<WithoutCpu>);
static_assert(!dd::RegistrableKernel<WithoutBlock>);

dd::SelfTestResult test_doubled(const dd::KernelTarget& target) {
  return dd::self_test_all_sizes(dd::kernel_entry<Doubled>(), target);
}

}  // namespace

TEST_CASE("every kernel of the catalog agrees with its reference on every host target") {
  for (const dd::KernelTarget& target : dd::host_kernel_targets()) {
    for (const dd::KernelEntry& entry : dd::all_kernels()) {
      const dd::SelfTestResult result = dd::self_test_all_sizes(entry, target);
      CHECK_MESSAGE(result.passed, result.message);
    }
  }
}

// Under ThreadSanitizer this is the test that finds races between threads of a block and between blocks.
TEST_CASE("threaded: every kernel of the catalog agrees with its reference on the threaded executor") {
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    const dd::SelfTestResult result =
        dd::self_test_all_sizes(entry, dd::KernelTarget::host_blocks(dd::HostExecutor::threaded));
    CHECK_MESSAGE(result.passed, result.message);
  }
}

TEST_CASE("results of CPU kernels do not depend on the number of threads, bit by bit") {
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    for (const dd::KernelSize& size : entry.test_sizes()) {
      const dd::Workload one = dd::make_workload(entry, size, 7);
      entry.cpu(1, size, one.pointers());
      for (const std::size_t threads : {2, 3, 7}) {
        const dd::Workload many = dd::make_workload(entry, size, 7);
        entry.cpu(threads, size, many.pointers());
        for (std::size_t b = 0; b < one.specs().size(); ++b) {
          const bool equal = one.bytes(b) == 0 || std::memcmp(one.pointers()[b], many.pointers()[b], one.bytes(b)) == 0;
          CHECK_MESSAGE(equal, entry.name, " with ", threads, " threads, ", dd::describe_size(entry, size));
        }
      }
    }
  }
}

TEST_CASE("names are unique, sizes include 0 or 1, benchmarks have sizes") {
  std::set<std::string_view> names;
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    CHECK_MESSAGE(names.insert(entry.name).second, entry.name);
    CHECK_MESSAGE(!entry.benchmark_sizes().empty(), entry.name);
    bool small = false;
    for (const dd::KernelSize& size : entry.test_sizes()) {
      for (std::size_t i = 0; i < entry.size_names.size(); ++i) small = small || size[i] <= 1;
    }
    CHECK_MESSAGE(small, entry.name);
  }
}

TEST_CASE("every block kernel is listed for the GPU and launched by some registered kernel") {
  std::set<std::string> listed;
  for (const dd::BlockKernelInfo& kernel : dd::all_block_kernels()) {
    CHECK_MESSAGE(listed.insert(kernel.name).second, kernel.name);
    CHECK(dd::find_block_kernel(kernel.name) != nullptr);
  }
  CHECK(dd::find_block_kernel("dd_no_such_kernel") == nullptr);
  RecordingLauncher recorder;
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    for (const dd::KernelSize& size : entry.test_sizes()) {
      const dd::Workload workload = dd::make_workload(entry, size, 1);
      entry.block(recorder, size, workload.pointers());
    }
  }
  for (const std::string& name : listed) CHECK_MESSAGE(recorder.symbols.contains(name), name, " is never launched");
  for (const std::string& name : recorder.symbols) CHECK_MESSAGE(listed.contains(name), name, " is not listed");
  CHECK(recorder.allocations() == 0);
}

TEST_CASE("the self-test sees a last bit, a changed input, a NaN, and a form that does nothing") {
  const dd::KernelTarget cpu = dd::KernelTarget::cpu(dd::active_isa(), 1);
  CHECK(test_doubled(cpu).passed);

  Doubled::break_value = true;
  const dd::SelfTestResult value = test_doubled(cpu);
  Doubled::break_value = false;
  CHECK_FALSE(value.passed);
  CHECK(value.message.find("test.doubled.float64 on cpu") == 0);
  CHECK(value.message.find("`y`[3]") != std::string::npos);

  Doubled::break_input = true;
  const dd::SelfTestResult input = test_doubled(cpu);
  Doubled::break_input = false;
  CHECK_FALSE(input.passed);
  CHECK(input.message.find("input `x` was changed") != std::string::npos);

  Doubled::break_nan = true;
  const dd::SelfTestResult nan = test_doubled(cpu);
  Doubled::break_nan = false;
  CHECK_FALSE(nan.passed);
  CHECK(nan.message.find("`y`[4] is nan") != std::string::npos);

  CHECK_FALSE(test_doubled(dd::KernelTarget::host_blocks(dd::HostExecutor::ordered)).passed);
}

TEST_CASE("the example of docs/gpu.md compiles and agrees with its reference") {
  for (const dd::KernelTarget& target : dd::host_kernel_targets()) {
    const dd::SelfTestResult result = dd::self_test_all_sizes(example::scale_entry, target);
    CHECK_MESSAGE(result.passed, result.message);
  }
}

TEST_CASE("the self-test sees the last bit of a 64-bit integer") {
  struct Large : Doubled {
    static std::vector<dd::BufferSpec> buffers(const dd::KernelSize&) {
      return {{"y", dd::DataType::uint64, dd::BufferRole::output, 1}};
    }
    static void fill(dd::Workload&, dd::PhiloxStream&) {}
    static void reference(const dd::KernelSize&, std::span<void* const> buffers) {
      *static_cast<std::uint64_t*>(buffers[0]) = (std::uint64_t{1} << 60) + 1;
    }
    static void cpu(std::size_t, const dd::KernelSize&, std::span<void* const> buffers) {
      *static_cast<std::uint64_t*>(buffers[0]) = std::uint64_t{1} << 60;
    }
  };
  CHECK_FALSE(dd::self_test_all_sizes(dd::kernel_entry<Large>(), dd::KernelTarget::cpu(dd::active_isa(), 1)).passed);
}

TEST_CASE("a workload refuses the wrong type and the wrong name") {
  const dd::Workload workload({{3}}, Doubled::buffers({{3}}));
  CHECK(workload.buffer<double>("y").size() == 3);
  CHECK_THROWS(workload.buffer<float>("y"));
  CHECK_THROWS(workload.buffer<double>("z"));
}
