// Registration of the dense routines: what they compute, on which sizes they are tested and timed, and their three
// forms.
#include "linalg/kernels.hpp"

#include <algorithm>
#include <limits>

#include "linalg/batched.hpp"
#include "linalg/block_forms.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/reference.hpp"
#include "linalg/syrk.hpp"
#include "linalg/triangular.hpp"

namespace dd::linalg {
namespace {

template <class T>
constexpr std::string_view pick(std::string_view float32, std::string_view float64) {
  return sizeof(T) == 4 ? float32 : float64;
}

template <class T>
const T* input(std::span<void* const> buffers, std::size_t i) {
  return static_cast<const T*>(buffers[i]);
}
template <class T>
T* output(std::span<void* const> buffers, std::size_t i) {
  return static_cast<T*>(buffers[i]);
}

template <class T>
MatrixView<const T> matrix(const T* data, std::size_t rows, std::size_t columns) {
  return MatrixView<const T>::column_major(data, rows, columns);
}
template <class T>
MatrixView<T> matrix(T* data, std::size_t rows, std::size_t columns) {
  return MatrixView<T>::column_major(data, rows, columns);
}

/// The float64 copy on which the reference works, written back in the type of the kernel.
class Wide {
 public:
  template <class T>
  Wide(const T* data, std::size_t rows, std::size_t columns)
      : rows_(rows), columns_(columns), values_(data, data + rows * columns) {}
  MatrixView<double> view() { return matrix(values_.data(), rows_, columns_); }
  template <class T>
  void write(T* to) const {
    std::transform(values_.begin(), values_.end(), to, [](double value) { return static_cast<T>(value); });
  }

 private:
  std::size_t rows_, columns_;
  std::vector<double> values_;
};

template <class T>
void fill_signed(std::span<T> values, PhiloxStream& random) {
  for (T& value : values) value = static_cast<T>(2 * random.next_uniform() - 1);
}

/// Symmetric with a dominant diagonal; both triangles are filled, of which the upper one must survive.
template <class T>
void fill_positive(std::span<T> a, std::size_t n, PhiloxStream& random) {
  fill_signed(a, random);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < j; ++i) a[i + j * n] = a[j + i * n];
    a[j + j * n] = static_cast<T>(static_cast<double>(n) * 0.6 + 1 + random.next_uniform());
  }
}

template <class T>
void fill_triangular(std::span<T> l, std::size_t n, PhiloxStream& random) {
  fill_signed(l, random);
  for (std::size_t e = 0; e < l.size(); ++e) l[e] /= static_cast<T>(std::sqrt(static_cast<double>(n)));
  for (std::size_t j = 0; j < n; ++j) l[j + j * n] = static_cast<T>(1 + random.next_uniform());
}

double number(std::size_t value) { return static_cast<double>(value); }
template <class T>
constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());

template <class T>
struct Gemm {
  static constexpr std::string_view name = pick<T>("linalg.gemm.float32", "linalg.gemm.float64");
  static constexpr std::string_view formula = "C = A B / 2 - C";
  static constexpr std::array<std::string_view, 3> size_names{"m", "n", "k"};
  // 2 k eps |A||B| with k <= 300 and entries below 1, of which about a twentieth is seen.
  static constexpr Tolerance tolerance{.relative = 8 * eps<T>, .absolute = 600 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 3, 2}},    {{3, 0, 2}},    {{3, 2, 0}},   {{1, 1, 1}},
            {{64, 64, 16}}, {{70, 65, 33}}, {{5, 3, 300}}, {{129, 7, 40}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{64, 64, 64}}, {{256, 256, 256}}, {{1024, 1024, 1024}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"a", data_type_of<T>(), BufferRole::input, size[0] * size[2]},
            {"b", data_type_of<T>(), BufferRole::input, size[2] * size[1]},
            {"c", data_type_of<T>(), BufferRole::in_out, size[0] * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const char* buffer : {"a", "b", "c"}) fill_signed(workload.buffer<T>(buffer), random);
  }
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    const auto place = [&](std::span<T> values, T value) {
      if (!values.empty()) values[random.next_below(static_cast<std::uint32_t>(values.size()))] = value;
    };
    place(workload.buffer<T>("a"), std::numeric_limits<T>::infinity());
    place(workload.buffer<T>("b"), std::numeric_limits<T>::quiet_NaN());
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Wide a(input<T>(buffers, 0), size[0], size[2]), b(input<T>(buffers, 1), size[2], size[1]);
    Wide c(input<T>(buffers, 2), size[0], size[1]);
    reference::gemm(0.5, a.view(), b.view(), -1, c.view());
    c.write(output<T>(buffers, 2));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    gemm(T(0.5), matrix(input<T>(buffers, 0), size[0], size[2]), matrix(input<T>(buffers, 1), size[2], size[1]), T(-1),
         matrix(output<T>(buffers, 2), size[0], size[1]), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_gemm(launcher, size[0], size[1], size[2], T(0.5), input<T>(buffers, 0), input<T>(buffers, 1), T(-1),
                output<T>(buffers, 2));
  }
  static double flops(const KernelSize& size) { return 2 * number(size[0]) * number(size[1]) * number(size[2]); }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * (number(size[0] * size[2] + size[2] * size[1]) + 2 * number(size[0] * size[1]));
  }
};

