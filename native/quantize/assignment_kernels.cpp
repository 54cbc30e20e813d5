// Registration of the array work of budgeted assignment: what it computes, on which sizes it is tested and timed, and
// its three forms. The references are the formulas, in long double where there are sums.
#include "quantize/assignment_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "quantize/assignment.kernel.hpp"
#include "quantize/assignment_isa.hpp"

namespace dd::quantize {
namespace {

double number(std::size_t value) { return static_cast<double>(value); }

template <class T>
T* data(std::span<void* const> buffers, std::size_t which) {
  return static_cast<T*>(buffers[which]);
}

std::vector<KernelSize> logit_test_sizes() {
  return {{{0, 3}}, {{1, 1}}, {{1, 3}}, {{7, 4}}, {{128, 8}}, {{129, 5}}, {{400, 28}}};
}
std::vector<KernelSize> logit_benchmark_sizes() { return {{{1000, 7}}, {{100000, 8}}}; }

/// Softmax of (alpha_k + shift c_k) / tau, costs may be null.
std::vector<long double> softmax(const double* alpha, const double* costs, double shift, double tau,
                                 std::size_t options) {
  std::vector<long double> p(options);
  for (std::size_t k = 0; k < options; ++k) {
    p[k] = (static_cast<long double>(alpha[k]) + (costs == nullptr ? 0 : static_cast<long double>(shift) * costs[k])) /
           static_cast<long double>(tau);
  }
  const long double largest = *std::max_element(p.begin(), p.end());
  long double sum = 0;
  for (long double& value : p) sum += value = std::exp(value - largest);
  for (long double& value : p) value /= sum;
  return p;
}

struct RcoMoments {
  static constexpr std::string_view name = "quantize.rco_moments.float64";
  static constexpr std::string_view formula =
      "p = softmax(alpha + t c), mean_i = w_i E[c], variance_i = w_i Var[c], n_ik = w_i p_ik (c_k - E[c])";
  static constexpr std::array<std::string_view, 2> size_names{"groups", "options"};
  static constexpr Tolerance tolerance{.relative = 1e-12, .absolute = 1e-12};
  static constexpr double shift = 0.375;

  enum Buffer : std::size_t { alpha, weights, costs, mean, variance, normal };

