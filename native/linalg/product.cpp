// Decisions around the product kernels: which operand is transposed, which path runs, how C is cut into tasks.
#include "linalg/product.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <type_traits>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "linalg/workspace.hpp"

namespace dd::linalg {
namespace {

std::atomic<int> forced_path{-1};

// A task below this is not worth waking a thread for, or handing to one that is awake.
constexpr double least_task_flops = 2e6, least_task_flops_awake = 5e5;
// Every task packs its own operands; narrower slices would pack more than they multiply.
constexpr std::size_t least_packed_slice = 192;

std::size_t divide_up(std::size_t a, std::size_t b) noexcept { return (a + b - 1) / b; }
std::size_t round_up(std::size_t a, std::size_t b) noexcept { return divide_up(a, b) * b; }

constexpr std::size_t kibibyte = 1024;
// A block of A that is read where it lies has to stay in the second-level cache while the columns of B go by.
constexpr std::size_t direct_bytes = 512 * kibibyte;

/// Reading A where it lies saves packing it. Measured per level (docs/benchmarks/linalg.md): wide tiles read A less
/// often and win for longer. Columns a multiple of 4 KiB apart share one set of the first-level cache, which halves the
/// speed of the narrow tiles. The choice never changes a bit.
bool direct_is_better(std::size_t m, std::size_t n, std::size_t k, std::size_t element, std::ptrdiff_t a_stride,
                      ProductPart part) noexcept {
  const std::size_t depth = std::min(k, product_depth);
  const std::size_t block = m * depth * element;
  const bool crowded = depth > 32 && m > 64 && static_cast<std::size_t>(a_stride) * element % (4 * kibibyte) == 0;
  const IsaLevel level = active_isa();
  if (part != ProductPart::full) {
    if (level == IsaLevel::avx512) return m <= 512;
    return !crowded && (level == IsaLevel::baseline ? m <= 160 : block <= 400 * kibibyte);
  }
  if (n <= 8 || (n <= 32 && k <= product_depth)) return true;
  if (crowded) return false;
  return level == IsaLevel::baseline ? m <= 256 : m <= 512 && block <= direct_bytes;
}

template <class T>
void call_kernel(const ProductArguments<T, T>& arguments) {
  Kernels<T>::product(&arguments);
}
void call_kernel(const ProductArguments<float, double>& arguments) { linalg_product_float32_float64(&arguments); }

template <class Sum>
void scale(Sum beta, Strided<Sum> c, ProductPart part) {
  if (beta == Sum(1)) return;
  for (std::size_t j = 0; j < c.columns; ++j) {
    const std::size_t begin = part == ProductPart::lower ? j : 0;
    const std::size_t end = part == ProductPart::upper ? std::min(c.rows, j + 1) : c.rows;
    for (std::size_t i = begin; i < end; ++i) c(i, j) = beta == Sum(0) ? Sum(0) : beta * c(i, j);
  }
}

/// y = alpha A x + beta y when it can be one pass over A; false when the general product must do it.
template <class T>
bool multiply_vector(T alpha, Strided<const T> a, Strided<const T> x, T beta, Strided<T> y,
                     const ProductOptions& options) {
  const bool by_columns = a.row_stride == 1;
  if (!by_columns && !(options.dots && a.column_stride == 1)) return false;
  const T* contiguous = x.data;
  if (x.row_stride != 1) {
    T* gathered = scratch<T>(Scratch::vector, x.rows);
    for (std::size_t i = 0; i < x.rows; ++i) gathered[i] = x(i, 0);
    contiguous = gathered;
  }
  const double flops = 2.0 * static_cast<double>(a.rows) * static_cast<double>(a.columns);
  const std::size_t tasks = options.threads <= 1 || flops < 2 * least_task_flops ? 1 : options.threads * 2;
  const std::size_t grain = round_up(divide_up(a.rows, tasks), 64);
  parallel_for(options.threads, a.rows, grain, [&](std::size_t begin, std::size_t end) {
    const MatrixVectorArguments<T> arguments{
        end - begin, a.columns, a.at(begin, 0), by_columns ? a.column_stride : a.row_stride,
        contiguous,  alpha,     beta,           y.data + begin};
    if (by_columns) {
      Kernels<T>::matrix_vector_by_columns(&arguments);
    } else {
      Kernels<T>::matrix_vector_by_rows(&arguments);
    }
  });
  return true;
}

/// One slice of C on the calling thread. `row` and `column` place it in the whole.
template <class T, class Sum>
void multiply_slice(Sum alpha, Strided<const T> a, Strided<const T> b, Sum beta, Strided<Sum> c, ProductPart part,
                    std::ptrdiff_t diagonal, ProductPath path) {
  ProductArguments<T, Sum> arguments{
      c.rows,       c.columns,       a.columns, a.data, a.row_stride, a.column_stride, b.data,
      b.row_stride, b.column_stride, alpha,     beta,   c.data,       c.column_stride, path,
      part,         diagonal,        nullptr};
  if (path == ProductPath::direct && a.row_stride != 1) {
    const std::size_t stride = scratch_stride<T>(a.rows);
    T* copied = scratch<T>(Scratch::operand, stride * a.columns);
    copy<T>(a, column_major(copied, a.rows, a.columns, stride));
    arguments.a = copied;
    arguments.a_row_stride = 1;
    arguments.a_column_stride = static_cast<std::ptrdiff_t>(stride);
  } else if (path == ProductPath::packed) {
    arguments.workspace = scratch<T>(Scratch::packing, product_workspace<T, Sum>(c.rows, c.columns, a.columns));
  }
  call_kernel(arguments);
}

struct Slice {
  std::size_t row, rows, column, columns;
};

/// Calls body for every slice of a full product; slices depend on sizes and the number of threads, bits do not.
template <class Body>
void for_each_slice(std::size_t m, std::size_t n, double flops, ProductPath path, std::size_t threads, Body body) {
  if (threads <= 1 || flops < 2 * least_task_flops) return body(Slice{0, m, 0, n});
  const std::size_t wanted = std::min(threads * 2, static_cast<std::size_t>(flops / least_task_flops));
  const std::size_t least = path == ProductPath::packed ? least_packed_slice : 8;
  const std::size_t slice_columns = std::max(round_up(divide_up(n, wanted), 8), least);
  const std::size_t column_slices = divide_up(n, slice_columns);
  const std::size_t slice_rows = std::max(round_up(divide_up(m, divide_up(wanted, column_slices)), 48), least);
  const std::size_t row_slices = divide_up(m, slice_rows);
  ThreadPool::shared().run_tasks(threads, row_slices * column_slices, [&](std::size_t index) {
    const std::size_t row = index % row_slices * slice_rows;
    const std::size_t column = index / row_slices * slice_columns;
    body(Slice{row, std::min(slice_rows, m - row), column, std::min(slice_columns, n - column)});
  });
}

/// Strips of columns of equal area, each from the diagonal to the edge: a slice packs its own operands, and strips pack
/// half as much as tiles would.
template <class Body>
void for_each_triangle_strip(std::size_t n, double flops, const ProductOptions& options, Body body) {
  const ProductPart part = options.part;
  const std::size_t threads = options.threads;
  const double least_flops = options.pool_awake ? least_task_flops_awake : least_task_flops;
  if (threads <= 1 || flops < 2 * least_flops) return body(Slice{0, n, 0, n});
  // Where products follow each other, an uneven end costs less than packing the same rows for twice as many strips.
  const std::size_t most_strips = options.pool_awake ? threads : 2 * threads;
  const std::size_t strips = std::min(most_strips, static_cast<std::size_t>(flops / least_flops));
  const auto edge = [&](std::size_t strip) {
    const double area = static_cast<double>(strip) / static_cast<double>(strips);
    const double share = part == ProductPart::lower ? 1 - std::sqrt(1 - area) : std::sqrt(area);
    return strip == strips ? n : std::min(n, round_up(static_cast<std::size_t>(share * static_cast<double>(n)), 24));
  };
  ThreadPool::shared().run_tasks(threads, strips, [&](std::size_t strip) {
    const std::size_t begin = edge(strip), end = edge(strip + 1);
    if (begin == end) return;
    body(part == ProductPart::lower ? Slice{begin, n - begin, begin, end - begin} : Slice{0, end, begin, end - begin});
  });
}

}  // namespace

void force_product_path(int path) noexcept { forced_path.store(path, std::memory_order_relaxed); }

template <class T>
void copy(Strided<const T> from, Strided<T> to) {
  if (from.rows == 0 || from.columns == 0) return;
  const auto unit = [](std::ptrdiff_t stride) { return stride == 1 || stride == -1; };
  if (from.row_stride == 1 && to.row_stride == 1) {
    for (std::size_t j = 0; j < from.columns; ++j) std::copy_n(from.at(0, j), from.rows, to.at(0, j));
  } else if (from.column_stride == 1 && to.column_stride == 1) {
    copy<T>(from.transposed(), to.transposed());
  } else if (unit(from.column_stride) && unit(to.row_stride)) {
    if (from.column_stride < 0) return copy<T>(from.columns_reversed(), to.columns_reversed());
    if (to.row_stride < 0) return copy<T>(from.rows_reversed(), to.rows_reversed());
    const TransposeArguments<T> arguments{from.rows,       from.columns, from.data,
                                          from.row_stride, to.data,      to.column_stride};
    Kernels<T>::transpose(&arguments);
  } else if (unit(from.row_stride) && unit(to.column_stride)) {
    copy<T>(from.transposed(), to.transposed());
  } else {
    for (std::size_t j = 0; j < from.columns; ++j) {
      for (std::size_t i = 0; i < from.rows; ++i) to(i, j) = from(i, j);
    }
  }
}

template <class T, class Sum>
void multiply(Sum alpha, Strided<const T> a, Strided<const T> b, Sum beta, Strided<Sum> c,
              const ProductOptions& options) {
  const std::size_t m = c.rows, n = c.columns, k = a.columns;
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == Sum(0)) return scale(beta, c, options.part);
  if (options.part == ProductPart::full) {
    if (c.row_stride == -1) return multiply(alpha, a.rows_reversed(), b, beta, c.rows_reversed(), options);
    if (c.column_stride == -1) return multiply(alpha, a, b.columns_reversed(), beta, c.columns_reversed(), options);
  }
  if (c.row_stride != 1 && c.column_stride == 1) {
    ProductOptions turned = options;
    if (options.part == ProductPart::lower) turned.part = ProductPart::upper;
    if (options.part == ProductPart::upper) turned.part = ProductPart::lower;
    return multiply<T, Sum>(alpha, b.transposed(), a.transposed(), beta, c.transposed(), turned);
  }
  if (c.row_stride != 1) {
    AlignedBuffer<Sum> buffer(scratch_stride<Sum>(m) * n);
    const Strided<Sum> gathered = column_major(buffer.data(), m, n, scratch_stride<Sum>(m));
    const auto in_part = [&](std::size_t i, std::size_t j) {
      return options.part == ProductPart::full || (options.part == ProductPart::lower ? i >= j : i <= j);
    };
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < m; ++i) gathered(i, j) = beta != Sum(0) && in_part(i, j) ? c(i, j) : Sum(0);
    }
    multiply<T, Sum>(alpha, a, b, beta, gathered, options);
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; i < m; ++i) {
        if (in_part(i, j)) c(i, j) = gathered(i, j);
      }
    }
    return;
  }
  if constexpr (std::is_same_v<T, Sum>) {
    if (options.part == ProductPart::full) {
      if (n == 1 && multiply_vector<T>(alpha, a, b, beta, c, options)) return;
      // A single row of C is a column of its transpose; its stride is free, so it counts as contiguous when it is.
      if (m == 1 && c.column_stride == 1 &&
          multiply_vector<T>(alpha, b.transposed(), a.transposed(), beta, c.transposed(), options)) {
        return;
      }
    }
  }

  const int forced = forced_path.load(std::memory_order_relaxed);
  bool direct = a.row_stride == 1 ? direct_is_better(m, n, k, sizeof(T), a.column_stride, options.part)
                                  : m * k * sizeof(T) <= direct_bytes &&
                                        direct_is_better(m, n, k, sizeof(T), std::ptrdiff_t{1}, options.part);
  if (forced >= 0) direct = forced == 0;
  const ProductPath path = direct ? ProductPath::direct : ProductPath::packed;
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto run = [&](const Slice& slice) {
    // A slice off the diagonal is a full product.
    const auto diagonal = static_cast<std::ptrdiff_t>(slice.row) - static_cast<std::ptrdiff_t>(slice.column);
    const bool whole = options.part == ProductPart::full ||
                       (options.part == ProductPart::lower ? slice.row >= slice.column + slice.columns
                                                           : slice.row + slice.rows <= slice.column);
    multiply_slice<T, Sum>(alpha, a.block(slice.row, 0, slice.rows, k), b.block(0, slice.column, k, slice.columns),
                           beta, c.block(slice.row, slice.column, slice.rows, slice.columns),
                           whole ? ProductPart::full : options.part, diagonal, path);
  };
  if (options.part == ProductPart::full) {
    for_each_slice(m, n, flops, path, options.threads, run);
  } else {
    for_each_triangle_strip(n, flops / 2, options, run);
  }
}

template void copy<float>(Strided<const float>, Strided<float>);
template void copy<double>(Strided<const double>, Strided<double>);
template void multiply<float, float>(float, Strided<const float>, Strided<const float>, float, Strided<float>,
                                     const ProductOptions&);
template void multiply<double, double>(double, Strided<const double>, Strided<const double>, double, Strided<double>,
                                       const ProductOptions&);
template void multiply<float, double>(double, Strided<const float>, Strided<const float>, double, Strided<double>,
                                      const ProductOptions&);

}  // namespace dd::linalg
