// Householder QR with column pivoting, and the reflections from the right that make a short R triangular.
#include "linalg/qr.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.hpp"
#include "linalg/strided.hpp"

namespace dd::linalg {
namespace {

/// I - scale (1, v)(1, v)^T takes (head, tail) to (result, 0): v replaces the tail.
struct Reflection {
  double scale, result;
};

double norm(const double* x, std::size_t count, std::size_t stride) {
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(x[i * stride]));
  if (largest == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += (x[i * stride] / largest) * (x[i * stride] / largest);
  return largest * std::sqrt(sum);
}

Reflection make_reflection(double head, double* tail, std::size_t count, std::size_t stride) {
  const double rest = norm(tail, count, stride);
  if (rest == 0) return {0, head};
  const double size = std::hypot(head, rest);
  const double result = head > 0 ? -size : size;
  const double first = head - result;
  for (std::size_t i = 0; i < count; ++i) tail[i * stride] /= first;
  return {-first / result, result};
}

}  // namespace

RankRevealingQr::RankRevealingQr(MatrixView<const double> a, double tolerance)
    : rows_(a.rows), columns_(a.columns), values_(a.rows * a.columns), order_(a.columns) {
  checked(a, "a");
  if (!(tolerance >= 0 && tolerance < 1)) {
    throw Error(ErrorCode::out_of_range, "tolerance",
                "`tolerance` must lie in [0, 1), got " + std::to_string(tolerance));
  }
  const std::size_t m = rows_, n = columns_;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < m; ++i) {
      values_[i + j * m] = a(i, j);
      if (std::isfinite(a(i, j))) continue;
      throw Error(ErrorCode::not_finite, "a",
                  "`a` must be finite, got " + std::to_string(a(i, j)) + " in row " + std::to_string(i) + ", column " +
                      std::to_string(j));
    }
  }
  if (tolerance == 0) tolerance = static_cast<double>(std::max(m, n)) * std::numeric_limits<double>::epsilon();
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::vector<double> left(n), known(n);  // norms of what remains of the columns, and when they were last computed
  for (std::size_t j = 0; j < n; ++j) left[j] = known[j] = norm(values_.data() + j * m, m, 1);
  const double least = n == 0 ? 0 : tolerance * *std::max_element(left.begin(), left.end());
  for (std::size_t k = 0; k < std::min(m, n); ++k) {
    const auto best = static_cast<std::size_t>(
        std::max_element(left.begin() + static_cast<std::ptrdiff_t>(k), left.end()) - left.begin());
    if (!(left[best] > least)) break;
    if (best != k) {
      std::swap_ranges(values_.data() + k * m, values_.data() + (k + 1) * m, values_.data() + best * m);
      std::swap(order_[k], order_[best]);
      std::swap(left[k], left[best]);
      std::swap(known[k], known[best]);
    }
    double* const column = values_.data() + k * m;
    const Reflection reflection = make_reflection(column[k], column + k + 1, m - k - 1, 1);
    column[k] = reflection.result;
    left_scale_.push_back(reflection.scale);
    diagonal_.push_back(reflection.result);
    ++rank_;
    for (std::size_t j = k + 1; j < n; ++j) {
      double* const other = values_.data() + j * m;
      double sum = other[k];
      for (std::size_t i = k + 1; i < m; ++i) sum += column[i] * other[i];
      sum *= reflection.scale;
      other[k] -= sum;
      for (std::size_t i = k + 1; i < m; ++i) other[i] -= sum * column[i];
      // Downdating loses digits; the norm is computed anew when half of them are gone
      // (of its square: LAPACK working note 176).
      const double share = left[j] == 0 ? 0 : std::fabs(other[k]) / left[j];
      left[j] *= std::sqrt(std::max(0.0, (1 - share) * (1 + share)));
      if (left[j] < 1e-4 * known[j]) left[j] = known[j] = norm(other + k + 1, m - k - 1, 1);
    }
  }
  compress();
}

void RankRevealingQr::compress() {
  const std::size_t m = rows_, rest = columns_ - rank_;
  right_scale_.assign(rank_, 0);
  if (rest == 0) return;
  for (std::size_t k = rank_; k-- > 0;) {
    double* const tail = values_.data() + k + rank_ * m;
    const Reflection reflection = make_reflection(values_[k + k * m], tail, rest, m);
    values_[k + k * m] = reflection.result;
    right_scale_[k] = reflection.scale;
    for (std::size_t i = 0; i < k; ++i) {
      double* const other = values_.data() + i + rank_ * m;
      double sum = values_[i + k * m];
      for (std::size_t j = 0; j < rest; ++j) sum += tail[j * m] * other[j * m];
      sum *= reflection.scale;
      values_[i + k * m] -= sum;
      for (std::size_t j = 0; j < rest; ++j) other[j * m] -= sum * tail[j * m];
    }
  }
}

std::vector<double> RankRevealingQr::solve(std::span<const double> b) const {
  const std::size_t m = rows_;
  if (b.size() != m) {
    throw Error(ErrorCode::shape_mismatch, "b",
                "`b` must have length " + std::to_string(m) + ", got length " + std::to_string(b.size()));
  }
  std::vector<double> y(b.begin(), b.end());
  for (std::size_t i = 0; i < m; ++i) {
    if (std::isfinite(y[i])) continue;
    throw Error(ErrorCode::not_finite, "b",
                "`b` must be finite, got " + std::to_string(y[i]) + " at index " + std::to_string(i));
  }
  for (std::size_t k = 0; k < rank_; ++k) {
    const double* const column = values_.data() + k * m;
    double sum = y[k];
    for (std::size_t i = k + 1; i < m; ++i) sum += column[i] * y[i];
    sum *= left_scale_[k];
    y[k] -= sum;
    for (std::size_t i = k + 1; i < m; ++i) y[i] -= sum * column[i];
  }
  std::vector<double> z(columns_, 0);
  for (std::size_t k = rank_; k-- > 0;) {
    double sum = y[k];
    for (std::size_t j = k + 1; j < rank_; ++j) sum -= values_[k + j * m] * z[j];
    z[k] = sum / values_[k + k * m];
  }
  // R = [T 0] H_0 ... H_(r-1), the reflection of the last row having come first.
  for (std::size_t k = 0; k < rank_; ++k) {
    const double* const tail = values_.data() + k + rank_ * m;
    double sum = z[k];
    for (std::size_t j = rank_; j < columns_; ++j) sum += tail[(j - rank_) * m] * z[j];
    sum *= right_scale_[k];
    z[k] -= sum;
    for (std::size_t j = rank_; j < columns_; ++j) z[j] -= sum * tail[(j - rank_) * m];
  }
  std::vector<double> x(columns_);
  for (std::size_t j = 0; j < columns_; ++j) x[order_[j]] = z[j];
  return x;
}

}  // namespace dd::linalg
