// Block kernels of the factorisations, in blocks of 32 columns: factor one diagonal block, solve with it, and what the
// batched Cholesky and the inverse need besides. The updates between blocks are tiled products (products.kernel.hpp);
// the order of launches is in block_forms.hpp.
#pragma once

#include "core/block.hpp"
#include "linalg/blocking.hpp"
#include "linalg/products.kernel.hpp"

namespace dd::linalg {

inline constexpr unsigned factor_columns = 32;

/// Lower Cholesky factor of one block of order n <= 32, in place; one warp, a thread a row. A pivot that is not
/// positive or not finite sets *status to first_index + its 1-based place, and every later kernel does nothing.
template <class T>
struct FactorBlock {
  static constexpr BlockShape shape{factor_columns};
  template <class B>
  struct Shared {
    typename B::template Arr<T, factor_columns*(factor_columns + 1)> a;
    typename B::template Arr<std::int32_t, 1> failed;
  };

  T* a;
  std::size_t stride, n, first_index;
  std::int32_t* status;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    b.each([&](unsigned t) {
      if (t == 0) s.failed[0] = *status;
      for (unsigned j = 0; j < n; ++j) {
        if (t >= j && t < n) s.a[j * (factor_columns + 1) + t] = a[t + j * stride];
      }
    });
    for (unsigned j = 0; j < n; ++j) {
      b.each([&](unsigned t) {
        if (t != j) return;
        const T pivot = s.a[j * (factor_columns + 1) + j];
        const std::int32_t failed = s.failed[0];
        if (failed != 0) return;
        if (!(pivot > T(0)) || pivot - pivot != T(0)) {
          s.failed[0] = static_cast<std::int32_t>(first_index + j + 1);
        } else {
          s.a[j * (factor_columns + 1) + j] = std::sqrt(pivot);
        }
      });
      if (b.broadcast(s.failed, 0) != 0) break;
      b.each([&](unsigned t) {
        if (t <= j || t >= n) return;
        const T root = s.a[j * (factor_columns + 1) + j];
        const T value = s.a[j * (factor_columns + 1) + t];
        s.a[j * (factor_columns + 1) + t] = value * (T(1) / root);
      });
      b.each([&](unsigned t) {
        if (t <= j || t >= n) return;
        const T left = s.a[j * (factor_columns + 1) + t];
        for (unsigned c = j + 1; c <= t; ++c) {
          const T right = s.a[j * (factor_columns + 1) + c];
          const T old = s.a[c * (factor_columns + 1) + t];
          s.a[c * (factor_columns + 1) + t] = fused(-left, right, old);
        }
      });
    }
    const std::int32_t failed = b.broadcast(s.failed, 0);
    b.each([&](unsigned t) {
      if (t == 0) *status = failed;
      for (unsigned j = 0; failed == 0 && j < n; ++j) {
        if (t >= j && t < n) a[t + j * stride] = s.a[j * (factor_columns + 1) + t];
      }
    });
  }
};

/// Columns of X (rows x n, n <= 32, any strides) = X L^-T in place; a thread a row, L in shared memory.
template <class T>
struct SolveBlock {
  static constexpr BlockShape shape{64};
  template <class B>
  struct Shared {
    typename B::template Arr<T, factor_columns*(factor_columns + 1)> l;
  };
  struct Row {
    T x[factor_columns];
  };

  T* x;
  std::ptrdiff_t x_row, x_column;
  std::size_t rows, n;
  const T* l;
  std::size_t l_stride;
  const std::int32_t* status;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    if (status != nullptr && *status != 0) return;
    b.each([&](unsigned t) {
      // Missing columns become those of the identity, so that the loops below have constant bounds and stay in
      // registers.
      for (unsigned e = t; e < factor_columns * factor_columns; e += 64) {
        const unsigned i = e % factor_columns, j = e / factor_columns;
        T value = i == j ? T(1) : T(0);
        if (i < n && j < i) value = l[i + j * l_stride];
        if (i < n && j == i) value = T(1) / l[i + j * l_stride];
        s.l[j * (factor_columns + 1) + i] = value;
      }
    });
    b.each([&](unsigned t) {
      const std::size_t row = std::size_t{b.block_x()} * B::threads + t;
      if (row >= rows) return;
      T* const own = x + static_cast<std::ptrdiff_t>(row) * x_row;
      T v[factor_columns];
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned j = 0; j < factor_columns; ++j)
        v[j] = j < n ? own[static_cast<std::ptrdiff_t>(j) * x_column] : T(0);
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned j = 0; j < factor_columns; ++j) {
#ifdef __CUDACC__
#pragma unroll
#endif
        for (unsigned p = 0; p < j; ++p) {
          const T factor = s.l[p * (factor_columns + 1) + j];
          v[j] = fused(-v[p], factor, v[j]);
        }
        const T reciprocal = s.l[j * (factor_columns + 1) + j];
        v[j] = v[j] * reciprocal;
      }
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned j = 0; j < factor_columns; ++j) {
        if (j < n) own[static_cast<std::ptrdiff_t>(j) * x_column] = v[j];
      }
    });
  }
};

/// *status = 0.
struct ClearStatus {
  static constexpr BlockShape shape{32};
  template <class B>
  using Shared = NoShared;

  std::int32_t* status;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      if (t == 0) *status = 0;
    });
  }
};

/// *status = 1-based index of the first diagonal entry of l that is zero or not finite, 0 when there is none; one
/// block.
template <class T>
struct CheckDiagonal {
  static constexpr BlockShape shape{256};
  template <class B>
  struct Shared {
    typename B::template Arr<std::uint64_t, 1> first;
  };

