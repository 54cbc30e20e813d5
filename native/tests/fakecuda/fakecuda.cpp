// A CUDA driver without a GPU: the functions that the back end asks for, over host memory and the checking executor of
// the block kernels. Stricter than the real one where that finds mistakes: memory starts as NaN, copies must lie in
// one allocation, host memory of a queued copy is read late, every call needs a current context.
#include "tests/fakecuda/fakecuda.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "catalog.hpp"
#include "core/philox.hpp"
#include "cuda/cuda_driver.hpp"

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

namespace dd::cuda {

struct ContextHandle {
  int device;
};
struct ModuleHandle {
  int device;
};
struct FunctionHandle {
  const BlockKernelInfo* kernel;
};
struct StreamHandle {
  std::deque<std::function<Result()>> queue;
};

}  // namespace dd::cuda

namespace {

using namespace dd::cuda;

constexpr Result invalid_value = 1, not_initialized = 3, invalid_image = 200, invalid_context = 201, not_found = 500,
                 launch_out_of_resources = 701, launch_failed = 719, unknown = 999;
constexpr int max_devices = 8;

struct Allocation {
  std::size_t bytes;
};

struct Fake {
  std::recursive_mutex mutex;
  bool initialised = false;
  bool delayed = false;
  int devices = 1;
  int version = DD_CUDA_TOOLKIT_VERSION;
  Result load_result = success;
  long out_of_memory_at = 0, fail_launch_at = 0, fault_at = 0, lose_device_at = 0;
  std::uint64_t seed = 0;
  dd::PhiloxStream random{0, 0};
  Result sticky = success;
  std::string complaint;
  FakeCudaCounts counts{};
  long launches_asked = 0;
  ContextHandle contexts[max_devices] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
  int retained[max_devices] = {};
  std::map<std::uintptr_t, Allocation> allocations;
  std::vector<std::unique_ptr<StreamHandle>> streams;
  std::vector<std::unique_ptr<ModuleHandle>> modules;
  std::map<std::string, std::unique_ptr<FunctionHandle>> functions;
};

Fake& fake() {
  static Fake instance;
  return instance;
}

thread_local ContextHandle* current_context = nullptr;

long number(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtol(text, nullptr, 10);
}

void configure(Fake& f) {
  const char* mode = std::getenv("FAKECUDA_MODE");
  f.delayed = mode != nullptr && std::strcmp(mode, "delayed") == 0;
  f.devices = static_cast<int>(number("FAKECUDA_DEVICES", 1));
  f.version = static_cast<int>(number("FAKECUDA_DRIVER_VERSION", DD_CUDA_TOOLKIT_VERSION));
  f.load_result = static_cast<Result>(number("FAKECUDA_LOAD_RESULT", success));
  f.out_of_memory_at = number("FAKECUDA_OUT_OF_MEMORY_AT", 0);
  f.fail_launch_at = number("FAKECUDA_FAIL_LAUNCH_AT", 0);
  f.fault_at = number("FAKECUDA_FAULT_AT", 0);
  f.lose_device_at = number("FAKECUDA_LOSE_DEVICE_AT", 0);
  f.seed = static_cast<std::uint64_t>(number("FAKECUDA_SEED", 1));
  f.random = dd::PhiloxStream(f.seed, 0);
  f.sticky = success;
  f.complaint.clear();
  f.counts.launches = f.counts.calls = f.counts.allocated = 0;
  f.launches_asked = 0;
}

Result complain(Result result, const std::string& text) {
  if (fake().complaint.empty()) fake().complaint = text;
  return result;
}

/// Every call: counted, then refused when the driver is not started, the device is lost or the context is dead.
Result enter(Fake& f) {
  ++f.counts.calls;
  if (f.lose_device_at > 0 && f.counts.calls >= f.lose_device_at) f.sticky = unknown;
  if (!f.initialised) return complain(not_initialized, "a call before cuInit");
  return f.sticky;
}

/// Calls that belong to a context.
Result enter_context(Fake& f) {
  if (const Result result = enter(f)) return result;
  if (current_context == nullptr || f.retained[current_context->device] == 0) {
    return complain(invalid_context, "a call on a thread without a current context");
  }
  return success;
}

Result check_range(Fake& f, DevicePointer pointer, std::size_t bytes, const char* what) {
  auto it = f.allocations.upper_bound(static_cast<std::uintptr_t>(pointer));
  if (it != f.allocations.begin()) {
    --it;
    if (pointer - it->first <= it->second.bytes && bytes <= it->second.bytes - (pointer - it->first)) return success;
  }
  return complain(invalid_value, std::string(what) + " of " + std::to_string(bytes) +
                                     " bytes does not lie inside one live allocation");
}

/// Runs or queues an operation of a stream.
Result submit(Fake& f, Stream stream, std::function<Result()> operation) {
  if (!f.delayed) {
    const Result result = operation();
    if (result != success) f.sticky = result;
    return success;  // asynchronous: the error shows at the next call
  }
  stream->queue.push_back(std::move(operation));
  ++f.counts.pending;
  return success;
}

/// Runs queued operations, the stream of each step drawn at random, until `stream` is empty.
Result drain(Fake& f, Stream stream) {
  for (;;) {
    std::vector<StreamHandle*> ready;
    for (const auto& candidate : f.streams) {
      if (!candidate->queue.empty()) ready.push_back(candidate.get());
    }
    if (stream->queue.empty()) return f.sticky;
    StreamHandle* chosen = ready[f.random.next_below(static_cast<std::uint32_t>(ready.size()))];
    const std::function<Result()> operation = std::move(chosen->queue.front());
    chosen->queue.pop_front();
    --f.counts.pending;
    if (f.sticky != success) continue;  // a dead context runs nothing any more
    if (const Result result = operation()) f.sticky = result;
  }
}

void* address(DevicePointer pointer) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(pointer)); }

