// The CUDA back end behind the ABI of core/backend_abi.h: driver API only, one stream a context, kernels from the
// embedded fat binary, the device's primary context (shared with other CUDA users in the process).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/backend_abi.h"
#include "cuda/cuda_driver.hpp"
#include "cuda/kernel_image.hpp"

namespace dd::cuda {
namespace {

thread_local char last_error_text[512] = "";

std::int32_t fail(std::int32_t status, const std::string& text) noexcept {
  std::snprintf(last_error_text, sizeof last_error_text, "%s", text.c_str());
  return status;
}

/// No exception leaves the back end.
template <class Body>
std::int32_t guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::exception& error) {
    return fail(DD_BACKEND_FAILED, error.what());
  }
}

/// Errors after which CUDA answers every call of the context with an error.
bool is_fatal(Result error) noexcept {
  constexpr Result fatal[] = {4 /* deinitialised */,
                              46 /* device unavailable */,
                              214 /* ECC */,
                              220 /* NVLink */,
                              700 /* illegal address */,
                              702 /* timeout */,
                              709 /* context destroyed */,
                              710 /* assert */,
                              714 /* stack */,
                              715 /* illegal instruction */,
                              716 /* misaligned */,
                              717 /* address space */,
                              718 /* program counter */,
                              719 /* launch failed */,
                              999 /* unknown */};
  return std::find(std::begin(fatal), std::end(fatal), error) != std::end(fatal);
}

std::int32_t check(const Driver& driver, Result result, const char* call) {
  if (result == success) return DD_BACKEND_OK;
  const std::int32_t status = result == error_out_of_memory ? DD_BACKEND_OUT_OF_MEMORY
                              : is_fatal(result)            ? DD_BACKEND_DEVICE_LOST
                                                            : DD_BACKEND_FAILED;
  return fail(status, std::string(call) + " failed: " + driver.describe(result));
}

/// The primary context and the kernels of one device, shared by its contexts and given back with the last.
class DeviceState {
 public:
  DeviceState(const Driver& driver, Device device) noexcept : driver_(driver), device_(device) {}
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;
  ~DeviceState() {
    if (module_ != nullptr && driver_.cuCtxSetCurrent(context_) == success) driver_.cuModuleUnload(module_);
    if (context_ != nullptr) driver_.cuDevicePrimaryCtxRelease_v2(device_);
  }

  std::int32_t open() {
    if (const auto status =
            check(driver_, driver_.cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain")) {
      context_ = nullptr;
      return status;
    }
    if (const auto status = make_current()) return status;
    const Result loaded = driver_.cuModuleLoadData(&module_, dd_cuda_kernel_image);
    if (loaded == success) return DD_BACKEND_OK;
    module_ = nullptr;
    if (loaded != error_no_binary_for_gpu && loaded != error_invalid_ptx && loaded != error_unsupported_ptx_version) {
      return check(driver_, loaded, "cuModuleLoadData");
    }
    int major = 0, minor = 0;
    driver_.cuDeviceGetAttribute(&major, attribute_compute_major, device_);
    driver_.cuDeviceGetAttribute(&minor, attribute_compute_minor, device_);
    return fail(DD_BACKEND_UNAVAILABLE,
                "driver too old, or device too old: the driver (CUDA " + version_text(driver_.version) +
                    ") cannot load kernels made with CUDA " + version_text(DD_CUDA_TOOLKIT_VERSION) +
                    " for a device of compute capability " + std::to_string(major) + "." + std::to_string(minor) +
                    " (7.5 or newer is needed): " + driver_.describe(loaded));
  }

  std::int32_t make_current() { return check(driver_, driver_.cuCtxSetCurrent(context_), "cuCtxSetCurrent"); }

  const Driver& driver() const noexcept { return driver_; }
  Module module() const noexcept { return module_; }

 private:
  const Driver& driver_;
  Device device_;
  Context context_ = nullptr;
  Module module_ = nullptr;
};

/// The state of device number `ordinal`, made when there is none.
std::int32_t share_device(const Driver& driver, std::uint32_t ordinal, std::shared_ptr<DeviceState>& shared) {
  static std::mutex mutex;
  static std::vector<std::weak_ptr<DeviceState>> devices;
  const std::lock_guard lock(mutex);
  if (ordinal >= static_cast<std::uint32_t>(driver.device_count)) {
    return fail(DD_BACKEND_UNAVAILABLE, "device " + std::to_string(ordinal) + " does not exist: there are " +
                                            std::to_string(driver.device_count));
  }
  devices.resize(std::max<std::size_t>(devices.size(), ordinal + 1));
  shared = devices[ordinal].lock();
  if (shared != nullptr) return DD_BACKEND_OK;
  Device device = 0;
  if (const auto status = check(driver, driver.cuDeviceGet(&device, static_cast<int>(ordinal)), "cuDeviceGet")) {
    return status;
  }
  auto fresh = std::make_shared<DeviceState>(driver, device);
  if (const auto status = fresh->open()) return status;
  devices[ordinal] = fresh;
  shared = std::move(fresh);
  return DD_BACKEND_OK;
}

}  // namespace
}  // namespace dd::cuda

