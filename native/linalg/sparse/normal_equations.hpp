// A = J^T J with its diagonal terms: the pattern once, the values in every step of a least-squares solver.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

/// What is added to the diagonal of J^T J, in this order: damp^2, then damp_diagonal^2 times the diagonal so far, then
/// lambda scale_j^2. An empty scale means ones.
struct DiagonalTerms {
  double damp = 0;
  double damp_diagonal = 0;
  double lambda = 0;
  std::span<const double> scale = {};
};

class NormalEquations {
 public:
  /// Analyses the pattern of J (m x n). Throws what check_pattern throws, and ERR_OUT_OF_RANGE for too many entries.
  /// Cost: the number of products below (row lengths squared, halved), sorted column by column.
  explicit NormalEquations(const SparsePattern& j, std::size_t threads = 1);

  /// The upper triangle of A in compressed rows; every diagonal entry is there, also of an empty column.
  const SparsePattern& pattern() const noexcept { return pattern_; }
  const SparseTranspose& transposed() const noexcept { return transposed_; }

  /// New values from those of J, whose pattern must be the one analysed. An entry of A is a sum over the rows of J in
  /// their order: the same bits for any number of threads.
  /// Throws ERR_NOT_FINITE with row and column, ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE (a negative or non-finite term).
  void compute(SparseView j, const DiagonalTerms& terms = {}, std::size_t threads = 1);

  std::span<const double> values() const noexcept { return {values_.data(), values_.size()}; }
  /// What the terms of the last call added to the diagonal, one number per unknown.
  std::span<const double> added_diagonal() const noexcept { return added_diagonal_; }
  std::size_t unknowns() const noexcept { return pattern_.rows; }
  std::size_t bytes() const noexcept;

 private:
  SparseTranspose transposed_;
  SparsePattern pattern_;
  // For unknown j, row by row of J: the entries of A that the products of J's entry (row, j) with itself and with those
  // to its right go to.
  std::vector<std::size_t> product_starts_;
  LargeVector<Index> product_targets_;
  LargeVector<double> values_;
  std::vector<double> added_diagonal_;
};

}  // namespace dd::linalg