#define FAKE_ENTER(how)                                      \
  Fake& f = fake();                                          \
  const std::lock_guard<std::recursive_mutex> lock(f.mutex); \
  if (const Result entered = how(f)) return entered

}  // namespace

FAKE_EXPORT void fakecuda_configure() {
  const std::lock_guard<std::recursive_mutex> lock(fake().mutex);
  configure(fake());
}

FAKE_EXPORT void fakecuda_counts(FakeCudaCounts* counts) {
  Fake& f = fake();
  const std::lock_guard<std::recursive_mutex> lock(f.mutex);
  f.counts.allocations = static_cast<long>(f.allocations.size());
  f.counts.streams = static_cast<long>(f.streams.size());
  f.counts.modules = static_cast<long>(f.modules.size());
  f.counts.contexts = 0;
  for (const int retained : f.retained) f.counts.contexts += retained;
  *counts = f.counts;
}

FAKE_EXPORT const char* fakecuda_complaint() { return fake().complaint.c_str(); }

FAKE_EXPORT Result cuInit(unsigned flags) {
  Fake& f = fake();
  const std::lock_guard<std::recursive_mutex> lock(f.mutex);
  configure(f);
  if (flags != 0) return complain(invalid_value, "cuInit with flags");
  if (f.devices < 1) return error_no_device;
  f.initialised = true;
  return success;
}

FAKE_EXPORT Result cuDriverGetVersion(int* version) {
  *version = fake().version;
  return success;
}

FAKE_EXPORT Result cuGetErrorName(Result error, const char** text) {
  *text = error == error_out_of_memory       ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == launch_failed           ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == launch_out_of_resources ? "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"
          : error == unknown                 ? "CUDA_ERROR_UNKNOWN"
                                             : "CUDA_ERROR_OF_THE_FAKE_DRIVER";
  return success;
}

FAKE_EXPORT Result cuGetErrorString(Result, const char** text) {
  *text = "said by the fake driver";
  return success;
}

FAKE_EXPORT Result cuDeviceGetCount(int* count) {
  FAKE_ENTER(enter);
  *count = f.devices;
  return success;
}

FAKE_EXPORT Result cuDeviceGet(Device* device, int ordinal) {
  FAKE_ENTER(enter);
  if (ordinal < 0 || ordinal >= f.devices || ordinal >= max_devices)
    return complain(101, "cuDeviceGet: no such device");
  *device = ordinal;
  return success;
}

