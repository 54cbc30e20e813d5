// Registration of what acts on whole fields: interpolation of the multigrid decomposition, its transpose, and Adam.
#include "odil/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "linalg/axis_transfer_blocks.hpp"
#include "odil/adam.hpp"
#include "odil/adam.kernel.hpp"
#include "odil/decomposition.hpp"
#include "odil/field_reference.hpp"

namespace dd::odil {
namespace {

double number(std::size_t value) { return static_cast<double>(value); }
template <class T>
constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());

template <class T>
std::span<const T> input(const void* buffer, std::size_t count) {
  return {static_cast<const T*>(buffer), count};
}
template <class T>
std::span<T> output(void* buffer, std::size_t count) {
  return {static_cast<T*>(buffer), count};
}
template <class T>
std::vector<double> wide(const void* buffer, std::size_t count) {
  const std::span<const T> values = input<T>(buffer, count);
  return {values.begin(), values.end()};
}
template <class T>
void write(const std::vector<double>& values, void* buffer) {
  std::transform(values.begin(), values.end(), static_cast<T*>(buffer), [](double v) { return static_cast<T>(v); });
}
template <class T>
void fill_signed(std::span<T> values, PhiloxStream& random) {
  for (T& value : values) value = static_cast<T>(2 * random.next_uniform() - 1);
}

/// Four axes; `nodes` has a bit for each axis of nodes, axes of 1 coarse cell are '.'.
struct Grid {
  std::vector<std::size_t> cells;
  std::string location;

  explicit Grid(const KernelSize& size) : cells(size.extent.begin(), size.extent.begin() + 4) {
    for (std::size_t axis = 0; axis < 4; ++axis) {
      location += (size[4] >> axis & 1) != 0 ? 'n' : cells[axis] == 1 ? '.' : 'c';
    }
  }
  linalg::GridTransfer transfer(Padding padding) const {
    return linalg::GridTransfer(interpolation_axes(cells, location, padding));
  }
};

template <class T, bool Transposed>
struct Interpolate {
  static constexpr std::string_view name =
      Transposed       ? sizeof(T) == 4 ? "odil.interpolate_transposed.float32" : "odil.interpolate_transposed.float64"
      : sizeof(T) == 4 ? "odil.interpolate.float32"
                       : "odil.interpolate.float64";
  static constexpr std::string_view formula =
      Transposed ? "coarse = T^T fine"
                 : "fine = T coarse, T the tensor product of linear interpolation along each axis";
  static constexpr std::array<std::string_view, 5> size_names{"cells0", "cells1", "cells2", "cells3", "nodes"};
  // The two products of padded axes are up to 3 in size, their parts up to 2^4 larger.
  static constexpr Tolerance tolerance{.relative = 8 * eps<T>, .absolute = 64 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1, 1, 1, 0}}, {{1, 1, 1, 2, 0}},  {{1, 1, 1, 1, 8}},  {{1, 1, 3, 40, 4}}, {{1, 2, 5, 7, 0}},
            {{2, 3, 2, 5, 0}}, {{2, 3, 2, 5, 15}}, {{3, 4, 1, 33, 1}}, {{4, 3, 17, 1, 2}}, {{1, 1, 2, 70, 8}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{1, 1, 512, 512, 0}}, {{24, 24, 24, 24, 0}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const linalg::GridTransfer transfer = Grid(size).transfer(Padding::linear);
    const std::size_t in = Transposed ? transfer.fine_points() : transfer.coarse_points();
    const std::size_t out = Transposed ? transfer.coarse_points() : transfer.fine_points();
    return {{"in", data_type_of<T>(), BufferRole::input, in}, {"out", data_type_of<T>(), BufferRole::output, out}};
  }
  static void fill(Workload& workload, PhiloxStream& random) { fill_signed(workload.buffer<T>("in"), random); }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const Grid grid(size);
    const Interpolation transfer(grid.cells, grid.location);
    if constexpr (Transposed) {
      write<T>(
          reference::interpolate_transposed(grid.cells, grid.location, wide<T>(buffers[0], transfer.fine_points())),
          buffers[1]);
    } else {
      write<T>(reference::interpolate(grid.cells, grid.location, wide<T>(buffers[0], transfer.coarse_points())),
               buffers[1]);
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const Grid grid(size);
    const Interpolation transfer(grid.cells, grid.location);
    const std::size_t coarse = transfer.coarse_points(), fine = transfer.fine_points();
    if constexpr (Transposed) {
      transfer.apply_transposed<T>(input<T>(buffers[0], fine), T(1), output<T>(buffers[1], coarse), threads);
    } else {
      transfer.apply<T>(input<T>(buffers[0], coarse), T(1), {}, output<T>(buffers[1], fine), threads);
    }
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const Grid grid(size);
    const T* const in = static_cast<const T*>(buffers[0]);
    T* const out = static_cast<T*>(buffers[1]);
    for (const Padding padding : {Padding::nearest, Padding::mirrored}) {
      const bool first = padding == Padding::nearest;
      const T scale = first ? T(2) : T(-1);
      if constexpr (Transposed) {
        linalg::launch_to_coarse(launcher, grid.transfer(padding), in, scale, !first, out);
      } else {
        linalg::launch_to_fine(launcher, grid.transfer(padding), in, scale, !first, out);
      }
    }
  }
  /// Three for each point that a step along an axis makes.
  static double flops(const KernelSize& size) {
    const linalg::GridTransfer transfer = Grid(size).transfer(Padding::linear);
    double made = number(transfer.coarse_points()), total = 0;
    for (const linalg::AxisTransfer& axis : transfer.axes()) {
      made *= number(axis.fine()) / number(axis.coarse());
      if (!axis.is_identity()) total += 3 * made;
    }
    return total;
  }
  static double bytes(const KernelSize& size) {
    const linalg::GridTransfer transfer = Grid(size).transfer(Padding::linear);
    return sizeof(T) * number(transfer.fine_points() + transfer.coarse_points());
  }
};

