// Registration of the kernel of the searches: what it computes, on which sizes it is tested and timed, its three forms.
#include "polystep/baselines/kernels.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/baselines/normals.kernel.hpp"
#include "polystep/baselines/normals_isa.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
namespace {

struct PerturbationNormals {
  static constexpr std::string_view name = "polystep.normals.float64";
  static constexpr std::string_view formula = "r cos t, r sin t with r = sqrt(-2 log u_0), t = 2 pi u_1, u of Philox";
  static constexpr std::array<std::string_view, 2> size_names{"directions", "numbers"};
  static constexpr Tolerance tolerance{.relative = 1e-13, .absolute = 1e-14};
  static constexpr std::uint64_t seed = 0x123456789abcdef0u;
  static constexpr std::uint32_t step = 5, stream = static_cast<std::uint32_t>(RandomStream::perturbations);

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 2}}, {{1, 1}}, {{2, 2}}, {{3, 7}}, {{5, 32}}, {{4, 131}}, {{2, 1000}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{100, 2410}}, {{10, 100000}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"normals", DataType::float64, BufferRole::output, size[0] * size[1]}};
  }
  static void fill(Workload&, PhiloxStream&) {}
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    auto* out = static_cast<double*>(buffers[0]);
    for (std::size_t row = 0; row < size[0]; ++row) {
      for (std::size_t i = 0; i < size[1]; ++i) {
        const PhiloxCounter block =
            philox4x32({static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(row), step, stream},
                       {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
        const std::size_t pair = i / 2 % 2;
        const long double radius = std::sqrt(-2 * std::log((block[2 * pair] + 0.5L) * 0x1p-32L));
        const long double angle = 2 * std::numbers::pi_v<long double> * ((block[2 * pair + 1] + 0.5L) * 0x1p-32L);
        *out++ = static_cast<double>(radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
      }
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    auto* const out = static_cast<double*>(buffers[0]);
    parallel_for(threads, size[0], 1, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) {
        const Normals arguments{seed, static_cast<std::uint32_t>(row), step, stream, 0, size[1], out + row * size[1]};
        polystep_normals(&arguments);
      }
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(NormalsBlock{seed, step, stream, size[0], size[1], static_cast<double*>(buffers[0])},
                    {blocks_for(size[0] * ((size[1] + 3) / 4), NormalsBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 40 * static_cast<double>(size[0] * size[1]); }
  static double bytes(const KernelSize& size) { return 8 * static_cast<double>(size[0] * size[1]); }
};

constexpr std::array entries{kernel_entry<PerturbationNormals>()};

}  // namespace

std::span<const KernelEntry> baseline_kernels() noexcept { return entries; }

}  // namespace dd::polystep