template <class T, class Sum>
struct Syrk {
  static constexpr std::string_view name =
      sizeof(T) == sizeof(Sum) ? pick<T>("linalg.syrk.float32", "linalg.syrk.float64") : "linalg.syrk.float32_float64";
  static constexpr std::string_view formula = "lower triangle of C = A A^T + C";
  static constexpr std::array<std::string_view, 2> size_names{"n", "k"};
  static constexpr Tolerance tolerance{.relative = 300 * eps<T>, .absolute = 600 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 5}}, {{5, 0}}, {{1, 1}}, {{64, 16}}, {{65, 20}}, {{7, 300}}, {{140, 9}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{64, 2048}}, {{256, 2048}}, {{1024, 2048}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"a", data_type_of<T>(), BufferRole::input, size[0] * size[1]},
            {"c", data_type_of<Sum>(), BufferRole::in_out, size[0] * size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    fill_signed(workload.buffer<T>("a"), random);
    fill_signed(workload.buffer<Sum>("c"), random);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Wide a(input<T>(buffers, 0), size[0], size[1]), c(input<Sum>(buffers, 1), size[0], size[0]);
    reference::syrk_lower(1, a.view(), 1, c.view());
    c.write(output<Sum>(buffers, 1));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    syrk(Sum(1), matrix(input<T>(buffers, 0), size[0], size[1]), Sum(1),
         matrix(output<Sum>(buffers, 1), size[0], size[0]), Triangle::lower, threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_syrk<T, Sum>(launcher, size[0], size[1], Sum(1), input<T>(buffers, 0), size[0], Sum(1),
                        output<Sum>(buffers, 1), size[0]);
  }
  static double flops(const KernelSize& size) { return number(size[0]) * number(size[0]) * number(size[1]); }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * number(size[0] * size[1]) + sizeof(Sum) * number(size[0] * size[0]);
  }
};

std::vector<KernelSize> orders(std::initializer_list<std::size_t> values) {
  std::vector<KernelSize> sizes;
  for (const std::size_t n : values) sizes.push_back({{n}});
  return sizes;
}

/// What the two routines on one square matrix share.
template <class T>
struct SquareFactor {
  static constexpr std::array<std::string_view, 1> size_names{"n"};
  static constexpr Tolerance tolerance{.relative = 200 * eps<T>, .absolute = 200 * eps<T>};

  static std::vector<KernelSize> test_sizes() { return orders({0, 1, 2, 31, 32, 33, 70, 130}); }
  static std::vector<KernelSize> benchmark_sizes() { return orders({64, 256, 1024}); }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"a", data_type_of<T>(), BufferRole::in_out, size[0] * size[0]},
            {"status", data_type_of<std::int32_t>(), BufferRole::output, 1}};
  }
  static double flops(const KernelSize& size) { return number(size[0]) * number(size[0]) * number(size[0]) / 3; }
  static double bytes(const KernelSize& size) { return sizeof(T) * number(size[0]) * number(size[0]); }
};