struct DdBackendContext {
  std::shared_ptr<dd::cuda::DeviceState> device;
  dd::cuda::Stream stream = nullptr;
  std::vector<std::string> symbols;  // a kernel's number is its place here
  std::vector<dd::cuda::Function> functions;

  ~DdBackendContext() {
    if (stream != nullptr && device->driver().cuCtxSetCurrent != nullptr && device->make_current() == DD_BACKEND_OK) {
      device->driver().cuStreamDestroy_v2(stream);
    }
  }
};

namespace dd::cuda {
namespace {

/// Runs body(driver) with the context current on this thread; for every call that takes a context.
template <class Body>
std::int32_t with_context(DdBackendContext* context, Body body) noexcept {
  return guarded([&]() -> std::int32_t {
    if (const char* problem = fork_problem(); *problem != '\0') return fail(DD_BACKEND_UNAVAILABLE, problem);
    if (const auto status = context->device->make_current()) return status;
    return body(context->device->driver());
  });
}

DevicePointer address(const void* device_memory) noexcept {
  return static_cast<DevicePointer>(reinterpret_cast<std::uintptr_t>(device_memory));
}

std::int32_t device_count(std::uint32_t* count) {
  return guarded([&]() -> std::int32_t {
    *count = 0;
    std::string reason;
    const Driver* driver = load_driver(reason);
    if (driver == nullptr) return fail(DD_BACKEND_UNAVAILABLE, reason);
    *count = static_cast<std::uint32_t>(driver->device_count);
    return DD_BACKEND_OK;
  });
}

std::int32_t device_info(std::uint32_t ordinal, DdBackendDeviceInfo* info) {
  return guarded([&]() -> std::int32_t {
    std::string reason;
    const Driver* driver = load_driver(reason);
    if (driver == nullptr) return fail(DD_BACKEND_UNAVAILABLE, reason);
    DdBackendDeviceInfo full{};
    Device device = 0;
    std::size_t memory = 0;
    int major = 0, minor = 0;
    if (const auto status = check(*driver, driver->cuDeviceGet(&device, static_cast<int>(ordinal)), "cuDeviceGet")) {
      return status;
    }
    if (const auto status =
            check(*driver, driver->cuDeviceGetName(full.name, sizeof full.name, device), "cuDeviceGetName")) {
      return status;
    }
    full.name[sizeof full.name - 1] = '\0';
    if (const auto status = check(*driver, driver->cuDeviceTotalMem_v2(&memory, device), "cuDeviceTotalMem")) {
      return status;
    }
    if (const auto status = check(*driver, driver->cuDeviceGetAttribute(&major, attribute_compute_major, device),
                                  "cuDeviceGetAttribute")) {
      return status;
    }
    if (const auto status = check(*driver, driver->cuDeviceGetAttribute(&minor, attribute_compute_minor, device),
                                  "cuDeviceGetAttribute")) {
      return status;
    }
    full.compute_major = static_cast<std::uint32_t>(major);
    full.compute_minor = static_cast<std::uint32_t>(minor);
    full.driver_version = static_cast<std::uint32_t>(driver->version);
    full.memory_bytes = memory;
    full.struct_size = info->struct_size;
    std::memcpy(info, &full, std::min<std::size_t>(info->struct_size, sizeof full));
    return DD_BACKEND_OK;
  });
}

std::int32_t create_context(std::uint32_t ordinal, DdBackendContext** context) {
  return guarded([&]() -> std::int32_t {
    *context = nullptr;
    std::string reason;
    const Driver* driver = load_driver(reason);
    if (driver == nullptr) return fail(DD_BACKEND_UNAVAILABLE, reason);
    auto fresh = std::make_unique<DdBackendContext>();
    if (const auto status = share_device(*driver, ordinal, fresh->device)) return status;
    if (const auto status = fresh->device->make_current()) return status;
    if (const auto status =
            check(*driver, driver->cuStreamCreate(&fresh->stream, stream_non_blocking), "cuStreamCreate")) {
      fresh->stream = nullptr;
      return status;
    }
    *context = fresh.release();
    return DD_BACKEND_OK;
  });
}

void destroy_context(DdBackendContext* context) {
  guarded([&]() -> std::int32_t {
    const std::unique_ptr<DdBackendContext> owned(context);
    return DD_BACKEND_OK;
  });
}

std::int32_t allocate(DdBackendContext* context, std::uint64_t bytes, void** device_memory) {
  *device_memory = nullptr;
  return with_context(context, [&](const Driver& driver) {
    DevicePointer pointer = 0;
    const auto status = check(driver, driver.cuMemAlloc_v2(&pointer, bytes), "cuMemAlloc");
    if (status == DD_BACKEND_OK) *device_memory = reinterpret_cast<void*>(static_cast<std::uintptr_t>(pointer));
    return status;
  });
}

std::int32_t release(DdBackendContext* context, void* device_memory) {
  return with_context(context, [&](const Driver& driver) {
    // What failed before shows at the caller's next synchronize; here it only has to be over.
    driver.cuStreamSynchronize(context->stream);
    return check(driver, driver.cuMemFree_v2(address(device_memory)), "cuMemFree");
  });
}

std::int32_t upload(DdBackendContext* context, void* device_memory, const void* host, std::uint64_t bytes) {
  return with_context(context, [&](const Driver& driver) {
    return check(driver, driver.cuMemcpyHtoDAsync_v2(address(device_memory), host, bytes, context->stream),
                 "cuMemcpyHtoDAsync");
  });
}

std::int32_t download(DdBackendContext* context, const void* device_memory, void* host, std::uint64_t bytes) {
  return with_context(context, [&](const Driver& driver) {
    return check(driver, driver.cuMemcpyDtoHAsync_v2(host, address(device_memory), bytes, context->stream),
                 "cuMemcpyDtoHAsync");
  });
}

std::int32_t find_kernel(DdBackendContext* context, const char* symbol, std::uint32_t* kernel) {
  return with_context(context, [&](const Driver& driver) -> std::int32_t {
    for (std::size_t i = 0; i < context->symbols.size(); ++i) {
      if (context->symbols[i] == symbol) {
        *kernel = static_cast<std::uint32_t>(i);
        return DD_BACKEND_OK;
      }
    }
    Function function = nullptr;
    if (const auto status = check(driver, driver.cuModuleGetFunction(&function, context->device->module(), symbol),
                                  "cuModuleGetFunction")) {
      return status;
    }
    context->symbols.emplace_back(symbol);
    context->functions.push_back(function);
    *kernel = static_cast<std::uint32_t>(context->functions.size() - 1);
    return DD_BACKEND_OK;
  });
}

std::int32_t launch(DdBackendContext* context, std::uint32_t kernel, const std::uint32_t grid[3],
                    const std::uint32_t block[2], const void* arguments) {
  return with_context(context, [&](const Driver& driver) -> std::int32_t {
    if (kernel >= context->functions.size()) return fail(DD_BACKEND_FAILED, "launch of a kernel that was not found");
    void* parameters[] = {const_cast<void*>(arguments)};
    return check(driver,
                 driver.cuLaunchKernel(context->functions[kernel], grid[0], grid[1], grid[2], block[0], block[1], 1, 0,
                                       context->stream, parameters, nullptr),
                 "cuLaunchKernel");
  });
}

std::int32_t synchronize(DdBackendContext* context) {
  return with_context(context, [&](const Driver& driver) {
    return check(driver, driver.cuStreamSynchronize(context->stream), "cuStreamSynchronize");
  });
}

const char* last_error() { return last_error_text; }

constexpr DdBackend backend{DD_BACKEND_ABI, sizeof(DdBackend), "cuda",   device_count, device_info,
                            create_context, destroy_context,   allocate, release,      upload,
                            download,       find_kernel,       launch,   synchronize,  last_error};

}  // namespace
}  // namespace dd::cuda

extern "C" __attribute__((visibility("default"))) const DdBackend* DD_BACKEND_ENTRY(std::uint32_t abi) {
  return abi == DD_BACKEND_ABI ? &dd::cuda::backend : nullptr;
}
