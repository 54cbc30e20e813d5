// Merges the hard and the soft matrix, and turns them.
#include "dmmv/sparse_rows.hpp"

#include <limits>

#include "core/error.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t small_dictionary = std::size_t{1} << 14;  // entries

}  // namespace

bool is_worth_sparse(const Problem& problem) noexcept {
  const Matrix& matrix = problem.matrix();
  const std::size_t soft = problem.soft_rows() == nullptr ? 0 : problem.soft_rows()->matrix.rows();
  const std::size_t cells = matrix.rows() * matrix.columns();
  if (!matrix.is_sparse() || (cells + soft * matrix.columns()) <= small_dictionary) return false;
  return matrix.stored_entries() < cells / 4;
}

SparseRows sparse_rows(const Problem& problem, const SearchRows& rows, const RunControl& control) {
  const std::size_t n = problem.variables();
  const SoftRows* soft = problem.soft_rows();
  std::size_t entries = problem.matrix().stored_entries();
  if (soft != nullptr) entries += soft->matrix.is_sparse() ? soft->matrix.stored_entries() : soft->matrix.rows() * n;
  if (entries > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Error(ErrorCode::out_of_memory, "matrix",
                "`matrix` and soft rows together must have fewer than 2^31 entries");
  }
  control.require_memory(24.0 * static_cast<double>(entries), "the entries of the matrix by columns and by rows");
  SparseRows result;
  result.pointers.reserve(n + 1);
  result.rows.reserve(entries);
  result.values.reserve(entries);
  result.pointers.push_back(0);
  result.row_pointers.assign(rows.count + 1, 0);
  const auto add = [&](std::size_t row, double value) {
    if (value == 0) return;
    result.rows.push_back(static_cast<std::int32_t>(row));
    result.values.push_back(value);
    ++result.row_pointers[row + 1];
  };
  for (std::size_t j = 0; j < n; ++j) {
    problem.matrix().for_each(j, [&](std::size_t i, double entry) { add(i, rows.weight[i] * entry); });
    if (soft != nullptr) {
      soft->matrix.for_each(j, [&](std::size_t k, double entry) { add(rows.hard + k, entry); });
    }
    result.pointers.push_back(static_cast<std::int32_t>(result.rows.size()));
  }
  for (std::size_t i = 0; i < rows.count; ++i) result.row_pointers[i + 1] += result.row_pointers[i];
  std::vector<std::int32_t> next(result.row_pointers.begin(), result.row_pointers.end() - 1);
  result.columns.resize(result.rows.size());
  result.row_values.resize(result.rows.size());
  for (std::size_t j = 0; j < n; ++j) {
    for (auto k = static_cast<std::size_t>(result.pointers[j]); k < static_cast<std::size_t>(result.pointers[j + 1]);
         ++k) {
      const auto at = static_cast<std::size_t>(next[static_cast<std::size_t>(result.rows[k])]++);
      result.columns[at] = static_cast<std::int32_t>(j);
      result.row_values[at] = result.values[k];
    }
  }
  return result;
}

}  // namespace dd::dmmv
