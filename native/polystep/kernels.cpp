// Registration of the optimizer's kernels: what they compute, on which sizes they are tested and timed, their three
// forms.
#include "polystep/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/probes.kernel.hpp"
#include "polystep/probes_isa.hpp"
#include "polystep/softmax_projection.kernel.hpp"
#include "polystep/softmax_projection_isa.hpp"

namespace dd::polystep {
namespace {

double* data(std::span<void* const> buffers, std::size_t which) { return static_cast<double*>(buffers[which]); }

struct Softmax {
  static constexpr std::string_view name = "polystep.softmax_projection.float64";
  static constexpr std::string_view formula = "w = softmax((C - min C) / epsilon), u_i = w_i - w_{i+d}, sum_n w_n^2";
  static constexpr std::array<std::string_view, 2> size_names{"rows", "dimension"};
  static constexpr Tolerance tolerance{.relative = 1e-14, .absolute = 1e-15};
  static constexpr double temperature = 0.75;

  enum Buffer : std::size_t { costs, weights, projection, squares };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 2}}, {{1, 1}}, {{1, 2}}, {{7, 3}}, {{128, 8}}, {{129, 2}}, {{50, 33}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{100000, 2}}, {{10000, 8}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"costs", DataType::float64, BufferRole::input, 2 * size[0] * size[1]},
            {"weights", DataType::float64, BufferRole::output, 2 * size[0] * size[1]},
            {"projection", DataType::float64, BufferRole::output, size[0] * size[1]},
            {"squares", DataType::float64, BufferRole::output, size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (double& cost : workload.buffer<double>(costs)) cost = 8 * random.next_uniform() - 4;
  }
  /// Ties, and costs so far apart that their quotient overflows.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    for (double& cost : workload.buffer<double>(costs)) {
      const std::uint32_t kind = random.next_below(4);
      cost = kind == 0 ? 1e308 : kind == 1 ? -700 * random.next_uniform() : random.next_below(2);
    }
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t d = size[1];
    std::vector<long double> w(2 * d);
    for (std::size_t row = 0; row < size[0]; ++row) {
      const double* const own = data(buffers, costs) + row * 2 * d;
      const long double least = *std::min_element(own, own + 2 * d);
      long double sum = 0, total = 0;
      for (std::size_t n = 0; n < 2 * d; ++n) sum += w[n] = std::exp((least - own[n]) / temperature);
      for (std::size_t n = 0; n < 2 * d; ++n) {
        w[n] /= sum;
        total += w[n] * w[n];
        data(buffers, weights)[row * 2 * d + n] = static_cast<double>(w[n]);
      }
      for (std::size_t i = 0; i < d; ++i) {
        data(buffers, projection)[row * d + i] = static_cast<double>(w[i] - w[i + d]);
      }
      data(buffers, squares)[row] = static_cast<double>(total);
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[0], 256, [&](std::size_t begin, std::size_t end) {
      const SoftmaxProjection arguments{end - begin,
                                        size[1],
                                        data(buffers, costs) + begin * 2 * size[1],
                                        temperature,
                                        data(buffers, weights) + begin * 2 * size[1],
                                        data(buffers, projection) + begin * size[1],
                                        data(buffers, squares) + begin};
      polystep_softmax_projection(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(SoftmaxProjectionBlock{size[0], size[1], data(buffers, costs), temperature, data(buffers, weights),
                                           data(buffers, projection), data(buffers, squares)},
                    {blocks_for(size[0], SoftmaxProjectionBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 70 * static_cast<double>(size[0] * size[1]); }
  static double bytes(const KernelSize& size) { return 40 * static_cast<double>(size[0] * size[1]); }
};

template <class T>
struct ProbeRows {
  static constexpr std::string_view name =
      std::is_same_v<T, float> ? "polystep.probes.float32" : "polystep.probes.float64";
  static constexpr std::string_view formula = "y_{n,k} = x + h_k R v_n, v_n = e_n or -e_{n-d}";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "dimension", "probes"};
  static constexpr Tolerance tolerance{};  // a product, a sum and one rounding: the same bits everywhere

  enum Buffer : std::size_t { x, rotations, distances, points };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 2, 1}}, {{1, 1, 1}}, {{7, 2, 1}}, {{65, 3, 2}}, {{20, 8, 1}}, {{3, 17, 3}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{10000, 2, 1}}, {{1000, 8, 1}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t matrix = size[0] * size[1] * size[1];
    return {{"x", data_type_of<T>(), BufferRole::input, size[0] * size[1]},
            {"rotations", DataType::float64, BufferRole::input, matrix},
            {"distances", DataType::float64, BufferRole::input, size[2]},
            {"points", data_type_of<T>(), BufferRole::output, 2 * matrix * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (T& value : workload.buffer<T>(x)) value = static_cast<T>(4 * random.next_uniform() - 2);
    for (double& value : workload.buffer<double>(rotations)) value = 2 * random.next_uniform() - 1;
    for (double& value : workload.buffer<double>(distances)) value = random.next_uniform();
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t d = size[1], K = size[2];
    T* to = static_cast<T*>(buffers[points]);
    for (std::size_t row = 0; row < size[0]; ++row) {
      for (std::size_t n = 0; n < 2 * d; ++n) {
        for (std::size_t k = 0; k < K; ++k) {
          for (std::size_t j = 0; j < d; ++j) {
            const double vertex = (n < d ? 1 : -1) * data(buffers, rotations)[(row * d + j) * d + n % d];
            *to++ = static_cast<T>(static_cast<double>(static_cast<T*>(buffers[x])[row * d + j]) +
                                   data(buffers, distances)[k] * vertex);
          }
        }
      }
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t d = size[1];
    parallel_for(threads, size[0], 64, [&](std::size_t begin, std::size_t end) {
      write_probes(Probes<T>{end - begin, d, size[2], static_cast<T*>(buffers[x]) + begin * d,
                             data(buffers, rotations) + begin * d * d, data(buffers, distances),
                             static_cast<T*>(buffers[points]) + begin * 2 * d * d * size[2]});
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(ProbesBlock<T>{size[0], size[1], size[2], static_cast<T*>(buffers[x]), data(buffers, rotations),
                                   data(buffers, distances), static_cast<T*>(buffers[points])},
                    {blocks_for(size[0] * size[1] * size[1], ProbesBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 3 * static_cast<double>(size[0] * size[1] * size[1] * size[2]); }
  static double bytes(const KernelSize& size) {
    return static_cast<double>(size[0] * size[1] * size[1] * (8 + 2 * size[2] * sizeof(T)));
  }
};

constexpr std::array entries{kernel_entry<Softmax>(), kernel_entry<ProbeRows<float>>(),
                             kernel_entry<ProbeRows<double>>()};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::polystep
