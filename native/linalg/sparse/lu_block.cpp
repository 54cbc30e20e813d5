// Each column is a sparse triangular solve whose pattern comes from a depth-first search, so that the work is
// proportional to the multiplications.
#include "linalg/sparse/lu_block.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "linalg/sparse/elimination_tree.hpp"
#include "linalg/sparse/ordering.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t columns_per_poll = 32;

/// Upper triangle of the pattern of B + B^T with its diagonal.
SparsePattern symmetric_sum(const SparsePattern& columns) {
  const std::size_t n = columns.rows;
  std::vector<Triplet> both;
  both.reserve(columns.entries() + n);
  for (std::size_t j = 0; j < n; ++j) {
    both.push_back({static_cast<Index>(j), static_cast<Index>(j), 0});
    for (const Index i : columns.row(j)) {
      both.push_back({std::min(i, static_cast<Index>(j)), std::max(i, static_cast<Index>(j)), 0});
    }
  }
  return from_triplets(n, n, both).pattern;
}

}  // namespace

/// The dense column at work and the search for its pattern.
class LuBlock::Column {
 public:
  explicit Column(std::size_t n) : value_(n, 0), mark_(n, no_index), entry_(n) {}

  /// Rows that column k reaches through L, those that come first in a solve last in reached().
  void search(std::span<const Index> rows, Index k, const std::vector<Index>& step_of, const LuBlock& lu) {
    reached_.clear();
    for (const Index start : rows) {
      if (mark_[start] == k) continue;
      enter(start, k, step_of, lu);
      while (!path_.empty()) {
        const Index row = path_.back();
        const Index step = step_of[row];
        const std::size_t end = step == no_index ? 0 : lu.lower_starts_[step + 1];
        while (entry_[row] < end && mark_[lu.lower_rows_[entry_[row]]] == k) ++entry_[row];
        if (step != no_index && entry_[row] < end) {
          enter(lu.lower_rows_[entry_[row]++], k, step_of, lu);
        } else {
          reached_.push_back(row);
          path_.pop_back();
        }
      }
    }
  }

  const std::vector<Index>& reached() const noexcept { return reached_; }
  double& operator[](Index row) noexcept { return value_[row]; }

 private:
  void enter(Index row, Index k, const std::vector<Index>& step_of, const LuBlock& lu) {
    mark_[row] = k;
    value_[row] = 0;
    entry_[row] = step_of[row] == no_index ? 0 : lu.lower_starts_[step_of[row]];
    path_.push_back(row);
  }

  std::vector<double> value_;
  std::vector<Index> mark_, path_, reached_;
  std::vector<std::size_t> entry_;
};

LuBlock::LuBlock(SparsePattern columns, std::vector<Index> source)
    : columns_(std::move(columns)), source_(std::move(source)) {
  const SparsePattern both = symmetric_sum(columns_);
  order_ = minimum_degree(both);
  for (const Index count : eliminate_in_postorder(both, order_).counts) expected_entries_ += 2 * count - 1;
}

FactorResult LuBlock::factor(std::span<const double> values, double threshold, RunControl& control) {
  const std::size_t n = order();
  lower_rows_.clear();
  lower_values_.clear();
  upper_rows_.clear();
  upper_values_.clear();
  lower_starts_.assign(1, 0);
  upper_starts_.assign(1, 0);
  pivots_.assign(n, 0);
  pivot_row_.assign(n, no_index);
  std::vector<Index> step_of(n, no_index);
  Column column(n);
  for (std::size_t k = 0; k < n; ++k) {
    if (k % columns_per_poll == 0 && control.should_stop()) return {FactorStatus::stopped, no_index};
    const Index j = order_[k];
    column.search(columns_.row(j), static_cast<Index>(k), step_of, *this);
    for (std::size_t e = columns_.starts[j]; e < columns_.starts[j + 1]; ++e) {
      column[columns_.indices[e]] = values[source_[e]];
    }
    const std::vector<Index>& reached = column.reached();
    Index pivot = no_index;
    double largest = 0;
    for (auto row = reached.rbegin(); row != reached.rend(); ++row) {
      const double value = column[*row];
      const Index step = step_of[*row];
      if (step == no_index) continue;
      upper_rows_.push_back(step);
      upper_values_.push_back(value);
      for (std::size_t e = lower_starts_[step]; e < lower_starts_[step + 1]; ++e) {
        column[lower_rows_[e]] -= lower_values_[e] * value;
      }
    }
    for (const Index row : reached) {
      if (step_of[row] != no_index) continue;
      const double size = std::fabs(column[row]);
      if (!std::isfinite(size)) return {FactorStatus::singular, j};
      // The lower row wins a tie, whatever order the search found them in.
      if (pivot == no_index || size > largest || (size == largest && row < pivot)) {
        largest = size;
        pivot = row;
      }
    }
    if (pivot == no_index || largest == 0) return {FactorStatus::singular, j};
    const bool diagonal_is_free = step_of[j] == no_index;
    if (diagonal_is_free && std::find(reached.begin(), reached.end(), j) != reached.end() &&
        std::fabs(column[j]) >= threshold * largest) {
      pivot = j;
    }
    step_of[pivot] = static_cast<Index>(k);
    pivot_row_[k] = pivot;
    pivots_[k] = column[pivot];
    for (const Index row : reached) {
      if (step_of[row] != no_index) continue;
      lower_rows_.push_back(row);
      lower_values_.push_back(column[row] / pivots_[k]);
    }
    lower_starts_.push_back(lower_rows_.size());
    upper_starts_.push_back(upper_rows_.size());
  }
  for (Index& row : lower_rows_) row = step_of[row];
  return {};
}

void LuBlock::solve(std::span<double> x) const {
  const std::size_t n = order();
  std::vector<double> y(n);
  for (std::size_t k = 0; k < n; ++k) y[k] = x[pivot_row_[k]];
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t e = lower_starts_[k]; e < lower_starts_[k + 1]; ++e) y[lower_rows_[e]] -= lower_values_[e] * y[k];
  }
  for (std::size_t k = n; k-- > 0;) {
    y[k] /= pivots_[k];
    for (std::size_t e = upper_starts_[k]; e < upper_starts_[k + 1]; ++e) y[upper_rows_[e]] -= upper_values_[e] * y[k];
  }
  for (std::size_t k = 0; k < n; ++k) x[order_[k]] = y[k];
}

void LuBlock::solve_transposed(std::span<double> x) const {
  const std::size_t n = order();
  std::vector<double> y(n);
  for (std::size_t k = 0; k < n; ++k) {
    double sum = x[order_[k]];
    for (std::size_t e = upper_starts_[k]; e < upper_starts_[k + 1]; ++e) sum -= upper_values_[e] * y[upper_rows_[e]];
    y[k] = sum / pivots_[k];
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t e = lower_starts_[k]; e < lower_starts_[k + 1]; ++e) y[k] -= lower_values_[e] * y[lower_rows_[e]];
  }
  for (std::size_t k = 0; k < n; ++k) x[pivot_row_[k]] = y[k];
}

std::size_t LuBlock::bytes() const noexcept {
  return (columns_.indices.size() + source_.size() + order_.size() + pivot_row_.size() + lower_rows_.size() +
          upper_rows_.size()) *
             sizeof(Index) +
         (columns_.starts.size() + lower_starts_.size() + upper_starts_.size()) * sizeof(std::size_t) +
         (pivots_.size() + lower_values_.size() + upper_values_.size()) * sizeof(double);
}

}  // namespace dd::linalg
