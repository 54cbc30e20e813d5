// Registration of the network kernels: what they compute, on which sizes they are tested and timed, their three forms.
#include <cmath>
#include <limits>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/objectives/kernels.hpp"
#include "polystep/objectives/network.kernel.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

template <class T>
constexpr bool is_single = sizeof(T) == 4;

template <class T>
T* data(std::span<void* const> buffers, std::size_t which) {
  return static_cast<T*>(buffers[which]);
}

double number(std::size_t count) { return static_cast<double>(count); }

template <class T>
void fill_range(std::span<T> values, PhiloxStream& random, double low, double high) {
  for (T& value : values) value = static_cast<T>(low + (high - low) * random.next_uniform());
}

template <class T>
struct DenseRowsKernel {
  static constexpr std::string_view name = is_single<T> ? "polystep.dense_rows.float32" : "polystep.dense_rows.float64";
  static constexpr std::string_view formula = "y_rc = s_rc + b_r + sum_k w_{r,p(k)} x_{q(k),c}";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "groups", "terms", "indexed"};
  // Every level and the blocks round the same sums in the same order; the reference has float64 sums.
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 1e-5, .absolute = 2e-5} : Tolerance{.relative = 1e-13, .absolute = 1e-13};

  enum Buffer : std::size_t { weights, inputs, bias, start, weight_columns, input_rows, out };
  /// Twice as many columns of weights and rows of inputs as terms, when they are picked by index.
  static std::size_t sources(const KernelSize& size) { return size[3] ? 2 * size[2] : size[2]; }

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 1, 3, 0}}, {{1, 1, 0, 0}},   {{1, 1, 1, 1}},    {{3, 1, 5, 0}},
            {{8, 3, 7, 1}}, {{10, 15, 1, 1}}, {{33, 2, 100, 0}}, {{17, 0, 4, 0}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{128, 1, 784, 0}}, {{128, 1, 1, 1}}, {{10, 15, 64, 0}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t columns = 16 * size[1], index = size[3] ? size[2] : 0;
    return {{"weights", data_type_of<T>(), BufferRole::input, size[0] * sources(size)},
            {"inputs", data_type_of<T>(), BufferRole::input, sources(size) * columns},
            {"bias", data_type_of<T>(), BufferRole::input, size[3] ? 0 : size[0]},
            {"start", data_type_of<T>(), BufferRole::input, size[3] ? size[0] * columns : 0},
            {"weight_columns", DataType::uint32, BufferRole::input, index},
            {"input_rows", DataType::uint32, BufferRole::input, index},
            {"out", data_type_of<T>(), BufferRole::output, size[0] * columns}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const std::size_t which : {weights, inputs, bias, start}) fill_range(workload.buffer<T>(which), random, -1, 1);
    for (const std::size_t which : {weight_columns, input_rows}) {
      for (std::uint32_t& index : workload.buffer<std::uint32_t>(which)) {
        index = random.next_below(static_cast<std::uint32_t>(sources(workload.size())));
      }
    }
  }
  static DenseRows<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    const bool indexed = size[3] != 0;
    return {size[0],
            16 * size[1],
            size[2],
            data<T>(buffers, weights),
            sources(size),
            indexed ? data<std::uint32_t>(buffers, weight_columns) : nullptr,
            data<T>(buffers, inputs),
            indexed ? data<std::uint32_t>(buffers, input_rows) : nullptr,
            indexed ? nullptr : data<T>(buffers, bias),
            indexed ? data<T>(buffers, start) : nullptr,
            data<T>(buffers, out)};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const DenseRows<T> a = arguments(size, buffers);
    for (std::size_t r = 0; r < a.rows; ++r) {
      for (std::size_t c = 0; c < a.columns; ++c) {
        double sum = a.start != nullptr ? double{a.start[r * a.columns + c]} : 0.0;
        if (a.bias != nullptr) sum += double{a.bias[r]};
        for (std::size_t k = 0; k < a.terms; ++k) {
          const std::size_t p = a.weight_columns != nullptr ? a.weight_columns[k] : k;
          const std::size_t q = a.input_rows != nullptr ? a.input_rows[k] : k;
          sum += double{a.weights[r * a.weight_stride + p]} * double{a.inputs[q * a.columns + c]};
        }
        a.out[r * a.columns + c] = static_cast<T>(sum);
      }
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    dense_rows(arguments(size, buffers));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const DenseRows<T> a = arguments(size, buffers);
    launcher.launch(DenseRowsBlock<T>{a.rows, a.columns, a.terms, a.weights, a.weight_stride, a.weight_columns,
                                      a.inputs, a.input_rows, a.bias, a.start, a.out},
                    {blocks_for(a.rows * a.columns, DenseRowsBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 32 * number(size[0]) * number(size[1]) * number(size[2]); }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * (number(size[0]) + 16 * number(size[1])) * number(size[2]);
  }
};

template <class T>
struct ActivateKernel {
  static constexpr std::string_view name = is_single<T> ? "polystep.activate.float32" : "polystep.activate.float64";
  static constexpr std::string_view formula = "y = identity, relu, sign, floor(5 logistic(x)) / 5, tanh or step of x";
  static constexpr std::array<std::string_view, 2> size_names{"groups", "kind"};
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 4e-7, .absolute = 2e-7} : Tolerance{.relative = 1e-15, .absolute = 4e-16};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t kind = 0; kind < 6; ++kind) {
      for (const std::size_t groups : {0, 1, 5, 64}) sizes.push_back({{groups, kind}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{64, 1}}, {{64, 3}}, {{64, 4}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"in", data_type_of<T>(), BufferRole::input, 16 * size[0]},
            {"out", data_type_of<T>(), BufferRole::output, 16 * size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) { fill_range(workload.buffer<T>(0), random, -6, 6); }
  /// Zeros of both signs, infinities, and values far out. Steps of a staircase would be a matter of rounding there.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    constexpr std::array<T, 8> special{T(0), -T(0), infinity, -infinity, T(1e30), T(-1e30), T(80), T(-80)};
    fill(workload, random);
    const std::span<T> values = workload.buffer<T>(0);
    for (std::size_t i = 0; i < values.size(); i += 3) {
      const T value = special[i / 3 % special.size()];
      if (workload.size()[1] == 2 && !std::isfinite(value)) continue;  // the sign of an infinity is not asked for
      values[i] = workload.size()[1] == 3 && value == 0 ? T(0.25) : value;
    }
  }
  static Activate<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<unsigned>(size[1]), T(5), data<T>(buffers, 0), data<T>(buffers, 1), 16 * size[0]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const Activate<T> a = arguments(size, buffers);
    for (std::size_t i = 0; i < a.count; ++i) {
      const long double x = a.in[i];
      long double y = x;
      if (a.kind == 1) y = x > 0 ? x : 0;
      if (a.kind == 2) y = x > 0 ? 1 : x < 0 ? -1 : 0;
      if (a.kind == 3) y = std::floor(5 / (1 + std::exp(-x))) / 5;
      if (a.kind == 4) y = std::tanh(x);
      if (a.kind == 5) y = x > 0 ? 1 : 0;
      a.out[i] = static_cast<T>(y);
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    activate(arguments(size, buffers));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const Activate<T> a = arguments(size, buffers);
    launcher.launch(ActivateBlock<T>{a.kind, a.levels, a.in, a.out, a.count},
                    {blocks_for(a.count, ActivateBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 16 * number(size[0]); }
  static double bytes(const KernelSize& size) { return 32 * sizeof(T) * number(size[0]); }
};

template <class T>
struct LifRowsKernel {
  static constexpr std::string_view name = is_single<T> ? "polystep.lif_rows.float32" : "polystep.lif_rows.float64";
  static constexpr std::string_view formula =
      "v = beta v + i_t; s_t = [v >= threshold]; v = 0 where s_t; s or sum_t s_t";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "ticks", "constant", "counts"};
  static constexpr Tolerance tolerance{};  // the same roundings everywhere, and 0 or 1 come out

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (const std::size_t constant : {0, 1}) {
      for (const std::size_t counts : {0, 1}) {
        for (const std::size_t rows : {0, 1, 3, 9, 31}) sizes.push_back({{rows, 15, constant, counts}});
        sizes.push_back({{2, 1, constant, counts}});
      }
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{10, 15, 0, 1}}, {{64, 15, 1, 0}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"currents", data_type_of<T>(), BufferRole::input, 16 * size[0] * (size[2] ? 1 : size[1])},
            {"out", data_type_of<T>(), BufferRole::output, 16 * size[0] * (size[3] ? 1 : size[1])}};
  }
  static void fill(Workload& workload, PhiloxStream& random) { fill_range(workload.buffer<T>(0), random, -0.5, 1.5); }
  /// Currents that meet the threshold exactly.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    for (T& value : workload.buffer<T>(0)) value = static_cast<T>(random.next_below(5)) / 4;
  }
  static LifRows<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {size[0], size[1],      size[2] ? 1 : size[1], T(0.95),
            T(1),    size[3] != 0, data<T>(buffers, 0),   data<T>(buffers, 1)};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const LifRows<T> a = arguments(size, buffers);
    for (std::size_t row = 0; row < a.rows; ++row) {
      for (std::size_t lane = 0; lane < 16; ++lane) {
        T potential = 0, count = 0;
        for (std::size_t t = 0; t < a.ticks; ++t) {
          const std::size_t at = a.current_ticks == 1 ? row : row * a.ticks + t;
          const T kept = a.beta * potential;
          potential = kept + a.currents[at * 16 + lane];
          const T spike = potential >= a.threshold ? T(1) : T(0);
          potential = potential * (1 - spike);
          count += spike;
          if (!a.counts) a.out[(row * a.ticks + t) * 16 + lane] = spike;
        }
        if (a.counts) a.out[row * 16 + lane] = count;
      }
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    lif_rows(arguments(size, buffers));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const LifRows<T> a = arguments(size, buffers);
    launcher.launch(LifRowsBlock<T>{a.rows, a.ticks, a.current_ticks, a.beta, a.threshold, a.counts, a.currents, a.out},
                    {blocks_for(16 * a.rows, LifRowsBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 64 * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) { return 16 * sizeof(T) * number(size[0]) * number(size[1]); }
};

template <class T>
struct CrossEntropyKernel {
  static constexpr std::string_view name =
      is_single<T> ? "polystep.cross_entropy.float32" : "polystep.cross_entropy.float64";
  static constexpr std::string_view formula = "l_c = log sum_r exp(z_rc) - z_{y_c,c}";
  static constexpr std::array<std::string_view, 2> size_names{"classes", "groups"};
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 1e-6, .absolute = 2e-6} : Tolerance{.relative = 1e-14, .absolute = 1e-14};

  enum Buffer : std::size_t { logits, labels, losses };

  static std::vector<KernelSize> test_sizes() {
    return {{{2, 0}}, {{1, 1}}, {{2, 1}}, {{3, 4}}, {{10, 8}}, {{20, 2}}, {{257, 1}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{10, 1}}, {{10, 32}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"logits", data_type_of<T>(), BufferRole::input, 16 * size[0] * size[1]},
            {"labels", DataType::int32, BufferRole::input, 16 * size[1]},
            {"losses", data_type_of<T>(), BufferRole::output, 16 * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    fill_range(workload.buffer<T>(logits), random, -8, 8);
    for (std::int32_t& label : workload.buffer<std::int32_t>(labels)) {
      label = static_cast<std::int32_t>(
          random.next_below(static_cast<std::uint32_t>(std::max<std::size_t>(2, workload.size()[0]))));
    }
  }
  /// Ties, certainty either way, and NaN.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    for (T& value : workload.buffer<T>(logits)) value = T(400) * static_cast<T>(random.next_below(3));
    if (!workload.buffer<T>(logits).empty()) workload.buffer<T>(logits)[0] = std::numeric_limits<T>::quiet_NaN();
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t i = 0; i < 16 * size[1]; ++i) {
      const T* const z = data<T>(buffers, logits) + i / 16 * size[0] * 16 + i % 16;
      const auto label = static_cast<std::size_t>(data<std::int32_t>(buffers, labels)[i]);
      // A class 0 with the logit 0 before a single row.
      const std::size_t before = size[0] == 1 ? 1 : 0;
      const auto logit = [&](std::size_t r) {
        return r < before ? 0.0L : static_cast<long double>(z[(r - before) * 16]);
      };
      long double largest = logit(0), sum = 0;
      for (std::size_t r = 1; r < size[0] + before; ++r) largest = std::max(largest, logit(r));
      for (std::size_t r = 0; r < size[0] + before; ++r) sum += std::exp(logit(r) - largest);
      data<T>(buffers, losses)[i] = static_cast<T>(std::log(sum) + largest - logit(label));
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[1], 16, [&](std::size_t begin, std::size_t end) {
      for (std::size_t group = begin; group < end; ++group) {
        cross_entropy(CrossEntropy<T>{size[0], data<T>(buffers, logits) + group * size[0] * 16,
                                      data<std::int32_t>(buffers, labels) + group * 16,
                                      data<T>(buffers, losses) + group * 16});
      }
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(CrossEntropyBlock<T>{size[0], data<T>(buffers, logits), data<std::int32_t>(buffers, labels),
                                         data<T>(buffers, losses)},
                    {static_cast<unsigned>(size[1])});
  }
  static double flops(const KernelSize& size) { return 16 * 20 * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) { return 16 * sizeof(T) * number(size[0]) * number(size[1]); }
};

constexpr std::array entries{
    kernel_entry<DenseRowsKernel<float>>(),    kernel_entry<DenseRowsKernel<double>>(),
    kernel_entry<ActivateKernel<float>>(),     kernel_entry<ActivateKernel<double>>(),
    kernel_entry<LifRowsKernel<float>>(),      kernel_entry<LifRowsKernel<double>>(),
    kernel_entry<CrossEntropyKernel<float>>(), kernel_entry<CrossEntropyKernel<double>>(),
};

}  // namespace

std::span<const KernelEntry> network_kernels() noexcept { return entries; }

}  // namespace dd::polystep