FAKE_EXPORT Result cuDeviceGetName(char* name, int capacity, Device device) {
  FAKE_ENTER(enter);
  const std::string text = "Fake GPU " + std::to_string(device);
  std::strncpy(name, text.c_str(), static_cast<std::size_t>(capacity));
  return success;
}

FAKE_EXPORT Result cuDeviceTotalMem_v2(std::size_t* bytes, Device) {
  FAKE_ENTER(enter);
  *bytes = std::size_t{1} << 30;
  return success;
}

FAKE_EXPORT Result cuDeviceGetAttribute(int* value, int attribute, Device) {
  FAKE_ENTER(enter);
  if (attribute != attribute_compute_major && attribute != attribute_compute_minor) return invalid_value;
  *value = attribute == attribute_compute_major ? 9 : 0;
  return success;
}

FAKE_EXPORT Result cuDevicePrimaryCtxRetain(Context* context, Device device) {
  FAKE_ENTER(enter);
  ++f.retained[device];
  *context = &f.contexts[device];
  return success;
}

FAKE_EXPORT Result cuDevicePrimaryCtxRelease_v2(Device device) {
  Fake& f = fake();
  const std::lock_guard<std::recursive_mutex> lock(f.mutex);
  ++f.counts.calls;
  // Counted down even on a lost device: the process is done with it.
  if (f.retained[device] == 0) return complain(invalid_context, "a primary context released more often than retained");
  --f.retained[device];
  if (f.retained[device] == 0 && f.sticky == success && !f.allocations.empty()) {
    return complain(success, "the primary context was released with live allocations");
  }
  if (f.retained[device] == 0 && f.sticky != success) {
    // Destroying a dead context takes everything in it along.
    for (const auto& [pointer, allocation] : f.allocations) {
      ::operator delete (reinterpret_cast<void*>(pointer), std::align_val_t{256});
    }
    f.allocations.clear();
    f.streams.clear();
    f.modules.clear();
    f.counts.pending = 0;
    // A new context works again after a kernel died, not after the device was lost.
    const Result result = f.sticky;
    if (f.sticky == launch_failed) f.sticky = success;
    return result;
  }
  return f.sticky;
}

FAKE_EXPORT Result cuCtxSetCurrent(Context context) {
  FAKE_ENTER(enter);
  if (context != nullptr && f.retained[context->device] == 0)
    return complain(invalid_context, "a context that is gone");
  current_context = context;
  return success;
}

FAKE_EXPORT Result cuModuleLoadData(Module* module, const void* image) {
  FAKE_ENTER(enter_context);
  if (f.load_result != success) return f.load_result;
  constexpr unsigned char magic[] = {0x50, 0xed, 0x55, 0xba};
  if (std::memcmp(image, magic, sizeof magic) != 0) return complain(invalid_image, "no fat binary");
  if (reinterpret_cast<std::uintptr_t>(image) % 64 != 0) return complain(invalid_image, "fat binary is not aligned");
  f.modules.push_back(std::make_unique<ModuleHandle>(ModuleHandle{current_context->device}));
  *module = f.modules.back().get();
  return success;
}

FAKE_EXPORT Result cuModuleUnload(Module module) {
  FAKE_ENTER(enter_context);
  const auto found = std::find_if(f.modules.begin(), f.modules.end(), [&](const auto& m) { return m.get() == module; });
  if (found == f.modules.end()) return complain(invalid_value, "cuModuleUnload of what is not a module");
  f.modules.erase(found);
  return success;
}

FAKE_EXPORT Result cuModuleGetFunction(Function* function, Module, const char* name) {
  FAKE_ENTER(enter_context);
  const dd::BlockKernelInfo* kernel = dd::find_block_kernel(name);
  if (kernel == nullptr) return complain(not_found, std::string("no block kernel ") + name);
  std::unique_ptr<FunctionHandle>& handle = f.functions[name];
  if (handle == nullptr) handle = std::make_unique<FunctionHandle>(FunctionHandle{kernel});
  *function = handle.get();
  return success;
}

