// Every way in which a back end can be missing has its own words, nothing is printed, and the CPU goes on. One test
// case, because the order matters: a driver that has started stays.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "core/backend.hpp"
#include "core/error.hpp"
#include "tests/cuda/fake_driver.hpp"

namespace {

dd::BackendStatus cuda_status() {
  const std::vector<dd::BackendStatus> all = dd::backends();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "cpu");
  CHECK(all[0].available);
  CHECK(all[0].reason.empty());
  CHECK(all[1].name == "cuda");
  CHECK(all[1].available == all[1].reason.empty());
  CHECK(all[1].available == !all[1].devices.empty());
  return all[1];
}

std::string reason() { return cuda_status().reason; }
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void check_unavailable(const std::string& words) {
  INFO(reason());
  CHECK(contains(reason(), words));
  bool thrown = false;
  try {
    dd::open_backend("cuda");
  } catch (const dd::Error& error) {
    thrown = true;
    CHECK(error.code() == dd::ErrorCode::backend_unavailable);
    CHECK(error.argument() == "backend");
    CHECK(contains(error.what(), words));
  }
  CHECK(thrown);
}

const std::string faults = DD_TEST_FAULTS_DIRECTORY;

}  // namespace

TEST_CASE("each reason for a missing back end, in words") {
  unsetenv("DISCRETE_DESCENT_BACKEND_PATH");
  unsetenv("DISCRETE_DESCENT_NO_BACKENDS");
  unsetenv("DISCRETE_DESCENT_CUDA_LIB");

  // Where files are looked for.
  check_unavailable("file missing: libdiscrete-descent-cuda.so was not found; this build has no such back end");
  CHECK_THROWS_AS(dd::set_backend_directory("relative/path"), dd::Error);
  CHECK_THROWS_AS(dd::set_backend_directory(""), dd::Error);
  dd::set_backend_directory("/nowhere");
  check_unavailable("was not found in /nowhere;");
  {
    // Not the current directory, and no relative entry of the search path.
    char before[4096];
    REQUIRE(getcwd(before, sizeof before) != nullptr);
    REQUIRE(chdir(DD_TEST_BACKEND_DIRECTORY) == 0);
    const EnvironmentScope path("DISCRETE_DESCENT_BACKEND_PATH", ".::/also/nowhere:");
    check_unavailable("was not found in /nowhere, /also/nowhere;");
    REQUIRE(chdir(before) == 0);
  }

  // What is wrong with a file that was found.
  const std::string broken = faults + "/broken";
  {
    const std::string make =
        "mkdir -p '" + broken + "' && echo no library > '" + broken + "/libdiscrete-descent-cuda.so'";
    REQUIRE(std::system(make.c_str()) == 0);
    const EnvironmentScope path("DISCRETE_DESCENT_BACKEND_PATH", broken);
    check_unavailable("file not loadable: ");
  }
  {
    const EnvironmentScope path("DISCRETE_DESCENT_BACKEND_PATH", faults + "/no_entry");
    check_unavailable("entry missing: ");
  }
  {
    const EnvironmentScope path("DISCRETE_DESCENT_BACKEND_PATH", faults + "/other_abi");
    check_unavailable("ABI mismatch: ");
  }
  {
    const EnvironmentScope path("DISCRETE_DESCENT_BACKEND_PATH", faults + "/short_struct");
    check_unavailable("(ABI 1 with 24 bytes, needed 1 with ");
  }

  // What the back end says about the driver.
  dd::set_backend_directory(DD_TEST_BACKEND_DIRECTORY);
  EnvironmentScope driver("DISCRETE_DESCENT_CUDA_LIB", "/nowhere/libcuda.so.1");
  check_unavailable("no driver at DISCRETE_DESCENT_CUDA_LIB: ");
  driver.set("DISCRETE_DESCENT_CUDA_LIB", faults + "/no_entry/libdiscrete-descent-cuda.so");
  check_unavailable("driver too old: the NVIDIA driver's library has no function cuInit");
  driver.set("DISCRETE_DESCENT_CUDA_LIB", DD_TEST_FAKECUDA);
  {
    const EnvironmentScope devices("FAKECUDA_DEVICES", "0");
    check_unavailable("no device: ");
  }
  {
    const EnvironmentScope version("FAKECUDA_DRIVER_VERSION", "11040");
    check_unavailable("driver too old: it supports CUDA up to 11.4, this build was made with CUDA 1");
  }
  {
    const EnvironmentScope off("DISCRETE_DESCENT_NO_BACKENDS", "1");
    check_unavailable("switched off by DISCRETE_DESCENT_NO_BACKENDS");
  }

  // All is well, with two devices.
  const EnvironmentScope devices("FAKECUDA_DEVICES", "2");
  {
    const EnvironmentScope on("DISCRETE_DESCENT_NO_BACKENDS", "0");
    const dd::BackendStatus status = cuda_status();
    CHECK(status.available);
    REQUIRE(status.devices.size() == 2);
    CHECK(status.devices[1].name == "Fake GPU 1");
    CHECK(status.devices[1].compute_capability == "9.0");
    CHECK(status.devices[1].memory_bytes == std::uint64_t{1} << 30);
    CHECK(contains(status.devices[1].driver_version, "."));
  }

  // What opening a device can still say.
  const FakeDriver fake;
  CHECK(fake.loaded());
  try {
    dd::open_backend("cuda", 7);
    FAIL("device 7 was opened");
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::backend_unavailable);
    CHECK(contains(error.what(), "device 7 does not exist: there are 2"));
  }
  for (const char* result : {"209", "218", "222"}) {
    const EnvironmentScope load("FAKECUDA_LOAD_RESULT", result);
    fake.configure();
    try {
      dd::open_backend("cuda", 1);
      FAIL("the kernels were loaded");
    } catch (const dd::Error& error) {
      CHECK(error.code() == dd::ErrorCode::backend_unavailable);
      CHECK(contains(error.what(), "driver too old, or device too old: the driver (CUDA "));
      CHECK(contains(error.what(), "of compute capability 9.0"));
    }
    CHECK(fake.nothing_left());
  }
  fake.configure();
  CHECK_THROWS_AS(dd::open_backend("rocm"), dd::Error);
  {
    const std::unique_ptr<dd::BlockLauncher> launcher = dd::open_backend("cuda", 1);
    CHECK(launcher->allocate<double>(4) != nullptr);
  }
  CHECK(fake.nothing_left());
  CHECK(fake.complaint().empty());

  // A child process must not touch the parent's driver.
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string words = dd::backends()[1].reason;
    _exit(contains(words, "forked after the CUDA driver had started") ? 0 : 1);
  }
  int exit_status = -1;
  REQUIRE(waitpid(child, &exit_status, 0) == child);
  CHECK(WIFEXITED(exit_status));
  CHECK(WEXITSTATUS(exit_status) == 0);
}
