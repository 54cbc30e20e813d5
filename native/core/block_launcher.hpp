// One interface between numerical code and the machine that runs block kernels: memory, copies, launches. The host
// executors fulfil it here, a back end does in backend_launcher.hpp; code above this line does not know which.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/block.hpp"

namespace dd {

/// A block kernel without its type: what a launch needs to know.
struct BlockKernelInfo {
  using Run = void (*)(const void* arguments, Grid grid, std::uint64_t seed);

  const char* name;  ///< symbol on the device
  BlockShape shape;
  std::size_t shared_bytes;
  std::size_t argument_bytes;
  std::array<Run, 3> run;  ///< by HostExecutor

  Run on(HostExecutor executor) const noexcept { return run[static_cast<std::size_t>(executor)]; }
};

template <class Kernel>
constexpr BlockKernelInfo make_block_kernel_info() {
  require_block_kernel<Kernel>();
  using Block = HostBlock<Kernel::shape.width, Kernel::shape.height, HostExecutor::ordered>;
  using Shared = typename Kernel::template Shared<Block>;
  static_assert(sizeof(Shared) <= 48 * 1024, "static shared memory ends at 48 KiB");
  return {BlockKernelName<Kernel>::value,
          Kernel::shape,
          std::is_empty_v<Shared> ? 0 : sizeof(Shared),
          sizeof(Kernel),
          {run_on_host<Kernel, HostExecutor::ordered>, run_on_host<Kernel, HostExecutor::checking>,
           run_on_host<Kernel, HostExecutor::threaded>}};
}

template <class Kernel>
inline constexpr BlockKernelInfo block_kernel_info = make_block_kernel_info<Kernel>();

/// Launches run in order. Pointers in kernels are device pointers: from `allocate`, or from the caller's own buffers
/// on this device. Every function throws dd::Error (out_of_memory, backend_failed) and leaves the launcher usable
/// unless the device is lost.
class BlockLauncher {
 public:
  BlockLauncher() = default;
  BlockLauncher(const BlockLauncher&) = delete;
  BlockLauncher& operator=(const BlockLauncher&) = delete;
  virtual ~BlockLauncher() = default;

  /// Queues the kernel for grid.x * grid.y * grid.z blocks; an empty grid does nothing.
  template <class Kernel>
  void launch(const Kernel& kernel, Grid grid) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    launch_kernel(block_kernel_info<Kernel>, &kernel, grid);
  }

  /// Device memory for `count` elements, not initialised (all bits set on the host executors), owned by the launcher
  /// until the enclosing AllocationScope ends. `count` 0 gives null.
  template <class T>
  T* allocate(std::size_t count) {
    return count == 0 ? nullptr : static_cast<T*>(allocate_bytes(count * sizeof(T)));
  }
  /// Copies host memory to the device; `source` may be reused at once.
  template <class T>
  void upload(T* device, std::span<const std::type_identity_t<T>> source) {
    if (!source.empty()) upload_bytes(device, source.data(), source.size_bytes());
  }
  /// Copies to the host; waits for the kernels launched before.
  template <class T>
  void download(const T* device, std::span<std::type_identity_t<T>> destination) {
    if (!destination.empty()) download_bytes(device, destination.data(), destination.size_bytes());
  }
  /// Waits for everything launched, and reports what went wrong in it.
  virtual void synchronize() = 0;
  /// Number of live allocations, and the way back to an earlier number: see AllocationScope.
  virtual std::size_t allocations() const noexcept = 0;
  virtual void release_allocations(std::size_t keep = 0) noexcept = 0;

 protected:
  virtual void launch_kernel(const BlockKernelInfo& kernel, const void* arguments, Grid grid) = 0;
  virtual void* allocate_bytes(std::size_t bytes) = 0;
  virtual void upload_bytes(void* device, const void* source, std::size_t bytes) = 0;
  virtual void download_bytes(const void* device, void* destination, std::size_t bytes) = 0;
};

/// Gives back at its end what was allocated since its beginning. Kernels still queued may use it: they run before
/// anything that gets the same memory.
class AllocationScope {
 public:
  explicit AllocationScope(BlockLauncher& launcher) noexcept : launcher_(launcher), keep_(launcher.allocations()) {}
  ~AllocationScope() { launcher_.release_allocations(keep_); }
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;

 private:
  BlockLauncher& launcher_;
  std::size_t keep_;
};

/// Block kernels on the host. The checking executor throws at the first broken rule.
class HostLauncher final : public BlockLauncher {
 public:
  explicit HostLauncher(HostExecutor executor, std::uint64_t seed = 0) noexcept : executor_(executor), seed_(seed) {}

  void synchronize() override {}
  std::size_t allocations() const noexcept override { return allocations_.size(); }
  void release_allocations(std::size_t keep = 0) noexcept override {
    while (allocations_.size() > keep) allocations_.pop_back();
  }

 protected:
  void launch_kernel(const BlockKernelInfo& kernel, const void* arguments, Grid grid) override {
    kernel.on(executor_)(arguments, grid, seed_++);
  }
  void* allocate_bytes(std::size_t bytes) override {
    allocations_.emplace_back(bytes, std::byte{0xFF});
    return allocations_.back().data();
  }
  void upload_bytes(void* device, const void* source, std::size_t bytes) override {
    std::memcpy(device, source, bytes);
  }
  void download_bytes(const void* device, void* destination, std::size_t bytes) override {
    std::memcpy(destination, device, bytes);
  }

 private:
  HostExecutor executor_;
  std::uint64_t seed_;
  std::vector<AlignedBuffer<std::byte>> allocations_;
};

}  // namespace dd
