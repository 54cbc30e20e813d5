// Formulas as loops.
#include "linalg/reference.hpp"

#include <cmath>

namespace dd::linalg::reference {

void gemm(double alpha, MatrixView<const double> a, MatrixView<const double> b, double beta, MatrixView<double> c) {
  for (std::size_t i = 0; i < c.rows; ++i) {
    for (std::size_t j = 0; j < c.columns; ++j) {
      double sum = 0;
      for (std::size_t p = 0; p < a.columns; ++p) sum += a(i, p) * b(p, j);
      const double product = a.columns == 0 || alpha == 0 ? 0 : alpha * sum;
      c(i, j) = beta == 0 ? product : product + beta * c(i, j);
    }
  }
}

void syrk_lower(double alpha, MatrixView<const double> a, double beta, MatrixView<double> c) {
  for (std::size_t i = 0; i < c.rows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t p = 0; p < a.columns; ++p) sum += a(i, p) * a(j, p);
      const double product = a.columns == 0 || alpha == 0 ? 0 : alpha * sum;
      c(i, j) = beta == 0 ? product : product + beta * c(i, j);
    }
  }
}

std::size_t cholesky_lower(MatrixView<double> a) {
  for (std::size_t j = 0; j < a.rows; ++j) {
    double pivot = a(j, j);
    for (std::size_t p = 0; p < j; ++p) pivot -= a(j, p) * a(j, p);
    if (!(pivot > 0) || std::isinf(pivot)) return j + 1;
    a(j, j) = std::sqrt(pivot);
    for (std::size_t i = j + 1; i < a.rows; ++i) {
      double value = a(i, j);
      for (std::size_t p = 0; p < j; ++p) value -= a(i, p) * a(j, p);
      a(i, j) = value / a(j, j);
    }
  }
  return 0;
}

void solve_lower(MatrixView<const double> l, MatrixView<double> b) {
  for (std::size_t r = 0; r < b.columns; ++r) {
    for (std::size_t i = 0; i < l.rows; ++i) {
      double value = b(i, r);
      for (std::size_t j = 0; j < i; ++j) value -= l(i, j) * b(j, r);
      b(i, r) = value / l(i, i);
    }
  }
}

void solve_upper(MatrixView<const double> u, MatrixView<double> b) {
  for (std::size_t r = 0; r < b.columns; ++r) {
    for (std::size_t i = u.rows; i-- > 0;) {
      double value = b(i, r);
      for (std::size_t j = i + 1; j < u.rows; ++j) value -= u(i, j) * b(j, r);
      b(i, r) = value / u(i, i);
    }
  }
}

void invert_lower(MatrixView<double> l) {
  // Row i of the inverse needs rows of L up to i and rows of the inverse before i, which have replaced those of L.
  for (std::size_t i = 0; i < l.rows; ++i) {
    const double diagonal = l(i, i);
    for (std::size_t j = 0; j < i; ++j) {
      double sum = 0;
      for (std::size_t p = j; p < i; ++p) sum += l(i, p) * l(p, j);
      // l(i, j) is needed by smaller columns only through p = j of column j itself, so it can be replaced now.
      l(i, j) = -sum / diagonal;
    }
    l(i, i) = 1 / diagonal;
  }
}

void nearest_plane(std::span<const double> triangle, std::span<const double> target, std::span<double> z) {
  const std::size_t n = target.size();
  for (std::size_t k = n; k-- > 0;) {
    double rest = target[k];
    for (std::size_t j = n; j-- > k + 1;) rest -= triangle[k + j * n] * z[j];
    z[k] = std::ceil(rest / triangle[k + k * n] - 0.5);
  }
}

}  // namespace dd::linalg::reference
