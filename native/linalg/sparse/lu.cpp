// Substitution through the blocks in order, with what lies left of a block taken off from the matrix itself.
#include "linalg/sparse/lu.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t blocks_per_poll = 4096;

/// max |r_i| / (|A| |x| + |b|)_i: how far the matrix would have to be moved for x to be exact.
double backward_error(std::span<const double> residual, std::span<const double> scale) {
  double worst = 0;
  for (std::size_t i = 0; i < residual.size(); ++i) {
    const double size = std::fabs(residual[i]);
    if (size > 0) worst = std::max(worst, scale[i] > 0 ? size / scale[i] : INFINITY);
  }
  return worst;
}

}  // namespace

SparseLu::SparseLu(const SparsePattern& a, const LuOptions& options)
    : options_(options), form_(block_triangular_form(a)), pattern_(a) {
  const std::size_t n = a.rows;
  if (!(options.pivot_threshold >= 0 && options.pivot_threshold <= 1)) {
    throw Error(ErrorCode::out_of_range, "pivot_threshold", "`pivot_threshold` must lie in [0, 1]");
  }
  if (a.entries() >= no_index) {
    throw Error(ErrorCode::out_of_range, "a", "`a` must have fewer than 2^32 - 1 entries");
  }
  std::vector<Index> new_column(n);
  for (std::size_t k = 0; k < n; ++k) new_column[form_.columns[k]] = static_cast<Index>(k);
  left_starts_.assign(1, 0);
  single_entry_.assign(n, no_index);
  std::vector<Triplet> inside;
  for (std::size_t block = 0; block < form_.blocks(); ++block) {
    const Index first = form_.starts[block], end = form_.starts[block + 1];
    inside.clear();
    for (Index k = first; k < end; ++k) {
      const Index row = form_.rows[k];
      for (std::size_t e = a.starts[row]; e < a.starts[row + 1]; ++e) {
        const Index column = new_column[a.indices[e]];
        const auto entry = static_cast<Index>(e);
        if (column < first) {
          left_columns_.push_back(column);
          left_entries_.push_back(entry);
        } else if (end - first == 1) {
          single_entry_[k] = entry;
        } else {
          // A double holds the number of an entry exactly; rows and columns of the triplet are those of the transpose.
          inside.push_back({column - first, k - first, static_cast<double>(entry)});
        }
      }
      left_starts_.push_back(left_columns_.size());
    }
    if (end - first == 1) {
      block_number_.push_back(no_index);
      continue;
    }
    SparseMatrix columns = from_triplets(end - first, end - first, inside);
    std::vector<Index> source;
    for (const double entry : columns.values) source.push_back(static_cast<Index>(entry));
    block_number_.push_back(static_cast<Index>(large_.size()));
    large_.emplace_back(std::move(columns.pattern), std::move(source));
  }
}

FactorResult SparseLu::factor(SparseView a, RunControl& control) {
  factored_ = false;
  expect_length("values", a.values.size(), pattern_.entries());
  if (a.pattern.rows != pattern_.rows || a.pattern.entries() != pattern_.entries()) {
    throw Error(ErrorCode::shape_mismatch, "a", "`a` must have the pattern that was analysed");
  }
  expect_finite(a, "values");
  values_.assign(a.values.begin(), a.values.end());
  for (std::size_t block = 0; block < form_.blocks(); ++block) {
    const Index first = form_.starts[block];
    if (block % blocks_per_poll == 0 && control.should_stop()) return {FactorStatus::stopped, no_index};
    if (block_number_[block] == no_index) {
      if (values_[single_entry_[first]] == 0) return {FactorStatus::singular, form_.columns[first]};
      continue;
    }
    FactorResult result =
        large_[block_number_[block]].factor({values_.data(), values_.size()}, options_.pivot_threshold, control);
    if (result.status == FactorStatus::singular) result.unknown = form_.columns[first + result.unknown];
    if (result.status != FactorStatus::factored) return result;
  }
  factored_ = true;
  return {};
}

void SparseLu::substitute(std::span<double> x) const {
  for (std::size_t block = 0; block < form_.blocks(); ++block) {
    const Index first = form_.starts[block], end = form_.starts[block + 1];
    for (Index k = first; k < end; ++k) {
      for (std::size_t e = left_starts_[k]; e < left_starts_[k + 1]; ++e) {
        x[k] -= values_[left_entries_[e]] * x[left_columns_[e]];
      }
    }
    if (block_number_[block] == no_index) {
      x[first] /= values_[single_entry_[first]];
    } else {
      large_[block_number_[block]].solve(x.subspan(first, end - first));
    }
  }
}

