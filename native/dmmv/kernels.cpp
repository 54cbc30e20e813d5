// Registration of the dmmv kernels: what they compute, on which sizes they are tested and timed, and their three forms.
#include "dmmv/kernels.hpp"

#include <limits>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/dictionary_penalty.kernel.hpp"
#include "dmmv/one_flip.kernel.hpp"
#include "dmmv/reference.hpp"
#include "dmmv/swap_table.kernel.hpp"

namespace dd::dmmv {
namespace {

template <class T>
constexpr bool is_single = sizeof(T) == 4;

template <class T>
void fill_range(std::span<T> values, PhiloxStream& random, double low, double high) {
  for (T& value : values) value = static_cast<T>(low + (high - low) * random.next_uniform());
}

/// Every third row one-sided, up and down by turns.
template <class T>
void fill_offsets(std::span<T> upper, std::span<T> lower, PhiloxStream& random) {
  fill_range(upper, random, 0, 0.5);
  fill_range(lower, random, 0, 0.5);
  for (std::size_t i = 0; i < upper.size(); i += 3) {
    (i % 2 == 0 ? upper : lower)[i] = std::numeric_limits<T>::infinity();
  }
}

template <class T>
struct OneFlip {
  static constexpr std::string_view name = is_single<T> ? "dmmv.one_flip.float32" : "dmmv.one_flip.float64";
  static constexpr std::string_view formula =
      "t_jq = max_i max(z - upper_i, -z - lower_i), z = r_i + d_jq a_ij; max_i |z| without offsets";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "columns", "steps", "interval"};
  // A maximum has no order, and products and sums are rounded alike: the bits must agree.
  static constexpr Tolerance tolerance{};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t interval : {0, 1}) {
      for (std::size_t rows : {0, 1, 15, 16, 33, 129, 1000}) sizes.push_back({{rows, 3, 3, interval}});
      sizes.push_back({{100, 0, 2, interval}});
      sizes.push_back({{100, 5, 0, interval}});
      sizes.push_back({{70, 17, 8, interval}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() {
    return {{{4096, 768, 2, 0}}, {{4096, 768, 2, 1}}, {{910, 63, 2, 0}}};
  }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t offsets = size[3] ? size[0] : 0;
    return {{"matrix", data_type_of<T>(), BufferRole::input, size[0] * size[1]},
            {"residual", data_type_of<T>(), BufferRole::input, size[0]},
            {"upper", data_type_of<T>(), BufferRole::input, offsets},
            {"lower", data_type_of<T>(), BufferRole::input, offsets},
            {"steps", data_type_of<T>(), BufferRole::input, size[1] * size[2]},
            {"out", data_type_of<T>(), BufferRole::output, size[1] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"matrix", "residual", "steps"}) fill_range(workload.buffer<T>(buffer), random, -1, 1);
    fill_offsets(workload.buffer<T>("upper"), workload.buffer<T>("lower"), random);
  }
  /// Ties everywhere: entries and residuals of -1, 0 or 1.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    for (const char* buffer : {"matrix", "residual"}) {
      for (T& value : workload.buffer<T>(buffer)) value = static_cast<T>(static_cast<int>(random.next_below(3)) - 1);
    }
  }
  static OneFlipColumn<T> column(const KernelSize& size, std::span<void* const> buffers, std::size_t j) {
    void* const* data = buffers.data();
    return {static_cast<const T*>(data[0]) + j * size[0],
            static_cast<const T*>(data[1]),
            size[3] ? static_cast<const T*>(data[2]) : nullptr,
            size[3] ? static_cast<const T*>(data[3]) : nullptr,
            static_cast<const T*>(data[4]) + j * size[2],
            static_cast<T*>(data[5]) + j * size[2],
            size[0],
            size[2]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t j = 0; j < size[1]; ++j) reference::one_flip(column(size, buffers, j));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[1], 8, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin; j < end; ++j) {
        const OneFlipColumn<T> arguments = column(size, buffers, j);
        if constexpr (is_single<T>) {
          one_flip_float32(&arguments);
        } else {
          one_flip_float64(&arguments);
        }
      }
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const OneFlipColumn<T> all = column(size, buffers, 0);
    // With offsets but no rows their pointer may be null; the maximum of nothing is the same either way.
    launcher.launch(
        OneFlipBlock<T>{all.column, all.residual, all.upper, all.lower, all.steps, all.out, size[0], size[2]},
        {static_cast<unsigned>(size[1]), blocks_for(size[2], 2)});
  }
  static double flops(const KernelSize& size) { return 4.0 * static_cast<double>(size[0] * size[1] * size[2]); }
  static double bytes(const KernelSize& size) { return static_cast<double>(sizeof(T) * size[0] * size[1]); }
};

