// Every numeric kernel exists as reference, CPU kernel and block kernel, and is registered once: tests, `doctor` and
// the benchmarks walk the table, so a kernel that is not compared with its reference cannot be there.
//
// A kernel is described by a struct with static members only (an example: core/kernels.cpp):
//
//   struct Sum {
//     static constexpr std::string_view name = "core.sum.float64";      // room.kernel.type
//     static constexpr std::string_view formula = "y = sum_i x_i";
//     static constexpr std::array<std::string_view, 1> size_names{"count"};
//     static constexpr Tolerance tolerance{.relative = 1e-12, .absolute = 1e-12};
//     static std::vector<KernelSize> test_sizes();          // 0, 1 and sizes that fit no tile are among them
//     static std::vector<KernelSize> benchmark_sizes();
//     static std::vector<BufferSpec> buffers(const KernelSize&);
//     static void fill(Workload&, PhiloxStream&);           // inputs
//     static void fill_special(Workload&, PhiloxStream&);   // optional: NaN, infinities, ties, zeros of both signs
//     static void reference(const KernelSize&, std::span<void* const> buffers);
//     static void cpu(std::size_t threads, const KernelSize&, std::span<void* const> buffers);
//     static void block(BlockLauncher&, const KernelSize&, std::span<void* const> buffers);
//     static double flops(const KernelSize&);
//     static double bytes(const KernelSize&);
//   };
//   constexpr std::array entries{kernel_entry<Sum>(), ...};
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/philox.hpp"

namespace dd {

class BlockLauncher;

enum class DataType : std::uint8_t { float32, float64, int8, uint8, int16, uint16, int32, uint32, int64, uint64 };
enum class BufferRole : std::uint8_t { input, output, in_out };

std::size_t data_type_bytes(DataType type) noexcept;

template <class T>
consteval DataType data_type_of() {
  if constexpr (std::same_as<T, float>) return DataType::float32;
  if constexpr (std::same_as<T, double>) return DataType::float64;
  if constexpr (std::same_as<T, std::int8_t>) return DataType::int8;
  if constexpr (std::same_as<T, std::uint8_t>) return DataType::uint8;
  if constexpr (std::same_as<T, std::int16_t>) return DataType::int16;
  if constexpr (std::same_as<T, std::uint16_t>) return DataType::uint16;
  if constexpr (std::same_as<T, std::int32_t>) return DataType::int32;
  if constexpr (std::same_as<T, std::uint32_t>) return DataType::uint32;
  if constexpr (std::same_as<T, std::int64_t>) return DataType::int64;
  if constexpr (std::same_as<T, std::uint64_t>) return DataType::uint64;
}

inline constexpr std::size_t max_kernel_extents = 6;

/// The extents that a kernel's `size_names` name, in that order.
struct KernelSize {
  std::array<std::size_t, max_kernel_extents> extent{};

  constexpr std::size_t operator[](std::size_t i) const noexcept { return extent[i]; }
  bool operator==(const KernelSize&) const = default;
};

struct BufferSpec {
  std::string_view name;
  DataType type;
  BufferRole role;
  std::size_t count;  ///< elements
};

/// Passed when |out - reference| <= absolute + relative * |reference|; NaN must meet NaN, infinity the same infinity.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// The buffers of one call, one heap block each (so that AddressSanitizer guards every end; without it a guard zone
/// does). Everything starts with all bits set: NaN.
class Workload {
 public:
  Workload(const KernelSize& size, std::vector<BufferSpec> specs);

  const KernelSize& size() const noexcept { return size_; }
  std::span<const BufferSpec> specs() const noexcept { return specs_; }
  std::span<void* const> pointers() const noexcept { return pointers_; }
  std::size_t bytes(std::size_t buffer) const noexcept {
    return specs_[buffer].count * data_type_bytes(specs_[buffer].type);
  }

  /// Buffer number `buffer` as elements; throws ERR_INTERNAL when T is not its type.
  template <class T>
  std::span<T> buffer(std::size_t number) const {
    require_type(number, data_type_of<T>());
    return {static_cast<T*>(pointers_[number]), specs_[number].count};
  }
  /// The buffer of that name.
  template <class T>
  std::span<T> buffer(std::string_view name) const {
    return buffer<T>(find(name));
  }
  std::size_t find(std::string_view name) const;

