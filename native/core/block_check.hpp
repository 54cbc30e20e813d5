// What the checking executor of block kernels knows about every element of shared and private memory, and the rules
// that it holds kernels to. A broken rule throws dd::Error that names kernel, block, region, element and threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "core/aligned_buffer.hpp"

namespace dd {

inline constexpr unsigned no_thread = ~0u;
inline constexpr unsigned many_threads = ~0u - 1;

/// Who touched one element last, and in which region.
struct ElementShadow {
  unsigned writer = no_thread;
  unsigned write_region = 0;
  unsigned reader = no_thread;
  unsigned read_region = 0;
  bool written = false;
  bool atomic = false;
};

/// The state of one block under the checking executor; Arr and Priv find it through `current()`.
class CheckContext {
 public:
  CheckContext(const char* kernel, unsigned x, unsigned y, unsigned z) noexcept
      : kernel_(kernel), block_{x, y, z}, outer_(current()) {
    current() = this;
  }
  ~CheckContext() { current() = outer_; }
  CheckContext(const CheckContext&) = delete;
  CheckContext& operator=(const CheckContext&) = delete;

  static CheckContext*& current() noexcept;

  void begin_region();
  void end_region() noexcept { inside_ = false; }
  void enter_thread(unsigned thread) noexcept { thread_ = thread; }
  unsigned next_array() noexcept { return arrays_++; }

  void index(unsigned array, std::size_t index, std::size_t count) const;
  void read(ElementShadow& element, unsigned array, std::size_t index) const;
  void write(ElementShadow& element, unsigned array, std::size_t index) const;
  void atomic(ElementShadow& element, unsigned array, std::size_t index) const;
  /// A read by `b.broadcast`, outside every region.
  void uniform_read(const ElementShadow& element, unsigned array, std::size_t index) const;
  void private_access(unsigned thread, unsigned threads) const;
  void private_written(bool written, unsigned thread) const;

  [[noreturn]] void fail(const std::string& rule) const;

 private:
  [[noreturn]] void conflict(const char* rule, unsigned other, unsigned array, std::size_t index) const;

  const char* kernel_;
  unsigned block_[3];
  CheckContext* outer_;
  unsigned region_ = 0;
  unsigned thread_ = no_thread;
  unsigned arrays_ = 0;
  bool inside_ = false;
};

/// Stands for one element: every read and write goes through `Storage::load` and `Storage::store`.
template <class T, class Storage>
class CheckedElement {
 public:
  CheckedElement(Storage& storage, std::size_t index) noexcept : storage_(storage), index_(index) {}
  CheckedElement(const CheckedElement&) = default;

  operator T() const { return storage_.load(index_); }  // NOLINT(google-explicit-constructor): stands for a T&
  const CheckedElement& operator=(const T& value) const {
    storage_.store(index_, value);
    return *this;
  }
  const CheckedElement& operator=(const CheckedElement& other) const { return *this = static_cast<T>(other); }
  const CheckedElement& operator+=(const T& value) const { return *this = static_cast<T>(T(*this) + value); }
  const CheckedElement& operator-=(const T& value) const { return *this = static_cast<T>(T(*this) - value); }
  const CheckedElement& operator*=(const T& value) const { return *this = static_cast<T>(T(*this) * value); }
  const CheckedElement& operator/=(const T& value) const { return *this = static_cast<T>(T(*this) / value); }
  const CheckedElement& operator|=(const T& value) const { return *this = static_cast<T>(T(*this) | value); }
  const CheckedElement& operator&=(const T& value) const { return *this = static_cast<T>(T(*this) & value); }
  const CheckedElement& operator^=(const T& value) const { return *this = static_cast<T>(T(*this) ^ value); }
  const CheckedElement& operator++() const { return *this += T(1); }
  const CheckedElement& operator--() const { return *this -= T(1); }

  template <class Update>
  void atomic(Update update) const {
    storage_.atomic(index_, update);
  }

 private:
  Storage& storage_;
  std::size_t index_;
};

/// Shared memory with a shadow.
template <class T, std::size_t N>
class CheckedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  CheckedArray() : context_(*CheckContext::current()), number_(context_.next_array()), elements_(N), shadow_(N, {}) {
    std::memset(static_cast<void*>(elements_.data()), 0xFF, N * sizeof(T));
  }
  CheckedElement<T, CheckedArray> operator[](std::size_t index) {
    context_.index(number_, index, N);
    return {*this, index};
  }
  /// For `b.broadcast`, outside every region.
  T uniform(std::size_t index) const {
    context_.index(number_, index, N);
    context_.uniform_read(shadow_[index], number_, index);
    return elements_[index];
  }
  T load(std::size_t index) {
    context_.read(shadow_[index], number_, index);
    return elements_[index];
  }
  void store(std::size_t index, const T& value) {
    context_.write(shadow_[index], number_, index);
    elements_[index] = value;
  }
  template <class Update>
  void atomic(std::size_t index, Update update) {
    context_.atomic(shadow_[index], number_, index);
    elements_[index] = update(elements_[index]);
  }

 private:
  CheckContext& context_;
  unsigned number_;
  AlignedBuffer<T> elements_;
  AlignedBuffer<ElementShadow> shadow_;
};

/// A thread's own values. Numbers know whether they were written; structs are only poisoned.
template <class T, unsigned Threads>
class CheckedPrivate {
  static constexpr bool proxied = std::is_arithmetic_v<T> || std::is_pointer_v<T> || std::is_enum_v<T>;

 public:
  template <class Block>
  explicit CheckedPrivate(Block&) : context_(*CheckContext::current()), values_(Threads), written_(Threads, 0) {
    std::memset(static_cast<void*>(values_.data()), 0xFF, Threads * sizeof(T));
  }
  std::conditional_t<proxied, CheckedElement<T, CheckedPrivate>, T&> operator[](unsigned thread) {
    context_.private_access(thread, Threads);
    if constexpr (proxied) {
      return {*this, thread};
    } else {
      return values_[thread];
    }
  }
  T load(std::size_t thread) const {
    context_.private_written(!proxied || written_[thread] != 0, static_cast<unsigned>(thread));
    return values_[thread];
  }
  void store(std::size_t thread, const T& value) {
    written_[thread] = 1;
    values_[thread] = value;
  }

 private:
  CheckContext& context_;
  AlignedBuffer<T> values_;
  AlignedBuffer<unsigned char> written_;
};

}  // namespace dd
