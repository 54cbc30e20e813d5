// Checks, transposition and products of sparse matrices.
#include "linalg/sparse/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t rows_per_task = 8192;

void expect_few_entries(const SparsePattern& pattern, const char* name) {
  if (pattern.entries() >= no_index) fail(ErrorCode::out_of_range, name, "must have fewer than 2^32 - 1 entries");
}

}  // namespace

void expect_length(const char* name, std::size_t got, std::size_t wanted) {
  if (got == wanted) return;
  fail(ErrorCode::shape_mismatch, name,
       "must have length " + std::to_string(wanted) + ", got length " + std::to_string(got));
}

void check_pattern(const SparsePattern& pattern, const char* name) {
  if (pattern.rows >= no_index || pattern.columns >= no_index) {
    fail(ErrorCode::out_of_range, name, "must have fewer than 2^32 - 1 rows and columns");
  }
  if (pattern.starts.size() != pattern.rows + 1) {
    fail(ErrorCode::shape_mismatch, name,
         "must have " + std::to_string(pattern.rows + 1) + " starts, got " + std::to_string(pattern.starts.size()));
  }
  if (pattern.starts.front() != 0 || pattern.starts.back() != pattern.entries()) {
    fail(ErrorCode::invalid_argument_value, name, "must have starts from 0 to the number of entries");
  }
  for (std::size_t i = 0; i < pattern.rows; ++i) {
    if (pattern.starts[i] > pattern.starts[i + 1] || pattern.starts[i + 1] > pattern.entries()) {
      fail(ErrorCode::invalid_argument_value, name, "has starts that fall at row " + std::to_string(i));
    }
    const std::span<const Index> row = pattern.row(i);
    for (std::size_t k = 0; k < row.size(); ++k) {
      if (row[k] >= pattern.columns) {
        fail(ErrorCode::out_of_range, name,
             "has column " + std::to_string(row[k]) + " in row " + std::to_string(i) + ", but only " +
                 std::to_string(pattern.columns) + " columns");
      }
      if (k > 0 && row[k] <= row[k - 1]) {
        fail(ErrorCode::invalid_argument_value, name,
             "must have ascending columns in each row, row " + std::to_string(i) + " has not");
      }
    }
  }
}

SparseMatrix from_triplets(std::size_t rows, std::size_t columns, std::span<const Triplet> triplets) {
  SparsePattern by_row{rows, columns, std::vector<std::size_t>(rows + 1, 0), {}};
  if (rows >= no_index || columns >= no_index) {
    fail(ErrorCode::out_of_range, "rows", "and columns must be fewer than 2^32 - 1");
  }
  for (const Triplet& triplet : triplets) {
    if (triplet.row >= rows || triplet.column >= columns) {
      fail(ErrorCode::out_of_range, "triplets",
           "must lie inside " + std::to_string(rows) + " x " + std::to_string(columns) + ", got (" +
               std::to_string(triplet.row) + ", " + std::to_string(triplet.column) + ")");
    }
    ++by_row.starts[triplet.row + 1];
  }
  for (std::size_t i = 0; i < rows; ++i) by_row.starts[i + 1] += by_row.starts[i];
  std::vector<std::size_t> order(triplets.size()), next(by_row.starts.begin(), by_row.starts.end() - 1);
  for (std::size_t t = 0; t < triplets.size(); ++t) order[next[triplets[t].row]++] = t;
  SparseMatrix result;
  result.pattern.rows = rows;
  result.pattern.columns = columns;
  result.pattern.starts.assign(rows + 1, 0);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(by_row.starts[i]);
    const auto last = order.begin() + static_cast<std::ptrdiff_t>(by_row.starts[i + 1]);
    std::stable_sort(first, last,
                     [&](std::size_t a, std::size_t b) { return triplets[a].column < triplets[b].column; });
    for (auto t = first; t != last; ++t) {
      const Triplet& triplet = triplets[*t];
      if (t != first && result.pattern.indices.back() == triplet.column) {
        result.values.back() += triplet.value;
      } else {
        result.pattern.indices.push_back(triplet.column);
        result.values.push_back(triplet.value);
      }
    }
    result.pattern.starts[i + 1] = result.pattern.indices.size();
  }
  return result;
}

