// Memory of the workloads that the registry's walkers hand to kernels.
#include "core/kernel_registry.hpp"

#include <algorithm>
#include <cstring>

#include "core/block_launcher.hpp"
#include "core/error.hpp"

namespace dd {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t guard_bytes = 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr std::size_t guard_bytes = 0;
#else
constexpr std::size_t guard_bytes = 64;
#endif
#else
constexpr std::size_t guard_bytes = 64;
#endif
constexpr std::byte guard_value{0xA5};

template <class T>
double element(const void* data, std::size_t index) noexcept {
  return static_cast<double>(static_cast<const T*>(data)[index]);
}

}  // namespace

std::size_t data_type_bytes(DataType type) noexcept {
  switch (type) {
    case DataType::int8:
    case DataType::uint8:
      return 1;
    case DataType::int16:
    case DataType::uint16:
      return 2;
    case DataType::float32:
    case DataType::int32:
    case DataType::uint32:
      return 4;
    case DataType::float64:
    case DataType::int64:
    case DataType::uint64:
      return 8;
  }
  return 0;
}

Workload::Workload(const KernelSize& size, std::vector<BufferSpec> specs) : size_(size), specs_(std::move(specs)) {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    AlignedBuffer<std::byte> memory(bytes(i) + guard_bytes, std::byte{0xFF});
    if constexpr (guard_bytes > 0) std::fill_n(memory.data() + bytes(i), guard_bytes, guard_value);
    pointers_.push_back(memory.data());
    memory_.push_back(std::move(memory));
  }
}

void Workload::require_type(std::size_t number, DataType type) const {
  if (number < specs_.size() && specs_[number].type == type) return;
  throw Error(ErrorCode::internal, "buffer", "a kernel's workload was asked for a buffer or a type that it has not");
}

std::size_t Workload::find(std::string_view name) const {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].name == name) return i;
  }
  throw Error(ErrorCode::internal, std::string(name), "a kernel's workload has no buffer of this name");
}

double Workload::value(std::size_t buffer, std::size_t index) const noexcept {
  const void* data = pointers_[buffer];
  switch (specs_[buffer].type) {
    case DataType::float32:
      return element<float>(data, index);
    case DataType::float64:
      return element<double>(data, index);
    case DataType::int8:
      return element<std::int8_t>(data, index);
    case DataType::uint8:
      return element<std::uint8_t>(data, index);
    case DataType::int16:
      return element<std::int16_t>(data, index);
    case DataType::uint16:
      return element<std::uint16_t>(data, index);
    case DataType::int32:
      return element<std::int32_t>(data, index);
    case DataType::uint32:
      return element<std::uint32_t>(data, index);
    case DataType::int64:
      return element<std::int64_t>(data, index);
    case DataType::uint64:
      return element<std::uint64_t>(data, index);
  }
  return 0;
}

void Workload::copy_from(const Workload& other) noexcept {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (bytes(i) > 0) std::memcpy(pointers_[i], other.pointers_[i], bytes(i));
  }
}

std::string_view Workload::broken_guard() const noexcept {
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const std::byte* end = memory_[i].data() + bytes(i);
    for (std::size_t byte = 0; byte < guard_bytes; ++byte) {
      if (end[byte] != guard_value) return specs_[i].name;
    }
  }
  return {};
}

void run_block_form(BlockForm form, BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
  const AllocationScope scope(launcher);
  form(launcher, size, buffers);
}

std::string describe_size(const KernelEntry& entry, const KernelSize& size) {
  std::string text;
  for (std::size_t i = 0; i < entry.size_names.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::string(entry.size_names[i]) + "=" + std::to_string(size[i]);
  }
  return text;
}

}  // namespace dd
