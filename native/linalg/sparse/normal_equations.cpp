// Every product of two entries of a row of J knows its place in A beforehand: the numeric pass has no searches.
#include "linalg/sparse/normal_equations.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t unknowns_per_task = 4096;

void expect_not_negative(double value, const char* name) {
  if (value >= 0 && std::isfinite(value)) return;
  throw Error(ErrorCode::out_of_range, name,
              std::string("`") + name + "` must be finite and not negative, got " + std::to_string(value));
}

}  // namespace

NormalEquations::NormalEquations(const SparsePattern& j, std::size_t threads) {
  check_pattern(j, "j");
  transposed_ = transpose(j);
  const SparsePattern& columns = transposed_.pattern;
  const std::size_t n = j.columns;
  // Entries to the right of an entry of J, itself included.
  std::vector<std::size_t> row_ends(j.starts.begin() + 1, j.starts.end());
  const auto tail = [&](std::size_t place) {
    const std::size_t entry = transposed_.entry[place];
    return std::span<const Index>(j.indices.data() + entry, row_ends[columns.indices[place]] - entry);
  };
  product_starts_.assign(n + 1, 0);
  for (std::size_t u = 0; u < n; ++u) {
    std::size_t products = 0;
    for (std::size_t e = columns.starts[u]; e < columns.starts[u + 1]; ++e) products += tail(e).size();
    product_starts_[u + 1] = product_starts_[u] + products;
  }
  product_targets_.resize(product_starts_[n]);

  const std::size_t tasks = (n + unknowns_per_task - 1) / unknowns_per_task;
  std::vector<std::vector<Index>> found(tasks);
  pattern_.rows = pattern_.columns = n;
  pattern_.starts.assign(n + 1, 0);
  parallel_for(threads, n, unknowns_per_task, [&](std::size_t begin, std::size_t end) {
    std::vector<Index>& all = found[begin / unknowns_per_task];
    std::vector<Index> row;
    for (std::size_t u = begin; u < end; ++u) {
      row.assign(1, static_cast<Index>(u));
      for (std::size_t e = columns.starts[u]; e < columns.starts[u + 1]; ++e) {
        const std::span<const Index> right = tail(e);
        row.insert(row.end(), right.begin() + 1, right.end());
      }
      std::sort(row.begin(), row.end());
      row.erase(std::unique(row.begin(), row.end()), row.end());
      pattern_.starts[u + 1] = row.size();
      std::size_t product = product_starts_[u];
      for (std::size_t e = columns.starts[u]; e < columns.starts[u + 1]; ++e) {
        auto at = row.begin();
        for (const Index v : tail(e)) {
          at = std::lower_bound(at, row.end(), v);
          product_targets_[product++] = static_cast<Index>(at - row.begin());
        }
      }
      all.insert(all.end(), row.begin(), row.end());
    }
  });
  for (std::size_t u = 0; u < n; ++u) pattern_.starts[u + 1] += pattern_.starts[u];
  if (pattern_.starts[n] >= no_index) {
    throw Error(ErrorCode::out_of_range, "j", "`j` gives normal equations with more than 2^32 - 2 entries");
  }
  pattern_.indices.resize(pattern_.starts[n]);
  parallel_for(threads, tasks, 1, [&](std::size_t task, std::size_t) {
    std::copy(found[task].begin(), found[task].end(),
              pattern_.indices.begin() + static_cast<std::ptrdiff_t>(pattern_.starts[task * unknowns_per_task]));
    found[task] = {};
  });
  values_.resize(pattern_.entries());
  added_diagonal_.assign(n, 0.0);
}

void NormalEquations::compute(SparseView j, const DiagonalTerms& terms, std::size_t threads) {
  const SparsePattern& columns = transposed_.pattern;
  const std::size_t n = unknowns();
  expect_length("values", j.values.size(), columns.entries());
  if (j.pattern.rows != columns.columns || j.pattern.columns != n || j.pattern.entries() != columns.entries()) {
    throw Error(ErrorCode::shape_mismatch, "j", "`j` must have the pattern that was analysed");
  }
  if (!terms.scale.empty()) expect_length("scale", terms.scale.size(), n);
  expect_not_negative(terms.damp, "damp");
  expect_not_negative(terms.damp_diagonal, "damp_diagonal");
  expect_not_negative(terms.lambda, "lambda");
  expect_finite(terms.scale, "scale");
  expect_finite(j, "values");
  parallel_for(threads, n, unknowns_per_task, [&](std::size_t begin, std::size_t end) {
    for (std::size_t u = begin; u < end; ++u) {
      double* const row = values_.data() + pattern_.starts[u];
      std::fill(row, values_.data() + pattern_.starts[u + 1], 0.0);
      const Index* target = product_targets_.data() + product_starts_[u];
      for (std::size_t e = columns.starts[u]; e < columns.starts[u + 1]; ++e) {
        const double* right = j.values.data() + transposed_.entry[e];
        const double value = *right;
        const double* const last = j.values.data() + j.pattern.starts[columns.indices[e] + 1];
        for (; right != last; ++right, ++target) row[*target] += value * *right;
      }
      const double damped = row[0] + terms.damp * terms.damp;
      const double scale = terms.scale.empty() ? 1.0 : terms.scale[u];
      added_diagonal_[u] =
          terms.damp * terms.damp + terms.damp_diagonal * terms.damp_diagonal * damped + terms.lambda * scale * scale;
      row[0] += added_diagonal_[u];
    }
  });
}

std::size_t NormalEquations::bytes() const noexcept {
  return (transposed_.entry.size() + transposed_.pattern.indices.size() + product_targets_.size() +
          pattern_.indices.size()) *
             sizeof(Index) +
         (product_starts_.size() + pattern_.starts.size() + transposed_.pattern.starts.size()) * sizeof(std::size_t) +
         (values_.size() + added_diagonal_.size()) * sizeof(double);
}

}  // namespace dd::linalg
