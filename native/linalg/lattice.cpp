// LLL with deep insertions, BKZ, nearest plane. Everything happens on the triangle R; the transform U follows in
// 64-bit integers and R is rebuilt from A U at the end, so rounding in the many updates cannot survive.
#include "linalg/lattice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "linalg/nearest_plane.hpp"

namespace dd::linalg {
namespace {

constexpr std::int64_t largest_entry = std::int64_t{1} << 53;

/// Upper triangle with positive diagonal of a QR factorisation of `a` (rows x n, column-major, destroyed).
std::vector<double> householder_triangle(std::vector<double>& a, std::size_t rows, std::size_t n) {
  for (std::size_t k = 0; k < n && k < rows; ++k) {
    double* column = a.data() + k * rows;
    double scale = 0;
    for (std::size_t i = k; i < rows; ++i) scale = std::max(scale, std::abs(column[i]));
    if (scale == 0) continue;
    double sum = 0;
    for (std::size_t i = k; i < rows; ++i) sum += (column[i] / scale) * (column[i] / scale);
    const double norm = scale * std::sqrt(sum);
    const double alpha = column[k] > 0 ? -norm : norm;
    column[k] -= alpha;
    double square = 0;
    for (std::size_t i = k; i < rows; ++i) square += column[i] * column[i];
    for (std::size_t j = k + 1; j < n; ++j) {
      double* other = a.data() + j * rows;
      double dot = 0;
      for (std::size_t i = k; i < rows; ++i) dot += column[i] * other[i];
      const double factor = 2 * dot / square;
      for (std::size_t i = k; i < rows; ++i) other[i] -= factor * column[i];
    }
    column[k] = alpha;
  }
  std::vector<double> triangle(n * n, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i <= j && i < rows; ++i) triangle[i + j * n] = a[i + j * rows];
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (triangle[i + i * n] < 0) {
      for (std::size_t j = i; j < n; ++j) triangle[i + j * n] = -triangle[i + j * n];
    }
  }
  return triangle;
}

class Reduction {
 public:
  Reduction(MatrixView<const double> a, const LatticeReductionOptions& options)
      : a_(a), options_(options), n_(a.columns), transform_(n_ * n_, 0) {
    for (std::size_t j = 0; j < n_; ++j) transform_[j + j * n_] = 1;
    rebuild();
    double largest = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      double square = 0;
      for (std::size_t i = 0; i <= j; ++i) square += r(i, j) * r(i, j);
      largest = std::max(largest, std::sqrt(square));
    }
    for (std::size_t j = 0; j < n_; ++j) {
      if (!(r(j, j) > 1e-13 * largest)) {
        throw Error(
            ErrorCode::singular, "matrix",
            "`matrix` must have independent columns, column " + std::to_string(j) + " depends on the ones before it");
      }
    }
  }

  ReducedBasis run() {
    // A second pass on the rebuilt triangle repairs what rounding did to the first; it rarely swaps anything.
    for (int pass = 0; pass < 3; ++pass) {
      const std::uint64_t before = swaps_;
      lll(0);
      if (options_.block_size > 2) bkz();
      rebuild();
      if ((pass > 0 && swaps_ == before) || stopped()) break;
    }
    for (std::size_t k = 1; k < n_; ++k) size_reduce(k);
    return {n_, transform_, triangle_, swaps_};
  }

 private:
  double& r(std::size_t i, std::size_t j) { return triangle_[i + j * n_]; }

  void rebuild() {
    std::vector<double> basis(a_.rows * n_, 0.0);
    for (std::size_t j = 0; j < n_; ++j) {
      double* column = basis.data() + j * a_.rows;
      for (std::size_t k = 0; k < n_; ++k) {
        const auto factor = static_cast<double>(transform_[k + j * n_]);
        if (factor == 0) continue;
        for (std::size_t i = 0; i < a_.rows; ++i) column[i] += factor * a_(i, k);
      }
    }
    triangle_ = householder_triangle(basis, a_.rows, n_);
  }

  void add_column(std::size_t to, std::size_t from, std::int64_t factor, std::size_t rows) {
    const auto real = static_cast<double>(factor);
    for (std::size_t i = 0; i < rows; ++i) r(i, to) += real * r(i, from);
    for (std::size_t i = 0; i < n_; ++i) {
      std::int64_t product = 0;
      std::int64_t sum = 0;
      if (__builtin_mul_overflow(factor, transform_[i + from * n_], &product) ||
          __builtin_add_overflow(transform_[i + to * n_], product, &sum) || sum > largest_entry ||
          sum < -largest_entry) {
        throw Error(ErrorCode::not_converged, "matrix", "`matrix` is too ill-conditioned to be reduced in float64");
      }
      transform_[i + to * n_] = sum;
    }
  }