FAKE_EXPORT Result cuMemAlloc_v2(DevicePointer* pointer, std::size_t bytes) {
  FAKE_ENTER(enter_context);
  if (bytes == 0) return complain(invalid_value, "an allocation of no bytes");
  if (++f.counts.allocated == f.out_of_memory_at) return error_out_of_memory;
  void* memory = ::operator new (bytes, std::align_val_t{256}, std::nothrow);
  if (memory == nullptr) return error_out_of_memory;
  std::memset(memory, 0xFF, bytes);
  f.allocations[reinterpret_cast<std::uintptr_t>(memory)] = {bytes};
  *pointer = reinterpret_cast<std::uintptr_t>(memory);
  return success;
}

FAKE_EXPORT Result cuMemFree_v2(DevicePointer pointer) {
  FAKE_ENTER(enter_context);
  // Does not wait for queued work, which the real one promises nowhere: what still uses this memory will be seen.
  if (f.allocations.erase(static_cast<std::uintptr_t>(pointer)) == 0) {
    return complain(invalid_value, "cuMemFree of what is not an allocation");
  }
  ::operator delete (address(pointer), std::align_val_t{256});
  return f.sticky;
}

FAKE_EXPORT Result cuMemcpyHtoDAsync_v2(DevicePointer destination, const void* source, std::size_t bytes,
                                        Stream stream) {
  FAKE_ENTER(enter_context);
  if (const Result result = check_range(f, destination, bytes, "copy to the device")) return result;
  return submit(f, stream, [=, &f] {
    if (const Result result = check_range(f, destination, bytes, "queued copy to the device")) return result;
    std::memcpy(address(destination), source, bytes);
    return success;
  });
}

FAKE_EXPORT Result cuMemcpyDtoHAsync_v2(void* destination, DevicePointer source, std::size_t bytes, Stream stream) {
  FAKE_ENTER(enter_context);
  if (const Result result = check_range(f, source, bytes, "copy from the device")) return result;
  return submit(f, stream, [=, &f] {
    if (const Result result = check_range(f, source, bytes, "queued copy from the device")) return result;
    std::memcpy(destination, address(source), bytes);
    return success;
  });
}

FAKE_EXPORT Result cuLaunchKernel(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                  Stream stream, void** parameters, void** extra) {
  FAKE_ENTER(enter_context);
  const dd::BlockKernelInfo& kernel = *function->kernel;
  if (block_x != kernel.shape.width || block_y != kernel.shape.height || block_z != 1) {
    return complain(invalid_value, std::string("wrong block shape for ") + kernel.name);
  }
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_x > 0x7FFFFFFFu || grid_y > 65535 || grid_z > 65535) {
    return complain(invalid_value, std::string("impossible grid for ") + kernel.name);
  }
  if (shared_bytes != 0 || extra != nullptr) return complain(invalid_value, "dynamic shared memory or extra arguments");
  ++f.launches_asked;
  if (f.launches_asked == f.fail_launch_at) return launch_out_of_resources;
  const bool dies = f.launches_asked == f.fault_at;
  std::vector<std::byte> arguments(kernel.argument_bytes);
  std::memcpy(arguments.data(), parameters[0], arguments.size());
  const dd::Grid grid{grid_x, grid_y, grid_z};
  return submit(f, stream, [=, &f, &kernel]() -> Result {
    if (dies) return launch_failed;
    try {
      kernel.on(dd::HostExecutor::checking)(arguments.data(), grid, f.seed++);
    } catch (const std::exception& error) {
      return complain(launch_failed, error.what());
    }
    ++f.counts.launches;
    return success;
  });
}

FAKE_EXPORT Result cuStreamCreate(Stream* stream, unsigned flags) {
  FAKE_ENTER(enter_context);
  if (flags != stream_non_blocking) return complain(invalid_value, "a stream that waits for the default stream");
  f.streams.push_back(std::make_unique<StreamHandle>());
  *stream = f.streams.back().get();
  return success;
}

FAKE_EXPORT Result cuStreamDestroy_v2(Stream stream) {
  FAKE_ENTER(enter_context);
  drain(f, stream);
  for (auto it = f.streams.begin(); it != f.streams.end(); ++it) {
    if (it->get() != stream) continue;
    f.streams.erase(it);
    return success;
  }
  return complain(invalid_value, "destruction of what is not a stream");
}

FAKE_EXPORT Result cuStreamSynchronize(Stream stream) {
  FAKE_ENTER(enter_context);
  return drain(f, stream);
}
