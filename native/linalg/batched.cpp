// Validation, padding and tasks of the batched routines.
#include "linalg/batched.hpp"

#include <algorithm>
#include <string>

#include "core/aligned_buffer.hpp"
#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/product.hpp"

namespace dd::linalg {
namespace {

void expect_size(const char* name, std::size_t size, std::size_t wanted) {
  if (size == wanted) return;
  throw Error(
      ErrorCode::shape_mismatch, name,
      std::string("`") + name + "` must have " + std::to_string(wanted) + " elements, got " + std::to_string(size));
}

template <class T>
std::size_t group_count(std::size_t count) noexcept {
  return (count + batch_group<T> - 1) / batch_group<T>;
}

/// Cuts the groups into tasks of about a megaflop each.
template <class Body>
void for_each_group(std::size_t threads, std::size_t groups, double flops_of_group, Body body) {
  const auto grain = static_cast<std::size_t>(std::max(1.0, 1e6 / std::max(1.0, flops_of_group)));
  parallel_for(threads, groups, grain, body);
}

double cube(std::size_t n) noexcept { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

std::size_t count_failures(std::span<const std::int32_t> status) noexcept {
  return static_cast<std::size_t>(std::count_if(status.begin(), status.end(), [](std::int32_t s) { return s != 0; }));
}

}  // namespace

template <class T>
void interleave(std::size_t count, std::size_t rows, std::size_t columns, std::span<const std::type_identity_t<T>> from,
                std::span<T> to, BatchPadding padding, std::size_t threads) {
  const std::size_t elements = rows * columns;
  expect_size("from", from.size(), count * elements);
  expect_size("to", to.size(), batch_elements<T>(count, rows, columns));
  constexpr std::size_t width = batch_group<T>;
  for_each_group(threads, group_count<T>(count), static_cast<double>(elements * width) * 4,
                 [&](std::size_t begin, std::size_t end) {
                   for (std::size_t group = begin; group < end; ++group) {
                     const std::size_t first = group * width, used = std::min(width, count - first);
                     T* target = to.data() + group * elements * width;
                     const Strided<const T> source{from.data() + first * elements, used, elements,
                                                   static_cast<std::ptrdiff_t>(elements), 1};
                     copy<T>(source, column_major(target, used, elements, width));
                     for (std::size_t lane = used; lane < width; ++lane) {
                       for (std::size_t e = 0; e < elements; ++e) {
                         target[e * width + lane] = T(padding == BatchPadding::identity && e % rows == e / rows);
                       }
                     }
                   }
                 });
}

template <class T>
void deinterleave(std::size_t count, std::size_t rows, std::size_t columns,
                  std::span<const std::type_identity_t<T>> from, std::span<T> to, std::size_t threads) {
  const std::size_t elements = rows * columns;
  expect_size("from", from.size(), batch_elements<T>(count, rows, columns));
  expect_size("to", to.size(), count * elements);
  constexpr std::size_t width = batch_group<T>;
  for_each_group(
      threads, group_count<T>(count), static_cast<double>(elements * width) * 4,
      [&](std::size_t begin, std::size_t end) {
        for (std::size_t group = begin; group < end; ++group) {
          const std::size_t first = group * width, used = std::min(width, count - first);
          const Strided<const T> source = column_major(from.data() + group * elements * width, used, elements, width);
          copy<T>(source, {to.data() + first * elements, used, elements, static_cast<std::ptrdiff_t>(elements), 1});
        }
      });
}

template <class T>
std::size_t batched_cholesky(std::size_t count, std::size_t n, std::span<T> a, std::span<std::int32_t> status,
                             std::size_t threads) {
  expect_size("a", a.size(), batch_elements<T>(count, n, n));
  expect_size("status", status.size(), count);
  constexpr std::size_t width = batch_group<T>;
  AlignedBuffer<std::int32_t> padded(group_count<T>(count) * width, 0);
  for_each_group(threads, group_count<T>(count), cube(n) / 3 * width, [&](std::size_t begin, std::size_t end) {
    const BatchArguments<T> batch{
        end - begin, n, 0, a.data() + begin * n * n * width, nullptr, padded.data() + begin * width, nullptr};
    Kernels<T>::batched_cholesky(&batch);
  });
  for (std::size_t matrix = 0; matrix < count; ++matrix) status[matrix] = padded[matrix];
  return count_failures(status);
}

template <class T>
void batched_solve_lower(std::size_t count, std::size_t n, std::size_t right_hand_sides,
                         std::span<const std::type_identity_t<T>> l, std::span<T> b, bool transposed,
                         std::size_t threads) {
  expect_size("l", l.size(), batch_elements<T>(count, n, n));
  expect_size("b", b.size(), batch_elements<T>(count, n, right_hand_sides));
  constexpr std::size_t width = batch_group<T>;
  const double flops = static_cast<double>(n * n * right_hand_sides * width);
  for_each_group(threads, group_count<T>(count), flops, [&](std::size_t begin, std::size_t end) {
    // The kernels only read `a` here; one argument record serves those that factor and those that solve.
    const BatchArguments<T> batch{end - begin,
                                  n,
                                  right_hand_sides,
                                  const_cast<T*>(l.data()) + begin * n * n * width,
                                  b.data() + begin * n * right_hand_sides * width,
                                  nullptr,
                                  nullptr};
    if (transposed) {
      Kernels<T>::batched_solve_lower_transposed(&batch);
    } else {
      Kernels<T>::batched_solve_lower(&batch);
    }
  });
}

template <class T>
std::size_t batched_lu(std::size_t count, std::size_t n, std::span<T> a, std::span<std::int32_t> pivots,
                       std::span<std::int32_t> status, std::size_t threads) {
  expect_size("a", a.size(), batch_elements<T>(count, n, n));
  expect_size("pivots", pivots.size(), count * n);
  expect_size("status", status.size(), count);
  constexpr std::size_t width = batch_group<T>;
  const std::size_t groups = group_count<T>(count);
  AlignedBuffer<std::int32_t> padded(groups * width, 0);
  AlignedBuffer<std::int32_t> exchanges(groups * n * width, 0);
  for_each_group(threads, groups, cube(n) * width, [&](std::size_t begin, std::size_t end) {
    const BatchArguments<T> batch{end - begin,
                                  n,
                                  0,
                                  a.data() + begin * n * n * width,
                                  nullptr,
                                  padded.data() + begin * width,
                                  exchanges.data() + begin * n * width};
    Kernels<T>::batched_lu(&batch);
  });
  for (std::size_t matrix = 0; matrix < count; ++matrix) status[matrix] = padded[matrix];
  for (std::size_t matrix = 0; matrix < count; ++matrix) {
    for (std::size_t j = 0; j < n; ++j) {
      pivots[matrix * n + j] = exchanges[(matrix / width * n + j) * width + matrix % width];
    }
  }
  return count_failures(status);
}

template <class T>
void batched_lu_solve(std::size_t count, std::size_t n, std::size_t right_hand_sides,
                      std::span<const std::type_identity_t<T>> lu, std::span<const std::int32_t> pivots, std::span<T> b,
                      std::size_t threads) {
  expect_size("lu", lu.size(), batch_elements<T>(count, n, n));
  expect_size("pivots", pivots.size(), count * n);
  expect_size("b", b.size(), batch_elements<T>(count, n, right_hand_sides));
  constexpr std::size_t width = batch_group<T>;
  const std::size_t groups = group_count<T>(count);
  AlignedBuffer<std::int32_t> exchanges(groups * n * width, 0);
  for (std::size_t matrix = 0; matrix < count; ++matrix) {
    for (std::size_t j = 0; j < n; ++j) {
      const std::int32_t row = pivots[matrix * n + j];
      if (row < static_cast<std::int32_t>(j) || row >= static_cast<std::int32_t>(n)) {
        throw Error(ErrorCode::out_of_range, "pivots",
                    "`pivots` must name rows from j to n - 1, got " + std::to_string(row) +
                        " at j = " + std::to_string(j) + " of matrix " + std::to_string(matrix));
      }
      exchanges[(matrix / width * n + j) * width + matrix % width] = row;
    }
  }
  const double flops = static_cast<double>(2 * n * n * right_hand_sides * width);
  for_each_group(threads, groups, flops, [&](std::size_t begin, std::size_t end) {
    const BatchArguments<T> batch{end - begin,
                                  n,
                                  right_hand_sides,
                                  const_cast<T*>(lu.data()) + begin * n * n * width,
                                  b.data() + begin * n * right_hand_sides * width,
                                  nullptr,
                                  exchanges.data() + begin * n * width};
    Kernels<T>::batched_lu_solve(&batch);
  });
}

template <class T>
void batched_product(std::size_t count, std::size_t m, std::size_t n, std::size_t k, std::type_identity_t<T> alpha,
                     std::span<const std::type_identity_t<T>> a, std::span<const std::type_identity_t<T>> b,
                     std::type_identity_t<T> beta, std::span<T> c, std::size_t threads) {
  expect_size("a", a.size(), batch_elements<T>(count, m, k));
  expect_size("b", b.size(), batch_elements<T>(count, k, n));
  expect_size("c", c.size(), batch_elements<T>(count, m, n));
  constexpr std::size_t width = batch_group<T>;
  const double flops = static_cast<double>(2 * m * n * k * width);
  for_each_group(threads, group_count<T>(count), flops, [&](std::size_t begin, std::size_t end) {
    const BatchProductArguments<T> batch{end - begin,
                                         m,
                                         n,
                                         k,
                                         a.data() + begin * m * k * width,
                                         b.data() + begin * k * n * width,
                                         alpha,
                                         beta,
                                         c.data() + begin * m * n * width};
    Kernels<T>::batched_product(&batch);
  });
}

template <class T>
void batched_gemm(std::size_t count, std::size_t m, std::size_t n, std::size_t k, std::type_identity_t<T> alpha,
                  std::span<const std::type_identity_t<T>> a, std::span<const std::type_identity_t<T>> b,
                  std::type_identity_t<T> beta, std::span<T> c, std::size_t threads) {
  expect_size("a", a.size(), count * m * k);
  expect_size("b", b.size(), count * k * n);
  expect_size("c", c.size(), count * m * n);
  for_each_group(threads, count, static_cast<double>(2 * m * n * k), [&](std::size_t begin, std::size_t end) {
    for (std::size_t matrix = begin; matrix < end; ++matrix) {
      multiply<T, T>(alpha, column_major(a.data() + matrix * m * k, m, k, m),
                     column_major(b.data() + matrix * k * n, k, n, k), beta,
                     column_major(c.data() + matrix * m * n, m, n, m));
    }
  });
}

#define DD_INSTANTIATE(T)                                                                                              \
  template void interleave<T>(std::size_t, std::size_t, std::size_t, std::span<const T>, std::span<T>, BatchPadding,   \
                              std::size_t);                                                                            \
  template void deinterleave<T>(std::size_t, std::size_t, std::size_t, std::span<const T>, std::span<T>, std::size_t); \
  template std::size_t batched_cholesky<T>(std::size_t, std::size_t, std::span<T>, std::span<std::int32_t>,            \
                                           std::size_t);                                                               \
  template void batched_solve_lower<T>(std::size_t, std::size_t, std::size_t, std::span<const T>, std::span<T>, bool,  \
                                       std::size_t);                                                                   \
  template std::size_t batched_lu<T>(std::size_t, std::size_t, std::span<T>, std::span<std::int32_t>,                  \
                                     std::span<std::int32_t>, std::size_t);                                            \
  template void batched_lu_solve<T>(std::size_t, std::size_t, std::size_t, std::span<const T>,                         \
                                    std::span<const std::int32_t>, std::span<T>, std::size_t);                         \
  template void batched_product<T>(std::size_t, std::size_t, std::size_t, std::size_t, T, std::span<const T>,          \
                                   std::span<const T>, T, std::span<T>, std::size_t);                                  \
  template void batched_gemm<T>(std::size_t, std::size_t, std::size_t, std::size_t, T, std::span<const T>,             \
                                std::span<const T>, T, std::span<T>, std::size_t);
DD_INSTANTIATE(float)
DD_INSTANTIATE(double)
#undef DD_INSTANTIATE

}  // namespace dd::linalg
