// The part of the CUDA driver API that the back end uses, declared by ourselves so that neither building nor running
// needs anything of CUDA, and its lazy loading. Names with _v2 are what the driver exports behind the plain names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace dd::cuda {

using Result = int;  // CUresult
using Device = int;  // CUdevice
using DevicePointer = unsigned long long;
using Context = struct ContextHandle*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using Stream = struct StreamHandle*;

inline constexpr Result success = 0;
inline constexpr Result error_out_of_memory = 2;
inline constexpr Result error_no_device = 100;
inline constexpr Result error_no_binary_for_gpu = 209;
inline constexpr Result error_invalid_ptx = 218;
inline constexpr Result error_unsupported_ptx_version = 222;
inline constexpr int attribute_compute_major = 75;
inline constexpr int attribute_compute_minor = 76;
inline constexpr unsigned stream_non_blocking = 1;

// X(name, parameters)
#define DD_CUDA_FUNCTIONS(X)                                                                                   \
  X(cuInit, (unsigned flags))                                                                                  \
  X(cuDriverGetVersion, (int* version))                                                                        \
  X(cuGetErrorName, (Result error, const char** text))                                                         \
  X(cuGetErrorString, (Result error, const char** text))                                                       \
  X(cuDeviceGetCount, (int* count))                                                                            \
  X(cuDeviceGet, (Device * device, int ordinal))                                                               \
  X(cuDeviceGetName, (char* name, int capacity, Device device))                                                \
  X(cuDeviceTotalMem_v2, (std::size_t * bytes, Device device))                                                 \
  X(cuDeviceGetAttribute, (int* value, int attribute, Device device))                                          \
  X(cuDevicePrimaryCtxRetain, (Context * context, Device device))                                              \
  X(cuDevicePrimaryCtxRelease_v2, (Device device))                                                             \
  X(cuCtxSetCurrent, (Context context))                                                                        \
  X(cuModuleLoadData, (Module * module, const void* image))                                                    \
  X(cuModuleUnload, (Module module))                                                                           \
  X(cuModuleGetFunction, (Function * function, Module module, const char* name))                               \
  X(cuMemAlloc_v2, (DevicePointer * pointer, std::size_t bytes))                                               \
  X(cuMemFree_v2, (DevicePointer pointer))                                                                     \
  X(cuMemcpyHtoDAsync_v2, (DevicePointer destination, const void* source, std::size_t bytes, Stream stream))   \
  X(cuMemcpyDtoHAsync_v2, (void* destination, DevicePointer source, std::size_t bytes, Stream stream))         \
  X(cuLaunchKernel,                                                                                            \
    (Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
     unsigned block_z, unsigned shared_bytes, Stream stream, void** parameters, void** extra))                 \
  X(cuStreamCreate, (Stream * stream, unsigned flags))                                                         \
  X(cuStreamDestroy_v2, (Stream stream))                                                                       \
  X(cuStreamSynchronize, (Stream stream))

struct Driver {
#define DD_CUDA_MEMBER(name, parameters) Result(*name) parameters = nullptr;
  DD_CUDA_FUNCTIONS(DD_CUDA_MEMBER)
#undef DD_CUDA_MEMBER
  int version = 0;
  int device_count = 0;

  /// "CUDA_ERROR_OUT_OF_MEMORY (2): out of memory".
  std::string describe(Result error) const;
};

/// The initialised driver, loaded at the first call from DISCRETE_DESCENT_CUDA_LIB or the system's libcuda.so.1; or
/// null and the reason. A failure is tried again at the next call, a success is kept for the life of the process.
const Driver* load_driver(std::string& reason);

/// Empty, or why this process may not use the driver any more: a fork after its initialisation.
const char* fork_problem() noexcept;

/// 1000 major + 10 minor as "13.0".
std::string version_text(int version);

}  // namespace dd::cuda