template <class T>
struct Cholesky : SquareFactor<T> {
  static constexpr std::string_view name = pick<T>("linalg.cholesky.float32", "linalg.cholesky.float64");
  static constexpr std::string_view formula = "lower L with A = L L^T; status 0 or the failing pivot";

  static void fill(Workload& workload, PhiloxStream& random) {
    fill_positive(workload.buffer<T>("a"), workload.size()[0], random);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Wide a(input<T>(buffers, 0), size[0], size[0]);
    *output<std::int32_t>(buffers, 1) = static_cast<std::int32_t>(reference::cholesky_lower(a.view()));
    a.write(output<T>(buffers, 0));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    *output<std::int32_t>(buffers, 1) =
        static_cast<std::int32_t>(cholesky(matrix(output<T>(buffers, 0), size[0], size[0]), Triangle::lower, threads));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_cholesky(launcher, size[0], output<T>(buffers, 0), size[0], output<std::int32_t>(buffers, 1));
  }
};

template <class T>
struct Inverse : SquareFactor<T> {
  static constexpr std::string_view name =
      pick<T>("linalg.invert_triangular.float32", "linalg.invert_triangular.float64");
  static constexpr std::string_view formula = "lower triangle of L^-1; status 0 or the bad diagonal entry";

  static void fill(Workload& workload, PhiloxStream& random) {
    fill_triangular(workload.buffer<T>("a"), workload.size()[0], random);
  }
  /// A singular matrix: reported, and left as it was.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    const std::size_t n = workload.size()[0];
    if (n > 0) workload.buffer<T>("a")[(n - 1) * (n + 1)] = 0;
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    T* const l = output<T>(buffers, 0);
    std::int32_t& status = *output<std::int32_t>(buffers, 1);
    status = 0;
    for (std::size_t j = size[0]; j-- > 0;) {
      if (l[j + j * size[0]] == T(0)) status = static_cast<std::int32_t>(j + 1);
    }
    if (status != 0) return;
    Wide wide(l, size[0], size[0]);
    reference::invert_lower(wide.view());
    wide.write(l);
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    *output<std::int32_t>(buffers, 1) = static_cast<std::int32_t>(
        invert_triangular(Triangle::lower, matrix(output<T>(buffers, 0), size[0], size[0]), threads));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_inverse(launcher, size[0], output<T>(buffers, 0), size[0], output<std::int32_t>(buffers, 1));
  }
};

template <class T>
struct Solve {
  static constexpr std::string_view name =
      pick<T>("linalg.solve_triangular.float32", "linalg.solve_triangular.float64");
  static constexpr std::string_view formula = "X = B L^-T";
  static constexpr std::array<std::string_view, 2> size_names{"rows", "n"};
  static constexpr Tolerance tolerance{.relative = 200 * eps<T>, .absolute = 200 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 4}}, {{4, 0}}, {{1, 1}}, {{3, 33}}, {{70, 31}}, {{65, 64}}, {{130, 101}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{64, 64}}, {{256, 256}}, {{1024, 1024}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"l", data_type_of<T>(), BufferRole::input, size[1] * size[1]},
            {"x", data_type_of<T>(), BufferRole::in_out, size[0] * size[1]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    fill_triangular(workload.buffer<T>("l"), workload.size()[1], random);
    fill_signed(workload.buffer<T>("x"), random);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    Wide l(input<T>(buffers, 0), size[1], size[1]), x(input<T>(buffers, 1), size[0], size[1]);
    reference::solve_lower(l.view(), x.view().transposed());
    x.write(output<T>(buffers, 1));
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    // The filled matrices are regular: a bad diagonal would leave x as it was, which the comparison shows.
    (void)solve_triangular(Side::right, Triangle::upper, matrix(input<T>(buffers, 0), size[1], size[1]).transposed(),
                           matrix(output<T>(buffers, 1), size[0], size[1]), threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_solve<T>(launcher, size[0], size[1], output<T>(buffers, 1), size[0], input<T>(buffers, 0), size[1], nullptr);
  }
  static double flops(const KernelSize& size) { return number(size[0]) * number(size[1]) * number(size[1]); }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * (number(size[1] * size[1]) / 2 + 2 * number(size[0] * size[1]));
  }
};