  void size_reduce(std::size_t k) {
    // Large quotients lose their low digits, so repeat until none is left.
    for (int round = 0; round < 8; ++round) {
      bool large = false;
      for (std::size_t i = k; i-- > 0;) {
        const double quotient = r(i, k) / r(i, i);
        if (std::abs(quotient) <= 0.5 + 1e-10) continue;
        if (!(std::abs(quotient) < static_cast<double>(largest_entry))) {
          throw Error(ErrorCode::not_converged, "matrix", "`matrix` is too ill-conditioned to be reduced in float64");
        }
        const double rounded = std::nearbyint(quotient);
        if (std::abs(rounded) > 1e6) large = true;
        add_column(k, i, -static_cast<std::int64_t>(rounded), i + 1);
      }
      if (!large) break;
    }
  }

  /// Exchanges columns k - 1 and k and restores the triangle by one plane rotation.
  void swap_with_previous(std::size_t k) {
    ++swaps_;
    for (std::size_t i = 0; i < n_; ++i) std::swap(transform_[i + (k - 1) * n_], transform_[i + k * n_]);
    for (std::size_t i = 0; i <= k; ++i) std::swap(r(i, k - 1), r(i, k));
    const double length = std::hypot(r(k - 1, k - 1), r(k, k - 1));
    const double cosine = r(k - 1, k - 1) / length;
    const double sine = r(k, k - 1) / length;
    for (std::size_t j = k - 1; j < n_; ++j) {
      const double upper = r(k - 1, j);
      const double lower = r(k, j);
      r(k - 1, j) = cosine * upper + sine * lower;
      r(k, j) = cosine * lower - sine * upper;
    }
    r(k, k - 1) = 0;
    if (r(k, k) < 0) {
      for (std::size_t j = k; j < n_; ++j) r(k, j) = -r(k, j);
    }
  }

  void lll(std::size_t first) {
    std::size_t k = std::max<std::size_t>(first, 1);
    while (k < n_ && !stopped()) {
      size_reduce(k);
      std::size_t place = k;
      if (options_.deep_insertions) {
        double square = 0;
        for (std::size_t i = 0; i <= k; ++i) square += r(i, k) * r(i, k);
        for (std::size_t i = 0; i < k; ++i) {
          if (square < options_.delta * r(i, i) * r(i, i)) {
            place = i;
            break;
          }
          square -= r(i, k) * r(i, k);
        }
      } else if (options_.delta * r(k - 1, k - 1) * r(k - 1, k - 1) > r(k - 1, k) * r(k - 1, k) + r(k, k) * r(k, k)) {
        place = k - 1;
      }
      if (place == k) {
        ++k;
        continue;
      }
      for (std::size_t i = k; i > place; --i) swap_with_previous(i);
      k = std::max<std::size_t>(place, 1);
    }
  }

  /// Shortest vector of the projected block [first, last) by depth-first enumeration (Schnorr, Euchner); true and its
  /// coefficients when it is shorter than R_first,first by more than delta.
  bool enumerate(std::size_t first, std::size_t last, std::vector<std::int64_t>& best) {
    const std::size_t size = last - first;
    double radius = options_.delta * r(first, first) * r(first, first);
    std::vector<double> centre(size, 0.0), partial(size + 1, 0.0);
    std::vector<std::int64_t> x(size, 0), width(size, 1);
    bool found = false;
    std::size_t level = 0;
    std::size_t top = 0;  // highest coordinate in use: its sign is kept positive, since -x is as long as x
    x[0] = 1;
    for (std::uint64_t budget = 2'000'000; budget > 0; --budget) {
      if (budget % 4096 == 0 && stopped()) return false;
      const double distance = (static_cast<double>(x[level]) - centre[level]) * r(first + level, first + level);
      const double length = partial[level + 1] + distance * distance;
      if (length < radius) {
        if (level == 0) {
          radius = length * (1 - 1e-9);
          best = x;
          found = true;
          continue;
        }
        partial[level] = length;
        --level;
        double sum = 0;
        for (std::size_t j = level + 1; j <= top; ++j) sum += static_cast<double>(x[j]) * r(first + level, first + j);
        centre[level] = -sum / r(first + level, first + level);
        x[level] = static_cast<std::int64_t>(std::nearbyint(centre[level]));
        width[level] = 1;
        continue;
      }
      if (++level == size) break;
      if (level >= top) {
        top = level;
        ++x[level];
      } else {
        x[level] += static_cast<double>(x[level]) > centre[level] ? -width[level] : width[level];
        ++width[level];
      }
    }
    return found;
  }

