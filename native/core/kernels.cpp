// Registration of the core kernels: what they compute, on which sizes they are tested and timed, and their three forms.
#include "core/kernels.hpp"

#include <limits>

#include "core/block_launcher.hpp"
#include "core/reductions.hpp"
#include "core/reductions.kernel.hpp"
#include "core/reference.hpp"

namespace dd::core {
namespace {

static_assert(reduction_block_chunk == reduction_chunk);

std::size_t chunk_count(std::size_t count) { return (count + reduction_chunk - 1) / reduction_chunk; }

/// What the three reductions share: one input of `count` elements, one output.
template <class T, class Result>
struct Reduction {
  static constexpr std::array<std::string_view, 1> size_names{"count"};

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t count : {0, 1, 31, 33, 64, 4095, 4096, 4097, 20481, 100003}) sizes.push_back({{count}});
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{4096}}, {{65536}}, {{1048576}}, {{8388608}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"values", data_type_of<T>(), BufferRole::input, size[0]},
            {"result", data_type_of<Result>(), BufferRole::output, 1}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (T& value : workload.buffer<T>("values")) value = static_cast<T>(random.next_uniform());
  }
  static double bytes(const KernelSize& size) { return static_cast<double>(size[0] * sizeof(T)); }

  static std::span<const T> values(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const T*>(buffers[0]), size[0]};
  }
  static Result& result(std::span<void* const> buffers) { return *static_cast<Result*>(buffers[1]); }
  static void fill_signed(Workload& workload, PhiloxStream& random) {
    for (T& value : workload.buffer<T>("values")) value = static_cast<T>(2 * random.next_uniform() - 1);
  }
  static void place(Workload& workload, PhiloxStream& random, T special) {
    const std::span<T> all = workload.buffer<T>("values");
    if (!all.empty()) all[random.next_below(static_cast<std::uint32_t>(all.size()))] = special;
  }

  template <class Step>
  static void reduce_blocks(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t chunks = chunk_count(size[0]);
    T* results = launcher.allocate<T>(chunks);
    launcher.launch(ReduceChunks<T, Step>{static_cast<const T*>(buffers[0]), results, size[0]},
                    {blocks_for(chunks, reduction_chunks_per_block)});
    launcher.launch(JoinChunks<T, Step>{results, static_cast<T*>(buffers[1]), chunks}, {1});
  }
};

template <class T>
struct Sum : Reduction<T, T> {
  using Base = Reduction<T, T>;
  static constexpr std::string_view name = sizeof(T) == 4 ? "core.sum.float32" : "core.sum.float64";
  static constexpr std::string_view formula = "y = sum_i x_i";
  // 64 additions a lane, then trees: 75 roundings of half an ulp for equal signs.
  static constexpr Tolerance tolerance{.relative = 75 * std::numeric_limits<T>::epsilon() / 2};

  static void fill_special(Workload& workload, PhiloxStream& random) {
    Base::fill(workload, random);
    Base::place(workload, random, std::numeric_limits<T>::infinity());
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = static_cast<T>(reference::sum(Base::values(size, buffers)));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = sum(Base::values(size, buffers), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    Base::template reduce_blocks<AddStep>(launcher, size, buffers);
  }
  static double flops(const KernelSize& size) { return static_cast<double>(size[0]); }
};

template <class T>
struct Dot {
  static constexpr std::string_view name = sizeof(T) == 4 ? "core.dot.float32" : "core.dot.float64";
  static constexpr std::string_view formula = "y = sum_i a_i b_i, in float64";
  static constexpr std::array<std::string_view, 1> size_names{"count"};
  // Products below 1 of equal signs: one rounding each, then those of the sum.
  static constexpr Tolerance tolerance{.relative = 160 * std::numeric_limits<double>::epsilon()};