template <class T>
struct BatchCholesky {
  static constexpr std::string_view name =
      pick<T>("linalg.batched_cholesky.float32", "linalg.batched_cholesky.float64");
  static constexpr std::string_view formula =
      "lower L_i with A_i = L_i L_i^T, interleaved; status 0 or the failing pivot";
  static constexpr std::array<std::string_view, 2> size_names{"count", "n"};
  static constexpr Tolerance tolerance{.relative = 64 * eps<T>, .absolute = 64 * eps<T>};

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 4}}, {{3, 0}}, {{1, 1}}, {{9, 3}}, {{17, 4}}, {{70, 7}}, {{5, 32}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{4096, 4}}, {{1024, 16}}, {{256, 32}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"a", data_type_of<T>(), BufferRole::in_out, batch_elements<T>(size[0], size[1], size[1])},
            {"status", data_type_of<std::int32_t>(), BufferRole::output, size[0]}};
  }
  static std::size_t element(std::size_t n, std::size_t m, std::size_t i, std::size_t j) {
    return ((m / batch_group<T> * n + j) * n + i) * batch_group<T> + m % batch_group<T>;
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const std::size_t n = workload.size()[1];
    const std::span<T> a = workload.buffer<T>("a");
    fill_signed(a, random);
    for (std::size_t m = 0; n > 0 && m < a.size() / (n * n); ++m) {
      for (std::size_t j = 0; j < n; ++j) {
        // Padding is the identity, which is its own factor on every executor.
        for (std::size_t i = 0; m >= workload.size()[0] && i < n; ++i) a[element(n, m, i, j)] = T(0);
        a[element(n, m, j, j)] = m < workload.size()[0] ? static_cast<T>(number(n) + random.next_uniform()) : T(1);
      }
    }
  }
  /// One matrix that fails at its last pivot.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    const std::size_t n = workload.size()[1];
    if (workload.size()[0] > 0 && n > 0) workload.buffer<T>("a")[element(n, 0, n - 1, n - 1)] = T(-1);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t n = size[1];
    T* const a = output<T>(buffers, 0);
    for (std::size_t m = 0; m < size[0]; ++m) {
      std::vector<double> one(n * n);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = 0; i < n; ++i) one[i + j * n] = static_cast<double>(a[element(n, m, i, j)]);
      }
      const std::size_t failed = reference::cholesky_lower(matrix(one.data(), n, n));
      output<std::int32_t>(buffers, 1)[m] = static_cast<std::int32_t>(failed);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t i = j; i < n; ++i) {
          const bool after = failed != 0 && j + 1 >= failed;
          a[element(n, m, i, j)] = after ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(one[i + j * n]);
        }
      }
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    batched_cholesky<T>(size[0], size[1], {output<T>(buffers, 0), batch_elements<T>(size[0], size[1], size[1])},
                        {output<std::int32_t>(buffers, 1), size[0]}, threads);
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    launch_batched_cholesky(launcher, size[0], size[1], output<T>(buffers, 0), output<std::int32_t>(buffers, 1));
  }
  static double flops(const KernelSize& size) {
    return number(size[0]) * number(size[1]) * number(size[1]) * number(size[1]) / 3;
  }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * number(size[0]) * number(size[1]) * number(size[1]);
  }
};

constexpr std::array entries{
    kernel_entry<Gemm<float>>(),           kernel_entry<Gemm<double>>(),        kernel_entry<Syrk<float, float>>(),
    kernel_entry<Syrk<double, double>>(),  kernel_entry<Syrk<float, double>>(), kernel_entry<Cholesky<float>>(),
    kernel_entry<Cholesky<double>>(),      kernel_entry<Inverse<float>>(),      kernel_entry<Inverse<double>>(),
    kernel_entry<Solve<float>>(),          kernel_entry<Solve<double>>(),       kernel_entry<BatchCholesky<float>>(),
    kernel_entry<BatchCholesky<double>>(),
};

}  // namespace

std::span<const KernelEntry> kernels() noexcept { return entries; }

}  // namespace dd::linalg