template <class T>
struct DictionaryPenaltyKernel {
  static constexpr std::string_view name =
      is_single<T> ? "dmmv.dictionary_penalty.float32" : "dmmv.dictionary_penalty.float64";
  static constexpr std::string_view formula =
      "S_p = sum_i w_i max(0, z - upper_i, lower_i - z), z = r_i +- g_ip; max(0, |z| - target) without thresholds";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "pairs", "interval"};
  // Inputs of size one: the excess loses up to half an ulp of |z| <= 2 a row, the sum less than that again.
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 2e-6, .absolute = 1e-4} : Tolerance{.relative = 1e-12, .absolute = 1e-12};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t interval : {0, 1}) {
      for (std::size_t rows : {0, 1, 7, 8, 16, 33, 262, 1001}) sizes.push_back({{rows, 3, interval}});
      sizes.push_back({{50, 0, interval}});
      sizes.push_back({{50, 18, interval}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() {
    return {{{262, 18, 0}}, {{262, 18, 1}}, {{910, 126, 0}}, {{4096, 768, 0}}};
  }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t thresholds = size[2] ? size[0] : 0;
    return {{"moves", data_type_of<T>(), BufferRole::input, size[0] * size[1]},
            {"residual", data_type_of<T>(), BufferRole::input, size[0]},
            {"weight", data_type_of<T>(), BufferRole::input, size[0]},
            {"upper", data_type_of<T>(), BufferRole::input, thresholds},
            {"lower", data_type_of<T>(), BufferRole::input, thresholds},
            {"out", data_type_of<T>(), BufferRole::output, 2 * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"moves", "residual"}) fill_range(workload.buffer<T>(buffer), random, -1, 1);
    fill_range(workload.buffer<T>("weight"), random, 0, 1);
    const std::span<T> lower = workload.buffer<T>("lower");
    fill_offsets(workload.buffer<T>("upper"), lower, random);
    for (T& value : lower) value = -value;
  }
  static DictionaryPenalty<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const T*>(buffers[0]),
            static_cast<const T*>(buffers[1]),
            static_cast<const T*>(buffers[2]),
            size[2] ? static_cast<const T*>(buffers[3]) : nullptr,
            size[2] ? static_cast<const T*>(buffers[4]) : nullptr,
            static_cast<T*>(buffers[5]),
            size[0],
            size[0],
            size[1],
            T(0.25)};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    reference::dictionary_penalty(arguments(size, buffers));
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    const DictionaryPenalty<T> all = arguments(size, buffers);
    if constexpr (is_single<T>) {
      dictionary_penalty_float32(&all);
    } else {
      dictionary_penalty_float64(&all);
    }
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const DictionaryPenalty<T> all = arguments(size, buffers);
    launcher.launch(DictionaryPenaltyBlock<T>{all.moves, all.residual, all.weight, all.upper, all.lower, all.out,
                                              all.rows, all.stride, all.target},
                    {static_cast<unsigned>(size[1])});
  }
  static double flops(const KernelSize& size) { return 10.0 * static_cast<double>(size[0] * size[1]); }
  static double bytes(const KernelSize& size) { return static_cast<double>(sizeof(T) * size[0] * size[1]); }
};

struct WalkStepKernel {
  static constexpr std::string_view name = "dmmv.walk_step.float64";
  static constexpr std::string_view formula =
      "w_i += c where e(r_i) > 0; r += s g; largest = max_i e(r_i); penalty = sum_i w_i max(0, e(r_i))";
  static constexpr std::array<std::string_view, 2> size_names{"rows", "interval"};
  static constexpr Tolerance tolerance{.relative = 1e-12, .absolute = 1e-12};
  static constexpr double target = 0.25, sign = -1, increment = 0.75;

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t interval : {0, 1}) {
      for (std::size_t rows : {0, 1, 7, 8, 9, 262, 1001}) sizes.push_back({{rows, interval}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{272, 0}}, {{912, 0}}, {{912, 1}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t thresholds = size[1] ? size[0] : 0;
    return {{"effect", DataType::float64, BufferRole::input, size[0]},
            {"residual", DataType::float64, BufferRole::in_out, size[0]},
            {"weight", DataType::float64, BufferRole::in_out, size[0]},
            {"upper", DataType::float64, BufferRole::input, thresholds},
            {"lower", DataType::float64, BufferRole::input, thresholds},
            {"result", DataType::float64, BufferRole::output, 2}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"effect", "residual"}) fill_range(workload.buffer<double>(buffer), random, -1, 1);
    const std::span<double> weight = workload.buffer<double>("weight");
    fill_range(weight, random, 0.1, 1);
    for (std::size_t i = 4; i < weight.size(); i += 9) weight[i] = 0;  // rows that do not count
    const std::span<double> lower = workload.buffer<double>("lower");
    fill_offsets(workload.buffer<double>("upper"), lower, random);
    for (double& value : lower) value = -value;
  }
  static WalkStep<double> arguments(const KernelSize& size, std::span<void* const> buffers) {
    WalkStep<double> step{};
    step.effect = static_cast<const double*>(buffers[0]);
    step.residual = static_cast<double*>(buffers[1]);
    step.weight = static_cast<double*>(buffers[2]);
    step.upper = size[1] ? static_cast<const double*>(buffers[3]) : nullptr;
    step.lower = size[1] ? static_cast<const double*>(buffers[4]) : nullptr;
    step.rows = size[0];
    step.target = target;
    step.sign = sign;
    step.increment = increment;
    return step;
  }
  static void store(const WalkStep<double>& step, std::span<void* const> buffers) {
    static_cast<double*>(buffers[5])[0] = step.largest;
    static_cast<double*>(buffers[5])[1] = step.penalty;
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    WalkStep<double> step = arguments(size, buffers);
    reference::walk_step(step);
    store(step, buffers);
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    WalkStep<double> step = arguments(size, buffers);
    walk_step_float64(&step);
    store(step, buffers);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const WalkStep<double> step = arguments(size, buffers);
    launcher.launch(WalkStepBlock{step.effect, step.residual, step.weight, step.upper, step.lower,
                                  static_cast<double*>(buffers[5]), step.rows, step.target, step.sign, step.increment},
                    {1});
  }
  static double flops(const KernelSize& size) { return 8.0 * static_cast<double>(size[0]); }
  static double bytes(const KernelSize& size) { return 40.0 * static_cast<double>(size[0]); }
};

