// Registration of the kernels of candidates' layers.
#include <array>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/thread_pool.hpp"
#include "polystep/objectives/kernels.hpp"
#include "polystep/objectives/steps.kernel.hpp"
#include "polystep/objectives/steps_isa.hpp"

namespace dd::polystep {
namespace {

template <class T>
constexpr bool is_single = sizeof(T) == 4;

template <class T>
T* data(std::span<void* const> buffers, std::size_t which) {
  return static_cast<T*>(buffers[which]);
}

template <class T>
void fill_range(std::span<T> values, PhiloxStream& random) {
  for (T& value : values) value = static_cast<T>(2 * random.next_uniform() - 1);
}

double number(std::size_t count) { return static_cast<double>(count); }

template <class T>
struct SparseRowsKernel {
  static constexpr std::string_view name =
      is_single<T> ? "polystep.sparse_rows.float32" : "polystep.sparse_rows.float64";
  static constexpr std::string_view formula = "y_jrc = sum_{e in j, r_e = r} v_e x_{k_e,c}";
  static constexpr std::array<std::string_view, 5> size_names{"directions", "rows", "groups", "inputs", "entries"};
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 1e-5, .absolute = 2e-5} : Tolerance{.relative = 1e-13, .absolute = 1e-13};

  enum Buffer : std::size_t { starts, entry_rows, entry_columns, values, inputs, out };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 1, 1, 1, 0}}, {{1, 1, 1, 1, 1}}, {{3, 5, 1, 7, 0}}, {{4, 9, 2, 13, 31}}, {{8, 32, 3, 64, 45}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{8, 128, 1, 784, 316}}, {{8, 32, 8, 64, 45}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    const std::size_t entries = size[0] * size[4];
    return {{"starts", DataType::uint32, BufferRole::input, size[0] + 1},
            {"entry_rows", DataType::uint32, BufferRole::input, entries},
            {"entry_columns", DataType::uint32, BufferRole::input, entries},
            {"values", data_type_of<T>(), BufferRole::input, entries},
            {"inputs", data_type_of<T>(), BufferRole::input, 16 * size[2] * size[3]},
            {"out", data_type_of<T>(), BufferRole::output, 16 * size[0] * size[1] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const KernelSize& size = workload.size();
    fill_range(workload.buffer<T>(values), random);
    fill_range(workload.buffer<T>(inputs), random);
    for (std::uint32_t& row : workload.buffer<std::uint32_t>(entry_rows)) {
      row = random.next_below(static_cast<std::uint32_t>(size[1]));
    }
    for (std::uint32_t& column : workload.buffer<std::uint32_t>(entry_columns)) {
      column = random.next_below(static_cast<std::uint32_t>(size[3]));
    }
    // Directions of unequal lengths, empty ones among them.
    const std::span<std::uint32_t> begins = workload.buffer<std::uint32_t>(starts);
    for (std::size_t j = 0; j < begins.size(); ++j) {
      const std::size_t shifted = j * size[4] + (j % 2 == 1 && j < size[0] ? size[4] / 2 : 0);
      begins[j] = static_cast<std::uint32_t>(shifted);
    }
  }
  static SparseRows<T> arguments(const KernelSize& size, std::span<void* const> buffers) {
    return {size[0],
            size[1],
            16 * size[2],
            data<std::uint32_t>(buffers, starts),
            data<std::uint32_t>(buffers, entry_rows),
            data<std::uint32_t>(buffers, entry_columns),
            data<T>(buffers, values),
            data<T>(buffers, inputs),
            data<T>(buffers, out)};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const SparseRows<T> a = arguments(size, buffers);
    for (std::size_t j = 0; j < a.directions; ++j) {
      for (std::size_t r = 0; r < a.rows; ++r) {
        for (std::size_t c = 0; c < a.columns; ++c) {
          double sum = 0;
          for (std::size_t e = a.starts[j]; e < a.starts[j + 1]; ++e) {
            if (a.entry_rows[e] == r) sum += double{a.values[e]} * double{a.inputs[a.entry_columns[e] * a.columns + c]};
          }
          a.out[(j * a.rows + r) * a.columns + c] = static_cast<T>(sum);
        }
      }
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    sparse_rows(arguments(size, buffers));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const SparseRows<T> a = arguments(size, buffers);
    launcher.launch(SparseRowsBlock<T>{a.directions, a.rows, a.columns, a.starts, a.entry_rows, a.entry_columns,
                                       a.values, a.inputs, a.out},
                    {blocks_for(a.directions * a.columns, SparseRowsBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) { return 32 * number(size[0]) * number(size[2]) * number(size[4]); }
  static double bytes(const KernelSize& size) {
    return 16 * sizeof(T) * number(size[0]) * number(size[2]) * (number(size[1]) + 3 * number(size[4]));
  }
};

template <class T>
struct ProductRowsKernel {
  static constexpr std::string_view name =
      is_single<T> ? "polystep.product_rows.float32" : "polystep.product_rows.float64";
  static constexpr std::string_view formula = "y_nrc = s_rc + f_n sum_k a_nrk sum_i b_nik x_ic";
  static constexpr std::array<std::string_view, 5> size_names{"candidates", "rows", "groups", "terms", "rank"};
  static constexpr Tolerance tolerance =
      is_single<T> ? Tolerance{.relative = 2e-5, .absolute = 1e-4} : Tolerance{.relative = 1e-13, .absolute = 1e-12};

  enum Buffer : std::size_t { factors, left, right, inputs, start, out };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 1, 1, 1, 1}},  {{1, 1, 1, 1, 1}},  {{2, 3, 1, 5, 1}},   {{3, 10, 2, 17, 2}},
            {{2, 33, 3, 7, 9}}, {{5, 8, 1, 64, 8}}, {{1, 20, 1, 3, 35}}, {{2, 17, 1, 0, 3}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{16, 128, 1, 784, 1}}, {{16, 128, 1, 784, 4}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    return {{"factors", data_type_of<T>(), BufferRole::input, size[0]},
            {"left", data_type_of<T>(), BufferRole::input, size[0] * size[1] * size[4]},
            {"right", data_type_of<T>(), BufferRole::input, size[0] * size[3] * size[4]},
            {"inputs", data_type_of<T>(), BufferRole::input, 16 * size[2] * size[3]},
            {"start", data_type_of<T>(), BufferRole::input, 16 * size[1] * size[2]},
            {"out", data_type_of<T>(), BufferRole::output, 16 * size[0] * size[1] * size[2]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    for (const std::size_t which : {factors, left, right, inputs, start}) fill_range(workload.buffer<T>(which), random);
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t rows = size[1], columns = 16 * size[2], terms = size[3], rank = size[4];
    std::vector<double> thin(rank);
    for (std::size_t n = 0; n < size[0]; ++n) {
      const T* const a = data<T>(buffers, left) + n * rows * rank;
      const T* const b = data<T>(buffers, right) + n * terms * rank;
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t k = 0; k < rank; ++k) {
          thin[k] = 0;
          for (std::size_t i = 0; i < terms; ++i) {
            thin[k] += double{b[i * rank + k]} * double{data<T>(buffers, inputs)[i * columns + c]};
          }
        }
        for (std::size_t r = 0; r < rows; ++r) {
          double sum = 0;
          for (std::size_t k = 0; k < rank; ++k) sum += double{a[r * rank + k]} * thin[k];
          data<T>(buffers, out)[(n * rows + r) * columns + c] = static_cast<T>(
              double{data<T>(buffers, start)[r * columns + c]} + double{data<T>(buffers, factors)[n]} * sum);
        }
      }
    }
  }
  static void cpu(std::size_t threads, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t rows = size[1], columns = 16 * size[2], terms = size[3], rank = size[4];
    parallel_for(threads, size[0], 8, [&](std::size_t begin, std::size_t end) {
      std::vector<const T*> lefts, rights;
      for (std::size_t n = begin; n < end; ++n) {
        lefts.push_back(data<T>(buffers, left) + n * rows * rank);
        rights.push_back(data<T>(buffers, right) + n * terms * rank);
      }
      product_rows(ProductRows<T>{end - begin, rows, columns, terms, rank, data<T>(buffers, factors) + begin,
                                  lefts.data(), rights.data(), data<T>(buffers, inputs), data<T>(buffers, start),
                                  data<T>(buffers, out) + begin * rows * columns});
    });
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const std::size_t columns = 16 * size[2];
    launcher.launch(ProductRowsBlock<T>{size[0], size[1], columns, size[3], size[4], data<T>(buffers, factors),
                                        data<T>(buffers, left), data<T>(buffers, right), data<T>(buffers, inputs),
                                        data<T>(buffers, start), data<T>(buffers, out)},
                    {static_cast<unsigned>(size[0] * size[2])});
  }
  static double flops(const KernelSize& size) {
    return 32 * number(size[0]) * number(size[2]) * number(size[4]) * (number(size[1]) + number(size[3]));
  }
  static double bytes(const KernelSize& size) {
    return sizeof(T) * number(size[0]) *
           (number(size[4]) * (number(size[1]) + number(size[3])) + 16 * number(size[2]) * number(size[1]));
  }
};

constexpr std::array entries{kernel_entry<SparseRowsKernel<float>>(), kernel_entry<SparseRowsKernel<double>>(),
                             kernel_entry<ProductRowsKernel<float>>(), kernel_entry<ProductRowsKernel<double>>()};

}  // namespace

std::span<const KernelEntry> steps_kernels() noexcept { return entries; }

}  // namespace dd::polystep
