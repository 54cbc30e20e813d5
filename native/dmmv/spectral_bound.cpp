// What the smallest singular value proves where the linear relaxation proves nothing: signs that balance vectors.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/infinity.hpp"
#include "core/matrix_view.hpp"
#include "dmmv/bound.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/syrk.hpp"

namespace dd::dmmv {
namespace {

constexpr double epsilon = 0x1p-52;
constexpr std::size_t most_columns = 1024;
constexpr double most_work = 4e9;  // multiply-adds of the Gram matrix: about a second

/// A lower bound of the smallest singular value of a (m x n, column-major): the largest lambda for which A^T A - lambda
/// has a Cholesky factor, less what rounding may have hidden (S. M. Rump, BIT 46, 2006: a factor that exists proves a
/// smallest eigenvalue of at least -(n + 1) eps trace, nearly).
double least_singular_value(const std::vector<double>& a, std::size_t m, std::size_t n) {
  if (n > m || n == 0) return 0;
  std::vector<double> gram(n * n), shifted;
  auto view = MatrixView<double>::column_major(gram.data(), n, n);
  linalg::syrk(1.0, MatrixView<const double>::column_major(a.data(), m, n).transposed(), 0.0, view);
  double trace = 0, least = infinity;
  for (std::size_t j = 0; j < n; ++j) {
    trace += gram[j + j * n];
    least = std::min(least, gram[j + j * n]);
  }
  const auto has_factor = [&](double lambda) {
    shifted = gram;
    for (std::size_t j = 0; j < n; ++j) shifted[j + j * n] -= lambda;
    return linalg::cholesky(MatrixView<double>::column_major(shifted.data(), n, n)) == 0;
  };
  // Orthogonal columns of one length have nothing below their length.
  double low = least * (1 - 1e-13), high = least;
  if (!has_factor(low)) {
    low = 0;
    for (int step = 0; step < 40; ++step) {
      const double middle = 0.5 * (low + high);
      (has_factor(middle) ? low : high) = middle;
    }
  }
  const auto terms = static_cast<double>(m + 2 * n + 8);
  const double proven = low - 4 * terms * epsilon * trace;
  // Entries of a were rounded as well.
  return proven > 0 ? std::max(0.0, std::sqrt(proven) * (1 - epsilon) - 4 * epsilon * std::sqrt(trace)) : 0.0;
}

bool is_integer(double value) { return value == std::nearbyint(value) && std::abs(value) < 0x1p40; }

/// Whether the violation of every two-sided row is an integer for every assignment.
bool is_integral(const Problem& problem, const std::vector<std::size_t>& place) {
  const LevelSets& levels = problem.levels();
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    if (place[i] == problem.rows()) continue;
    if (problem.weights()[i] != 1 || !is_integer(problem.lower()[i]) || !is_integer(problem.upper()[i])) return false;
  }
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (!is_integer(levels.minimum(j))) return false;
    if (levels.step(j) > 0 ? !is_integer(levels.step(j)) : levels.count(j) > 1) return false;
    if (levels.value(j, levels.count(j) - 1) != levels.minimum(j) + levels.step(j) * (levels.count(j) - 1))
      return false;
    bool integral = true;
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      integral = integral && (place[i] == problem.rows() || is_integer(entry));
    });
    if (!integral) return false;
  }
  return true;
}

}  // namespace

double spectral_bound(const Problem& problem) {
  const LevelSets& levels = problem.levels();
  const std::size_t rows = problem.rows();
  // Rows with two sides, in a row; all rows of the problem where a row has no place.
  std::vector<std::size_t> place(rows, rows);
  std::size_t m = 0;
  double widest = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (std::isinf(problem.lower()[i]) || std::isinf(problem.upper()[i])) continue;
    place[i] = m++;
    widest = std::max(widest, 0.5 * problem.weights()[i] * (problem.upper()[i] - problem.lower()[i]));
  }
  std::vector<std::size_t> moving;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (levels.count(j) > 1) moving.push_back(j);
  }
  const std::size_t n = moving.size();
  if (m == 0 || n > most_columns ||
      static_cast<double>(m) * static_cast<double>(n + 1) * static_cast<double>(n + 1) > most_work) {
    return -infinity;
  }
  // r = B s - d, |s_j| >= a known part of 1: levels in units of their half range around the middle.
  std::vector<double> b(m * (n + 1), 0.0), rounding(m, 0.0);
  double* d = b.data() + m * n;
  double squares = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (place[i] == rows) continue;
    d[place[i]] = 0.5 * problem.lower()[i] + 0.5 * problem.upper()[i];
    rounding[place[i]] = std::abs(d[place[i]]);
  }
  std::size_t column = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    const double low = levels.minimum(j), high = levels.maximum(j);
    const double middle = 0.5 * low + 0.5 * high, half = 0.5 * high - 0.5 * low;
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      if (place[i] == rows) return;
      d[place[i]] -= entry * middle;
      rounding[place[i]] += std::abs(entry * middle);
      if (levels.count(j) > 1) b[place[i] + column * m] = problem.weights()[i] * entry * half;
    });
    if (levels.count(j) < 2) continue;
    ++column;
    const double nearest = std::abs(levels.value(j, levels.nearest(j, middle)) - middle) / half * (1 - 4 * epsilon);
    squares += nearest * nearest;
  }
  double length = 0, error = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (place[i] == rows) continue;
    const double weight = problem.weights()[i];
    d[place[i]] *= weight;
    length += d[place[i]] * d[place[i]];
    const double slip = 2 * static_cast<double>(n + 4) * epsilon * weight * rounding[place[i]];
    error += slip * slip;
  }
  length = std::sqrt(length) * (1 + epsilon * static_cast<double>(m));
  error = std::sqrt(error) * (1 + epsilon * static_cast<double>(m));
  const double shrink = 1 - epsilon * static_cast<double>(n + 4);
  // With d as one more column whose factor is 1, or taken off by the triangle inequality.
  const double joined = (least_singular_value(b, m, n + 1) - error) * std::sqrt(squares + 1) * shrink;
  b.resize(m * n);
  const double apart = least_singular_value(b, m, n) * std::sqrt(squares) * shrink - length - error;
  const double norm = std::max(joined, apart);
  if (!(norm > 0)) return -infinity;
  const double bound = norm / std::sqrt(static_cast<double>(m)) * (1 - 4 * epsilon) - widest * (1 + 4 * epsilon);
  return is_integral(problem, place) ? std::ceil(bound) : bound;
}

}  // namespace dd::dmmv
