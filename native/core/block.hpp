// Block kernels: one source for the GPU and for three host executors (specs/native-build.md, section 7).
//
// A kernel is a trivially copyable struct whose members are its arguments:
//
//   struct Scale {
//     static constexpr BlockShape shape{128};
//     template <class B> struct Shared { typename B::template Arr<float, 128> tile; };   // or: using Shared = NoShared
//     const float* input; float* output; std::size_t count; float factor;
//     template <class B> DD_DEVICE void operator()(B& b, Shared<B>& s) const {
//       const std::size_t first = std::size_t{b.block_x()} * B::threads;
//       b.each([&](unsigned t) { if (first + t < count) output[first + t] = factor * input[first + t]; });
//     }
//   };
//   DD_BLOCK_KERNEL(scale, Scale)          // at global scope, with the full name of the type
//
// operator() is uniform over the block. Only the lambda of `each` runs once per thread; every region ends in a barrier.
//   b.each(lambda(t) or lambda(tx, ty, t))   one region
//   typename B::template Priv<T> x(b)        what a thread keeps between regions: x[t], its own t only
//   typename B::template Arr<T, N>           shared memory, only as a member of Shared, only inside a region
//   b.warp_reduce(x, op)                     butterfly over 32 lanes; every lane of x gets the result; op commutes
//   b.broadcast(x, t), b.broadcast(array, i) the value for uniform control flow
//   b.atomic_add/min/max(target, value)      integers, inside a region; nothing is returned, so order cannot matter
//   b.block_x/y/z(), b.grid_x/y/z(), B::width, B::height, B::threads
// Never: a region inside a region, an Arr or Priv read outside one, a local variable written inside one. Copy an
// element before use (`const float v = s.tile[t];`): on the checking executor it is a proxy.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifdef __CUDACC__
#define DD_DEVICE __device__
#else
#define DD_DEVICE
#endif

namespace dd {

struct BlockShape {
  unsigned width = 1;
  unsigned height = 1;
};

/// Number of blocks along each axis; y and z at most 65535.
struct Grid {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

inline constexpr unsigned warp_lanes = 32;

/// Blocks of `per_block` elements that cover `count` elements.
constexpr unsigned blocks_for(std::size_t count, std::size_t per_block) noexcept {
  return static_cast<unsigned>((count + per_block - 1) / per_block);
}

/// `template <class B> using Shared = NoShared;` for kernels without shared memory.
struct NoShared {};

/// The device symbol of a kernel type, given by DD_BLOCK_KERNEL.
template <class Kernel>
struct BlockKernelName;

template <class Body>
DD_DEVICE void run_for_thread(Body& body, unsigned tx, unsigned ty, unsigned t) {
  if constexpr (std::is_invocable_v<Body&, unsigned>) {
    body(t);
  } else {
    body(tx, ty, t);
  }
}

template <class Kernel>
constexpr void require_block_kernel() {
  static_assert(std::is_trivially_copyable_v<Kernel>, "arguments travel as bytes");
  static_assert(sizeof(Kernel) <= 4096, "the driver passes at most 4 KiB of arguments");
  static_assert(Kernel::shape.width * Kernel::shape.height <= 1024, "a block has at most 1024 threads");
}

}  // namespace dd

#ifdef __CUDACC__
#include "core/block_device.hpp"
#define DD_BLOCK_KERNEL(name, ...)                                                                  \
  extern "C" __global__ void __launch_bounds__(__VA_ARGS__::shape.width* __VA_ARGS__::shape.height) \
      dd_##name(const __VA_ARGS__ kernel) {                                                         \
    using Block = ::dd::DeviceBlock<__VA_ARGS__::shape.width, __VA_ARGS__::shape.height>;           \
    __shared__ typename __VA_ARGS__::template Shared<Block> shared;                                 \
    Block block;                                                                                    \
    kernel(block, shared);                                                                          \
  }
#else
#include "core/block_host.hpp"
#define DD_BLOCK_KERNEL(name, ...)                    \
  template <>                                         \
  struct dd::BlockKernelName<__VA_ARGS__> {           \
    static constexpr const char* value = "dd_" #name; \
  };                                                  \
  DD_LIST_BLOCK_KERNEL(name, __VA_ARGS__)
// The catalog defines this before it includes the kernels, to make its list (native/catalog.cpp).
#ifndef DD_LIST_BLOCK_KERNEL
#define DD_LIST_BLOCK_KERNEL(name, ...)
#endif
#endif
