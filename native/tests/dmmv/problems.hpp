// Problems for the tests: from vectors, from random numbers, from Hadamard matrices.
#pragma once

#include <bit>
#include <cstddef>
#include <span>
#include <vector>

#include "core/infinity.hpp"
#include "core/philox.hpp"
#include "dmmv/problem.hpp"
#include "tests/json.hpp"

namespace dd::test {

/// Owns what a description points at.
struct ProblemData {
  std::size_t rows = 0, columns = 0;
  std::vector<double> matrix;  // column-major
  std::vector<double> lower, upper, weights;
  std::vector<double> levels;
  std::vector<std::size_t> starts;  // empty: shared

  dmmv::ProblemDescription description() const {
    dmmv::ProblemDescription description;
    description.matrix = MatrixView<const double>::column_major(matrix.data(), rows, columns);
    description.lower = lower;
    description.upper = upper;
    description.weights = weights;
    if (starts.empty()) {
      description.levels = dmmv::SharedLevels{levels};
    } else {
      description.levels = dmmv::OwnLevels{levels, starts};
    }
    return description;
  }
  dmmv::Problem create() const { return dmmv::Problem::create(description()); }
};

inline ProblemData from_vector(const Json& one) {
  ProblemData data;
  data.rows = static_cast<std::size_t>(one["m"].number);
  data.columns = static_cast<std::size_t>(one["n"].number);
  const std::vector<double> row_major = one["A_rowmajor"].numbers();
  data.matrix.resize(row_major.size());
  for (std::size_t i = 0; i < data.rows; ++i) {
    for (std::size_t j = 0; j < data.columns; ++j) data.matrix[i + j * data.rows] = row_major[i * data.columns + j];
  }
  if (one.has("b")) {
    data.lower = data.upper = one["b"].numbers();
  } else {
    data.lower = one["lower"].numbers(-infinity);
    data.upper = one["upper"].numbers(infinity);
    data.weights = one["weight"].numbers();
  }
  data.starts.push_back(0);
  for (const Json& table : one["levels"].items) {
    for (const double value : table.numbers()) data.levels.push_back(value);
    data.starts.push_back(data.levels.size());
  }
  return data;
}

/// Uniform entries in [-1, 1); a mixture of equality, interval and one-sided rows when `mixed`; levels -2 ... 2.
inline ProblemData random_problem(std::uint64_t seed, std::size_t rows, std::size_t columns, bool mixed) {
  PhiloxStream random(seed, 77);
  const auto number = [&] { return 2 * random.next_uniform() - 1; };
  ProblemData data;
  data.rows = rows;
  data.columns = columns;
  for (std::size_t k = 0; k < rows * columns; ++k) data.matrix.push_back(number());
  for (std::size_t i = 0; i < rows; ++i) {
    const double centre = 2 * number();
    const std::uint32_t kind = mixed ? random.next_below(4) : 0;
    const double half = kind == 1 ? 0.5 * random.next_uniform() : 0;
    data.lower.push_back(kind == 2 ? -infinity : centre - half);
    data.upper.push_back(kind == 3 ? infinity : centre + half);
    data.weights.push_back(mixed ? 0.5 + random.next_uniform() : 1.0);
  }
  data.levels = {-2, -1, 0, 1, 2};
  return data;
}

inline ProblemData hadamard_problem(unsigned m) {
  ProblemData data;
  data.rows = data.columns = std::size_t{1} << m;
  for (std::size_t j = 0; j < data.columns; ++j) {
    for (std::size_t i = 0; i < data.rows; ++i) data.matrix.push_back(std::popcount(i & j) % 2 == 0 ? 1 : -1);
  }
  data.lower.assign(data.rows, 0.0);
  data.upper.assign(data.rows, 0.0);
  data.levels = {-1, 1};
  return data;
}

}  // namespace dd::test
