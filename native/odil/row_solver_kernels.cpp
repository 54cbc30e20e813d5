// Registration of the solves for one row of time.
#include "odil/row_solver_kernels.hpp"

#include <algorithm>
#include <limits>

#include "core/block_launcher.hpp"
#include "odil/row_solver.kernel.hpp"
#include "odil/row_solver_isa.hpp"
#include "odil/row_solver_reference.hpp"

namespace dd::odil {
namespace {

template <class T>
constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
double number(std::size_t value) { return static_cast<double>(value); }

template <class T>
std::vector<double> wide(const void* buffer, std::size_t count) {
  const T* const values = static_cast<const T*>(buffer);
  return {values, values + count};
}
template <class T>
void write(const std::vector<double>& values, void* buffer) {
  std::transform(values.begin(), values.end(), static_cast<T*>(buffer), [](double v) { return static_cast<T>(v); });
}

/// The first product with the inverse diagonal and one sweep after it, for six neighbours in a box.
template <class T>
struct ChebyshevStep {
  static constexpr std::string_view name =
      sizeof(T) == 4 ? "odil.chebyshev_step.float32" : "odil.chebyshev_step.float64";
  static constexpr std::string_view formula = "x = p + w (D^-1 (b - O D^-1 b) - p)";
  static constexpr std::array<std::string_view, 3> size_names{"x", "y", "z"};
  static constexpr Tolerance tolerance{.relative = 16 * eps<T>, .absolute = 16 * eps<T>};
  static constexpr T weight = T(1.125);

