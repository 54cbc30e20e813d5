// The three host executors of block kernels: `ordered` (threads one after the other), `checking` (seeded order, every
// access held to the rules of block_check.hpp) and `threaded` (two real threads a block and two blocks at a time, for
// ThreadSanitizer). They test kernels; they are never the CPU path.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>

#include "core/aligned_buffer.hpp"
#include "core/block_check.hpp"
#include "core/philox.hpp"
#include "core/thread_pair.hpp"

namespace dd {

enum class HostExecutor : std::uint8_t { ordered, checking, threaded };

template <class T, std::size_t N>
class PlainArray {
 public:
  T& operator[](std::size_t index) noexcept { return elements_[index]; }
  T uniform(std::size_t index) const noexcept { return elements_[index]; }

 private:
  T elements_[N];
};

/// Every thread's value of one Priv. Poisoned: what is never written is NaN.
template <class T, unsigned Threads>
class PlainPrivate {
 public:
  template <class Block>
  explicit PlainPrivate(Block&) : values_(Threads) {
    std::memset(static_cast<void*>(values_.data()), 0xFF, Threads * sizeof(T));
  }
  T& operator[](unsigned thread) noexcept { return values_[thread]; }

 private:
  AlignedBuffer<T> values_;
};

/// i -> (start + i * step) mod count, a permutation because step and count have no common factor.
class AffineOrder {
 public:
  AffineOrder(std::uint32_t count, PhiloxStream& random)
      : count_(count), start_(count < 2 ? 0 : random.next_below(count)), step_(1) {
    if (count < 3) return;
    do {
      step_ = 1 + random.next_below(count - 1);
    } while (std::gcd(step_, std::uint64_t{count}) != 1);
  }
  std::uint32_t operator()(std::uint32_t i) const noexcept {
    return static_cast<std::uint32_t>((start_ + i * step_) % count_);
  }

 private:
  std::uint64_t count_;
  std::uint64_t start_;
  std::uint64_t step_;
};

/// The Block interface of block.hpp on the host.
template <unsigned Width, unsigned Height, HostExecutor executor>
class HostBlock {
  static constexpr bool checking = executor == HostExecutor::checking;

 public:
  static constexpr unsigned width = Width;
  static constexpr unsigned height = Height;
  static constexpr unsigned threads = Width * Height;

  template <class T, std::size_t N>
  using Arr = std::conditional_t<checking, CheckedArray<T, N>, PlainArray<T, N>>;
  template <class T>
  using Priv = std::conditional_t<checking, CheckedPrivate<T, threads>, PlainPrivate<T, threads>>;

  HostBlock(Grid grid, unsigned x, unsigned y, unsigned z, PhiloxStream* random, ThreadPair* pair)
      : grid_(grid), x_(x), y_(y), z_(z), random_(random), pair_(pair) {}

  unsigned block_x() const noexcept { return x_; }
  unsigned block_y() const noexcept { return y_; }
  unsigned block_z() const noexcept { return z_; }
  unsigned grid_x() const noexcept { return grid_.x; }
  unsigned grid_y() const noexcept { return grid_.y; }
  unsigned grid_z() const noexcept { return grid_.z; }

  template <class Body>
  void each(Body&& body) {
    const auto run = [&](unsigned t) { run_for_thread(body, t % Width, t / Width, t); };
    if constexpr (executor == HostExecutor::ordered) {
      for (unsigned t = 0; t < threads; ++t) run(t);
    } else if constexpr (executor == HostExecutor::threaded) {
      pair_->run([&](unsigned part) {
        for (unsigned t = part; t < threads; t += 2) run(t);
      });
    } else {
      CheckContext& context = *CheckContext::current();
      context.begin_region();
      const AffineOrder order(threads, *random_);
      for (unsigned i = 0; i < threads; ++i) {
        context.enter_thread(order(i));
        run(order(i));
      }
      context.end_region();
    }
  }

  template <class Values, class Operation>
  void warp_reduce(Values& value, Operation operation) {
    static_assert(threads % warp_lanes == 0, "warp_reduce wants whole warps");
    using T = std::remove_cvref_t<decltype(read(value, 0))>;
    begin_region();
    for (unsigned first = 0; first < threads; first += warp_lanes) {
      std::array<T, warp_lanes> lanes{};
      for (unsigned lane = 0; lane < warp_lanes; ++lane) lanes[lane] = read(value, first + lane);
      for (unsigned offset = warp_lanes / 2; offset > 0; offset /= 2) {
        const std::array<T, warp_lanes> before = lanes;
        for (unsigned lane = 0; lane < warp_lanes; ++lane) {
          lanes[lane] = operation(before[lane], before[lane ^ offset]);
        }
      }
      for (unsigned lane = 0; lane < warp_lanes; ++lane) {
        enter_thread(first + lane);
        value[first + lane] = lanes[lane];
      }
    }
    end_region();
  }

