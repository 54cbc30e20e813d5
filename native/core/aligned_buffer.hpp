// Scratch memory aligned to a cache line (and to the widest vector), freed with its owner.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

namespace dd {

inline constexpr std::size_t cache_line_bytes = 64;

/// Memory at a 64-byte boundary or a wider one, in huge pages where it is large and the system has them.
void* allocate_aligned(std::size_t bytes);
/// `bytes`: as they were asked for.
void free_aligned(void* memory, std::size_t bytes) noexcept;

/// `count` elements of a trivial type at a 64-byte boundary, not initialised unless asked.
template <class Element>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<Element> && std::is_trivially_destructible_v<Element>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t count)
      : data_(count == 0 ? nullptr : static_cast<Element*>(allocate_aligned(count * sizeof(Element))),
              Free{count * sizeof(Element)}),
        count_(count) {}
  AlignedBuffer(std::size_t count, Element value) : AlignedBuffer(count) {
    for (std::size_t i = 0; i < count; ++i) data_.get()[i] = value;
  }

  Element* data() noexcept { return data_.get(); }
  const Element* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return count_; }
  Element& operator[](std::size_t i) noexcept { return data_.get()[i]; }
  const Element& operator[](std::size_t i) const noexcept { return data_.get()[i]; }
  Element* begin() noexcept { return data(); }
  Element* end() noexcept { return data() + count_; }
  const Element* begin() const noexcept { return data(); }
  const Element* end() const noexcept { return data() + count_; }
  std::span<Element> span() noexcept { return {data(), count_}; }
  std::span<const Element> span() const noexcept { return {data(), count_}; }

  /// At least `count` elements; keeps the memory, but not the contents, when it has to grow.
  void reserve_discarding(std::size_t count) {
    if (count > count_) *this = AlignedBuffer(count);
  }

 private:
  struct Free {
    std::size_t bytes = 0;
    void operator()(Element* data) const noexcept { free_aligned(data, bytes); }
  };
  std::unique_ptr<Element, Free> data_;
  std::size_t count_ = 0;
};

/// For vectors that may become large.
template <class Element>
struct AlignedAllocator {
  using value_type = Element;
  AlignedAllocator() = default;
  template <class Other>
  AlignedAllocator(const AlignedAllocator<Other>&) noexcept {}
  Element* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(Element)) throw std::bad_array_new_length();
    return static_cast<Element*>(allocate_aligned(count * sizeof(Element)));
  }
  void deallocate(Element* data, std::size_t count) noexcept { free_aligned(data, count * sizeof(Element)); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) noexcept { return true; }
};

template <class Element>
using LargeVector = std::vector<Element, AlignedAllocator<Element>>;

}  // namespace dd
