// The whole host path of the CUDA back end on the fake driver: every registered kernel, immediate and delayed, and
// with every fault at every place. What the launcher leaves behind is counted after each.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "catalog.hpp"
#include "core/backend.hpp"
#include "core/benchmark.hpp"
#include "core/error.hpp"
#include "core/self_test.hpp"
#include "tests/cuda/fake_driver.hpp"

namespace {

const FakeDriver& fake() {
  static const FakeDriver driver;
  return driver;
}

/// One test: environment, fresh fake driver, and the check that nothing is left.
class Setting {
 public:
  Setting() {
    environment.set("DISCRETE_DESCENT_CUDA_LIB", DD_TEST_FAKECUDA);
    dd::set_backend_directory(DD_TEST_BACKEND_DIRECTORY);
    REQUIRE(fake().loaded());
    const std::vector<dd::BackendStatus> all = dd::backends();  // starts the driver
    REQUIRE_MESSAGE(all.at(1).available, all.at(1).reason);
    fake().configure();
  }
  ~Setting() { CHECK(fake().nothing_left()); }

  void set(const char* name, long value) {
    environment.set(name, std::to_string(value));
    fake().configure();
  }
  void delayed(long seed) {
    environment.set("FAKECUDA_MODE", "delayed");
    set("FAKECUDA_SEED", seed);
  }

  EnvironmentScope environment;
};

const DdBackend& table() {
  std::string reason;
  const DdBackend* backend = dd::load_backend_file(DD_TEST_BACKEND_DIRECTORY "/libdiscrete-descent-cuda.so", reason);
  REQUIRE_MESSAGE(backend != nullptr, reason);
  return *backend;
}

/// The cheapest size at which the entry computes something.
dd::KernelSize small_size(const dd::KernelEntry& entry) {
  const std::vector<dd::KernelSize> sizes = entry.test_sizes();
  const auto cost = [&](const dd::KernelSize& size) { return entry.flops(size) > 0 ? entry.flops(size) : 1e300; };
  return *std::min_element(sizes.begin(), sizes.end(), [&](const auto& x, const auto& y) { return cost(x) < cost(y); });
}

/// Runs one kernel on `launcher` and returns the error that came, or nullopt when the result was right.
struct Outcome {
  bool passed = false;
  bool threw = false;
  dd::ErrorCode code = dd::ErrorCode::internal;
  std::string message;
};

Outcome run(const dd::KernelEntry& entry, dd::BlockLauncher& launcher) {
  const dd::KernelTarget target = dd::KernelTarget::on(launcher, "cuda");
  const dd::KernelSize size = small_size(entry);
  Outcome outcome;
  try {
    dd::run_target(entry, target, dd::make_workload(entry, size, 3));
  } catch (const dd::Error& error) {
    outcome.threw = true;
    outcome.code = error.code();
    outcome.message = error.what();
    return outcome;
  }
  const dd::SelfTestResult result = dd::self_test(entry, target, size, 3);
  outcome.passed = result.passed;
  outcome.message = result.message;
  return outcome;
}

/// Injects the fault at place 1, 2, ... (from 40 on in growing steps) until a run meets none; each must give `code` and
/// leave nothing behind. `recovers`: the same launcher gives right results afterwards.
void sweep(Setting& setting, const char* fault, dd::ErrorCode code, bool recovers, const char* words) {
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    long places = 0;
    for (long at = 1;; at += 1 + at / 40) {
      REQUIRE(at < 1000000);
      INFO(entry.name, ", ", fault, " ", at);
      setting.set(fault, at);
      Outcome outcome;
      try {
        const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
        outcome = run(entry, *launcher);
        if (outcome.threw && recovers) {
          CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
          setting.set(fault, 0);
          const Outcome again = run(entry, *launcher);
          CHECK_MESSAGE(again.passed, again.message);
        }
      } catch (const dd::Error& error) {  // opening failed
        outcome.threw = true;
        outcome.code = error.code();
        outcome.message = error.what();
      }
      const bool met = outcome.threw || !outcome.passed;  // the self-test after `run` may meet it, too
      if (recovers) CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
      setting.set(fault, 0);
      CHECK(fake().nothing_left());
      if (!met) break;
      ++places;
      if (outcome.threw) CHECK(outcome.code == code);
      CHECK_MESSAGE(outcome.message.find(words) != std::string::npos, outcome.message);
      // A new launcher works.
      const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
      const Outcome fresh = run(entry, *launcher);
      CHECK_MESSAGE(fresh.passed, fresh.message);
    }
    CHECK(places > 0);
  }
}

}  // namespace

