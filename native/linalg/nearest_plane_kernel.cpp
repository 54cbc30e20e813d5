// Registration of kernel K6: what it computes, on which sizes it is tested and timed, and its three forms.
#include "linalg/nearest_plane_kernel.hpp"

#include <array>

#include "core/block_launcher.hpp"
#include "linalg/nearest_plane.hpp"
#include "linalg/nearest_plane.kernel.hpp"
#include "linalg/reference.hpp"

namespace dd::linalg {
namespace {

struct NearestPlaneKernel {
  static constexpr std::string_view name = "linalg.nearest_plane.float64";
  static constexpr std::string_view formula = "z_k = ceil((t_k - sum_(j > k) R_kj z_j) / R_kk - 1/2), k from the last";
  static constexpr std::array<std::string_view, 2> size_names{"columns", "targets"};
  static constexpr Tolerance tolerance{.relative = 0, .absolute = 0};

  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1}}, {{2, 3}}, {{7, 4}}, {{8, 5}}, {{33, 9}}, {{64, 2}}, {{5, 0}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{63, 64}}, {{256, 64}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"triangle", DataType::float64, BufferRole::input, size[0] * size[0]},
            {"targets", DataType::float64, BufferRole::input, size[0] * size[1]},
            {"coordinates", DataType::float64, BufferRole::output, size[0] * size[1]}};
  }
  /// A basis as a reduction leaves it: off the diagonal at most half of it.
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::span<double> triangle = workload.buffer<double>("triangle");
    std::size_t n = 0;
    while (n * n < triangle.size()) ++n;
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < n; ++i) {
        const double u = random.next_uniform();
        triangle[i + k * n] = i < k ? 0.5 - u : i == k ? 1 + u : 0;
      }
    }
    for (double& value : workload.buffer<double>("targets")) value = 20 * random.next_uniform() - 10;
  }
  static NearestPlane arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {static_cast<const double*>(buffers[0]), static_cast<const double*>(buffers[1]),
            static_cast<double*>(buffers[2]), size[0], size[1]};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const NearestPlane a = arguments(size, buffers);
    for (std::size_t c = 0; c < a.count; ++c) {
      reference::nearest_plane({a.triangle, a.columns * a.columns}, {a.targets + c * a.columns, a.columns},
                               {a.coordinates + c * a.columns, a.columns});
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    const NearestPlane all = arguments(size, buffers);
    nearest_plane_float64(&all);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const NearestPlane a = arguments(size, buffers);
    launcher.launch(NearestPlaneBlock{a.triangle, a.targets, a.coordinates, a.columns},
                    {static_cast<unsigned>(size[1])});
  }
  static double flops(const KernelSize& size) { return static_cast<double>(size[0] * size[0] * size[1]); }
  static double bytes(const KernelSize& size) {
    return 4.0 * static_cast<double>(size[0] * size[0]) + 24.0 * static_cast<double>(size[0] * size[1]);
  }
};

constexpr std::array entries{kernel_entry<NearestPlaneKernel>()};

}  // namespace

std::span<const KernelEntry> nearest_plane_kernels() noexcept { return entries; }

}  // namespace dd::linalg
