// Accumulation by symmetric updates of float32 blocks into float64, damping, and the reversed factorisation.
#include "quantize/hessian.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/inverse_factor.hpp"
#include "linalg/syrk.hpp"
#include "linalg/transpose.hpp"

namespace dd::quantize {
namespace {

// Above it float64 would take longer than what is saved by half the operations.
constexpr std::size_t largest_float64_columns = 512;
constexpr int damping_attempts = 6;
// Below, the copy that lets a batch be undone would be a notable part of its time.
constexpr std::size_t least_interruptible_tokens = 4096;

/// The lower triangle of a square matrix, put aside.
class TriangleCopy {
 public:
  TriangleCopy(std::span<const double> matrix, std::size_t columns)
      : columns_(columns), values_(columns * (columns + 1) / 2) {
    double* to = values_.data();
    for (std::size_t i = 0; i < columns; ++i) to = std::copy_n(&matrix[i * columns], i + 1, to);
  }
  void restore(std::span<double> matrix) const {
    const double* from = values_.data();
    for (std::size_t i = 0; i < columns_; from += ++i) std::copy_n(from, i + 1, &matrix[i * columns_]);
  }

 private:
  std::size_t columns_;
  AlignedBuffer<double> values_;
};

void check_finite(MatrixView<const float> activations, std::size_t threads) {
  const auto fail = [&](std::size_t token, std::size_t column) {
    throw Error(ErrorCode::not_finite, "activations",
                "`activations` must be finite, got " + std::to_string(activations(token, column)) + " at token " +
                    std::to_string(token) + ", column " + std::to_string(column));
  };
  const std::size_t rows = activations.rows, columns = activations.columns;
  if (activations.column_stride == 1 && activations.row_stride == columns) {
    const std::size_t at = first_non_finite({activations.data, rows * columns}, threads);
    if (at < rows * columns) fail(at / columns, at % columns);
    return;
  }
  for (std::size_t t = 0; t < rows; ++t) {
    for (std::size_t j = 0; j < columns; ++j) {
      if (!std::isfinite(activations(t, j))) fail(t, j);
    }
  }
}

}  // namespace

HessianSum::HessianSum(std::size_t columns) : columns_(columns) {
  if (columns == 0) {
    throw Error(ErrorCode::out_of_range, "columns", "`columns` must be at least 1, got 0");
  }
  sum_ = AlignedBuffer<double>(columns * columns, 0.0);
}

void HessianSum::check(MatrixView<const float> activations, std::size_t threads) const {
  if (activations.columns != columns_ || activations.rows == 0) {
    throw Error(ErrorCode::shape_mismatch, "activations",
                "`activations` must have at least one token and " + std::to_string(columns_) + " columns, got " +
                    std::to_string(activations.rows) + " x " + std::to_string(activations.columns));
  }
  check_finite(activations, threads);
}

void HessianSum::accumulate(MatrixView<const float> activations, std::size_t threads) {
  linalg::syrk(1.0, activations.transposed(), 1.0, MatrixView<double>::row_major(sum_.data(), columns_, columns_),
               linalg::Triangle::lower, threads);
}

void HessianSum::add(MatrixView<const float> activations, std::size_t sequences, std::size_t threads) {
  check(activations, threads);
  accumulate(activations, threads);
  sequences_ += std::max<std::size_t>(sequences, 1);
  tokens_ += activations.rows;
}

bool HessianSum::add(MatrixView<const float> activations, std::size_t sequences, RunControl& control) {
  if (control.should_stop()) return false;
  const std::size_t tokens = activations.rows, threads = control.threads();
  if (tokens < least_interruptible_tokens) {
    add(activations, sequences, threads);
    return true;
  }
  check(activations, threads);
  const TriangleCopy before(sum_.span(), columns_);
  // In pieces that have the bits of the whole.
  const std::size_t piece = linalg::syrk_chain(tokens);
  for (std::size_t first = 0; first < tokens; first += piece) {
    if (control.should_stop()) {
      before.restore(sum_.span());
      return false;
    }
    Progress progress;
    progress.phase = "hessian";
    progress.fraction = static_cast<double>(first) / static_cast<double>(tokens);
    control.report(progress);
    const std::size_t count = std::min(piece, tokens - first);
    accumulate(activations.block(first, 0, count, columns_), threads);
  }
  sequences_ += std::max<std::size_t>(sequences, 1);
  tokens_ += tokens;
  return true;
}

void HessianSum::write(std::span<double> matrix, std::size_t threads) const {
  if (sequences_ == 0) {
    throw Error(ErrorCode::invalid_argument_value, "hessian",
                "`hessian` must have seen activations: add some before it is used");
  }
  const double scale = 2.0 / static_cast<double>(sequences_);
  for (std::size_t i = 0; i < columns_; ++i) {
    for (std::size_t j = 0; j <= i; ++j) matrix[i * columns_ + j] = scale * sum_[i * columns_ + j];
  }
  linalg::mirror_triangle(linalg::Triangle::lower, MatrixView<double>::row_major(matrix.data(), columns_, columns_),
                          threads);
}

DampedHessian damp_and_factor(std::span<const double> hessian, std::size_t columns, const HessianOptions& options) {
  AlignedBuffer<double> own(hessian.size());
  std::copy(hessian.begin(), hessian.end(), own.begin());
  return damp_and_factor(std::move(own), columns, options);
}

DampedHessian damp_and_factor(AlignedBuffer<double>&& hessian, std::size_t columns, const HessianOptions& options) {
  const std::size_t n = columns;
  if (n == 0 || hessian.size() != n * n) {
    throw Error(ErrorCode::shape_mismatch, "hessian",
                "`hessian` must be " + std::to_string(n) + " x " + std::to_string(n) +
                    " with at least one column, got " + std::to_string(hessian.size()) + " elements");
  }
  if (!(options.damping >= 0) || !std::isfinite(options.damping)) {
    throw Error(ErrorCode::out_of_range, "damping",
                "`damping` must be a finite number of at least 0, got " + std::to_string(options.damping));
  }
  if (const std::size_t at = first_non_finite(hessian.span(), options.threads); at < n * n) {
    throw Error(ErrorCode::not_finite, "hessian",
                "`hessian` must be finite, got " + std::to_string(hessian[at]) + " at row " + std::to_string(at / n) +
                    ", column " + std::to_string(at % n));
  }
  DampedHessian result;
  result.columns = n;
  result.order.resize(n);
  std::iota(result.order.begin(), result.order.end(), std::uint32_t{0});
  std::vector<double> diagonal(n);
  for (std::size_t j = 0; j < n; ++j) {
    diagonal[j] = hessian[j * n + j];
    if (diagonal[j] != 0) continue;
    diagonal[j] = 1;
    result.dead.push_back(static_cast<std::uint32_t>(j));
  }
  const double mean = std::accumulate(diagonal.begin(), diagonal.end(), 0.0) / static_cast<double>(n);
  if (options.act_order) {
    std::stable_sort(result.order.begin(), result.order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return diagonal[a] > diagonal[b]; });
  }
  result.factor = AlignedBuffer<float>(n * n);
  if (options.act_order) {
    result.matrix = AlignedBuffer<double>(n * n);
    parallel_for(options.threads, n, 64, [&](std::size_t begin, std::size_t end) {
      for (std::size_t p = begin; p < end; ++p) {
        const double* const from = hessian.data() + result.order[p] * n;
        for (std::size_t k = 0; k < n; ++k) result.matrix[p * n + k] = from[result.order[k]];
      }
    });
  } else {
    result.matrix = std::move(hessian);
  }
  result.damping = options.damping;
  for (int attempt = 0; attempt < damping_attempts; ++attempt) {
    if (attempt > 0) result.damping = std::max(10 * result.damping, 1e-4);
    for (std::size_t p = 0; p < n; ++p) {
      result.matrix[p * n + p] = diagonal[result.order[p]] + result.damping * mean;
    }
    result.float64 = n <= largest_float64_columns ||
                     !linalg::inverse_factor<float>(result.matrix.span(), n, result.factor, options.threads);
    if (!result.float64 || linalg::inverse_factor<double>(result.matrix.span(), n, result.factor, options.threads)) {
      return result;
    }
  }
  throw Error(ErrorCode::singular, "hessian",
              "`hessian` is not positive definite, even with a damping of " + std::to_string(result.damping) +
                  " times the mean of its diagonal");
}

}  // namespace dd::quantize
