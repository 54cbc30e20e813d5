// What the tests of dense linear algebra share: random matrices inside guarded memory, every ISA level, the reference.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/isa.hpp"
#include "core/matrix_view.hpp"
#include "core/philox.hpp"

namespace dd::test {

/// Runs `body` at every level this machine has, then goes back to the one it found.
template <class Body>
void at_every_isa_level(Body body) {
  const IsaLevel before = active_isa();
  for (const IsaLevel level : available_isa_levels()) {
    REQUIRE(set_active_isa(level));
    INFO("level ", std::string(isa_name(level)));
    body(level);
  }
  REQUIRE(set_active_isa(before));
}

/// Lanes of a vector and rows of a register tile at a level: the sizes around which edges lie.
template <class T>
std::size_t vector_lanes(IsaLevel level) {
  const std::size_t bytes = level == IsaLevel::avx512 ? 64 : level == IsaLevel::avx2 ? 32 : 16;
  return bytes / sizeof(T);
}
template <class T>
std::size_t tile_rows(IsaLevel level) {
  return vector_lanes<T>(level) * (level == IsaLevel::avx512 || level == IsaLevel::avx2 ? 3 : 4);
}

enum class Layout { columns, rows, columns_padded, rows_padded, general };

/// A matrix whose unused memory holds a canary that must survive, at an address aligned to an element only.
template <class T>
class Guarded {
 public:
  Guarded(std::size_t rows, std::size_t columns, Layout layout) : view_{nullptr, rows, columns, 1, 1} {
    switch (layout) {
      case Layout::columns:
        view_.column_stride = rows;
        break;
      case Layout::columns_padded:
        view_.column_stride = rows + 3;
        break;
      case Layout::rows:
        view_.row_stride = columns;
        break;
      case Layout::rows_padded:
        view_.row_stride = columns + 5;
        break;
      case Layout::general:
        view_.row_stride = 2;
        view_.column_stride = 2 * rows + 3;
        break;
    }
    memory_.assign(rows * view_.row_stride + columns * view_.column_stride + 9, canary);
    view_.data = memory_.data() + 1;
  }

  // The view points into own memory.
  Guarded(const Guarded& other) : view_(other.view_), memory_(other.memory_) { view_.data = memory_.data() + 1; }
  Guarded& operator=(const Guarded&) = delete;

  MatrixView<T> view() { return view_; }
  MatrixView<const T> view() const { return view_; }
  T& operator()(std::size_t i, std::size_t j) { return view_(i, j); }
  const T& operator()(std::size_t i, std::size_t j) const { return view_(i, j); }
  std::size_t rows() const { return view_.rows; }
  std::size_t columns() const { return view_.columns; }

  void fill(PhiloxStream& random) {
    for_each([&](T& value) { value = static_cast<T>(random.next_uniform() * 2 - 1); });
  }
  void fill(T constant) {
    for_each([&](T& value) { value = constant; });
  }
  std::vector<double> to_double() const {
    std::vector<double> values(view_.rows * view_.columns);
    for (std::size_t j = 0; j < view_.columns; ++j) {
      for (std::size_t i = 0; i < view_.rows; ++i) values[i + j * view_.rows] = static_cast<double>(view_(i, j));
    }
    return values;
  }
  /// Memory that belongs to no element is as it was.
  bool canaries_alive() const {
    std::vector<T> rest = memory_;
    for (std::size_t j = 0; j < view_.columns; ++j) {
      for (std::size_t i = 0; i < view_.rows; ++i) {
        rest[1 + i * view_.row_stride + j * view_.column_stride] = canary;
      }
    }
    return std::all_of(rest.begin(), rest.end(), [](T value) { return value == canary; });
  }
  bool same_bits(const Guarded& other) const {
    return std::memcmp(memory_.data(), other.memory_.data(), memory_.size() * sizeof(T)) == 0;
  }

 private:
  static constexpr T canary = T(-12345.5);

  template <class Body>
  void for_each(Body body) {
    for (std::size_t j = 0; j < view_.columns; ++j) {
      for (std::size_t i = 0; i < view_.rows; ++i) body(view_(i, j));
    }
  }

  MatrixView<T> view_;
  std::vector<T> memory_;
};

inline MatrixView<double> as_matrix(std::vector<double>& values, std::size_t rows, std::size_t columns) {
  return MatrixView<double>::column_major(values.data(), rows, columns);
}

inline std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::fabs(value);
  return values;
}

template <class T>
constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

}  // namespace dd::test