  const T* l;
  std::size_t stride, n;
  std::int32_t* status;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    b.each([&](unsigned t) {
      if (t == 0) s.first[0] = n;
    });
    b.each([&](unsigned t) {
      for (std::size_t j = t; j < n; j += B::threads) {
        const T value = l[j + j * stride];
        if (value == T(0) || value - value != T(0)) b.atomic_min(s.first[0], std::uint64_t{j});
      }
    });
    const std::uint64_t first = b.broadcast(s.first, 0);
    b.each([&](unsigned t) {
      if (t == 0) *status = first < n ? static_cast<std::int32_t>(first + 1) : 0;
    });
  }
};

/// work = identity, n x n column-major.
template <class T>
struct SetIdentity {
  static constexpr BlockShape shape{256};
  template <class B>
  using Shared = NoShared;

  T* work;
  std::size_t n;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t element = std::size_t{b.block_x()} * B::threads + t;
      if (element < n * n) work[element] = element % n == element / n ? T(1) : T(0);
    });
  }
};

/// Lower triangle of l = transpose of the upper triangle of work; 32 x 32 tiles through shared memory.
template <class T>
struct TakeTransposedTriangle {
  static constexpr BlockShape shape{32, 8};
  template <class B>
  struct Shared {
    typename B::template Arr<T, 32 * 33> tile;
  };

  const T* work;
  T* l;
  std::size_t stride, n;
  const std::int32_t* status;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    const std::size_t row0 = std::size_t{b.block_x()} * 32, column0 = std::size_t{b.block_y()} * 32;  // of l
    if (row0 < column0 || *status != 0) return;
    b.each([&](unsigned tx, unsigned ty, unsigned) {
      for (unsigned y = ty; y < 32; y += 8) {
        const std::size_t i = column0 + tx, j = row0 + y;  // of work
        if (i < n && j < n) s.tile[y * 33 + tx] = work[i + j * n];
      }
    });
    b.each([&](unsigned tx, unsigned ty, unsigned) {
      for (unsigned y = ty; y < 32; y += 8) {
        const std::size_t i = row0 + tx, j = column0 + y;
        if (i < n && j < n && i >= j) {
          const T value = s.tile[tx * 33 + y];
          l[i + j * stride] = value;
        }
      }
    });
  }
};

/// Interleaved batch of Cholesky factorisations: a thread a matrix, so that consecutive threads touch consecutive
/// addresses. The layout and what a failing matrix looks like: batched.hpp.
template <class T>
struct BatchedCholesky {
  static constexpr BlockShape shape{64};
  template <class B>
  using Shared = NoShared;

  T* a;
  std::int32_t* status;
  std::size_t count, n;

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      const std::size_t matrix = std::size_t{b.block_x()} * B::threads + t;
      if (matrix >= count) return;
      constexpr std::size_t lanes = batch_lanes<T>;
      T* const own = a + matrix / lanes * n * n * lanes + matrix % lanes;
      const auto at = [&](std::size_t i, std::size_t j) -> T& { return own[(j * n + i) * lanes]; };
      std::int32_t failed = 0;
      for (std::size_t j = 0; j < n; ++j) {
        T pivot = at(j, j);
        for (std::size_t p = 0; p < j; ++p) pivot = fused(-at(j, p), at(j, p), pivot);
        const bool good = pivot > T(0) && pivot - pivot == T(0);
        if (!good && failed == 0) failed = static_cast<std::int32_t>(j + 1);
        const T root = good ? std::sqrt(pivot) : static_cast<T>(NAN);
        const T reciprocal = T(1) / root;
        at(j, j) = root;
        for (std::size_t i = j + 1; i < n; ++i) {
          T value = at(i, j);
          for (std::size_t p = 0; p < j; ++p) value = fused(-at(i, p), at(j, p), value);
          at(i, j) = value * reciprocal;
        }
      }
      status[matrix] = failed;
    });
  }
};

}  // namespace dd::linalg

DD_BLOCK_KERNEL(factor_block_float32, dd::linalg::FactorBlock<float>)
DD_BLOCK_KERNEL(factor_block_float64, dd::linalg::FactorBlock<double>)
DD_BLOCK_KERNEL(solve_block_float32, dd::linalg::SolveBlock<float>)
DD_BLOCK_KERNEL(solve_block_float64, dd::linalg::SolveBlock<double>)
DD_BLOCK_KERNEL(clear_status, dd::linalg::ClearStatus)
DD_BLOCK_KERNEL(check_diagonal_float32, dd::linalg::CheckDiagonal<float>)
DD_BLOCK_KERNEL(check_diagonal_float64, dd::linalg::CheckDiagonal<double>)
DD_BLOCK_KERNEL(set_identity_float32, dd::linalg::SetIdentity<float>)
DD_BLOCK_KERNEL(set_identity_float64, dd::linalg::SetIdentity<double>)
DD_BLOCK_KERNEL(take_transposed_triangle_float32, dd::linalg::TakeTransposedTriangle<float>)
DD_BLOCK_KERNEL(take_transposed_triangle_float64, dd::linalg::TakeTransposedTriangle<double>)
DD_BLOCK_KERNEL(batched_cholesky_float32, dd::linalg::BatchedCholesky<float>)
DD_BLOCK_KERNEL(batched_cholesky_float64, dd::linalg::BatchedCholesky<double>)
