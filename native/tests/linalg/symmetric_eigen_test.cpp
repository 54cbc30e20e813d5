// Rows are orthonormal, values ascend, and together they are the matrix.
#include "linalg/symmetric_eigen.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/philox.hpp"

namespace {

using namespace dd;

/// Random, with rows that are scaled apart by `skew` at most.
std::vector<double> random_symmetric(std::size_t n, double skew) {
  PhiloxStream random(5, static_cast<std::uint32_t>(n), 77);
  std::vector<double> scales(n), a(n * n);
  for (std::size_t i = 0; i < n; ++i) scales[i] = std::pow(skew, static_cast<double>(i) / static_cast<double>(n));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      a[i * n + j] = a[j * n + i] = scales[i] * scales[j] * (2 * random.next_uniform() - 1);
    }
  }
  return a;
}

void check_eigen(const std::vector<double>& a, std::size_t n) {
  std::vector<double> lower(a), values(n), vectors(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) lower[i * n + j] = 1e9;  // not read
  }
  linalg::symmetric_eigen(lower, n, values, vectors);
  CHECK(std::is_sorted(values.begin(), values.end()));
  double size = 0;
  for (const double value : a) size = std::max(size, std::abs(value));
  double orthogonality = 0, residual = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double inner = i == j ? -1 : 0, entry = -a[i * n + j];
      for (std::size_t k = 0; k < n; ++k) {
        inner += vectors[i * n + k] * vectors[j * n + k];
        entry += values[k] * vectors[k * n + i] * vectors[k * n + j];
      }
      orthogonality = std::max(orthogonality, std::abs(inner));
      residual = std::max(residual, std::abs(entry));
    }
  }
  CHECK(orthogonality <= 1e-13 * static_cast<double>(n));
  CHECK(residual <= 1e-13 * static_cast<double>(n) * size);
}

}  // namespace

TEST_CASE("symmetric_eigen: random matrices, graded ones, repeated values, sizes 1 and 2") {
  for (const std::size_t n : {1u, 2u, 3u, 7u, 40u}) {
    check_eigen(random_symmetric(n, 1), n);
    check_eigen(random_symmetric(n, 1e-6), n);
  }
  std::vector<double> identity(36);
  for (std::size_t i = 0; i < 6; ++i) identity[i * 7] = 3;
  check_eigen(identity, 6);
  check_eigen(std::vector<double>(25, 2.0), 5);  // rank 1
  check_eigen(std::vector<double>(25, 0.0), 5);
}

TEST_CASE("symmetric_eigen: the second difference, whose values are known") {
  constexpr std::size_t n = 12;
  std::vector<double> a(n * n), values(n), vectors(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  linalg::symmetric_eigen(a, n, values, vectors);
  for (std::size_t k = 0; k < n; ++k) {
    const double half = std::sin(3.14159265358979323846 * static_cast<double>(k + 1) / (2.0 * (n + 1)));
    CHECK(values[k] == doctest::Approx(4 * half * half).epsilon(1e-12));
  }
}