  static std::vector<KernelSize> test_sizes() { return logit_test_sizes(); }
  static std::vector<KernelSize> benchmark_sizes() { return logit_benchmark_sizes(); }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"alpha", DataType::float64, BufferRole::input, size[0] * size[1]},
            {"weights", DataType::float64, BufferRole::input, size[0]},
            {"costs", DataType::float64, BufferRole::input, size[1]},
            {"mean", DataType::float64, BufferRole::output, size[0]},
            {"variance", DataType::float64, BufferRole::output, size[0]},
            {"normal", DataType::float64, BufferRole::output, size[0] * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (double& value : workload.buffer<double>(alpha)) value = 6 * random.next_uniform() - 3;
    for (double& value : workload.buffer<double>(weights)) value = 0.1 + random.next_uniform();
    double cost = 1;
    for (double& value : workload.buffer<double>(costs)) value = cost += random.next_uniform();
  }
  /// Rows as good as certain, as after many steps.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    for (double& value : workload.buffer<double>(alpha)) value *= 300;
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const double* const c = data<double>(buffers, costs);
    for (std::size_t i = 0; i < size[0]; ++i) {
      const std::vector<long double> p = softmax(data<double>(buffers, alpha) + i * size[1], c, shift, 1, size[1]);
      const long double w = data<double>(buffers, weights)[i];
      long double expected = 0, spread = 0;
      for (std::size_t k = 0; k < size[1]; ++k) expected += p[k] * c[k];
      for (std::size_t k = 0; k < size[1]; ++k) {
        spread += p[k] * (c[k] - expected) * (c[k] - expected);
        data<double>(buffers, normal)[i * size[1] + k] = static_cast<double>(w * p[k] * (c[k] - expected));
      }
      data<double>(buffers, mean)[i] = static_cast<double>(w * expected);
      data<double>(buffers, variance)[i] = static_cast<double>(w * spread);
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[0], 4096, [&](std::size_t begin, std::size_t end) {
      const std::size_t first = begin * size[1];
      const RcoMomentsArguments arguments{end - begin,
                                          size[1],
                                          data<double>(buffers, alpha) + first,
                                          data<double>(buffers, weights) + begin,
                                          data<double>(buffers, costs),
                                          shift,
                                          data<double>(buffers, mean) + begin,
                                          data<double>(buffers, variance) + begin,
                                          data<double>(buffers, normal) + first};
      rco_moments(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(RcoMomentsBlock{size[0], size[1], data<double>(buffers, alpha), data<double>(buffers, weights),
                                    data<double>(buffers, costs), shift, data<double>(buffers, mean),
                                    data<double>(buffers, variance), data<double>(buffers, normal)},
                    {blocks_for(size[0], RcoMomentsBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 16 * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) { return 16 * number(size[0]) * number(size[1]) + 24 * number(size[0]); }
};

struct RcoGradient {
  static constexpr std::string_view name = "quantize.rco_gradient.float64";
  static constexpr std::string_view formula =
      "s = softmax(z / tau), out_ik += s_ik (g_ik - sum_l s_il g_il) scale / tau";
  static constexpr std::array<std::string_view, 2> size_names{"groups", "options"};
  static constexpr Tolerance tolerance{.relative = 1e-12, .absolute = 1e-12};
  static constexpr double tau = 0.5, scale = 0.25;

  enum Buffer : std::size_t { z, gradient, out };

  static std::vector<KernelSize> test_sizes() { return logit_test_sizes(); }
  static std::vector<KernelSize> benchmark_sizes() { return logit_benchmark_sizes(); }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t cells = size[0] * size[1];
    return {{"z", DataType::float64, BufferRole::input, cells},
            {"gradient", DataType::float64, BufferRole::input, cells},
            {"out", DataType::float64, BufferRole::in_out, cells}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const std::size_t which : {z, gradient, out}) {
      for (double& value : workload.buffer<double>(which)) value = 4 * random.next_uniform() - 2;
    }
  }
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    for (double& value : workload.buffer<double>(z)) value = 400.0 * random.next_below(3);  // ties, and certainty
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t i = 0; i < size[0]; ++i) {
      const std::vector<long double> s = softmax(data<double>(buffers, z) + i * size[1], nullptr, 0, tau, size[1]);
      const double* const g = data<double>(buffers, gradient) + i * size[1];
      double* const to = data<double>(buffers, out) + i * size[1];
      long double along = 0;
      for (std::size_t k = 0; k < size[1]; ++k) along += s[k] * g[k];
      for (std::size_t k = 0; k < size[1]; ++k) {
        to[k] = static_cast<double>(to[k] + s[k] * (g[k] - along) * scale / tau);
      }
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[0], 4096, [&](std::size_t begin, std::size_t end) {
      const std::size_t first = begin * size[1];
      const RcoGradientArguments arguments{
          end - begin, size[1], data<double>(buffers, z) + first,  data<double>(buffers, gradient) + first,
          tau,         scale,   data<double>(buffers, out) + first};
      rco_gradient(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(RcoGradientBlock{size[0], size[1], data<double>(buffers, z), data<double>(buffers, gradient), tau,
                                     scale, data<double>(buffers, out)},
                    {blocks_for(size[0], RcoGradientBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 12 * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) { return 32 * number(size[0]) * number(size[1]); }
};

struct KnapsackRow {
  static constexpr std::string_view name = "quantize.knapsack_row.float64";
  static constexpr std::string_view formula = "next_b = min_k previous_{b - cost_k} + value_k, and the lowest such k";
  static constexpr std::array<std::string_view, 2> size_names{"options", "budgets"};
  static constexpr Tolerance tolerance{};  // one addition and comparisons: the same bits everywhere

  enum Buffer : std::size_t { values, costs, previous, next, pointers };

  static std::vector<KernelSize> test_sizes() {
    return {{{3, 0}}, {{1, 1}}, {{4, 3}}, {{8, 511}}, {{9, 512}}, {{5, 513}}, {{28, 3000}}, {{256, 700}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{8, 4096}}, {{8, 1 << 20}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"values", DataType::float64, BufferRole::input, size[0]},
            {"costs", DataType::int64, BufferRole::input, size[0]},
            {"previous", DataType::float64, BufferRole::input, size[1]},
            {"next", DataType::float64, BufferRole::output, size[1]},
            {"pointers", DataType::uint8, BufferRole::output, size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (double& value : workload.buffer<double>(values)) value = 4 * random.next_uniform() - 2;
    for (double& value : workload.buffer<double>(previous)) value = 4 * random.next_uniform() - 2;
    // Some are dearer than any budget.
    const auto most = static_cast<std::uint32_t>(workload.size()[1] + 2);
    for (std::int64_t& cost : workload.buffer<std::int64_t>(costs)) cost = random.next_below(most);
  }
  /// Totals that no assignment has, and ties.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    for (double& value : workload.buffer<double>(values)) value = random.next_below(2);
    for (double& value : workload.buffer<double>(previous)) {
      value = random.next_below(2) == 0 ? std::numeric_limits<double>::infinity() : random.next_below(3);
    }
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t b = 0; b < size[1]; ++b) {
      double best = std::numeric_limits<double>::infinity();
      std::size_t position = 0;
      for (std::size_t k = 0; k < size[0]; ++k) {
        const auto cost = static_cast<std::size_t>(data<std::int64_t>(buffers, costs)[k]);
        if (cost > b) continue;
        const double value = data<double>(buffers, previous)[b - cost] + data<double>(buffers, values)[k];
        if (value < best) {
          best = value;
          position = k;
        }
      }
      data<double>(buffers, next)[b] = best;
      data<std::uint8_t>(buffers, pointers)[b] = static_cast<std::uint8_t>(position);
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[1], std::size_t{1} << 14, [&](std::size_t begin, std::size_t end) {
      const KnapsackRowArguments arguments{size[0],
                                           data<double>(buffers, values),
                                           data<std::int64_t>(buffers, costs),
                                           data<double>(buffers, previous),
                                           data<double>(buffers, next),
                                           data<std::uint8_t>(buffers, pointers),
                                           begin,
                                           end};
      knapsack_row(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[1] == 0) return;
    launcher.launch(KnapsackRowBlock{size[0], data<double>(buffers, values), data<std::int64_t>(buffers, costs),
                                     data<double>(buffers, previous), data<double>(buffers, next),
                                     data<std::uint8_t>(buffers, pointers), size[1]},
                    {blocks_for(size[1], KnapsackRowBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) { return 17 * number(size[1]); }
};

constexpr std::array entries{kernel_entry<KnapsackRow>(), kernel_entry<RcoMoments>(), kernel_entry<RcoGradient>()};

}  // namespace

std::span<const KernelEntry> assignment_kernels() noexcept { return entries; }

}  // namespace dd::quantize
