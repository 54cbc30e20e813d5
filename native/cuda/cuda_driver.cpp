// Finds, loads and initialises the driver, and says in words why it could not.
#include "cuda/cuda_driver.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>

namespace dd::cuda {
namespace {

struct State {
  std::mutex mutex;
  Driver driver;
  bool ready = false;
  pid_t process = 0;
};

State& state() {
  static State instance;
  return instance;
}

void* open_library(std::string& reason) {
  const char* chosen = std::getenv("DISCRETE_DESCENT_CUDA_LIB");
  if (chosen != nullptr && *chosen != '\0') {
    void* library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) reason = std::string("no driver at DISCRETE_DESCENT_CUDA_LIB: ") + dlerror();
    return library;
  }
  for (const char* name : {"libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"}) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    if (reason.empty()) reason = std::string("no NVIDIA driver: ") + dlerror();
  }
  return nullptr;
}

bool fill_table(void* library, Driver& driver, std::string& reason) {
#define DD_CUDA_LOOK_UP(name, parameters)                                          \
  driver.name = reinterpret_cast<decltype(driver.name)>(dlsym(library, #name));    \
  if (driver.name == nullptr) {                                                    \
    reason = "driver too old: the NVIDIA driver's library has no function " #name; \
    return false;                                                                  \
  }
  DD_CUDA_FUNCTIONS(DD_CUDA_LOOK_UP)
#undef DD_CUDA_LOOK_UP
  return true;
}

bool initialise(Driver& driver, std::string& reason) {
  const Result started = driver.cuInit(0);
  if (started == error_no_device) {
    reason = "no device: the NVIDIA driver is installed, but it sees no CUDA device";
    return false;
  }
  if (started != success) {
    reason = "the NVIDIA driver did not start: " + driver.describe(started);
    return false;
  }
  if (const Result result = driver.cuDriverGetVersion(&driver.version); result != success) {
    reason = "the NVIDIA driver does not tell its version: " + driver.describe(result);
    return false;
  }
  // Code of a CUDA major version runs on drivers of that major version and newer ones.
  if (driver.version / 1000 < DD_CUDA_TOOLKIT_VERSION / 1000) {
    reason = "driver too old: it supports CUDA up to " + version_text(driver.version) +
             ", this build was made with CUDA " + version_text(DD_CUDA_TOOLKIT_VERSION);
    return false;
  }
  if (const Result result = driver.cuDeviceGetCount(&driver.device_count); result != success) {
    reason = "the NVIDIA driver does not count its devices: " + driver.describe(result);
    return false;
  }
  if (driver.device_count < 1) {
    reason = "no device: the NVIDIA driver is installed, but it sees no CUDA device";
    return false;
  }
  return true;
}

}  // namespace

std::string Driver::describe(Result error) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (cuGetErrorName != nullptr) cuGetErrorName(error, &name);
  if (cuGetErrorString != nullptr) cuGetErrorString(error, &text);
  std::string all = std::string(name != nullptr ? name : "CUDA error") + " (" + std::to_string(error) + ")";
  if (text != nullptr) all += std::string(": ") + text;
  return all;
}

const Driver* load_driver(std::string& reason) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.ready) {
    reason = fork_problem();
    return reason.empty() ? &s.driver : nullptr;
  }
  // The library stays open: drivers do not survive dlclose.
  void* library = open_library(reason);
  if (library == nullptr) return nullptr;
  Driver driver;
  if (!fill_table(library, driver, reason) || !initialise(driver, reason)) return nullptr;
  s.driver = driver;
  s.process = getpid();
  s.ready = true;
  reason.clear();
  return &s.driver;
}

const char* fork_problem() noexcept {
  const State& s = state();
  if (s.process == 0 || s.process == getpid()) return "";
  return "this process was forked after the CUDA driver had started: a child cannot use it";
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace dd::cuda
