// Factors of the basis of an exchange, updated column by column.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dmmv/doubled.hpp"

namespace dd::dmmv {

/// Dense LU with partial pivoting and product-form updates of a basis of columns.
class BasisFactors {
 public:
  explicit BasisFactors(std::size_t n) : n_(n), lu_(n * n), pivot_(n) {}

  /// Columns are read from `basis` (n x n, column-major). False when it is singular to working precision.
  bool factorise(const std::vector<double>& basis) {
    basis_ = &basis;
    lu_ = basis;
    etas_.clear();
    eta_rows_.clear();
    for (std::size_t k = 0; k < n_; ++k) {
      double* column = lu_.data() + k * n_;
      std::size_t pivot = k;
      for (std::size_t i = k + 1; i < n_; ++i) {
        if (std::abs(column[i]) > std::abs(column[pivot])) pivot = i;
      }
      if (!(std::abs(column[pivot]) > 1e-15)) return false;
      pivot_[k] = pivot;
      if (pivot != k) {
        for (std::size_t j = 0; j < n_; ++j) std::swap(lu_[k + j * n_], lu_[pivot + j * n_]);
      }
      const double inverse = 1 / column[k];
      for (std::size_t i = k + 1; i < n_; ++i) column[i] *= inverse;
      for (std::size_t j = k + 1; j < n_; ++j) {
        double* other = lu_.data() + j * n_;
        const double factor = other[k];
        if (factor == 0) continue;
        for (std::size_t i = k + 1; i < n_; ++i) other[i] -= factor * column[i];
      }
    }
    return true;
  }

  std::size_t updates() const { return eta_rows_.size(); }

  /// Column `row` of the basis has been replaced; `direction` = B^-1 (new column).
  void update(const std::vector<double>& direction, std::size_t row) {
    etas_.insert(etas_.end(), direction.begin(), direction.end());
    eta_rows_.push_back(row);
  }

  /// x <- B^-1 b, refined once.
  void solve(std::vector<double>& x) {
    right_ = x;
    solve_once(x);
    rest_ = right_;
    for (std::size_t j = 0; j < n_; ++j) {
      const double factor = x[j];
      const double* column = basis_->data() + j * n_;
      for (std::size_t i = 0; i < n_; ++i) rest_[i] -= factor * column[i];
    }
    solve_once(rest_);
    for (std::size_t i = 0; i < n_; ++i) x[i] += rest_[i];
  }

  /// x <- B^-T b, refined once.
  void solve_transposed(std::vector<double>& x) {
    right_ = x;
    solve_transposed_once(x);
    rest_.resize(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      const double* column = basis_->data() + j * n_;
      Doubled sum;
      sum.add(right_[j]);
      for (std::size_t i = 0; i < n_; ++i) sum.add_product(-column[i], x[i]);
      rest_[j] = sum.value();
    }
    solve_transposed_once(rest_);
    for (std::size_t i = 0; i < n_; ++i) x[i] += rest_[i];
  }

 private:
  void solve_once(std::vector<double>& x) const {
    for (std::size_t k = 0; k < n_; ++k) std::swap(x[k], x[pivot_[k]]);
    for (std::size_t k = 0; k < n_; ++k) {
      const double factor = x[k];
      if (factor == 0) continue;
      const double* column = lu_.data() + k * n_;
      for (std::size_t i = k + 1; i < n_; ++i) x[i] -= factor * column[i];
    }
    for (std::size_t k = n_; k-- > 0;) {
      const double* column = lu_.data() + k * n_;
      x[k] /= column[k];
      const double factor = x[k];
      for (std::size_t i = 0; i < k; ++i) x[i] -= factor * column[i];
    }
    for (std::size_t e = 0; e < eta_rows_.size(); ++e) {
      const double* eta = etas_.data() + e * n_;
      const std::size_t row = eta_rows_[e];
      const double value = x[row] / eta[row];
      for (std::size_t i = 0; i < n_; ++i) x[i] -= value * eta[i];
      x[row] = value;
    }
  }

  void solve_transposed_once(std::vector<double>& x) const {
    for (std::size_t e = eta_rows_.size(); e-- > 0;) {
      const double* eta = etas_.data() + e * n_;
      const std::size_t row = eta_rows_[e];
      double sum = x[row];
      for (std::size_t i = 0; i < n_; ++i) {
        if (i != row) sum -= eta[i] * x[i];
      }
      x[row] = sum / eta[row];
    }
    for (std::size_t k = 0; k < n_; ++k) {
      const double* column = lu_.data() + k * n_;
      double sum = x[k];
      for (std::size_t i = 0; i < k; ++i) sum -= column[i] * x[i];
      x[k] = sum / column[k];
    }
    for (std::size_t k = n_; k-- > 0;) {
      const double* column = lu_.data() + k * n_;
      double sum = x[k];
      for (std::size_t i = k + 1; i < n_; ++i) sum -= column[i] * x[i];
      x[k] = sum;
    }
    for (std::size_t k = n_; k-- > 0;) std::swap(x[k], x[pivot_[k]]);
  }

  std::size_t n_;
  const std::vector<double>* basis_ = nullptr;
  std::vector<double> lu_;
  std::vector<std::size_t> pivot_;
  std::vector<double> etas_;
  std::vector<std::size_t> eta_rows_;
  std::vector<double> right_, rest_;
};

}  // namespace dd::dmmv
