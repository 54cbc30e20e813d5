// Registration of the kernels of weight rounding: what they compute, on which sizes they are tested and timed, and
// their three forms.
#include "dmmv/rounding_kernels.hpp"

#include <array>
#include <cmath>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/batched_flip.kernel.hpp"
#include "dmmv/power_sum.kernel.hpp"
#include "dmmv/reference.hpp"

namespace dd::dmmv {
namespace {

template <class T>
constexpr bool is_single = sizeof(T) == 4;

template <class T>
void fill_range(std::span<T> values, PhiloxStream& random, double low, double high) {
  for (T& value : values) value = static_cast<T>(low + (high - low) * random.next_uniform());
}

template <class T>
struct BatchedFlipKernel {
  static constexpr std::string_view name = is_single<T> ? "dmmv.batched_flip.float32" : "dmmv.batched_flip.float64";
  static constexpr std::string_view formula = "t_ps = max_i |r_is + g_ip| and max_i |r_is - g_ip|";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "pairs", "states"};
  // A maximum has no order, and sums are rounded alike: the bits must agree.
  static constexpr Tolerance tolerance{};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t rows : {0, 1, 7, 16, 33, 1000, 1025}) sizes.push_back({{rows, 5, 5}});
    sizes.push_back({{40, 0, 3}});
    sizes.push_back({{40, 3, 0}});
    sizes.push_back({{129, 1, 1}});
    sizes.push_back({{70, 34, 19}});
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{2048, 256, 256}}, {{4096, 1519, 8}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"moves", data_type_of<T>(), BufferRole::input, size[0] * size[1]},
            {"residuals", data_type_of<T>(), BufferRole::input, size[0] * size[2]},
            {"out", data_type_of<T>(), BufferRole::output, 2 * size[1] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"moves", "residuals"}) fill_range(workload.buffer<T>(buffer), random, -1, 1);
  }
  /// Ties everywhere: entries of -1, 0 or 1.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"moves", "residuals"}) {
      for (T& value : workload.buffer<T>(buffer)) value = static_cast<T>(static_cast<int>(random.next_below(3)) - 1);
    }
  }
  static BatchedFlip<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const T*>(buffers[0]),
            static_cast<const T*>(buffers[1]),
            static_cast<T*>(buffers[2]),
            size[0],
            size[1],
            size[2]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    reference::batched_flip(arguments(size, buffers));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const BatchedFlip<T> all = arguments(size, buffers);
    parallel_for(threads, size[2], 16, [&](std::size_t begin, std::size_t end) {
      BatchedFlip<T> part = all;
      part.residuals += begin * all.rows;
      part.out += 2 * all.pairs * begin;
      part.states = end - begin;
      if constexpr (is_single<T>) {
        batched_flip_float32(&part);
      } else {
        batched_flip_float64(&part);
      }
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const BatchedFlip<T> all = arguments(size, buffers);
    using Block = BatchedFlipBlock<T>;
    launcher.launch(Block{all.moves, all.residuals, all.out, all.rows, all.pairs, all.states},
                    {blocks_for(size[1], Block::tile_moves), blocks_for(size[2], Block::tile_states)});
  }
  static double flops(const KernelSize& size) { return 6.0 * static_cast<double>(size[0] * size[1] * size[2]); }
  static double bytes(const KernelSize& size) {
    return static_cast<double>(sizeof(T) * size[0] * (size[1] + size[2]) + 2 * sizeof(T) * size[1] * size[2]);
  }
};

struct PowerSumKernel {
  static constexpr std::string_view name = "dmmv.power_sum.float32";
  static constexpr std::string_view formula =
      "v_i = |r_i +- g_ip|; largest = max_i v_i, sum = sum_i clamp(v_i scale, floor, 3)^(2^doublings)";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "pairs", "doublings"};
  // Powers of 64 multiply a relative error of one rounding by 64.
  static constexpr Tolerance tolerance{.relative = 2e-5, .absolute = 1e-6};
  static constexpr float scale = 0.75f;

  static float floor_of(const KernelSize& size) { return std::exp2(-120.0f / static_cast<float>(1u << size[2])); }
  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t doublings : {1, 2, 3, 4, 5, 6}) sizes.push_back({{101, 3, doublings}});
    for (std::size_t rows : {0, 1, 31, 32, 33, 1000}) sizes.push_back({{rows, 2, 3}});
    sizes.push_back({{50, 0, 2}});
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{4096, 64, 2}}, {{256, 64, 4}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"residual", DataType::float32, BufferRole::input, size[0]},
            {"moves", DataType::float32, BufferRole::input, size[0] * size[1]},
            {"largest", DataType::float32, BufferRole::output, 2 * size[1]},
            {"sums", DataType::float32, BufferRole::output, 2 * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"residual", "moves"}) fill_range(workload.buffer<float>(buffer), random, -1, 1);
  }
  template <class Evaluate>
  static void each(const KernelSize& size, std::span<void* const> buffers, Evaluate&& evaluate) {
    for (std::size_t p = 0; p < size[1]; ++p) {
      for (std::size_t k = 0; k < 2; ++k) {
        PowerSum one{};
        one.residual = static_cast<const float*>(buffers[0]);
        one.effect = static_cast<const float*>(buffers[1]) + p * size[0];
        one.rows = size[0];
        one.sign = k == 0 ? 1.0f : -1.0f;
        one.scale = scale;
        one.floor = floor_of(size);
        one.doublings = static_cast<unsigned>(size[2]);
        evaluate(one);
        static_cast<float*>(buffers[2])[2 * p + k] = one.largest;
        static_cast<float*>(buffers[3])[2 * p + k] = one.sum;
      }
    }
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    each(size, buffers, [](PowerSum& one) { reference::power_sum(one); });
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    each(size, buffers, [](PowerSum& one) { power_sum_float32(&one); });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(PowerSumBlock{static_cast<const float*>(buffers[0]), static_cast<const float*>(buffers[1]),
                                  static_cast<float*>(buffers[2]), static_cast<float*>(buffers[3]), size[0], scale,
                                  floor_of(size), static_cast<unsigned>(size[2])},
                    {static_cast<unsigned>(size[1])});
  }
  static double flops(const KernelSize& size) {
    return 2.0 * static_cast<double>(size[0] * size[1]) * (8.0 + static_cast<double>(size[2]));
  }
  static double bytes(const KernelSize& size) { return 4.0 * static_cast<double>(size[0] * size[1]); }
};

constexpr std::array entries{
    kernel_entry<BatchedFlipKernel<float>>(),
    kernel_entry<BatchedFlipKernel<double>>(),
    kernel_entry<PowerSumKernel>(),
};

}  // namespace

std::span<const KernelEntry> rounding_kernels() noexcept { return entries; }

}  // namespace dd::dmmv
