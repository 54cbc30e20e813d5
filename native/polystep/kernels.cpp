// Registration of the optimizer's kernel: what it computes, on which sizes it is tested and timed, and its three forms.
#include "polystep/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
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

constexpr std::array entries{kernel_entry<Softmax>()};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::polystep