struct SwapTableKernel {
  static constexpr std::string_view name = "dmmv.swap_table.float64";
  static constexpr std::string_view formula =
      "t_ab = max_{i < screen} max(z - upper_i, -z - lower_i), z = r_i + g_ia - g_ib; over all rows where below the "
      "limit";
  static constexpr std::array<std::string_view, 5> size_names{"rows", "screen", "firsts", "seconds", "interval"};
  static constexpr Tolerance tolerance{};
  static constexpr double limit = 1.75;  // about half of the pairs pass a screen of a few rows

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t interval : {0, 1}) {
      sizes.push_back({{0, 0, 2, 3, interval}});
      sizes.push_back({{33, 0, 3, 5, interval}});
      sizes.push_back({{9, 9, 2, 4, interval}});
      sizes.push_back({{40, 3, 0, 4, interval}});
      sizes.push_back({{40, 3, 4, 0, interval}});
      sizes.push_back({{1001, 5, 7, 9, interval}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{1024, 100, 256, 256, 0}}, {{1024, 100, 256, 256, 1}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t offsets = size[4] ? size[0] : 0;
    return {{"moves", DataType::float64, BufferRole::input, size[0] * (size[2] + size[3])},
            {"first", DataType::int32, BufferRole::input, size[2]},
            {"second", DataType::int32, BufferRole::input, size[3]},
            {"residual", DataType::float64, BufferRole::input, size[0]},
            {"upper", DataType::float64, BufferRole::input, offsets},
            {"lower", DataType::float64, BufferRole::input, offsets},
            {"out", DataType::float64, BufferRole::output, size[2] * size[3]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"moves", "residual"}) fill_range(workload.buffer<double>(buffer), random, -1, 1);
    fill_offsets(workload.buffer<double>("upper"), workload.buffer<double>("lower"), random);
    const std::span<std::int32_t> first = workload.buffer<std::int32_t>("first");
    const std::span<std::int32_t> second = workload.buffer<std::int32_t>("second");
    for (std::size_t k = 0; k < first.size(); ++k) first[k] = static_cast<std::int32_t>(k);
    for (std::size_t k = 0; k < second.size(); ++k) second[k] = static_cast<std::int32_t>(first.size() + k);
  }
  static SwapTable arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const double*>(buffers[0]),
            static_cast<const std::int32_t*>(buffers[1]),
            static_cast<const std::int32_t*>(buffers[2]),
            static_cast<const double*>(buffers[3]),
            size[4] ? static_cast<const double*>(buffers[4]) : nullptr,
            size[4] ? static_cast<const double*>(buffers[5]) : nullptr,
            static_cast<double*>(buffers[6]),
            size[0],
            size[1],
            size[0],
            size[2],
            size[3],
            limit};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    reference::swap_table(arguments(size, buffers));
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    const SwapTable table = arguments(size, buffers);
    swap_table_float64(&table);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const SwapTable t = arguments(size, buffers);
    launcher.launch(SwapTableBlock{t.moves, t.first, t.second, t.residual, t.upper, t.lower, t.out, t.rows, t.screen,
                                   t.stride, t.seconds, t.limit},
                    {static_cast<unsigned>(size[3]), static_cast<unsigned>(size[2])});
  }
  /// Of the screen: what passes it is known afterwards only.
  static double flops(const KernelSize& size) { return 4.0 * static_cast<double>(size[1] * size[2] * size[3]); }
  static double bytes(const KernelSize& size) { return 8.0 * static_cast<double>(size[0] * (size[2] + size[3])); }
};

constexpr std::array entries{
    kernel_entry<OneFlip<float>>(),
    kernel_entry<OneFlip<double>>(),
    kernel_entry<DictionaryPenaltyKernel<float>>(),
    kernel_entry<DictionaryPenaltyKernel<double>>(),
    kernel_entry<WalkStepKernel>(),
    kernel_entry<SwapTableKernel>(),
};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::dmmv
