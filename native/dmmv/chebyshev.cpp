// An exchange costs one product with the matrix and a rank-one change of the inverse.
#include "dmmv/chebyshev.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "linalg/gemm.hpp"

namespace dd::dmmv {
namespace {

constexpr double smallest_pivot = 1e-11;
constexpr std::uint64_t factorise_every = 256;

}  // namespace

ChebyshevReference::ChebyshevReference(const double* matrix, std::size_t rows, std::size_t columns)
    : matrix_(matrix),
      rows_(rows),
      columns_(columns),
      inverse_(columns * columns),
      share_(columns),
      entering_(columns),
      point_(columns),
      residual_(rows),
      wanted_(columns) {
  if (rows <= columns) return;
  // Rows by elimination with partial pivoting: those with large pivots are far from dependent.
  std::vector<double> work(matrix, matrix + rows * columns);
  std::vector<bool> taken(rows, false);
  for (std::size_t k = 0; k < columns; ++k) {
    std::size_t pivot = rows;
    for (std::size_t i = 0; i < rows; ++i) {
      if (!taken[i] && (pivot == rows || std::abs(work[i + k * rows]) > std::abs(work[pivot + k * rows]))) pivot = i;
    }
    if (!(std::abs(work[pivot + k * rows]) > smallest_pivot)) return;
    taken[pivot] = true;
    basis_.push_back(pivot);
    for (std::size_t j = k + 1; j < columns; ++j) {
      const double factor = work[pivot + j * rows] / work[pivot + k * rows];
      for (std::size_t i = 0; i < rows; ++i) work[i + j * rows] -= factor * work[i + k * rows];
    }
  }
  while (taken[extra_]) ++extra_;
  usable_ = factorise();
}

/// The inverse of the basis rows, by elimination with complete pivots of a column.
bool ChebyshevReference::factorise() {
  const std::size_t n = columns_;
  std::vector<double> left(n * n);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < n; ++i) left[i + j * n] = matrix_[basis_[i] + j * rows_];
  }
  std::fill(inverse_.begin(), inverse_.end(), 0.0);
  for (std::size_t i = 0; i < n; ++i) inverse_[i + i * n] = 1;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i) {
      if (std::abs(left[i + k * n]) > std::abs(left[pivot + k * n])) pivot = i;
    }
    if (!(std::abs(left[pivot + k * n]) > smallest_pivot)) return false;
    for (std::size_t j = 0; j < n && pivot != k; ++j) {
      std::swap(left[k + j * n], left[pivot + j * n]);
      std::swap(inverse_[k + j * n], inverse_[pivot + j * n]);
    }
    const double scale = 1 / left[k + k * n];
    for (std::size_t j = 0; j < n; ++j) left[k + j * n] *= scale, inverse_[k + j * n] *= scale;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = left[i + k * n];
      if (i == k || factor == 0) continue;
      for (std::size_t j = 0; j < n; ++j) {
        left[i + j * n] -= factor * left[k + j * n];
        inverse_[i + j * n] -= factor * inverse_[k + j * n];
      }
    }
  }
  exchanges_ = 0;
  return true;
}

/// b_row = sum_k shares_k b_(basis k).
void ChebyshevReference::represent(std::size_t row, std::vector<double>& shares) const {
  for (std::size_t k = 0; k < columns_; ++k) {
    const double* const column = inverse_.data() + k * columns_;
    double sum = 0;
    for (std::size_t j = 0; j < columns_; ++j) sum += matrix_[row + j * rows_] * column[j];
    shares[k] = sum;
  }
}

ChebyshevReference::Answer ChebyshevReference::ask(std::span<const double> r, double margin) {
  const std::size_t n = columns_;
  for (std::size_t exchange = 0; exchange < 40 + 10 * n; ++exchange) {
    if (exchanges_ >= factorise_every && !factorise()) {
      exchanges_ = 0;
      return Answer::unknown;
    }
    represent(extra_, share_);
    double dot = r[extra_];
    norm_ = 1;
    for (std::size_t k = 0; k < n; ++k) {
      dot -= share_[k] * r[basis_[k]];
      norm_ += std::abs(share_[k]);
    }
    orientation_ = dot < 0 ? -1 : 1;
    const double level = std::abs(dot) / norm_;
    if (level > 1 + margin) return Answer::outside;
    // The point at which the reference is levelled.
    const auto sign_of = [&](std::size_t k) { return (-share_[k] < 0 ? -1.0 : 1.0) * orientation_; };
    for (std::size_t k = 0; k < n; ++k) wanted_[k] = sign_of(k) * level - r[basis_[k]];
    std::fill(point_.begin(), point_.end(), 0.0);
    for (std::size_t k = 0; k < n; ++k) {
      const double* const column = inverse_.data() + k * n;
      for (std::size_t j = 0; j < n; ++j) point_[j] += wanted_[k] * column[j];
    }
    std::copy(r.begin(), r.end(), residual_.begin());
    linalg::gemm<double>(1.0, MatrixView<const double>::column_major(matrix_, rows_, n),
                         MatrixView<const double>::column_major(point_.data(), n, 1), 1.0,
                         MatrixView<double>::column_major(residual_.data(), rows_, 1));
    std::size_t worst = 0;
    double largest = -1;
    for (std::size_t i = 0; i < rows_; ++i) {
      const double size = std::abs(residual_[i]);
      if (size > largest) largest = size, worst = i;
    }
    if (largest <= 1) return Answer::inside;
    if (largest <= level * (1 + 1e-12) + 1e-13) return Answer::unknown;  // levelled just above one
    const double side = residual_[worst] < 0 ? -1 : 1;
    represent(worst, entering_);
    // Multipliers y + theta w, w = side (e_worst - sum entering e_basis): who is the first to change its sign?
    double least = std::numeric_limits<double>::infinity(), pivot = 0;
    std::size_t leaving = n;  // n: the extra row, which w does not touch
    for (std::size_t k = 0; k < n; ++k) {
      const double fall = sign_of(k) * side * entering_[k];
      if (fall <= smallest_pivot) continue;
      const double ratio = std::abs(share_[k]) / fall;
      if (ratio < least || (ratio == least && fall > pivot)) {
        least = ratio;
        pivot = fall;
        leaving = k;
      }
    }
    if (leaving == n) {
      // Only the extra row could leave, and it does not fall: a reference of its own with the entering row.
      extra_ = worst;
      continue;
    }
    // The inverse with basis row `leaving` replaced by the entering one.
    double* const out = inverse_.data() + leaving * n;
    const double inverse_pivot = 1 / entering_[leaving];
    for (std::size_t j = 0; j < n; ++j) out[j] *= inverse_pivot;
    for (std::size_t k = 0; k < n; ++k) {
      if (k == leaving) continue;
      double* const column = inverse_.data() + k * n;
      for (std::size_t j = 0; j < n; ++j) column[j] -= entering_[k] * out[j];
    }
    basis_[leaving] = worst;
    ++exchanges_;
  }
  return Answer::unknown;
}

}  // namespace dd::dmmv