  /// Makes sum_i x_i column_(first + i) the column at `first` by unimodular steps on pairs of columns (Euclid).
  void insert(std::size_t first, std::vector<std::int64_t> x) {
    for (std::size_t i = x.size(); i-- > 1;) {
      // After this step x[i] = 0 and x[i - 1] is their greatest common divisor.
      std::size_t high = first + i, low = first + i - 1;
      std::int64_t a = x[i - 1], b = x[i];
      while (b != 0) {
        const std::int64_t quotient = a / b;
        // a = quotient b + rest:  a c_low + b c_high = rest c_low + b (c_high + quotient c_low)
        add_column(high, low, quotient, n_);
        a -= quotient * b;
        for (std::size_t k = 0; k < n_; ++k) {
          std::swap(r(k, low), r(k, high));
          std::swap(transform_[k + low * n_], transform_[k + high * n_]);
        }
        std::swap(a, b);
      }
      x[i - 1] = a;
      x[i] = 0;
    }
    std::vector<double> copy = triangle_;
    triangle_ = householder_triangle(copy, n_, n_);
  }

  void bkz() {
    const std::size_t block = std::min(options_.block_size, n_);
    std::vector<std::int64_t> x;
    for (int tour = 0; tour < 16; ++tour) {
      bool changed = false;
      for (std::size_t first = 0; first + 1 < n_ && !stopped(); ++first) {
        const std::size_t last = std::min(first + block, n_);
        if (!enumerate(first, last, x)) continue;
        insert(first, x);
        ++swaps_;
        lll(0);
        changed = true;
      }
      if (!changed || stopped()) break;
    }
  }

  /// Every step keeps a basis of the same lattice, so any moment is a good one to stop.
  bool stopped() const { return options_.control != nullptr && options_.control->should_stop(); }

  MatrixView<const double> a_;
  LatticeReductionOptions options_;
  std::size_t n_;
  std::vector<std::int64_t> transform_;
  std::vector<double> triangle_;
  std::uint64_t swaps_ = 0;
};

std::uint64_t power_modulo(std::uint64_t base, std::uint64_t exponent, std::uint64_t prime) {
  std::uint64_t result = 1;
  for (base %= prime; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result * base % prime;
    base = base * base % prime;
  }
  return result;
}

/// Determinant modulo a prime below 2^31, by elimination.
std::uint64_t determinant_modulo(const std::vector<std::int64_t>& matrix, std::size_t n, std::uint64_t prime) {
  std::vector<std::uint64_t> a(n * n);
  const auto modulus = static_cast<std::int64_t>(prime);
  for (std::size_t k = 0; k < a.size(); ++k)
    a[k] = static_cast<std::uint64_t>((matrix[k] % modulus + modulus) % modulus);
  std::uint64_t determinant = 1;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    while (pivot < n && a[pivot + k * n] == 0) ++pivot;
    if (pivot == n) return 0;
    if (pivot != k) {
      for (std::size_t j = 0; j < n; ++j) std::swap(a[pivot + j * n], a[k + j * n]);
      determinant = (prime - determinant) % prime;
    }
    determinant = determinant * a[k + k * n] % prime;
    const std::uint64_t inverse = power_modulo(a[k + k * n], prime - 2, prime);
    for (std::size_t i = k + 1; i < n; ++i) {
      const std::uint64_t factor = a[i + k * n] * inverse % prime;
      if (factor == 0) continue;
      for (std::size_t j = k; j < n; ++j) a[i + j * n] = (a[i + j * n] + (prime - factor) * a[k + j * n]) % prime;
    }
  }
  return determinant;
}

}  // namespace

ReducedBasis reduce_lattice(MatrixView<const double> a, const LatticeReductionOptions& options) {
  if (a.columns == 0) return {};
  if (a.rows < a.columns) {
    throw Error(ErrorCode::singular, "matrix",
                "`matrix` must have at least as many rows as columns, got " + std::to_string(a.rows) + " x " +
                    std::to_string(a.columns));
  }
  return Reduction(a, options).run();
}

std::vector<double> triangle_factor(MatrixView<const double> a) {
  std::vector<double> copy(a.rows * a.columns);
  for (std::size_t j = 0; j < a.columns; ++j) {
    for (std::size_t i = 0; i < a.rows; ++i) copy[i + j * a.rows] = a(i, j);
  }
  return householder_triangle(copy, a.rows, a.columns);
}

bool is_unimodular(const std::vector<std::int64_t>& transform, std::size_t columns) {
  constexpr std::uint64_t primes[] = {2147483647u, 2147483629u};
  const std::uint64_t first = determinant_modulo(transform, columns, primes[0]);
  const std::uint64_t second = determinant_modulo(transform, columns, primes[1]);
  return (first == 1 && second == 1) || (first == primes[0] - 1 && second == primes[1] - 1);
}

std::vector<std::int64_t> nearest_plane(const std::vector<double>& triangle, std::size_t columns,
                                        const std::vector<double>& target) {
  std::vector<double> coordinates(columns);
  const NearestPlane arguments{triangle.data(), target.data(), coordinates.data(), columns, 1};
  nearest_plane_float64(&arguments);
  std::vector<std::int64_t> z(columns);
  std::transform(coordinates.begin(), coordinates.end(), z.begin(),
                 [](double value) { return static_cast<std::int64_t>(value); });
  return z;
}

}  // namespace dd::linalg
