// The one way to a dense product inside linear algebra, after validation: storage order, path, tasks and scratch are
// decided here, arithmetic happens in gemm.isa.cpp.
#pragma once

#include <cstddef>

#include "linalg/isa_kernels.hpp"
#include "linalg/strided.hpp"

namespace dd::linalg {

struct ProductOptions {
  std::size_t threads = 1;
  ProductPart part = ProductPart::full;
  /// A product with a vector may be computed as dot products over lanes, which round differently from the chains of
  /// the general product. Only a caller who knows the whole shape may say yes: a slice must give the bits of the whole.
  bool dots = false;
  /// One of a row of products that follow each other closely: the pool's threads are awake, so smaller tasks pay.
  bool pool_awake = false;
};

/// C = alpha A B + beta C. C may have any strides (without a unit stride it goes through scratch); beta = 0 does not
/// read C. Every element is the same chain of operations for any path, part, slice of C and number of threads.
template <class T, class Sum>
void multiply(Sum alpha, Strided<const T> a, Strided<const T> b, Sum beta, Strided<Sum> c,
              const ProductOptions& options = {});

/// to = from, any strides; squares are transposed in registers where the unit strides differ.
template <class T>
void copy(Strided<const T> from, Strided<T> to);

/// Test hook: forces one path for the whole process; -1 chooses by sizes, 0 direct (falls back to packed when the rows
/// of A have no unit stride), 1 packed.
void force_product_path(int path) noexcept;

}  // namespace dd::linalg
