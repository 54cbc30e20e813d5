// Registration of products with packed weights and of unpacking them: what they compute, on which sizes they are tested
// and timed, and their three forms. Words are random: every bit pattern is a code.
#include "quantize/packed_kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/block_launcher.hpp"
#include "quantize/packed.kernel.hpp"
#include "quantize/packed_weights.hpp"

namespace dd::quantize {
namespace {

double number(std::size_t value) { return static_cast<double>(value); }

/// Levels of every column: 2^bits; for 0 bits a mix of widths, of levels that are no powers of two and of none.
std::vector<std::uint32_t> levels_of(std::size_t columns, std::size_t bits) {
  constexpr std::array<std::uint32_t, 7> mix{4, 16, 1, 3, 8, 2, 300};
  std::vector<std::uint32_t> levels(columns);
  for (std::size_t j = 0; j < columns; ++j) levels[j] = bits == 0 ? mix[j % mix.size()] : 1u << bits;
  return levels;
}

PackedStructure structure_of(const KernelSize& size) {
  return {size[0], levels_of(size[1], size[2]), GridForm::range, 1, {}};
}

/// Calls use(row, column, value) for every weight with a slot, in float64.
template <class Use>
void for_each_weight(const PackedStructure& structure, const std::uint32_t* words, const float* range,
                     const float* ratio, Use use) {
  for (std::size_t i = 0; i < structure.rows; ++i) {
    for (const PackedStructure::Run& run : structure.runs) {
      for (std::size_t k = 0; k < run.blocks * packed_block_columns; ++k) {
        const std::size_t slot = run.first_block * packed_block_columns + k;
        if (structure.column[slot] < 0) continue;
        const std::uint32_t* word = words + structure.word(i, run, k / packed_block_columns);
        double code = 0;
        for (std::size_t p = 0; p < run.bits; ++p) {
          code += std::ldexp(word[p * packed_group_rows] >> k % packed_block_columns & 1u, static_cast<int>(p));
        }
        // The zero point is a rounding: float32, as defined.
        const double zero = static_cast<double>(std::nearbyint(ratio[i] * structure.divisor[slot]));
        const double step = static_cast<double>(range[i]) / static_cast<double>(structure.divisor[slot]);
        use(i, static_cast<std::size_t>(structure.column[slot]), step * (code - zero));
      }
    }
  }
}

template <class T>
T* data(std::span<void* const> buffers, std::size_t which) {
  return static_cast<T*>(buffers[which]);
}

void fill_weights(Workload& workload, PhiloxStream& random) {
  for (std::uint32_t& word : workload.buffer<std::uint32_t>("words")) {
    word = random.next_below(1u << 16) << 16 | random.next_below(1u << 16);
  }
  for (float& value : workload.buffer<float>("range")) value = static_cast<float>(0.1 + random.next_uniform());
  for (float& value : workload.buffer<float>("ratio")) value = static_cast<float>(random.next_uniform());
}

/// The structure in device memory.
struct DeviceStructure {
  PackedOrder order{};
  float* divisor;