void SparseLu::substitute_transposed(std::span<double> x) const {
  for (std::size_t block = form_.blocks(); block-- > 0;) {
    const Index first = form_.starts[block], end = form_.starts[block + 1];
    if (block_number_[block] == no_index) {
      x[first] /= values_[single_entry_[first]];
    } else {
      large_[block_number_[block]].solve_transposed(x.subspan(first, end - first));
    }
    for (Index k = first; k < end; ++k) {
      for (std::size_t e = left_starts_[k]; e < left_starts_[k + 1]; ++e) {
        x[left_columns_[e]] -= values_[left_entries_[e]] * x[k];
      }
    }
  }
}

template <class Solve, class Residual>
void SparseLu::refine(std::span<double> b, Solve solve_step, Residual find_residual) const {
  expect_factored();
  const std::size_t n = pattern_.rows;
  expect_length("b", b.size(), n);
  expect_finite(b, "b");
  std::vector<double> x(n, 0), step(n), residual(b.begin(), b.end()), scale(n), best;
  double error = INFINITY;
  for (std::size_t pass = 0;; ++pass) {
    solve_step(residual, step, x);
    if (pass == 0) best = x;
    if (options_.refinements == 0) break;
    find_residual(x, residual, scale);
    const double now = backward_error(residual, scale);
    if (now < error) best = x;
    if (!(now <= error / 2) || now <= 0x1p-53 || pass == options_.refinements) break;
    error = now;
  }
  std::copy(best.begin(), best.end(), b.begin());
}

void SparseLu::solve(std::span<double> b) const {
  using Vector = std::vector<double>;
  const std::size_t n = pattern_.rows;
  refine(
      b,
      [&](const Vector& residual, Vector& step, Vector& x) {
        for (std::size_t k = 0; k < n; ++k) step[k] = residual[form_.rows[k]];
        substitute(step);
        for (std::size_t k = 0; k < n; ++k) x[form_.columns[k]] += step[k];
      },
      [&](const Vector& x, Vector& residual, Vector& scale) {
        for (std::size_t i = 0; i < n; ++i) {
          double sum = b[i], size = std::fabs(b[i]);
          for (std::size_t e = pattern_.starts[i]; e < pattern_.starts[i + 1]; ++e) {
            const double product = values_[e] * x[pattern_.indices[e]];
            sum -= product;
            size += std::fabs(product);
          }
          residual[i] = sum;
          scale[i] = size;
        }
      });
}

void SparseLu::solve_transposed(std::span<double> b) const {
  using Vector = std::vector<double>;
  const std::size_t n = pattern_.rows;
  refine(
      b,
      [&](const Vector& residual, Vector& step, Vector& x) {
        for (std::size_t k = 0; k < n; ++k) step[k] = residual[form_.columns[k]];
        substitute_transposed(step);
        for (std::size_t k = 0; k < n; ++k) x[form_.rows[k]] += step[k];
      },
      [&](const Vector& x, Vector& residual, Vector& scale) {
        for (std::size_t i = 0; i < n; ++i) {
          residual[i] = b[i];
          scale[i] = std::fabs(b[i]);
        }
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t e = pattern_.starts[i]; e < pattern_.starts[i + 1]; ++e) {
            const double product = values_[e] * x[i];
            residual[pattern_.indices[e]] -= product;
            scale[pattern_.indices[e]] += std::fabs(product);
          }
        }
      });
}

std::size_t SparseLu::largest_block() const noexcept {
  std::size_t largest = 0;
  for (std::size_t block = 0; block < form_.blocks(); ++block) {
    largest = std::max<std::size_t>(largest, form_.starts[block + 1] - form_.starts[block]);
  }
  return largest;
}

std::size_t SparseLu::factor_entries() const noexcept {
  std::size_t entries = form_.blocks() - large_.size();
  for (const LuBlock& block : large_) entries += block.factor_entries();
  return entries;
}

std::size_t SparseLu::expected_factor_bytes() const noexcept {
  std::size_t entries = 0;
  for (const LuBlock& block : large_) entries += block.expected_entries();
  return entries * (sizeof(double) + sizeof(Index));
}

std::size_t SparseLu::bytes() const noexcept {
  std::size_t bytes = values_.size() * sizeof(double) +
                      (left_starts_.size() + pattern_.starts.size()) * sizeof(std::size_t) +
                      (form_.rows.size() * 2 + form_.starts.size() + pattern_.indices.size() +
                       left_columns_.size() * 2 + single_entry_.size() + block_number_.size()) *
                          sizeof(Index);
  for (const LuBlock& block : large_) bytes += block.bytes();
  return bytes;
}

void SparseLu::expect_factored() const {
  if (!factored_) throw Error(ErrorCode::invalid_argument_value, "factor", "`factor` must have succeeded before");
}

}  // namespace dd::linalg