  static std::size_t points(const KernelSize& size) { return size[0] * size[1] * size[2]; }
  static std::size_t reach(const KernelSize& size) { return size[1] * size[2]; }
  static std::array<std::ptrdiff_t, 6> offsets(const KernelSize& size) {
    const auto row = static_cast<std::ptrdiff_t>(size[2]), plane = static_cast<std::ptrdiff_t>(reach(size));
    return {-1, 1, -row, row, -plane, plane};
  }
  static std::vector<KernelSize> test_sizes() {
    return {{{1, 1, 1}}, {{1, 1, 17}}, {{1, 5, 3}}, {{3, 4, 5}}, {{2, 3, 64}}, {{9, 7, 11}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{48, 48, 48}}, {{96, 96, 96}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t n = points(size);
    return {{"coefficients", data_type_of<T>(), BufferRole::input, 6 * n},
            {"diagonal", data_type_of<T>(), BufferRole::input, n},
            {"right_side", data_type_of<T>(), BufferRole::input, n},
            {"previous", data_type_of<T>(), BufferRole::input, n},
            {"x", data_type_of<T>(), BufferRole::output, n}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const KernelSize& size = workload.size();
    const std::size_t n = points(size);
    const std::array<std::size_t, 3> stride{size[1] * size[2], size[2], 1};
    const auto coefficients = workload.buffer<T>("coefficients");
    for (std::size_t k = 0; k < 6; ++k) {
      const std::size_t axis = 2 - k / 2;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t at = i / stride[axis] % size[axis];
        const bool wall = k % 2 == 1 ? at + 1 == size[axis] : at == 0;
        const T value = static_cast<T>(random.next_uniform() - 0.5);
        coefficients[k * n + i] = wall ? T(0) : value;
      }
    }
    for (T& value : workload.buffer<T>("diagonal")) value = static_cast<T>(3 + random.next_uniform());
    for (const char* name_of : {"right_side", "previous"}) {
      for (T& value : workload.buffer<T>(name_of)) value = static_cast<T>(2 * random.next_uniform() - 1);
    }
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t n = points(size);
    const std::vector<double> all = wide<T>(buffers[0], 6 * n);
    std::vector<std::vector<double>> coefficients;
    for (std::size_t k = 0; k < 6; ++k) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(k * n);
      coefficients.emplace_back(first, first + static_cast<std::ptrdiff_t>(n));
    }
    write<T>(reference::chebyshev_step({size[0], size[1], size[2]}, coefficients, wide<T>(buffers[1], n),
                                       wide<T>(buffers[2], n), wide<T>(buffers[3], n), static_cast<double>(weight)),
             buffers[4]);
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t n = points(size);
    AlignedBuffer<T> first(n + 2 * reach(size), T(0)), inverse(n);
    T* const x = first.data() + reach(size);
    const T* const coefficients = static_cast<const T*>(buffers[0]);
    const T* const right_side = static_cast<const T*>(buffers[2]);
    std::array<const T*, 6> bands{}, sources{};
    for (std::size_t k = 0; k < 6; ++k) {
      bands[k] = coefficients + k * n;
      sources[k] = x + offsets(size)[k];
    }
    const ChebyshevStart<T> start{static_cast<const T*>(buffers[1]), right_side, inverse.data(), x, 0, n};
    const ChebyshevSweep<T> sweep{{bands.data(), sources.data(), 6, 0, n},
                                  right_side,
                                  inverse.data(),
                                  static_cast<const T*>(buffers[3]),
                                  static_cast<T*>(buffers[4]),
                                  weight};
    if constexpr (sizeof(T) == 8) {
      chebyshev_start_float64(&start);
      chebyshev_sweep_float64(&sweep);
    } else {
      chebyshev_start_float32(&start);
      chebyshev_sweep_float32(&sweep);
    }
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t n = points(size), guard = reach(size);
    T* const first = launcher.allocate<T>(n + 2 * guard);
    T* const inverse = launcher.allocate<T>(n);
    launcher.upload<T>(first, std::vector<T>(n + 2 * guard, T(0)));
    const T* const right_side = static_cast<const T*>(buffers[2]);
    const Grid grid{blocks_for(n, ChebyshevStartBlock<T>::shape.width)};
    launcher.launch(ChebyshevStartBlock<T>{static_cast<const T*>(buffers[1]), right_side, inverse, first + guard, n},
                    grid);
    ChebyshevSweepBlock<T> sweep{static_cast<const T*>(buffers[0]),
                                 first + guard,
                                 right_side,
                                 inverse,
                                 static_cast<const T*>(buffers[3]),
                                 static_cast<T*>(buffers[4]),
                                 n,
                                 {},
                                 weight};
    for (std::size_t k = 0; k < 6; ++k) sweep.offset[k] = offsets(size)[k];
    launcher.launch(sweep, grid);
  }
  static double flops(const KernelSize& size) { return 17 * number(points(size)); }
  static double bytes(const KernelSize& size) { return 12 * sizeof(T) * number(points(size)); }
};

template <class T>
struct Thomas {
  static constexpr std::string_view name = sizeof(T) == 4 ? "odil.thomas.float32" : "odil.thomas.float64";
  static constexpr std::string_view formula = "L D U x = b, unit bidiagonal L and U";
  static constexpr std::array<std::string_view, 2> size_names{"points", "systems"};
  static constexpr Tolerance tolerance{.relative = 32 * eps<T>, .absolute = 32 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 3}}, {{1, 1}}, {{2, 5}}, {{17, 3}}, {{64, 70}}, {{1003, 2}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{64, 64}}, {{512, 512}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t n = size[0] * size[1];
    return {{"lower", data_type_of<T>(), BufferRole::input, n},
            {"inverse_pivot", data_type_of<T>(), BufferRole::input, n},
            {"upper", data_type_of<T>(), BufferRole::input, n},
            {"right_side", data_type_of<T>(), BufferRole::input, n},
            {"x", data_type_of<T>(), BufferRole::output, n}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* name_of : {"lower", "upper"}) {
      for (T& value : workload.buffer<T>(name_of)) value = static_cast<T>(random.next_uniform() - 0.5);
    }
    for (T& value : workload.buffer<T>("inverse_pivot")) value = static_cast<T>(0.5 + random.next_uniform());
    for (T& value : workload.buffer<T>("right_side")) value = static_cast<T>(2 * random.next_uniform() - 1);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t n = size[0] * size[1];
    const std::vector<double> lower = wide<T>(buffers[0], n), inverse = wide<T>(buffers[1], n);
    const std::vector<double> upper = wide<T>(buffers[2], n), right_side = wide<T>(buffers[3], n);
    std::vector<double> all;
    for (std::size_t s = 0; s < size[1]; ++s) {
      const auto part = [&](const std::vector<double>& of) { return std::span(of).subspan(s * size[0], size[0]); };
      const std::vector<double> x = reference::thomas(part(lower), part(inverse), part(upper), part(right_side));
      all.insert(all.end(), x.begin(), x.end());
    }
    write<T>(all, buffers[4]);
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    for (std::size_t s = 0; s < size[1]; ++s) {
      const auto part = [&](std::size_t b) { return static_cast<const T*>(buffers[b]) + s * size[0]; };
      const ThomasSolve<T> solve{part(0), part(1), part(2), part(3), static_cast<T*>(buffers[4]) + s * size[0],
                                 size[0]};
      if constexpr (sizeof(T) == 8) {
        thomas_solve_float64(&solve);
      } else {
        thomas_solve_float32(&solve);
      }
    }
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    if (size[0] == 0) return;
    launcher.launch(ThomasSolveBlock<T>{static_cast<const T*>(buffers[0]), static_cast<const T*>(buffers[1]),
                                        static_cast<const T*>(buffers[2]), static_cast<const T*>(buffers[3]),
                                        static_cast<T*>(buffers[4]), size[0], size[1]},
                    {blocks_for(size[1], ThomasSolveBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 5 * number(size[0] * size[1]); }
  static double bytes(const KernelSize& size) { return 5 * sizeof(T) * number(size[0] * size[1]); }
};

constexpr std::array entries{kernel_entry<ChebyshevStep<float>>(), kernel_entry<ChebyshevStep<double>>(),
                             kernel_entry<Thomas<float>>(), kernel_entry<Thomas<double>>()};

}  // namespace

std::span<const KernelEntry> row_solver_kernels() noexcept { return entries; }

}  // namespace dd::odil
