// Registration of the MAX-SAT kernel: what it computes, on which sizes it is tested and timed, and its three forms.
#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/objectives/kernels.hpp"
#include "polystep/objectives/maxsat.kernel.hpp"
#include "polystep/objectives/maxsat_isa.hpp"

namespace dd::polystep {
namespace {

template <class T>
T* data(std::span<void* const> buffers, std::size_t which) {
  return static_cast<T*>(buffers[which]);
}

struct MaxSatDeltaKernel {
  static constexpr std::string_view name = "polystep.maxsat_delta.uint8";
  static constexpr std::string_view formula =
      "d_i = sum over clauses c with variable i: w_c [t_c = 1 and literal true] - w_c [t_c = 0]";
  static constexpr std::array<std::string_view, 4> size_names{"variables", "clauses", "literals", "weighted"};
  static constexpr Tolerance tolerance{};  // integers

  enum Buffer : std::size_t { starts, occurrences, counts, weights, assignment, variables, out };

  static std::vector<KernelSize> test_sizes() {
    std::vector<KernelSize> sizes;
    for (std::size_t weighted : {0, 1}) {
      sizes.push_back({{0, 0, 3, weighted}});
      sizes.push_back({{1, 1, 1, weighted}});
      sizes.push_back({{5, 40, 2, weighted}});
      sizes.push_back({{60, 256, 3, weighted}});
      sizes.push_back({{257, 1000, 3, weighted}});
      sizes.push_back({{9, 300, 5, weighted}});
    }
    return sizes;
  }
  static std::vector<KernelSize> benchmark_sizes() {
    return {{{1000, 4270, 3, 0}}, {{100000, 427000, 3, 0}}, {{1000000, 4270000, 3, 0}}};
  }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"starts", DataType::uint32, BufferRole::input, size[0] + 1},
            {"occurrences", DataType::uint32, BufferRole::input, size[1] * size[2]},
            {"counts", DataType::uint8, BufferRole::input, size[1] + maxsat_count_padding},
            {"weights", DataType::int64, BufferRole::input, size[3] ? size[1] : 0},
            {"assignment", DataType::uint8, BufferRole::input, size[0]},
            {"variables", DataType::uint32, BufferRole::input, size[0]},
            {"out", DataType::int64, BufferRole::output, size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const KernelSize& size = workload.size();
    const std::span<std::uint32_t> first = workload.buffer<std::uint32_t>(starts);
    const std::span<std::uint32_t> entries = workload.buffer<std::uint32_t>(occurrences);
    // Lengths vary: every occurrence goes to a variable drawn at random.
    for (std::uint32_t& start : first) start = 0;
    if (size[0] != 0) {
      for (std::size_t i = 0; i < entries.size(); ++i)
        ++first[random.next_below(static_cast<std::uint32_t>(size[0])) + 1];
    }
    for (std::size_t i = 0; i < size[0]; ++i) first[i + 1] += first[i];
    for (std::uint32_t& entry : entries) entry = random.next_below(static_cast<std::uint32_t>(2 * size[1]));
    for (std::uint8_t& count : workload.buffer<std::uint8_t>(counts)) {
      count = static_cast<std::uint8_t>(random.next_below(static_cast<std::uint32_t>(size[2] + 1)));
    }
    for (std::int64_t& weight : workload.buffer<std::int64_t>(weights)) weight = random.next_below(1000);
    for (std::uint8_t& value : workload.buffer<std::uint8_t>(assignment)) {
      value = static_cast<std::uint8_t>(random.next_below(2));
    }
    const std::span<std::uint32_t> order = workload.buffer<std::uint32_t>(variables);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(order.size() - 1 - i);
  }
  static MaxSatDelta arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {data<std::uint32_t>(buffers, starts),
            data<std::uint32_t>(buffers, occurrences),
            data<std::uint8_t>(buffers, counts),
            size[3] ? data<std::int64_t>(buffers, weights) : nullptr,
            data<std::uint8_t>(buffers, assignment),
            data<std::uint32_t>(buffers, variables),
            size[0],
            data<std::int64_t>(buffers, out)};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const MaxSatDelta a = arguments(size, buffers);
    for (std::size_t i = 0; i < a.count; ++i) {
      const std::uint32_t variable = a.variables[i];
      std::int64_t broken = 0, made = 0;
      for (std::uint32_t at = a.starts[variable]; at < a.starts[variable + 1]; ++at) {
        const std::uint32_t clause = a.occurrences[at] / 2;
        const bool positive = a.occurrences[at] % 2 == 1, literal = positive == (a.assignment[variable] != 0);
        const std::int64_t weight = a.weights != nullptr ? a.weights[clause] : 1;
        if (literal && a.counts[clause] == 1) broken += weight;
        if (!literal && a.counts[clause] == 0) made += weight;
      }
      a.out[i] = broken - made;
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[0], 1024, [&](std::size_t begin, std::size_t end) {
      MaxSatDelta part = arguments(size, buffers);
      part.variables += begin;
      part.out += begin;
      part.count = end - begin;
      maxsat_delta(&part);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const MaxSatDelta a = arguments(size, buffers);
    launcher.launch(
        MaxSatDeltaBlock{a.starts, a.occurrences, a.counts, a.weights, a.assignment, a.variables, a.count, a.out},
        {blocks_for(size[0], MaxSatDeltaBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 4.0 * static_cast<double>(size[1] * size[2]); }
  static double bytes(const KernelSize& size) {
    return 5.0 * static_cast<double>(size[1] * size[2]) + 17.0 * static_cast<double>(size[0]);
  }
};

constexpr std::array entries{kernel_entry<MaxSatDeltaKernel>()};

}  // namespace

std::span<const KernelEntry> maxsat_kernels() noexcept { return entries; }

}  // namespace dd::polystep
