// Registration of kernel K5: what it computes, on which sizes it is tested and timed, and its three forms.
#include "dmmv/sparse_kernels.hpp"

#include <array>

#include "core/block_launcher.hpp"
#include "dmmv/reference.hpp"
#include "dmmv/sparse_flip.kernel.hpp"

namespace dd::dmmv {
namespace {

struct SparseFlipKernel {
  static constexpr std::string_view name = "dmmv.sparse_flip.float64";
  static constexpr std::string_view formula =
      "S_c = sum_(i in column) w_i (e_i(r_i + d_c a_i) - e_i(r_i)), e_i(z) = max(0, z - upper_i, lower_i - z)";
  static constexpr std::array<std::string_view, 3> size_names{"rows", "entries", "changes"};
  static constexpr Tolerance tolerance{.relative = 1e-12, .absolute = 1e-12};

  /// Every column has the same number of entries; there are as many columns as changes.
  static std::vector<KernelSize> test_sizes() {
    return {{{10, 0, 3}}, {{10, 1, 3}}, {{64, 7, 4}}, {{64, 8, 4}}, {{500, 33, 9}}, {{500, 260, 2}}, {{10, 3, 0}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{40000, 260, 48}}, {{8192, 128, 48}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t entries = size[1] * size[2];
    return {{"pointers", DataType::int32, BufferRole::input, size[2] + 1},
            {"indices", DataType::int32, BufferRole::input, entries},
            {"values", DataType::float64, BufferRole::input, entries},
            {"residual", DataType::float64, BufferRole::input, size[0]},
            {"weight", DataType::float64, BufferRole::input, size[0]},
            {"upper", DataType::float64, BufferRole::input, size[0]},
            {"lower", DataType::float64, BufferRole::input, size[0]},
            {"columns", DataType::int32, BufferRole::input, size[2]},
            {"steps", DataType::float64, BufferRole::input, size[2]},
            {"out", DataType::float64, BufferRole::output, size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"values", "residual", "steps"}) {
      for (double& value : workload.buffer<double>(buffer)) value = 2 * random.next_uniform() - 1;
    }
    for (const char* buffer : {"weight", "upper"}) {
      for (double& value : workload.buffer<double>(buffer)) value = random.next_uniform();
    }
    for (double& value : workload.buffer<double>("lower")) value = -random.next_uniform();
    const std::span<std::int32_t> pointers = workload.buffer<std::int32_t>("pointers");
    const std::span<std::int32_t> columns = workload.buffer<std::int32_t>("columns");
    const std::span<std::int32_t> indices = workload.buffer<std::int32_t>("indices");
    const auto changes = static_cast<std::uint32_t>(columns.size());
    const auto entries = static_cast<std::uint32_t>(changes == 0 ? 0 : indices.size() / changes);
    const auto rows = static_cast<std::uint32_t>(workload.buffer<double>("residual").size());
    for (std::uint32_t c = 0; c < pointers.size(); ++c) pointers[c] = static_cast<std::int32_t>(c * entries);
    for (std::int32_t& column : columns) column = static_cast<std::int32_t>(random.next_below(changes));
    // Ascending: one row out of each of `entries` equal pieces.
    for (std::uint32_t k = 0; k < indices.size(); ++k) {
      const std::uint32_t piece = rows / entries;
      indices[k] = static_cast<std::int32_t>(k % entries * piece + random.next_below(piece));
    }
  }
  static SparseFlip arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const std::int32_t*>(buffers[0]),
            static_cast<const std::int32_t*>(buffers[1]),
            static_cast<const double*>(buffers[2]),
            static_cast<const double*>(buffers[3]),
            static_cast<const double*>(buffers[4]),
            static_cast<const double*>(buffers[5]),
            static_cast<const double*>(buffers[6]),
            static_cast<const std::int32_t*>(buffers[7]),
            static_cast<const double*>(buffers[8]),
            static_cast<double*>(buffers[9]),
            size[2]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    reference::sparse_flip(arguments(size, buffers));
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    const SparseFlip all = arguments(size, buffers);
    sparse_flip_float64(&all);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const SparseFlip a = arguments(size, buffers);
    launcher.launch(SparseFlipBlock{a.pointers, a.rows, a.values, a.residual, a.weight, a.upper, a.lower, a.columns,
                                    a.steps, a.out},
                    {static_cast<unsigned>(size[2])});
  }
  static double flops(const KernelSize& size) { return 12.0 * static_cast<double>(size[1] * size[2]); }
  static double bytes(const KernelSize& size) { return 44.0 * static_cast<double>(size[1] * size[2]); }
};

constexpr std::array entries{kernel_entry<SparseFlipKernel>()};

}  // namespace

std::span<const KernelEntry> sparse_kernels() noexcept { return entries; }

}  // namespace dd::dmmv
