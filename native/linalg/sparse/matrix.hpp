// Sparse matrices as every solver of this room reads them: a pattern in compressed rows that lives long, and values
// that come again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"

namespace dd::linalg {

/// Rows and columns. Entries of a matrix are counted in size_t; where a list of entries is kept, there are fewer than
/// 2^32 of them, which the constructors check.
using Index = std::uint32_t;
inline constexpr Index no_index = ~Index{0};

/// Where the entries are: row i holds the columns indices[starts[i]] ... indices[starts[i + 1] - 1], ascending.
/// A symmetric matrix is given by its upper triangle in this form, diagonal included (what others call the lower
/// triangle in compressed columns).
struct SparsePattern {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<std::size_t> starts{0};
  LargeVector<Index> indices;

  std::size_t entries() const noexcept { return indices.size(); }
  std::span<const Index> row(std::size_t i) const noexcept {
    return {indices.data() + starts[i], starts[i + 1] - starts[i]};
  }
};

/// Throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE or ERR_INVALID_ARG_VALUE with the first row that is wrong: starts must
/// begin with 0, not fall and end with the number of entries; columns must ascend strictly inside a row.
void check_pattern(const SparsePattern& pattern, const char* name);

/// A matrix in somebody else's memory.
struct SparseView {
  const SparsePattern& pattern;
  std::span<const double> values;  // one per entry
};

struct SparseMatrix {
  SparsePattern pattern;
  LargeVector<double> values;

  operator SparseView() const noexcept {  // NOLINT(google-explicit-constructor): a view of the same thing
    return {pattern, {values.data(), values.size()}};
  }
};

struct Triplet {
  Index row = 0;
  Index column = 0;
  double value = 0;
};

/// Triplets in any order; those of one place are added in the order given. Throws ERR_OUT_OF_RANGE with the place.
SparseMatrix from_triplets(std::size_t rows, std::size_t columns, std::span<const Triplet> triplets);

/// The pattern of the transposed matrix, and which entry of the matrix each of its entries is.
struct SparseTranspose {
  SparsePattern pattern;
  LargeVector<Index> entry;
};
SparseTranspose transpose(const SparsePattern& pattern);
SparseMatrix transpose(SparseView matrix);

/// y = A x and y = A^T x. Sums run along the rows of A in the order of storage: the same bits for any number of threads
/// (0: the size of the pool) and for both forms of the transposed product, of which only the one with the transposed
/// pattern uses threads. Throws ERR_SHAPE_MISMATCH. Cost: 2 operations an entry, bound by reading the matrix.
void multiply(SparseView a, std::span<const double> x, std::span<double> y, std::size_t threads = 1);
void multiply_transposed(SparseView a, std::span<const double> x, std::span<double> y);
void multiply_transposed(SparseView a, const SparseTranspose& transposed, std::span<const double> x,
                         std::span<double> y, std::size_t threads = 1);

/// Throws ERR_NOT_FINITE with row and column of the first entry that is not finite.
void expect_finite(SparseView a, const char* name);
/// Throws ERR_NOT_FINITE with the index of the first element that is not finite.
void expect_finite(std::span<const double> values, const char* name);
/// Throws ERR_SHAPE_MISMATCH unless `got` is `wanted`.
void expect_length(const char* name, std::size_t got, std::size_t wanted);

}  // namespace dd::linalg