  template <class T>
  T broadcast(PlainPrivate<T, threads>& value, unsigned source) {
    return value[source];
  }
  template <class T>
  T broadcast(CheckedPrivate<T, threads>& value, unsigned source) {
    begin_region();
    const T result = read(value, source);
    end_region();
    return result;
  }
  template <class T, std::size_t N>
  T broadcast(PlainArray<T, N>& array, std::size_t index) {
    return array.uniform(index);
  }
  template <class T, std::size_t N>
  T broadcast(CheckedArray<T, N>& array, std::size_t index) {
    begin_region();
    end_region();
    return array.uniform(index);
  }

  template <class Target, class Value>
  void atomic_add(Target&& target, Value value) {
    update(target, [&]<class T>(T old) { return static_cast<T>(old + static_cast<T>(value)); });
  }
  template <class Target, class Value>
  void atomic_min(Target&& target, Value value) {
    update(target, [&]<class T>(T old) { return static_cast<T>(value) < old ? static_cast<T>(value) : old; });
  }
  template <class Target, class Value>
  void atomic_max(Target&& target, Value value) {
    update(target, [&]<class T>(T old) { return old < static_cast<T>(value) ? static_cast<T>(value) : old; });
  }

 private:
  void begin_region() {
    if constexpr (checking) CheckContext::current()->begin_region();
  }
  void end_region() {
    if constexpr (checking) CheckContext::current()->end_region();
  }
  void enter_thread(unsigned thread) {
    if constexpr (checking) CheckContext::current()->enter_thread(thread);
  }
  template <class T>
  T read(PlainPrivate<T, threads>& value, unsigned thread) {
    return value[thread];
  }
  template <class T>
  T read(CheckedPrivate<T, threads>& value, unsigned thread) {
    enter_thread(thread);
    return value[thread];
  }

  template <class T, class Update>
  requires std::is_arithmetic_v<T>
  static void update(T& target, Update next) {
    static_assert(std::is_integral_v<T>, "floating-point sums depend on the order: reduce in two stages");
    if constexpr (executor == HostExecutor::threaded) {
      std::atomic_ref<T> shared(target);
      T old = shared.load(std::memory_order_relaxed);
      while (!shared.compare_exchange_weak(old, next(old), std::memory_order_relaxed)) {
      }
    } else {
      target = next(target);
    }
  }
  template <class T, class Storage, class Update>
  static void update(const CheckedElement<T, Storage>& target, Update next) {
    static_assert(std::is_integral_v<T>, "floating-point sums depend on the order: reduce in two stages");
    target.atomic(next);
  }

  Grid grid_;
  unsigned x_, y_, z_;
  PhiloxStream* random_;
  ThreadPair* pair_;
};

/// Runs the blocks first, first + stride, ... of a launch, in the executor's order.
template <class Kernel, HostExecutor executor>
void run_blocks_on_host(const Kernel& kernel, Grid grid, std::uint64_t seed, std::uint32_t first,
                        std::uint32_t stride) {
  using Block = HostBlock<Kernel::shape.width, Kernel::shape.height, executor>;
  using Shared = typename Kernel::template Shared<Block>;
  const std::uint32_t count = grid.x * grid.y * grid.z;
  PhiloxStream random(seed, 0);
  const AffineOrder order(count, random);
  std::unique_ptr<ThreadPair> pair;
  if constexpr (executor == HostExecutor::threaded) pair = std::make_unique<ThreadPair>();
  for (std::uint32_t i = first; i < count; i += stride) {
    const std::uint32_t block = executor == HostExecutor::checking ? order(i) : i;
    const unsigned x = block % grid.x, y = block / grid.x % grid.y, z = block / grid.x / grid.y;
    const CheckContext context(BlockKernelName<Kernel>::value, x, y, z);
    const auto shared = std::make_unique<Shared>();
    if constexpr (executor != HostExecutor::checking)
      std::memset(static_cast<void*>(shared.get()), 0xFF, sizeof(Shared));
    Block b(grid, x, y, z, &random, pair.get());
    kernel(b, *shared);
  }
}

/// Runs a whole launch. `arguments` are the bytes of a Kernel.
template <class Kernel, HostExecutor executor>
void run_on_host(const void* arguments, Grid grid, std::uint64_t seed) {
  Kernel kernel;
  std::memcpy(static_cast<void*>(&kernel), arguments, sizeof(Kernel));
  if constexpr (executor == HostExecutor::threaded) {
    std::thread odd_blocks([&] { run_blocks_on_host<Kernel, executor>(kernel, grid, seed, 1, 2); });
    run_blocks_on_host<Kernel, executor>(kernel, grid, seed, 0, 2);
    odd_blocks.join();
  } else {
    run_blocks_on_host<Kernel, executor>(kernel, grid, seed, 0, 1);
  }
}

}  // namespace dd
