// The device executor of block kernels: what each call of the Block interface is in CUDA. Only nvcc reads this.
#pragma once

#include <cstring>

namespace dd {

// CUDA's 64-bit atomics know `long long` only, while int64_t is `long`.
template <class T>
using DeviceAtomic =
    std::conditional_t<sizeof(T) == 8, std::conditional_t<std::is_signed_v<T>, long long, unsigned long long>, T>;

template <unsigned Width, unsigned Height>
class DeviceBlock {
 public:
  static constexpr unsigned width = Width;
  static constexpr unsigned height = Height;
  static constexpr unsigned threads = Width * Height;

  template <class T, std::size_t N>
  class Arr {
   public:
    DD_DEVICE T& operator[](std::size_t index) { return elements_[index]; }
    DD_DEVICE const T& operator[](std::size_t index) const { return elements_[index]; }

   private:
    T elements_[N];
  };

  template <class T>
  class Priv {
   public:
    DD_DEVICE explicit Priv(DeviceBlock&) {}
    DD_DEVICE T& operator[](unsigned) { return value_; }
    DD_DEVICE const T& operator[](unsigned) const { return value_; }

   private:
    T value_;
  };

  DD_DEVICE unsigned block_x() const { return blockIdx.x; }
  DD_DEVICE unsigned block_y() const { return blockIdx.y; }
  DD_DEVICE unsigned block_z() const { return blockIdx.z; }
  DD_DEVICE unsigned grid_x() const { return gridDim.x; }
  DD_DEVICE unsigned grid_y() const { return gridDim.y; }
  DD_DEVICE unsigned grid_z() const { return gridDim.z; }

  template <class Body>
  DD_DEVICE void each(Body&& body) {
    run_for_thread(body, threadIdx.x, threadIdx.y, thread());
    __syncthreads();
  }

  template <class T, class Operation>
  DD_DEVICE void warp_reduce(Priv<T>& value, Operation operation) {
    static_assert(threads % warp_lanes == 0, "warp_reduce wants whole warps");
    for (unsigned offset = warp_lanes / 2; offset > 0; offset /= 2) {
      value[0] = operation(value[0], shuffle_xor(value[0], offset));
    }
    __syncthreads();
  }

  template <class T>
  DD_DEVICE T broadcast(const Priv<T>& value, unsigned source) {
    __shared__ T slot;
    if (thread() == source) slot = value[source];
    __syncthreads();
    const T result = slot;
    __syncthreads();  // the slot is written again by the next broadcast
    return result;
  }
  template <class T, std::size_t N>
  DD_DEVICE T broadcast(const Arr<T, N>& array, std::size_t index) {
    const T result = array[index];
    __syncthreads();  // the next region may overwrite the element
    return result;
  }

  template <class T>
  DD_DEVICE void atomic_add(T& target, std::type_identity_t<T> value) {
    static_assert(std::is_integral_v<T>, "floating-point sums depend on the order: reduce in two stages");
    using Unsigned = std::conditional_t<sizeof(T) == 8, unsigned long long, unsigned>;
    atomicAdd(reinterpret_cast<Unsigned*>(&target), static_cast<Unsigned>(value));
  }
  template <class T>
  DD_DEVICE void atomic_min(T& target, std::type_identity_t<T> value) {
    static_assert(std::is_integral_v<T>);
    atomicMin(reinterpret_cast<DeviceAtomic<T>*>(&target), static_cast<DeviceAtomic<T>>(value));
  }
  template <class T>
  DD_DEVICE void atomic_max(T& target, std::type_identity_t<T> value) {
    static_assert(std::is_integral_v<T>);
    atomicMax(reinterpret_cast<DeviceAtomic<T>*>(&target), static_cast<DeviceAtomic<T>>(value));
  }

 private:
  DD_DEVICE static unsigned thread() { return threadIdx.y * Width + threadIdx.x; }

  template <class T>
  DD_DEVICE static T shuffle_xor(const T& value, unsigned offset) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);
    unsigned words[sizeof(T) / 4];
    memcpy(words, &value, sizeof(T));
    for (unsigned& word : words) word = __shfl_xor_sync(0xFFFFFFFFu, word, offset);
    T result;
    memcpy(&result, words, sizeof(T));
    return result;
  }
};

}  // namespace dd
