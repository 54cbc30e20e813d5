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

template <class T>
void multiply_by_columns(const MatrixVectorArguments<T>& arguments) {
  constexpr size_t block = 4096 / sizeof(T);
  alignas(64) T sum[block];
  const size_t step = product_depth_step(arguments.k);
  for (size_t first = 0; first < arguments.m; first += block) {
    const size_t rows = arguments.m - first < block ? arguments.m - first : block;
    const size_t whole = rows / lanes<T> * lanes<T>;
    T* y = arguments.y + first;
    for (size_t start = 0; start < arguments.k; start += step) {
      const size_t depth = arguments.k - start < step ? arguments.k - start : step;
      const T beta = start == 0 ? arguments.beta : T(1);
      const T* x = arguments.x + start;
      for (size_t i = 0; i < rows; ++i) sum[i] = T(0);
      size_t p = 0;
      for (; p < depth; p += 4) {
        const size_t columns = depth - p < 4 ? depth - p : 4;
        const T* a = arguments.a + first + static_cast<ptrdiff_t>(start + p) * arguments.a_stride;
        if (columns == 4) {
          const T* b = a + arguments.a_stride;
          const T* c = b + arguments.a_stride;
          const T* d = c + arguments.a_stride;
          for (size_t i = 0; i < whole; i += lanes<T>) {
            Vector<T> s = load(static_cast<const T*>(sum + i));
            s = multiply_add(load(a + i), broadcast(x[p]), s);
            s = multiply_add(load(b + i), broadcast(x[p + 1]), s);
            s = multiply_add(load(c + i), broadcast(x[p + 2]), s);
            s = multiply_add(load(d + i), broadcast(x[p + 3]), s);
            store(sum + i, s);
          }
          for (size_t i = whole; i < rows; ++i) {
            T s = multiply_add(a[i], x[p], sum[i]);
            s = multiply_add(b[i], x[p + 1], s);
            s = multiply_add(c[i], x[p + 2], s);
            sum[i] = multiply_add(d[i], x[p + 3], s);
          }
        } else {
          for (size_t q = 0; q < columns; ++q, a += arguments.a_stride) {
            for (size_t i = 0; i < whole; i += lanes<T>) {
              store(sum + i, multiply_add(load(a + i), broadcast(x[p + q]), load(static_cast<const T*>(sum + i))));
            }
            for (size_t i = whole; i < rows; ++i) sum[i] = multiply_add(a[i], x[p + q], sum[i]);
          }
        }
      }
      for (size_t i = 0; i < rows; ++i) {
        if (beta == T(0)) {
          y[i] = arguments.alpha * sum[i];
        } else {
          y[i] = multiply_add(arguments.alpha, sum[i], beta == T(1) ? y[i] : beta * y[i]);
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
  for (int r = 0; r < Rows; ++r) {
    alignas(64) T values[stride];
    for (int v = 0; v < parts; ++v) store(values + v * lanes<T>, sum[r][v]);
    const T* rest = a + r * arguments.a_stride;
    for (size_t q = p; q < arguments.k; ++q) values[q - p] = multiply_add(rest[q], arguments.x[q], values[q - p]);
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