  DeviceStructure(BlockLauncher& launcher, const PackedStructure& structure) {
    std::vector<std::uint32_t> before, bits;
    for (const PackedStructure::Run& run : structure.runs) {
      for (std::size_t block = 0; block < run.blocks; ++block) {
        before.push_back(static_cast<std::uint32_t>(run.first_word + block * run.bits));
        bits.push_back(static_cast<std::uint32_t>(run.bits));
      }
    }
    divisor = copy<float>(launcher, structure.divisor);
    order = {structure.rows,
             structure.padded_rows(),
             structure.row_words,
             copy<std::uint32_t>(launcher, before),
             copy<std::uint32_t>(launcher, bits),
             copy<std::int32_t>(launcher, structure.column)};
  }
  template <class T>
  static T* copy(BlockLauncher& launcher, const std::vector<T>& values) {
    T* const device = launcher.allocate<T>(values.size());
    launcher.upload(device, std::span<const T>(values));
    return device;
  }
};

struct PackedUnpackKernel {
  static constexpr std::string_view name = "quantize.packed_unpack.float32";
  static constexpr std::string_view formula = "w_ij = range_i / (L_j - 1) (code_ij - round(ratio_i (L_j - 1)))";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "columns", "bits"};
  static constexpr Tolerance tolerance{.relative = 1e-6, .absolute = 0};
  enum Buffer : std::size_t { words, range, ratio, values };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 5, 2}}, {{1, 1, 1}}, {{3, 0, 2}}, {{17, 33, 3}}, {{300, 70, 4}}, {{40, 150, 0}}, {{9, 65, 16}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{1024, 1024, 3}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const PackedStructure structure = structure_of(size);
    return {{"words", DataType::uint32, BufferRole::input, structure.words()},
            {"range", DataType::float32, BufferRole::input, structure.padded_rows()},
            {"ratio", DataType::float32, BufferRole::input, structure.padded_rows()},
            {"values", DataType::float32, BufferRole::output, size[0] * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) { fill_weights(workload, random); }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    float* const to = data<float>(buffers, values);
    std::fill(to, to + size[0] * size[1], 0.0f);
    for_each_weight(
        structure, data<std::uint32_t>(buffers, words), data<float>(buffers, range), data<float>(buffers, ratio),
        [&](std::size_t i, std::size_t j, double value) { to[i * size[1] + j] = static_cast<float>(value); });
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    const std::size_t padded = structure.padded_rows();
    packed_dequantize(structure, {data<std::uint32_t>(buffers, words), structure.words()},
                      {data<float>(buffers, range), padded}, {data<float>(buffers, ratio), padded},
                      {data<float>(buffers, values), size[0] * size[1]}, threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    const DeviceStructure device(launcher, structure);
    std::vector<std::int32_t> slots(size[1], -1);
    for (std::size_t k = 0; k < structure.column.size(); ++k) {
      if (structure.column[k] >= 0) slots[static_cast<std::size_t>(structure.column[k])] = static_cast<std::int32_t>(k);
    }
    launcher.launch(
        PackedUnpack{device.order, size[1], data<std::uint32_t>(buffers, words),
                     DeviceStructure::copy<std::int32_t>(launcher, slots), device.divisor, data<float>(buffers, range),
                     data<float>(buffers, ratio), data<float>(buffers, values)},
        {blocks_for(size[1], PackedUnpack::shape.width), static_cast<unsigned>(size[0])});
  }
  static double flops(const KernelSize& size) { return 2 * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) {
    return 4 * number(structure_of(size).words()) + 4 * number(size[0]) * number(size[1]);
  }
};

/// One token (GEMV) or several (GEMM).
template <bool many>
struct PackedProductKernel {
  static constexpr std::string_view name = many ? "quantize.packed_gemm.float32" : "quantize.packed_gemv.float32";
  static constexpr std::string_view formula =
      many ? "Y = X W^T on packed codes" : "y_i = range_i sum_j x_j / (L_j - 1) (code_ij - zero_ij)";
  static constexpr std::array<std::string_view, 4> size_names{"rows", "columns", "bits", "tokens"};
  // Products of some hundred columns, |x| and ranges about 1: their sums lose some hundred ulp of 1.
  static constexpr Tolerance tolerance{.relative = 1e-5, .absolute = 5e-5};
  enum Buffer : std::size_t { words, range, ratio, x, y };

  static std::vector<KernelSize> test_sizes() {
    if (many) return {{{5, 3, 2, 0}}, {{17, 33, 3, 2}}, {{300, 70, 4, 9}}, {{40, 150, 0, 17}}};
    return {{{0, 5, 2, 1}}, {{1, 1, 1, 1}}, {{3, 0, 2, 1}}, {{17, 33, 3, 1}}, {{300, 70, 4, 1}}, {{530, 150, 0, 1}}};
  }
  static std::vector<KernelSize> benchmark_sizes() {
    if (many) return {{{1024, 1024, 3, 32}}};
    return {{{4096, 4096, 2, 1}}, {{4096, 4096, 3, 1}}, {{4096, 4096, 4, 1}}};
  }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const PackedStructure structure = structure_of(size);
    return {{"words", DataType::uint32, BufferRole::input, structure.words()},
            {"range", DataType::float32, BufferRole::input, structure.padded_rows()},
            {"ratio", DataType::float32, BufferRole::input, structure.padded_rows()},
            {"x", DataType::float32, BufferRole::input, size[3] * size[1]},
            {"y", DataType::float32, BufferRole::output, size[3] * size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    fill_weights(workload, random);
    for (float& value : workload.buffer<float>("x")) value = static_cast<float>(2 * random.next_uniform() - 1);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    std::vector<double> sums(size[3] * size[0]);
    const float* const activations = data<float>(buffers, x);
    for_each_weight(structure, data<std::uint32_t>(buffers, words), data<float>(buffers, range),
                    data<float>(buffers, ratio), [&](std::size_t i, std::size_t j, double value) {
                      for (std::size_t token = 0; token < size[3]; ++token) {
                        sums[token * size[0] + i] += value * static_cast<double>(activations[token * size[1] + j]);
                      }
                    });
    std::transform(sums.begin(), sums.end(), data<float>(buffers, y),
                   [](double value) { return static_cast<float>(value); });
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    const std::size_t padded = structure.padded_rows();
    packed_multiply(structure, {data<std::uint32_t>(buffers, words), structure.words()},
                    {data<float>(buffers, range), padded}, {data<float>(buffers, ratio), padded},
                    {data<float>(buffers, x), size[3] * size[1]}, size[3], {data<float>(buffers, y), size[3] * size[0]},
                    threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const PackedStructure structure = structure_of(size);
    const DeviceStructure device(launcher, structure);
    std::vector<std::uint32_t> first, slots;
    std::vector<float> middle, largest;
    for (const PackedStructure::Term& term : structure.terms) {
      first.push_back(static_cast<std::uint32_t>(term.first_slot));
      slots.push_back(static_cast<std::uint32_t>(term.slots));
      middle.push_back(term.middle);
      largest.push_back(term.largest);
    }
    const std::size_t terms = first.size();
    const auto tokens = static_cast<unsigned>(size[3]);
    float* const sums = launcher.allocate<float>(size[3] * terms);
    launcher.launch(
        PackedTermSums{device.order.column, device.divisor, DeviceStructure::copy<std::uint32_t>(launcher, first),
                       DeviceStructure::copy<std::uint32_t>(launcher, slots), data<float>(buffers, x), size[1], terms,
                       sums},
        {static_cast<unsigned>(terms), tokens});
    launcher.launch(
        PackedProduct{device.order, size[1], structure.blocks(), terms, data<std::uint32_t>(buffers, words),
                      device.divisor, data<float>(buffers, x), sums, DeviceStructure::copy<float>(launcher, middle),
                      DeviceStructure::copy<float>(launcher, largest), data<float>(buffers, range),
                      data<float>(buffers, ratio), data<float>(buffers, y)},
        {blocks_for(size[0], packed_block_rows), tokens});
  }
  static double flops(const KernelSize& size) { return 2 * number(size[0]) * number(size[1]) * number(size[3]); }
  static double bytes(const KernelSize& size) {
    return 4 * (number(structure_of(size).words()) + number(size[3]) * (number(size[0]) + number(size[1])));
  }
};

constexpr std::array entries{kernel_entry<PackedUnpackKernel>(), kernel_entry<PackedProductKernel<false>>(),
                             kernel_entry<PackedProductKernel<true>>()};

}  // namespace

std::span<const KernelEntry> packed_kernels() noexcept { return entries; }

}  // namespace dd::quantize
