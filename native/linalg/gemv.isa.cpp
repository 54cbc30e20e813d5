// Matrix times vector: bound by the memory that holds A, so A is read once, in order.
//
// By columns: four columns at a time onto a block of the result that stays in L1; an element is the same chain of
// multiply-adds as in the matrix product. By rows: dot products over a fixed number of virtual lanes (128 bytes, at
// every level) added up by a fixed tree, so AVX2 and AVX-512 agree in every bit.
#include "linalg/isa_kernels.hpp"
#include "linalg/simd.hpp"

namespace dd::linalg {
namespace {

using std::ptrdiff_t;
using std::size_t;

/// sum[i] += A(i, p) x[p] for `Columns` columns and `rows` rows; `sum` is padded to whole vectors.
template <int Columns, class T>
DD_INLINE void add_columns(size_t rows, const T* a, ptrdiff_t a_stride, const T* x, T* sum) {
  const Tail<T> tail(rows % lanes<T>);
  for (size_t i = 0; i < rows; i += lanes<T>) {
    Vector<T> s = load(static_cast<const T*>(sum + i));
    DD_UNROLL for (int p = 0; p < Columns; ++p) {
      const T* column = a + p * a_stride + i;
      s = multiply_add(rows - i < lanes<T> ? load_tail(column, tail) : load(column), broadcast(x[p]), s);
    }
    store(sum + i, s);
  }
}

template <class T>
void multiply_by_columns(const MatrixVectorArguments<T>& arguments) {
  constexpr size_t block = 4096 / sizeof(T);
  alignas(64) T sum[block];
  const size_t step = product_depth_step(arguments.k);
  const Vector<T> alpha = broadcast(arguments.alpha);
  for (size_t first = 0; first < arguments.m; first += block) {
    const size_t rows = arguments.m - first < block ? arguments.m - first : block;
    const Tail<T> tail(rows % lanes<T>);
    for (size_t start = 0; start < arguments.k; start += step) {
      const size_t depth = arguments.k - start < step ? arguments.k - start : step;
      const T* a = arguments.a + first + static_cast<ptrdiff_t>(start) * arguments.a_stride;
      const T* x = arguments.x + start;
      for (size_t i = 0; i < rows; i += lanes<T>) store(sum + i, Vector<T>{});
      size_t p = 0;
      for (; p + 4 <= depth; p += 4) {
        add_columns<4>(rows, a + static_cast<ptrdiff_t>(p) * arguments.a_stride, arguments.a_stride, x + p, sum);
      }
      for (; p < depth; ++p) {
        add_columns<1>(rows, a + static_cast<ptrdiff_t>(p) * arguments.a_stride, arguments.a_stride, x + p, sum);
      }
      const T beta = start == 0 ? arguments.beta : T(1);
      for (size_t i = 0; i < rows; i += lanes<T>) {
        T* y = arguments.y + first + i;
        const bool partial = rows - i < lanes<T>;
        const Vector<T> total = load(static_cast<const T*>(sum + i));
        Vector<T> value = alpha * total;
        if (beta != T(0)) {
          const Vector<T> old = partial ? load_tail(static_cast<const T*>(y), tail) : load(static_cast<const T*>(y));
          value = multiply_add(alpha, total, broadcast(beta) * old);
        }
        if (partial) {
          store_tail(y, value, tail);
        } else {
          store(y, value);
        }
      }
    }
  }
}

template <class T>
DD_INLINE T add_up(const T* values) {  // 128 bytes, halves onto halves
  constexpr int count = 128 / sizeof(T);
  T sums[count];
  for (int i = 0; i < count; ++i) sums[i] = values[i];
  DD_UNROLL for (int width = count / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) sums[i] += sums[i + width];
  }
  return sums[0];
}

template <int Rows, class T>
DD_INLINE void dot_rows(const MatrixVectorArguments<T>& arguments, size_t row) {
  constexpr int parts = 128 / vector_bytes;
  constexpr size_t stride = 128 / sizeof(T);
  const T* a = arguments.a + static_cast<ptrdiff_t>(row) * arguments.a_stride;
  Vector<T> sum[Rows][parts];
  DD_UNROLL for (int r = 0; r < Rows; ++r) { DD_UNROLL for (int v = 0; v < parts; ++v) sum[r][v] = Vector<T>{}; }
  size_t p = 0;
  for (; p + stride <= arguments.k; p += stride) {
    DD_UNROLL for (int v = 0; v < parts; ++v) {
      const Vector<T> x = load(arguments.x + p + v * lanes<T>);
      DD_UNROLL for (int r = 0; r < Rows; ++r) {
        sum[r][v] = multiply_add(load(a + r * arguments.a_stride + p + v * lanes<T>), x, sum[r][v]);
      }
    }
  }
  const size_t rest = arguments.k - p;
  const Tail<T> tail(rest % lanes<T>);
  DD_UNROLL for (int v = 0; v < parts; ++v) {
    const size_t at = static_cast<size_t>(v) * lanes<T>;
    if (at >= rest) break;
    const bool partial = rest - at < lanes<T>;
    const auto part = [&](const T* from) { return partial ? load_tail(from + at, tail) : load(from + at); };
    const Vector<T> x = part(arguments.x + p);
    DD_UNROLL for (int r = 0; r < Rows; ++r) {
      sum[r][v] = multiply_add(part(a + r * arguments.a_stride + p), x, sum[r][v]);
    }
  }
  DD_UNROLL for (int r = 0; r < Rows; ++r) {
    alignas(64) T values[stride];
    DD_UNROLL for (int v = 0; v < parts; ++v) store(values + v * lanes<T>, sum[r][v]);
    T* y = arguments.y + row + r;
    const T product = arguments.alpha * add_up(values);
    *y = arguments.beta == T(0) ? product : multiply_add(arguments.beta, *y, product);
  }
}

template <class T>
void multiply_by_rows(const MatrixVectorArguments<T>& arguments) {
  constexpr size_t together = vector_bytes == 64 ? 4 : 1;
  size_t row = 0;
  for (; row + together <= arguments.m; row += together) dot_rows<together>(arguments, row);
  for (; row < arguments.m; ++row) dot_rows<1>(arguments, row);
}

}  // namespace
}  // namespace dd::linalg

using dd::linalg::MatrixVectorArguments;

DD_ISA_ENTRY(void, linalg_matrix_vector_by_columns_float32)(const MatrixVectorArguments<float>* arguments) {
  dd::linalg::multiply_by_columns(*arguments);
}
DD_ISA_ENTRY(void, linalg_matrix_vector_by_columns_float64)(const MatrixVectorArguments<double>* arguments) {
  dd::linalg::multiply_by_columns(*arguments);
}
DD_ISA_ENTRY(void, linalg_matrix_vector_by_rows_float32)(const MatrixVectorArguments<float>* arguments) {
  dd::linalg::multiply_by_rows(*arguments);
}
DD_ISA_ENTRY(void, linalg_matrix_vector_by_rows_float64)(const MatrixVectorArguments<double>* arguments) {
  dd::linalg::multiply_by_rows(*arguments);
}