SparseTranspose transpose(const SparsePattern& pattern) {
  expect_few_entries(pattern, "pattern");
  SparseTranspose result;
  SparsePattern& turned = result.pattern;
  turned.rows = pattern.columns;
  turned.columns = pattern.rows;
  turned.starts.assign(turned.rows + 1, 0);
  turned.indices.resize(pattern.entries());
  result.entry.resize(pattern.entries());
  for (const Index column : pattern.indices) ++turned.starts[column + 1];
  for (std::size_t j = 0; j < turned.rows; ++j) turned.starts[j + 1] += turned.starts[j];
  std::vector<std::size_t> next(turned.starts.begin(), turned.starts.end() - 1);
  for (std::size_t i = 0; i < pattern.rows; ++i) {
    for (std::size_t e = pattern.starts[i]; e < pattern.starts[i + 1]; ++e) {
      const std::size_t to = next[pattern.indices[e]]++;
      turned.indices[to] = static_cast<Index>(i);
      result.entry[to] = static_cast<Index>(e);
    }
  }
  return result;
}

SparseMatrix transpose(SparseView matrix) {
  expect_length("values", matrix.values.size(), matrix.pattern.entries());
  SparseTranspose turned = transpose(matrix.pattern);
  SparseMatrix result;
  result.values.resize(turned.entry.size());
  for (std::size_t e = 0; e < turned.entry.size(); ++e) result.values[e] = matrix.values[turned.entry[e]];
  result.pattern = std::move(turned.pattern);
  return result;
}

void multiply(SparseView a, std::span<const double> x, std::span<double> y, std::size_t threads) {
  const SparsePattern& pattern = a.pattern;
  expect_length("values", a.values.size(), pattern.entries());
  expect_length("x", x.size(), pattern.columns);
  expect_length("y", y.size(), pattern.rows);
  parallel_for(threads, pattern.rows, rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      double sum = 0;
      for (std::size_t e = pattern.starts[i]; e < pattern.starts[i + 1]; ++e) {
        sum += a.values[e] * x[pattern.indices[e]];
      }
      y[i] = sum;
    }
  });
}

void multiply_transposed(SparseView a, std::span<const double> x, std::span<double> y) {
  const SparsePattern& pattern = a.pattern;
  expect_length("values", a.values.size(), pattern.entries());
  expect_length("x", x.size(), pattern.rows);
  expect_length("y", y.size(), pattern.columns);
  std::fill(y.begin(), y.end(), 0.0);
  for (std::size_t i = 0; i < pattern.rows; ++i) {
    const double factor = x[i];
    for (std::size_t e = pattern.starts[i]; e < pattern.starts[i + 1]; ++e) {
      y[pattern.indices[e]] += a.values[e] * factor;
    }
  }
}

void multiply_transposed(SparseView a, const SparseTranspose& transposed, std::span<const double> x,
                         std::span<double> y, std::size_t threads) {
  // One pass over the matrix in its own order is faster than a gather, and adds in the same order.
  if (threads == 1) return multiply_transposed(a, x, y);
  const SparsePattern& pattern = transposed.pattern;
  expect_length("values", a.values.size(), pattern.entries());
  expect_length("x", x.size(), pattern.columns);
  expect_length("y", y.size(), pattern.rows);
  parallel_for(threads, pattern.rows, rows_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t j = begin; j < end; ++j) {
      double sum = 0;
      for (std::size_t e = pattern.starts[j]; e < pattern.starts[j + 1]; ++e) {
        sum += a.values[transposed.entry[e]] * x[pattern.indices[e]];
      }
      y[j] = sum;
    }
  });
}

void expect_finite(SparseView a, const char* name) {
  // One sum tells whether any entry is bad (a zero times a finite value is zero); only then is it looked for.
  double sum = 0;
  for (const double value : a.values) sum += value * 0.0;
  if (sum == 0) return;
  for (std::size_t i = 0; i < a.pattern.rows; ++i) {
    for (std::size_t e = a.pattern.starts[i]; e < a.pattern.starts[i + 1]; ++e) {
      if (std::isfinite(a.values[e])) continue;
      fail(ErrorCode::not_finite, name,
           "must be finite, got " + std::to_string(a.values[e]) + " in row " + std::to_string(i) + ", column " +
               std::to_string(a.pattern.indices[e]));
    }
  }
}

void expect_finite(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    fail(ErrorCode::not_finite, name,
         "must be finite, got " + std::to_string(values[i]) + " at index " + std::to_string(i));
  }
}

}  // namespace dd::linalg
