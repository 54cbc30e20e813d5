// What a discrete min-max violation problem is, checked once and never changed afterwards: every routine of this room
// takes a Problem and may rely on it.
//
//   minimise  t(x) = max_i w_i max(s_i - u_i, l_i - s_i),   s = A x,   x_j in L_j       (arXiv 2508.13437)
//
// t is signed: negative when every row is strictly slack. Soft rows never count in t; they enter the search only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"

namespace dd::dmmv {

/// Compressed sparse columns in the caller's memory. Row indices ascend strictly inside each column.
struct SparseColumns {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::span<const std::int32_t> column_pointers;  ///< columns + 1 entries, from 0 to the number of entries
  std::span<const std::int32_t> row_indices;
  std::span<const double> values;
};

/// Throws what Problem::create throws for sparse columns, naming `argument`.
void check_sparse_columns(const char* argument, const SparseColumns& sparse);

/// Dense (any strides) or sparse; copied by Problem::create.
using MatrixDescription = std::variant<MatrixView<const double>, SparseColumns>;

/// One ascending table for all variables.
struct SharedLevels {
  std::span<const double> values;
};
/// A table for each variable: variable j has values[starts[j]] ... values[starts[j + 1] - 1].
struct OwnLevels {
  std::span<const double> values;
  std::span<const std::size_t> starts;  ///< n + 1 entries
};
/// offset + step * q, q = 0 ... count - 1, for all variables; never stored as a table.
struct UniformLevels {
  double offset = 0;
  double step = 1;
  std::int64_t count = 0;  ///< 1 ... 2^31 - 1
};
using LevelDescription = std::variant<SharedLevels, OwnLevels, UniformLevels>;

/// Rows that never count in the maximum: row k adds multiplier_k * max(0, s_k - upper_k, lower_k - s_k) to the search
/// penalty (specs/dmmv.md 6.6), for example differences of neighbouring pixels.
struct SoftRowsDescription {
  MatrixDescription matrix;
  std::span<const double> lower, upper;
  std::span<const double> multipliers;  ///< > 0
};

struct ProblemDescription {
  MatrixDescription matrix;         ///< m x n
  std::span<const double> lower;    ///< m, -infinity where there is none
  std::span<const double> upper;    ///< m, +infinity where there is none
  std::span<const double> weights;  ///< m, > 0; empty means 1
  LevelDescription levels;
  std::optional<SoftRowsDescription> soft_rows;
};

/// The values each variable may take, in one of the three forms above.
class LevelSets {
 public:
  std::size_t variables() const noexcept { return variables_; }
  /// Number of levels of variable j, at least 1.
  std::int32_t count(std::size_t j) const noexcept {
    return starts_.empty() ? shared_count_ : static_cast<std::int32_t>(starts_[j + 1] - starts_[j]);
  }
  double value(std::size_t j, std::int32_t q) const noexcept {
    if (table_.empty()) return offset_ + step_ * static_cast<double>(q);
    return table_[(starts_.empty() ? 0 : starts_[j]) + static_cast<std::size_t>(q)];
  }
  double minimum(std::size_t j) const noexcept { return value(j, 0); }
  double maximum(std::size_t j) const noexcept { return value(j, count(j) - 1); }
  /// The step of variable j if its levels are equally spaced (within rounding), else 0. One level: 0.
  double step(std::size_t j) const noexcept { return steps_.empty() ? step_ : steps_[j]; }
  /// True when every variable with more than one level is equally spaced.
  bool equally_spaced() const noexcept { return equally_spaced_; }
  /// Index of the level nearest to `target`; the lower one of two equally near.
  std::int32_t nearest(std::size_t j, double target) const noexcept;
  /// Sum of count(j): the length of a one-flip table.
  std::size_t total() const noexcept;

