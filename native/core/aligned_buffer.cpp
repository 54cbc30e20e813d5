// Where scratch memory comes from. Large buffers ask for huge pages, because touching fresh memory 4 KiB at a time took
// a fifth of the time of quantising a layer. Freed ones wait for the next of their size, because the system clears
// fresh memory before it hands it over, which took a quarter of what was left; while they wait it may take their pages
// back.
#include "core/aligned_buffer.hpp"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__linux__) && defined(MADV_FREE) && defined(MADV_HUGEPAGE) && !defined(__SANITIZE_ADDRESS__)
#define DD_REUSES_MEMORY 1
#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#endif

namespace dd {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{1} << 21;

/// Below this the unused rest of the last huge page would matter.
constexpr std::size_t smallest_huge_bytes = 2 * huge_page_bytes;

std::align_val_t alignment_of(std::size_t bytes) noexcept {
  return std::align_val_t{bytes >= smallest_huge_bytes ? huge_page_bytes : cache_line_bytes};
}

#if defined(DD_REUSES_MEMORY)

/// What a large buffer takes: at most an eighth more than was asked for, so that buffers of similar sizes can take each
/// other's place. Pages of the rest are never touched.
std::size_t class_bytes(std::size_t bytes) noexcept {
  const std::size_t step = std::max(huge_page_bytes, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

/// Freed large buffers, the oldest first.
class Reserve {
 public:
  constexpr Reserve() noexcept = default;
  // Buffers that live longer are freed at once.
  ~Reserve() {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    while (count_ > 0) release(0);
  }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  /// Null when there is none of exactly this size.
  void* take(std::size_t bytes) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t i = count_; i-- > 0;) {
      if (blocks_[i].bytes == bytes) return remove(i);
    }
    return nullptr;
  }

  /// False when it does not keep this one.
  bool keep(void* memory, std::size_t bytes) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ || bytes > most_bytes || ::madvise(memory, bytes, MADV_FREE) != 0) return false;
    while (count_ == blocks_.size() || held_ + bytes > most_bytes) release(0);
    blocks_[count_++] = {memory, bytes};
    held_ += bytes;
    return true;
  }

 private:
  static constexpr std::size_t most_bytes = std::size_t{1} << 29;
  struct Block {
    void* memory;
    std::size_t bytes;
  };

  void* remove(std::size_t i) noexcept {
    const Block block = blocks_[i];
    for (--count_; i < count_; ++i) blocks_[i] = blocks_[i + 1];
    held_ -= block.bytes;
    return block.memory;
  }
  void release(std::size_t i) noexcept { ::operator delete (remove(i), std::align_val_t{huge_page_bytes}); }

  std::mutex mutex_;
  std::array<Block, 32> blocks_{};
  std::size_t count_ = 0, held_ = 0;
  bool closed_ = false;
};

constinit Reserve reserve;

void* allocate_large(std::size_t bytes) {
  bytes = class_bytes(bytes);
  if (void* const memory = reserve.take(bytes)) return memory;
  void* const memory = ::operator new (bytes, std::align_val_t{huge_page_bytes});
  // Advice: where it is refused, pages are small as ever.
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

#endif

}  // namespace

void* allocate_aligned(std::size_t bytes) {
#if defined(DD_REUSES_MEMORY)
  if (bytes >= smallest_huge_bytes) return allocate_large(bytes);
#endif
  return ::operator new(bytes, alignment_of(bytes));
}

void free_aligned(void* memory, std::size_t bytes) noexcept {
#if defined(DD_REUSES_MEMORY)
  if (memory != nullptr && bytes >= smallest_huge_bytes && reserve.keep(memory, class_bytes(bytes))) return;
#endif
  ::operator delete(memory, alignment_of(bytes));
}

}  // namespace dd
