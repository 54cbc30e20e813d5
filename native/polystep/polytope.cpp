#include "polystep/polytope.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"

namespace dd::polystep {
namespace {

constexpr std::size_t largest_cube = 16;

std::size_t count_vertices(PolytopeKind kind, std::size_t dimension) {
  if (dimension == 0) throw Error(ErrorCode::out_of_range, "dimension", "`dimension` must be at least 1, got 0");
  if (kind == PolytopeKind::orthoplex) return 2 * dimension;
  if (kind == PolytopeKind::simplex) return dimension + 1;
  if (dimension > largest_cube) {
    throw Error(
        ErrorCode::out_of_range, "dimension",
        "`dimension` must be at most 16 for a cube, which has 2^dimension vertices, got " + std::to_string(dimension));
  }
  return std::size_t{1} << dimension;
}

std::vector<double> simplex_table(std::size_t d) {
  const auto size = static_cast<double>(d);
  const double own = std::sqrt(1 + 1 / size), all = -(std::sqrt(size + 1) + 1) / std::pow(size, 1.5);
  std::vector<double> table((d + 1) * d, all);
  for (std::size_t i = 0; i < d; ++i) table[i * d + i] += own;
  std::fill_n(table.begin() + static_cast<std::ptrdiff_t>(d * d), d, 1 / std::sqrt(size));
  for (std::size_t j = 0; j < d; ++j) {
    double mean = 0;
    for (std::size_t n = 0; n <= d; ++n) mean += table[n * d + j];
    mean /= size + 1;
    for (std::size_t n = 0; n <= d; ++n) table[n * d + j] -= mean;
  }
  return table;
}

std::vector<double> cube_table(std::size_t d) {
  const std::size_t count = std::size_t{1} << d;
  const double side = 1 / std::sqrt(static_cast<double>(d));
  std::vector<double> table(count * d);
  for (std::size_t n = 0; n < count; ++n) {
    for (std::size_t j = 0; j < d; ++j) table[n * d + j] = (n >> j & 1) == 0 ? side : -side;
  }
  return table;
}

}  // namespace

Polytope::Polytope(PolytopeKind kind, std::size_t dimension)
    : kind_(kind), dimension_(dimension), vertices_(count_vertices(kind, dimension)) {
  if (kind == PolytopeKind::simplex) table_ = simplex_table(dimension);
  if (kind == PolytopeKind::cube) table_ = cube_table(dimension);
}

void Polytope::vertex(std::size_t n, std::span<double> out) const {
  if (antithetic()) {
    std::fill(out.begin(), out.end(), 0.0);
    out[n % dimension_] = n < dimension_ ? 1 : -1;
    return;
  }
  std::copy_n(table_.begin() + static_cast<std::ptrdiff_t>(n * dimension_), dimension_, out.begin());
}

void Polytope::combine(std::span<const double> weights, std::span<double> out) const {
  const std::size_t d = dimension_;
  if (antithetic()) {
    for (std::size_t i = 0; i < d; ++i) out[i] = weights[i] - weights[i + d];
    return;
  }
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t n = 0; n < vertices_; ++n) {
    for (std::size_t j = 0; j < d; ++j) out[j] += weights[n] * table_[n * d + j];
  }
}

void Polytope::directions(std::span<const double> rotation, std::span<double> out) const {
  const std::size_t d = dimension_;
  if (antithetic()) {
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        const double component = rotation[j * d + i];
        out[i * d + j] = component;
        out[(i + d) * d + j] = -component;
      }
    }
    return;
  }
  for (std::size_t n = 0; n < vertices_; ++n) {
    const double* const v = table_.data() + n * d;
    for (std::size_t i = 0; i < d; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < d; ++j) sum += rotation[i * d + j] * v[j];
      out[n * d + i] = sum;
    }
  }
}

}  // namespace dd::polystep
