// Where points lie in an array: one by one, or run by run.
#pragma once

#include <cstddef>

#include "odil/shape.hpp"

namespace dd::odil {

/// Flat index, in an array of shape `operand`, of what an access with `shift` reads at the point `at`; wraps along
/// every axis, so that it is only asked where that is meant.
std::size_t resolve(const Shape& operand, const std::array<std::int32_t, max_axes>& at, const Shift& shift) noexcept;

/// How far behind the point itself lies what it reads; the same for all points of a region's box.
std::ptrdiff_t distance(const Shape& operand, const Box& box, const Shift& shift) noexcept;

/// Where the points of a box lie in an array, moved by a shift.
struct Place {
  Place() = default;
  Place(const Shape& array, const Box& box, const Shift& shift) noexcept
      : strides(array.strides()), start(distance(array, box, shift)) {}

  std::ptrdiff_t operator()(const std::array<std::int32_t, max_axes>& point) const noexcept {
    std::ptrdiff_t flat = start;
    for (std::size_t axis = 0; axis < max_axes; ++axis) flat += point[axis] * strides[axis];
    return flat;
  }

  std::array<std::ptrdiff_t, max_axes> strides{};
  std::ptrdiff_t start = 0;
};

/// Where a run of consecutive points of a shape begins in an array, moved by a shift; along the run both go one by one.
class RunPlace {
 public:
  RunPlace(const Shape& points, const Shape& array, const Shift& shift) noexcept
      : points_(points), strides_(array.strides()), start_(array.flat(shift)), repeated_(array.repeated) {
    const auto own = points.strides();
    for (std::size_t axis = repeated_; axis < points.axes; ++axis) alike_ = alike_ && own[axis] == strides_[axis];
    if (repeated_ > 0) period_ = static_cast<std::size_t>(own[repeated_ - 1]);
  }

  std::ptrdiff_t operator()(std::size_t begin) const noexcept {
    if (alike_) return start_ + static_cast<std::ptrdiff_t>(repeated_ == 0 ? begin : begin % period_);
    const auto at = points_.index(begin);
    std::ptrdiff_t flat = start_;
    for (std::size_t axis = repeated_; axis < points_.axes; ++axis) flat += at[axis] * strides_[axis];
    return flat;
  }

 private:
  Shape points_;
  std::array<std::ptrdiff_t, max_axes> strides_{};
  std::ptrdiff_t start_ = 0;
  std::size_t repeated_ = 0, period_ = 1;
  bool alike_ = true;  // but for the repeated axes, memory is laid out as that of the points
};

}  // namespace dd::odil