TEST_CASE("cuda: every kernel, every test size, immediate") {
  const Setting setting;
  const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
  for (const dd::KernelEntry& entry : dd::all_kernels()) {
    const dd::SelfTestResult result = dd::self_test_all_sizes(entry, dd::KernelTarget::on(*launcher, "cuda"));
    CHECK_MESSAGE(result.passed, result.message);
  }
  CHECK(fake().counts().launches > 0);
  CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
}

TEST_CASE("cuda: every kernel, every test size, delayed and reordered") {
  Setting setting;
  for (const long seed : {1, 2, 3}) {
    setting.delayed(seed);
    const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
    for (const dd::KernelEntry& entry : dd::all_kernels()) {
      const dd::SelfTestResult result = dd::self_test_all_sizes(entry, dd::KernelTarget::on(*launcher, "cuda"));
      CHECK_MESSAGE(result.passed, result.message);
    }
    CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
  }
}

TEST_CASE("cuda: out of memory at every allocation, and the launcher goes on") {
  Setting setting;
  sweep(setting, "FAKECUDA_OUT_OF_MEMORY_AT", dd::ErrorCode::out_of_memory, true, "bytes: cuMemAlloc failed: ");
}

TEST_CASE("cuda: every launch refused once, and the launcher goes on") {
  Setting setting;
  sweep(setting, "FAKECUDA_FAIL_LAUNCH_AT", dd::ErrorCode::backend_failed, true, ": cuLaunchKernel failed: ");
}

TEST_CASE("cuda: every launch dies on the device") {
  Setting setting;
  sweep(setting, "FAKECUDA_FAULT_AT", dd::ErrorCode::backend_failed, false, "LAUNCH_FAILED");
  setting.delayed(5);
  sweep(setting, "FAKECUDA_FAULT_AT", dd::ErrorCode::backend_failed, false, "LAUNCH_FAILED");
}

TEST_CASE("cuda: the device is lost at every call") {
  Setting setting;
  sweep(setting, "FAKECUDA_LOSE_DEVICE_AT", dd::ErrorCode::backend_failed, false, "(the device is lost");
  setting.delayed(6);
  sweep(setting, "FAKECUDA_LOSE_DEVICE_AT", dd::ErrorCode::backend_failed, false, "(the device is lost");
}

TEST_CASE("cuda: out of memory with spare memory kept gives it back and goes on") {
  Setting setting;
  const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
  {
    const dd::AllocationScope scope(*launcher);
    launcher->allocate<double>(1000);
  }
  CHECK(launcher->allocations() == 0);
  CHECK(fake().counts().allocations == 1);
  setting.set("FAKECUDA_OUT_OF_MEMORY_AT", 1);
  CHECK(launcher->allocate<double>(100000) != nullptr);
  CHECK(fake().counts().allocations == 1);
}

TEST_CASE("cuda: repeated calls take no new memory, and the benchmark runs") {
  const Setting setting;
  const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
  const dd::KernelTarget target = dd::KernelTarget::on(*launcher, "cuda");
  const dd::KernelEntry& entry = dd::all_kernels().front();
  CHECK(dd::self_test(entry, target, small_size(entry), 1).passed);
  const long before = fake().counts().allocated;
  for (int i = 0; i < 5; ++i) CHECK(dd::self_test(entry, target, small_size(entry), 1).passed);
  CHECK(fake().counts().allocated == before);
  const dd::BenchmarkResult result = dd::benchmark_kernel(entry, target, small_size(entry), {.budget_seconds = 0.01});
  CHECK(result.seconds_p10 > 0);
  CHECK_FALSE(result.cpu_clock);
}