  static std::vector<KernelSize> test_sizes() { return Reduction<T, double>::test_sizes(); }
  static std::vector<KernelSize> benchmark_sizes() { return Reduction<T, double>::benchmark_sizes(); }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"a", data_type_of<T>(), BufferRole::input, size[0]},
            {"b", data_type_of<T>(), BufferRole::input, size[0]},
            {"result", DataType::float64, BufferRole::output, 1}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* operand : {"a", "b"}) {
      for (T& value : workload.buffer<T>(operand)) value = static_cast<T>(random.next_uniform());
    }
  }
  static std::span<const T> values(const KernelSize& size, void* buffer) {
    return {static_cast<const T*>(buffer), size[0]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    *static_cast<double*>(buffers[2]) = reference::dot(values(size, buffers[0]), values(size, buffers[1]));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    *static_cast<double*>(buffers[2]) = dot(values(size, buffers[0]), values(size, buffers[1]), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t chunks = chunk_count(size[0]);
    auto* const results = launcher.allocate<double>(chunks);
    launcher.launch(
        DotChunks<T>{static_cast<const T*>(buffers[0]), static_cast<const T*>(buffers[1]), results, size[0]},
        {blocks_for(chunks, reduction_chunks_per_block)});
    launcher.launch(JoinChunks<double, AddStep>{results, static_cast<double*>(buffers[2]), chunks}, {1});
  }
  static double flops(const KernelSize& size) { return 2 * static_cast<double>(size[0]); }
  static double bytes(const KernelSize& size) { return 2 * static_cast<double>(size[0] * sizeof(T)); }
};

template <class T>
struct MaxAbs : Reduction<T, T> {
  using Base = Reduction<T, T>;
  static constexpr std::string_view name = sizeof(T) == 4 ? "core.max_abs.float32" : "core.max_abs.float64";
  static constexpr std::string_view formula = "y = max_i |x_i|, NaN if any x_i is";
  static constexpr Tolerance tolerance{};

  static void fill(Workload& workload, PhiloxStream& random) { Base::fill_signed(workload, random); }
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    Base::place(workload, random, -std::numeric_limits<T>::infinity());
    Base::place(workload, random, std::numeric_limits<T>::quiet_NaN());
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = static_cast<T>(reference::max_abs(Base::values(size, buffers)));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = max_abs(Base::values(size, buffers), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    Base::template reduce_blocks<MaxAbsStep>(launcher, size, buffers);
  }
  static double flops(const KernelSize& size) { return static_cast<double>(size[0]); }
};

template <class T>
struct FindNonFinite : Reduction<T, std::uint64_t> {
  using Base = Reduction<T, std::uint64_t>;
  static constexpr std::string_view name =
      sizeof(T) == 4 ? "core.first_non_finite.float32" : "core.first_non_finite.float64";
  static constexpr std::string_view formula = "y = min { i : x_i is NaN or infinite }, the number of elements if none";
  static constexpr Tolerance tolerance{};

  static void fill(Workload& workload, PhiloxStream& random) { Base::fill_signed(workload, random); }
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    Base::place(workload, random, std::numeric_limits<T>::quiet_NaN());
    Base::place(workload, random, -std::numeric_limits<T>::infinity());
    Base::place(workload, random, std::numeric_limits<T>::max());
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = reference::first_non_finite(Base::values(size, buffers));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    Base::result(buffers) = first_non_finite(Base::values(size, buffers), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    auto* result = static_cast<std::uint64_t*>(buffers[1]);
    launcher.launch(SetIndex{result, size[0]}, {1});
    launcher.launch(FirstNonFinite<T>{static_cast<const T*>(buffers[0]), result, size[0]},
                    {blocks_for(size[0], reduction_block_threads * FirstNonFinite<T>::per_thread)});
  }
  static double flops(const KernelSize& size) { return static_cast<double>(size[0]); }
};

constexpr std::array entries{
    kernel_entry<Sum<float>>(),           kernel_entry<Sum<double>>(),           kernel_entry<Dot<float>>(),
    kernel_entry<Dot<double>>(),          kernel_entry<MaxAbs<float>>(),         kernel_entry<MaxAbs<double>>(),
    kernel_entry<FindNonFinite<float>>(), kernel_entry<FindNonFinite<double>>(),
};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::core