template <class T>
struct AdamKernel {
  static constexpr std::string_view name = sizeof(T) == 4 ? "odil.adam.float32" : "odil.adam.float64";
  static constexpr std::string_view formula =
      "m += (g - m)(1 - b1), v += (g^2 - v)(1 - b2), x -= alpha_t m / (sqrt(v) + e)";
  static constexpr std::array<std::string_view, 2> size_names{"count", "step"};
  static constexpr Tolerance tolerance{.relative = 16 * eps<T>, .absolute = 8 * eps<T>};
  static constexpr AdamOptions options{.learning_rate = 0.01};

  static std::vector<KernelSize> test_sizes() { return {{{0, 1}}, {{1, 1}}, {{15, 2}}, {{33, 100}}, {{100003, 7}}}; }
  static std::vector<KernelSize> benchmark_sizes() { return {{{65536, 10}}, {{4194304, 10}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"gradient", data_type_of<T>(), BufferRole::input, size[0]},
            {"x", data_type_of<T>(), BufferRole::in_out, size[0]},
            {"first_moment", data_type_of<T>(), BufferRole::in_out, size[0]},
            {"second_moment", data_type_of<T>(), BufferRole::in_out, size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* name_of : {"gradient", "x", "first_moment"}) fill_signed(workload.buffer<T>(name_of), random);
    for (T& value : workload.buffer<T>("second_moment")) value = static_cast<T>(random.next_uniform() + 0.1);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    std::vector<std::vector<double>> all;
    for (void* const buffer : buffers) all.push_back(wide<T>(buffer, size[0]));
    reference::adam(all[0], all[1], all[2], all[3], size[1], options.learning_rate, options.beta1, options.beta2,
                    options.epsilon);
    for (std::size_t b = 1; b < 4; ++b) write<T>(all[b], buffers[b]);
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    adam_update<T>(options, size[1], input<T>(buffers[0], size[0]), output<T>(buffers[1], size[0]),
                   output<T>(buffers[2], size[0]), output<T>(buffers[3], size[0]), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launcher.launch(AdamBlock<T>{static_cast<const T*>(buffers[0]), static_cast<T*>(buffers[1]),
                                 static_cast<T*>(buffers[2]), static_cast<T*>(buffers[3]), size[0],
                                 static_cast<T>(adam_rate(options, size[1])), static_cast<T>(1 - options.beta1),
                                 static_cast<T>(1 - options.beta2), static_cast<T>(options.epsilon)},
                    {blocks_for(size[0], AdamBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 12 * number(size[0]); }
  static double bytes(const KernelSize& size) { return 7 * sizeof(T) * number(size[0]); }
};

constexpr std::array entries{
    kernel_entry<Interpolate<float, false>>(), kernel_entry<Interpolate<double, false>>(),
    kernel_entry<Interpolate<float, true>>(),  kernel_entry<Interpolate<double, true>>(),
    kernel_entry<AdamKernel<float>>(),         kernel_entry<AdamKernel<double>>(),
};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::odil