TEST_CASE("cuda: a launcher may move to a thread that CUDA has never seen") {
  const Setting setting;
  std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
  dd::SelfTestResult result;
  std::thread([&] {
    const dd::KernelEntry& entry = dd::all_kernels().front();
    result = dd::self_test(entry, dd::KernelTarget::on(*launcher, "cuda"), small_size(entry), 1);
    launcher.reset();
  }).join();
  CHECK_MESSAGE(result.passed, result.message);
  CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
}

TEST_CASE("cuda: launchers of several threads share a device") {
  Setting setting;
  setting.delayed(8);
  std::vector<std::string> messages(3);
  std::vector<std::thread> threads;
  for (std::string& message : messages) {
    threads.emplace_back([&message] {
      for (int turn = 0; turn < 3; ++turn) {  // the device is opened and given back again and again
        const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
        for (const dd::KernelEntry& entry : dd::all_kernels()) {
          const dd::KernelTarget target = dd::KernelTarget::on(*launcher, "cuda");
          message += dd::self_test(entry, target, small_size(entry), 1).message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& message : messages) CHECK_MESSAGE(message.empty(), message);
  CHECK_MESSAGE(fake().complaint().empty(), fake().complaint());
}

TEST_CASE("cuda: memory given back while work is queued is given back after it") {
  Setting setting;
  setting.delayed(9);
  const DdBackend& backend = table();
  DdBackendContext* context = nullptr;
  REQUIRE(backend.create_context(0, &context) == DD_BACKEND_OK);
  void* memory = nullptr;
  REQUIRE(backend.allocate(context, sizeof(double), &memory) == DD_BACKEND_OK);
  const double source = 5;
  double back = 0;
  CHECK(backend.upload(context, memory, &source, sizeof source) == DD_BACKEND_OK);
  CHECK(backend.download(context, memory, &back, sizeof back) == DD_BACKEND_OK);
  CHECK(backend.release(context, memory) == DD_BACKEND_OK);
  CHECK(back == 5);
  CHECK(fake().complaint().empty());
  backend.destroy_context(context);
}

TEST_CASE("cuda: the source of an upload may be reused at once, a download is there at once") {
  Setting setting;
  setting.delayed(4);
  const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda");
  double* memory = launcher->allocate<double>(2);
  std::vector<double> values{1, 2};
  launcher->upload(memory, std::span<const double>(values));
  values = {3, 4};
  launcher->download(memory, std::span<double>(values));
  CHECK(values == std::vector<double>{1, 2});
}

TEST_CASE("fake driver: delayed copies happen at the synchronisation and not before") {
  Setting setting;
  setting.delayed(1);
  const DdBackend& backend = table();
  DdBackendContext* context = nullptr;
  REQUIRE(backend.create_context(0, &context) == DD_BACKEND_OK);
  void* memory = nullptr;
  REQUIRE(backend.allocate(context, sizeof(double), &memory) == DD_BACKEND_OK);
  double source = 1, back = 0;
  CHECK(backend.upload(context, memory, &source, sizeof source) == DD_BACKEND_OK);
  source = 2;  // too early: the copy has not happened
  CHECK(backend.download(context, memory, &back, sizeof back) == DD_BACKEND_OK);
  CHECK(back == 0);
  CHECK(fake().counts().pending == 2);
  CHECK(backend.synchronize(context) == DD_BACKEND_OK);
  CHECK(back == 2);
  CHECK(backend.release(context, memory) == DD_BACKEND_OK);
  backend.destroy_context(context);
}

TEST_CASE("fake driver: two queues without synchronisation between them run in either order") {
  Setting setting;
  const DdBackend& backend = table();
  bool seen[2] = {false, false};
  for (long seed = 1; seed <= 20; ++seed) {
    setting.delayed(seed);
    DdBackendContext *first = nullptr, *second = nullptr;
    REQUIRE(backend.create_context(0, &first) == DD_BACKEND_OK);
    REQUIRE(backend.create_context(0, &second) == DD_BACKEND_OK);
    void* memory = nullptr;
    REQUIRE(backend.allocate(first, sizeof(int), &memory) == DD_BACKEND_OK);
    const int one = 0, two = 1;
    int back = -1;
    CHECK(backend.upload(first, memory, &one, sizeof one) == DD_BACKEND_OK);
    CHECK(backend.upload(second, memory, &two, sizeof two) == DD_BACKEND_OK);
    CHECK(backend.synchronize(second) == DD_BACKEND_OK);
    CHECK(backend.synchronize(first) == DD_BACKEND_OK);
    CHECK(backend.download(first, memory, &back, sizeof back) == DD_BACKEND_OK);
    CHECK(backend.synchronize(first) == DD_BACKEND_OK);
    REQUIRE((back == 0 || back == 1));
    seen[back] = true;
    CHECK(backend.release(first, memory) == DD_BACKEND_OK);
    backend.destroy_context(second);
    backend.destroy_context(first);
  }
  CHECK(seen[0]);
  CHECK(seen[1]);
}

TEST_CASE("fake driver: what the real one would let pass or crash on is refused and named") {
  Setting setting;
  const DdBackend& backend = table();
  DdBackendContext* context = nullptr;
  REQUIRE(backend.create_context(0, &context) == DD_BACKEND_OK);
  void* memory = nullptr;
  REQUIRE(backend.allocate(context, 16, &memory) == DD_BACKEND_OK);
  double values[4] = {1, 2, 3, 4};

  const auto refused = [&](std::int32_t status, const char* words) {
    CHECK(status == DD_BACKEND_FAILED);
    CHECK_MESSAGE(fake().complaint().find(words) != std::string::npos, fake().complaint());
    CHECK(std::string(backend.last_error()).find(" failed: ") != std::string::npos);
    fake().configure();
  };
  refused(backend.upload(context, memory, values, 17), "copy to the device of 17 bytes does not lie inside");
  refused(backend.download(context, static_cast<char*>(memory) + 8, values, 9), "copy from the device of 9 bytes");
  refused(backend.upload(context, values, values, 8), "copy to the device of 8 bytes");
  refused(backend.release(context, static_cast<char*>(memory) + 8), "cuMemFree of what is not an allocation");
  std::uint32_t kernel = 0;
  refused(backend.find_kernel(context, "dd_no_such_kernel", &kernel), "no block kernel dd_no_such_kernel");
  CHECK(backend.find_kernel(context, "dd_set_index", &kernel) == DD_BACKEND_OK);
  const std::uint32_t grid[3] = {1, 1, 1}, no_grid[3] = {1, 0, 1}, block[2] = {32, 1}, wrong_block[2] = {64, 1};
  refused(backend.launch(context, kernel, grid, wrong_block, values), "wrong block shape for dd_set_index");
  refused(backend.launch(context, kernel, no_grid, block, values), "impossible grid for dd_set_index");
  CHECK(backend.launch(context, kernel + 100, grid, block, values) == DD_BACKEND_FAILED);

  CHECK(backend.download(context, memory, values, 16) == DD_BACKEND_OK);
  CHECK(backend.synchronize(context) == DD_BACKEND_OK);
  CHECK(std::isnan(values[0]));
  CHECK(std::isnan(values[1]));
  CHECK(backend.release(context, memory) == DD_BACKEND_OK);
  backend.destroy_context(context);
}

TEST_CASE("cuda: an entry that is asked for another ABI answers null") {
  const Setting setting;
  void* library = dlopen(DD_TEST_BACKEND_DIRECTORY "/libdiscrete-descent-cuda.so", RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  const auto entry = reinterpret_cast<DdBackendEntry>(dlsym(library, DD_BACKEND_ENTRY_NAME));
  REQUIRE((entry != nullptr));
  CHECK(entry(DD_BACKEND_ABI) != nullptr);
  CHECK(entry(DD_BACKEND_ABI + 1) == nullptr);
  dlclose(library);
}