 private:
  friend class Problem;
  std::size_t variables_ = 0;
  std::int32_t shared_count_ = 0;
  double offset_ = 0, step_ = 0;
  std::vector<double> table_;        // empty: uniform
  std::vector<std::size_t> starts_;  // empty: one table for all
  std::vector<double> steps_;        // empty: step_ for all
  bool equally_spaced_ = true;
};

/// A matrix owned by a problem: column-major when dense, compressed columns when sparse.
class Matrix {
 public:
  std::size_t rows() const noexcept { return rows_; }
  std::size_t columns() const noexcept { return columns_; }
  bool is_sparse() const noexcept { return sparse_; }
  /// Column j of a dense matrix.
  std::span<const double> column(std::size_t j) const noexcept { return {values_.data() + j * rows_, rows_}; }
  /// Entries of column j of a sparse matrix.
  std::span<const std::int32_t> column_rows(std::size_t j) const noexcept {
    return {row_indices_.data() + pointers_[j], pointers_[j + 1] - pointers_[j]};
  }
  std::span<const double> column_values(std::size_t j) const noexcept {
    return {values_.data() + pointers_[j], pointers_[j + 1] - pointers_[j]};
  }
  std::size_t stored_entries() const noexcept { return values_.size(); }
  /// visit(row, value) for every stored entry of column j, rows ascending.
  template <class Visit>
  void for_each(std::size_t j, Visit&& visit) const {
    if (sparse_) {
      for (std::size_t k = pointers_[j]; k < pointers_[j + 1]; ++k)
        visit(static_cast<std::size_t>(row_indices_[k]), values_[k]);
    } else {
      const double* column_data = values_.data() + j * rows_;
      for (std::size_t i = 0; i < rows_; ++i) visit(i, column_data[i]);
    }
  }

 private:
  friend class Problem;
  std::size_t rows_ = 0, columns_ = 0;
  bool sparse_ = false;
  std::vector<double> values_;
  std::vector<std::size_t> pointers_;
  std::vector<std::int32_t> row_indices_;
};

/// Soft rows as a problem owns them.
struct SoftRows {
  Matrix matrix;
  std::vector<double> lower, upper, multipliers;
};

class Problem {
 public:
  /// Copies and checks everything.
  /// Throws dd::Error, naming the argument and the first bad index:
  ///  - shape_mismatch: `lower`, `upper`, `weights`, `levels`, `softRows` or the sparse arrays do not fit the matrix
  ///  - not_finite: NaN anywhere; an infinite entry of the matrix, a weight, a level or a multiplier
  ///  - invalid_argument_value: no rows, lower > upper, both sides infinite, a row of two equal infinities, weight <=
  ///  0,
  ///    no level, levels that do not ascend strictly, step <= 0, count out of range, sparse rows that do not ascend
  ///  - out_of_range: a sparse row index or column pointer outside the matrix
  /// Cost: one pass over the matrix.
  static Problem create(const ProblemDescription& description);

  std::size_t rows() const noexcept { return matrix_.rows(); }
  std::size_t variables() const noexcept { return matrix_.columns(); }
  const Matrix& matrix() const noexcept { return matrix_; }
  std::span<const double> lower() const noexcept { return lower_; }
  std::span<const double> upper() const noexcept { return upper_; }
  std::span<const double> weights() const noexcept { return weights_; }
  const LevelSets& levels() const noexcept { return levels_; }
  const SoftRows* soft_rows() const noexcept { return soft_ ? &*soft_ : nullptr; }
  /// Every row has l = u (then v = w |A x - b|).
  bool all_equalities() const noexcept { return all_equalities_; }

  /// The same variables, levels, weights and soft rows with these rows only (ascending, not empty) and their bounds.
  Problem with_rows(std::span<const std::size_t> rows, std::vector<double> lower, std::vector<double> upper) const;

  /// The same without soft rows.
  Problem without_soft_rows() const;

  /// Throws shape_mismatch or out_of_range (naming `argument` and the index) unless indices[j] is a level of j.
  void check_indices(std::span<const std::int32_t> indices, const char* argument) const;

 private:
  Problem() = default;
  Matrix matrix_;
  std::vector<double> lower_, upper_, weights_;
  LevelSets levels_;
  std::optional<SoftRows> soft_;
  bool all_equalities_ = false;
};

/// Nearest level of each variable to a continuous point of length n (ties: the lower level). Throws shape_mismatch, or
/// not_finite for a NaN. The one place where rounding happens: a start outside the levels is never rounded silently.
std::vector<std::int32_t> nearest_levels(const Problem& problem, std::span<const double> point);

/// The level values of an assignment.
std::vector<double> level_values(const Problem& problem, std::span<const std::int32_t> indices);

}  // namespace dd::dmmv
