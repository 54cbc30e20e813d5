// Registration of the kernels of random numbers: what they compute, on which sizes they are tested and timed, their
// three forms.
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/kernels.hpp"
#include "polystep/normals.kernel.hpp"
#include "polystep/normals_isa.hpp"
#include "polystep/rotation.hpp"
#include "polystep/row_draws.kernel.hpp"
#include "polystep/row_draws_isa.hpp"

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

struct FirstUniforms {
  static constexpr std::string_view name = "polystep.row_uniforms.float64";
  static constexpr std::string_view formula = "u = (w + 1/2) / 2^32, w the first word of Philox";
  static constexpr std::array<std::string_view, 1> size_names{"rows"};
  static constexpr Tolerance tolerance{};  // integers and one rounding: the same bits everywhere
  static constexpr std::uint64_t seed = 0x123456789abcdef0u;
  static constexpr std::uint32_t first = 3, step = 7, stream = static_cast<std::uint32_t>(RandomStream::sampling);

  static std::vector<KernelSize> test_sizes() { return {{{0}}, {{1}}, {{7}}, {{8}}, {{131}}, {{1000}}}; }
  static std::vector<KernelSize> benchmark_sizes() { return {{{100000}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"uniforms", DataType::float64, BufferRole::output, size[0]}};
  }
  static void fill(Workload&, PhiloxStream&) {}
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    auto* const out = static_cast<double*>(buffers[0]);
    for (std::size_t row = 0; row < size[0]; ++row) {
      const PhiloxCounter words =
          philox4x32({0, first + static_cast<std::uint32_t>(row), step, stream},
                     {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
      out[row] = (words[0] + 0.5) * 0x1p-32;
    }
  }
  /// Every other tile names its rows by a list.
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    auto* const out = static_cast<double*>(buffers[0]);
    constexpr std::size_t grain = 64;
    parallel_for(threads, size[0], grain, [&](std::size_t begin, std::size_t end) {
      std::array<std::uint32_t, grain> rows;
      for (std::size_t i = begin; i < end; ++i) rows[i - begin] = first + static_cast<std::uint32_t>(i);
      const RowUniforms arguments{seed,    step,        stream,     begin / grain % 2 == 1 ? rows.data() : nullptr,
                                  rows[0], end - begin, out + begin};
      polystep_row_uniforms(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(RowUniformsBlock{seed, step, stream, first, size[0], static_cast<double*>(buffers[0])},
                    {blocks_for(size[0], RowUniformsBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 60 * static_cast<double>(size[0]); }
  static double bytes(const KernelSize& size) { return 8 * static_cast<double>(size[0]); }
};

struct Plane {
  static constexpr std::string_view name = "polystep.plane_rotations.float64";
  static constexpr std::string_view formula = "cos 2 pi u, -sin 2 pi u, sin 2 pi u, cos 2 pi u";
  static constexpr std::array<std::string_view, 1> size_names{"rows"};
  static constexpr Tolerance tolerance{.relative = 1e-14, .absolute = 1e-15};

  enum Buffer : std::size_t { turns, rotations };

  static std::vector<KernelSize> test_sizes() { return {{{0}}, {{1}}, {{7}}, {{8}}, {{131}}, {{1000}}}; }
  static std::vector<KernelSize> benchmark_sizes() { return {{{100000}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"turns", DataType::float64, BufferRole::input, size[0]},
            {"rotations", DataType::float64, BufferRole::output, 4 * size[0]}};
  }
  /// What draws can be: multiples of 2^-33 inside a turn, the ends of quarters among them.
  static void fill(Workload& workload, PhiloxStream& random) {
    for (double& turn : workload.buffer<double>(turns)) {
      const std::uint32_t kind = random.next_below(8), word = random.next_uint32();
      turn = ((kind < 2 ? word & 0xc0000000u : kind == 2 ? word | 0x3fffffffu : word) + 0.5) * 0x1p-32;
    }
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t row = 0; row < size[0]; ++row) {
      const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<double*>(buffers[turns])[row];
      double* const to = static_cast<double*>(buffers[rotations]) + 4 * row;
      to[0] = to[3] = static_cast<double>(std::cos(angle));
      to[2] = static_cast<double>(std::sin(angle));
      to[1] = -to[2];
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    parallel_for(threads, size[0], 500, [&](std::size_t begin, std::size_t end) {
      const PlaneRotations arguments{end - begin, static_cast<double*>(buffers[turns]) + begin,
                                     static_cast<double*>(buffers[rotations]) + 4 * begin};
      polystep_plane_rotations(&arguments);
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(
        PlaneRotationsBlock{size[0], static_cast<double*>(buffers[turns]), static_cast<double*>(buffers[rotations])},
        {blocks_for(size[0], PlaneRotationsBlock::shape.width)});
  }
  static double flops(const KernelSize& size) { return 40 * static_cast<double>(size[0]); }
  static double bytes(const KernelSize& size) { return 40 * static_cast<double>(size[0]); }
};

constexpr std::array entries{kernel_entry<PerturbationNormals>(), kernel_entry<FirstUniforms>(), kernel_entry<Plane>()};

}  // namespace

std::span<const KernelEntry> random_kernels() noexcept { return entries; }

}  // namespace dd::polystep
