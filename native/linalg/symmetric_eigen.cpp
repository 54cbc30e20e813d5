#include "linalg/symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace dd::linalg {
namespace {

double inner(const double* a, const double* b, std::size_t count) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

/// A = Q T Q^T. The reflection of column k stays in row k of `a`, right of the diagonal; its factor in factors[k].
struct Tridiagonal {
  std::vector<double> diagonal, beside, factors;
};

Tridiagonal tridiagonalise(std::vector<double>& a, std::size_t n) {
  Tridiagonal t{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
  std::vector<double> w(n);
  for (std::size_t k = 0; k + 1 < n; ++k) {
    const std::size_t count = n - k - 1;
    double* const v = a.data() + k * n + k + 1;  // row k is column k
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(v[i]));
    double norm = 0;
    if (largest > 0) {
      for (std::size_t i = 0; i < count; ++i) norm += (v[i] / largest) * (v[i] / largest);
      norm = largest * std::sqrt(norm);
    }
    t.diagonal[k] = a[k * n + k];
    if (count == 1 || !(norm > 0)) {
      t.beside[k] = v[0];
      continue;
    }
    t.beside[k] = v[0] >= 0 ? -norm : norm;
    for (std::size_t i = 0; i < count; ++i) v[i] /= norm;
    v[0] -= t.beside[k] / norm;
    const double factor = t.factors[k] = 2 / inner(v, v, count);
    // A <- A - v w^T - w v^T with w = factor A v - (factor / 2)(factor v^T A v) v.
    for (std::size_t i = 0; i < count; ++i) w[i] = factor * inner(a.data() + (k + 1 + i) * n + k + 1, v, count);
    const double along = 0.5 * factor * inner(w.data(), v, count);
    for (std::size_t i = 0; i < count; ++i) w[i] -= along * v[i];
    for (std::size_t i = 0; i < count; ++i) {
      double* const row = a.data() + (k + 1 + i) * n + k + 1;
      for (std::size_t j = 0; j < count; ++j) row[j] -= v[i] * w[j] + w[i] * v[j];
    }
  }
  t.diagonal[n - 1] = a[n * n - 1];
  return t;
}

/// Rows of `vectors` become those of Q^T.
void accumulate(const std::vector<double>& a, const Tridiagonal& t, std::size_t n, std::span<double> vectors) {
  std::fill(vectors.begin(), vectors.end(), 0.0);
  for (std::size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  for (std::size_t k = n - 1; k-- > 0;) {
    if (t.factors[k] == 0) continue;
    const std::size_t count = n - k - 1;
    const double* const v = a.data() + k * n + k + 1;
    for (std::size_t i = k + 1; i < n; ++i) {
      double* const row = vectors.data() + i * n + k + 1;
      const double along = t.factors[k] * inner(row, v, count);
      for (std::size_t j = 0; j < count; ++j) row[j] -= along * v[j];
    }
  }
}

/// One implicit QR step on rows low ... high of T, which is unreduced there; rotations go to the rows of `vectors`.
void qr_step(Tridiagonal& t, std::size_t low, std::size_t high, std::size_t n, std::span<double> vectors) {
  std::vector<double>&d = t.diagonal, &e = t.beside;
  const double half = (d[high - 1] - d[high]) / 2;
  const double root = std::hypot(half, e[high - 1]);
  const double shift = d[high] - e[high - 1] * (e[high - 1] / (half >= 0 ? half + root : half - root));
  double x = d[low] - shift, z = e[low];
  for (std::size_t k = low; k < high; ++k) {
    const double length = std::hypot(x, z);
    const double c = length > 0 ? x / length : 1, s = length > 0 ? -z / length : 0;
    if (k > low) e[k - 1] = length;
    const double a = d[k], b = e[k], g = d[k + 1];
    d[k] = c * c * a - 2 * c * s * b + s * s * g;
    d[k + 1] = s * s * a + 2 * c * s * b + c * c * g;
    e[k] = c * s * (a - g) + (c * c - s * s) * b;
    x = e[k];
    if (k + 1 < high) {
      z = -s * e[k + 1];
      e[k + 1] *= c;
    }
    double* const first = vectors.data() + k * n;
    double* const second = first + n;
    for (std::size_t j = 0; j < n; ++j) {
      const double left = first[j], right = second[j];
      first[j] = c * left - s * right;
      second[j] = s * left + c * right;
    }
  }
}

void diagonalise(Tridiagonal& t, std::size_t n, std::span<double> vectors) {
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  const auto negligible = [&](std::size_t k) {
    return std::abs(t.beside[k]) <= epsilon * (std::abs(t.diagonal[k]) + std::abs(t.diagonal[k + 1])) ||
           std::abs(t.beside[k]) < std::numeric_limits<double>::min();
  };
  std::size_t high = n - 1;
  // Two or three steps an eigenvalue are usual; the limit only keeps a defect from being an endless loop.
  for (std::size_t steps = 0; high > 0 && steps < 100 * n;) {
    if (negligible(high - 1)) {
      --high;
      continue;
    }
    std::size_t low = high - 1;
    while (low > 0 && !negligible(low - 1)) --low;
    qr_step(t, low, high, n, vectors);
    ++steps;
  }
}

}  // namespace

void symmetric_eigen(std::span<const double> a, std::size_t n, std::span<double> values, std::span<double> vectors) {
  if (n == 0) return;
  std::vector<double> work(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) work[i * n + j] = work[j * n + i] = a[i * n + j];
  }
  Tridiagonal t = tridiagonalise(work, n);
  accumulate(work, t, n, vectors);
  diagonalise(t, n, vectors);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return t.diagonal[i] < t.diagonal[j]; });
  std::copy(vectors.begin(), vectors.end(), work.begin());
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = t.diagonal[order[i]];
    std::copy_n(work.begin() + static_cast<std::ptrdiff_t>(order[i] * n), n,
                vectors.begin() + static_cast<std::ptrdiff_t>(i * n));
  }
}

}  // namespace dd::linalg