  /// Element `index` of a buffer as a number (64-bit integers beyond 2^53 are rounded).
  double value(std::size_t buffer, std::size_t index) const noexcept;

  void copy_from(const Workload& other) noexcept;
  /// Name of a buffer that was written past its end; empty when none was.
  std::string_view broken_guard() const noexcept;

 private:
  void require_type(std::size_t number, DataType type) const;

  KernelSize size_;
  std::vector<BufferSpec> specs_;
  std::vector<AlignedBuffer<std::byte>> memory_;
  std::vector<void*> pointers_;
};

/// A registered kernel without its type.
struct KernelEntry {
  std::string_view name;
  std::string_view formula;
  std::span<const std::string_view> size_names;
  Tolerance tolerance;
  std::vector<KernelSize> (*test_sizes)();
  std::vector<KernelSize> (*benchmark_sizes)();
  std::vector<BufferSpec> (*buffers)(const KernelSize&);
  void (*fill)(Workload&, PhiloxStream&);
  void (*fill_special)(Workload&, PhiloxStream&);  ///< null when the kernel has none
  void (*reference)(const KernelSize&, std::span<void* const>);
  void (*cpu)(std::size_t threads, const KernelSize&, std::span<void* const>);
  void (*block)(BlockLauncher&, const KernelSize&, std::span<void* const>);  ///< frees what it allocates
  double (*flops)(const KernelSize&);
  double (*bytes)(const KernelSize&);
};

template <class K>
concept DescribedKernel = requires(const KernelSize& size, Workload& workload, PhiloxStream& random) {
  { K::name } -> std::convertible_to<std::string_view>;
  { K::formula } -> std::convertible_to<std::string_view>;
  {std::span<const std::string_view>(K::size_names)};
  { K::tolerance } -> std::convertible_to<Tolerance>;
  { K::test_sizes() } -> std::same_as<std::vector<KernelSize>>;
  { K::benchmark_sizes() } -> std::same_as<std::vector<KernelSize>>;
  { K::buffers(size) } -> std::same_as<std::vector<BufferSpec>>;
  { K::fill(workload, random) } -> std::same_as<void>;
  { K::flops(size) } -> std::same_as<double>;
  { K::bytes(size) } -> std::same_as<double>;
};
template <class K>
concept HasReference = requires(const KernelSize& size, std::span<void* const> buffers) {
  K::reference(size, buffers);
};
template <class K>
concept HasCpu = requires(const KernelSize& size, std::span<void* const> buffers) {
  K::cpu(std::size_t{1}, size, buffers);
};
template <class K>
concept HasBlock = requires(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
  K::block(launcher, size, buffers);
};
template <class K>
concept RegistrableKernel = DescribedKernel<K> && HasReference<K> && HasCpu<K> && HasBlock<K>;

using BlockForm = void (*)(BlockLauncher&, const KernelSize&, std::span<void* const>);
/// Calls `form` inside an AllocationScope.
void run_block_form(BlockForm form, BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers);

/// The table entry of a kernel; does not compile when one of the three forms is missing.
template <RegistrableKernel K>
constexpr KernelEntry kernel_entry() {
  static_assert(std::span<const std::string_view>(K::size_names).size() <= max_kernel_extents);
  KernelEntry entry{.name = K::name,
                    .formula = K::formula,
                    .size_names = K::size_names,
                    .tolerance = K::tolerance,
                    .test_sizes = K::test_sizes,
                    .benchmark_sizes = K::benchmark_sizes,
                    .buffers = K::buffers,
                    .fill = K::fill,
                    .fill_special = nullptr,
                    .reference = K::reference,
                    .cpu = K::cpu,
                    .block = [](BlockLauncher& launcher, const KernelSize& size,
                                std::span<void* const> buffers) { run_block_form(K::block, launcher, size, buffers); },
                    .flops = K::flops,
                    .bytes = K::bytes};
  if constexpr (requires(Workload & workload, PhiloxStream & random) { K::fill_special(workload, random); }) {
    entry.fill_special = K::fill_special;
  }
  return entry;
}

/// "count=4097, rows=3": the named extents of a size.
std::string describe_size(const KernelEntry& entry, const KernelSize& size);

}  // namespace dd
