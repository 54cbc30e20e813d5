// Arrays on a grid: how many points along each axis and where they lie in memory (row-major, the first axis slowest).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "odil/expression.hpp"

namespace dd::odil {

struct Shape {
  std::size_t axes = 0;
  std::array<std::int32_t, max_axes> count{};  ///< 1 for axes that do not exist
  /// The first so many axes have one point that stands for all: what does not change with time is stored once. Never
  /// the last axis.
  std::size_t repeated = 0;

  /// Distances in memory; 0 along repeated axes.
  std::array<std::ptrdiff_t, max_axes> strides() const noexcept {
    std::array<std::ptrdiff_t, max_axes> result{};
    std::ptrdiff_t step = 1;
    for (std::size_t axis = axes; axis-- > repeated;) {
      result[axis] = step;
      step *= count[axis];
    }
    return result;
  }
  /// Distance in memory of a step, or where an index lies.
  std::ptrdiff_t flat(const std::array<std::int32_t, max_axes>& at) const noexcept {
    const auto step = strides();
    std::ptrdiff_t result = 0;
    for (std::size_t axis = repeated; axis < axes; ++axis) result += at[axis] * step[axis];
    return result;
  }
  /// The index of what lies at `place`; of a shape without repeated axes.
  std::array<std::int32_t, max_axes> index(std::size_t place) const noexcept {
    std::array<std::int32_t, max_axes> result{};
    for (std::size_t axis = axes; axis-- > 0;) {
      result[axis] = static_cast<std::int32_t>(place % static_cast<std::size_t>(count[axis]));
      place /= static_cast<std::size_t>(count[axis]);
    }
    return result;
  }
  std::size_t points() const noexcept {
    std::size_t result = 1;
    for (std::size_t axis = 0; axis < axes; ++axis) result *= static_cast<std::size_t>(count[axis]);
    return result;
  }
  bool operator==(const Shape&) const = default;
};

/// Indices in [begin, end) along every axis.
struct Box {
  std::array<std::int32_t, max_axes> begin{};
  std::array<std::int32_t, max_axes> end{};

  std::size_t points(std::size_t axes) const noexcept {
    std::size_t result = 1;
    for (std::size_t axis = 0; axis < axes; ++axis) result *= static_cast<std::size_t>(end[axis] - begin[axis]);
    return result;
  }
  bool empty(std::size_t axes) const noexcept {
    for (std::size_t axis = 0; axis < axes; ++axis) {
      if (begin[axis] >= end[axis]) return true;
    }
    return false;
  }
  Box intersection(const Box& other, std::size_t axes) const noexcept {
    Box result;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      result.begin[axis] = begin[axis] > other.begin[axis] ? begin[axis] : other.begin[axis];
      result.end[axis] = end[axis] < other.end[axis] ? end[axis] : other.end[axis];
    }
    return result;
  }
};

/// Calls body(flat index in `shape`, multi-index) for each run of points of the box along the last axis; the
/// multi-index is that of the first point.
template <class Body>
void for_each_run(const Shape& shape, const Box& box, Body&& body) {
  if (box.points(shape.axes) == 0) return;
  std::array<std::int32_t, max_axes> at = box.begin;
  for (;;) {
    body(static_cast<std::size_t>(shape.flat(at)), at);
    std::size_t axis = shape.axes - 1;
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (++at[axis] < box.end[axis]) break;
      at[axis] = box.begin[axis];
    }
  }
}

}  // namespace dd::odil
