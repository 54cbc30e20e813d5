// BlockLauncher over the C ABI of a back end: its errors become dd::Error, its memory is owned.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/backend_abi.h"
#include "core/block_launcher.hpp"

namespace dd {

/// Device memory that is given back with its owner. The context must outlive it.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(const DdBackend& backend, DdBackendContext* context, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept { *this = std::move(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  void* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  const DdBackend* backend_ = nullptr;
  DdBackendContext* context_ = nullptr;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// One queue of work on one device. Memory that a scope gives back is kept for the next allocation (the queue's order
/// makes that safe) and returned to the device with the launcher, or when an allocation would fail.
class BackendLauncher final : public BlockLauncher {
 public:
  /// @throws dd::Error as open_backend
  BackendLauncher(const DdBackend& backend, std::uint32_t device);

  void synchronize() override;
  std::size_t allocations() const noexcept override { return live_.size(); }
  void release_allocations(std::size_t keep = 0) noexcept override;

 protected:
  void launch_kernel(const BlockKernelInfo& kernel, const void* arguments, Grid grid) override;
  void* allocate_bytes(std::size_t bytes) override;
  void upload_bytes(void* device, const void* source, std::size_t bytes) override;
  void download_bytes(const void* device, void* destination, std::size_t bytes) override;

 private:
  struct DestroyContext {
    const DdBackend* backend;
    void operator()(DdBackendContext* context) const noexcept { backend->destroy_context(context); }
  };

  const DdBackend& backend_;
  std::unique_ptr<DdBackendContext, DestroyContext> context_;  // before the buffers, which need it to their end
  std::vector<DeviceBuffer> live_;
  std::vector<DeviceBuffer> spare_;
  std::unordered_map<const BlockKernelInfo*, std::uint32_t> kernels_;
};

}  // namespace dd
