// Shapes and axis transfers of the decomposition; the work is done by linalg::GridTransfer and PaddingCorrection.
#include "odil/decomposition.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/aligned_buffer.hpp"
#include "core/error.hpp"
#include "linalg/vectors.hpp"

namespace dd::odil {
namespace {

std::string axis_name(std::size_t axis) { return "axis " + std::to_string(axis); }

void check(std::span<const std::size_t> cells, std::string_view location) {
  if (cells.empty() || cells.size() > max_axes) {
    throw Error(ErrorCode::out_of_range, "cells",
                "`cells` must name 1 to " + std::to_string(max_axes) + " axes, got " + std::to_string(cells.size()));
  }
  if (location.size() != cells.size()) {
    throw Error(ErrorCode::shape_mismatch, "location",
                "`location` must have one character for each of " + std::to_string(cells.size()) + " axes, got \"" +
                    std::string(location) + "\"");
  }
  for (std::size_t axis = 0; axis < cells.size(); ++axis) {
    if (std::string_view("cn.").find(location[axis]) == std::string_view::npos) {
      throw Error(ErrorCode::invalid_argument_value, "location",
                  "`location` is made of 'c', 'n' and '.', got \"" + std::string(location) + "\"");
    }
    if (cells[axis] == 0 || cells[axis] > 0x7FFFFFFF) {
      throw Error(ErrorCode::out_of_range, "cells",
                  "`cells` of " + axis_name(axis) + " must be 1 to 2^31 - 1, got " + std::to_string(cells[axis]));
    }
  }
}

std::size_t points_of(char location, std::size_t cells) { return location == 'n' ? cells + 1 : cells; }

std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }

std::vector<bool> axes_at(std::string_view location, char kind) {
  std::vector<bool> result;
  for (const char c : location) result.push_back(c == kind);
  return result;
}

linalg::AxisTransfer interpolation_axis(char location, std::size_t coarse_cells, Padding padding) {
  if (location == '.') return linalg::AxisTransfer::identity(coarse_cells);
  const std::size_t coarse = points_of(location, coarse_cells);
  std::vector<linalg::AxisEntry> entries(points_of(location, 2 * coarse_cells));
  // 3 u_0 + outside, outside = 2 u_0 - u_1, u_0 or u_1.
  const double edge = padding == Padding::linear ? 1.25 : padding == Padding::nearest ? 1 : 0.75;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint32_t half = index(i / 2);
    if (location == 'n') {
      entries[i] = i % 2 == 0 ? linalg::AxisEntry{half, half, 1, 0} : linalg::AxisEntry{half, half + 1, 0.5, 0.5};
    } else if (i == 0) {
      entries[i] = {0, 1, edge, 1 - edge};
    } else if (i + 1 == entries.size()) {
      entries[i] = {half, half - 1, edge, 1 - edge};
    } else {
      entries[i] = {half, i % 2 == 0 ? half - 1 : half + 1, 0.75, 0.25};
    }
  }
  return {coarse, std::move(entries)};
}

/// The transpose of a restriction along one axis.
linalg::AxisTransfer restriction_axis(char location, std::size_t cells, Padding padding) {
  if (location == '.') return linalg::AxisTransfer::identity(cells);
  std::vector<linalg::AxisEntry> entries(points_of(location, cells));
  // (outside + 2 u_0 + u_1) / 4
  const double edge = padding == Padding::linear ? 1 : 0.75;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint32_t half = index(i / 2);
    if (location == 'c') {
      entries[i] = {half, half, 0.5, 0};
    } else if (i % 2 == 0) {
      entries[i] = {half, half, i == 0 || i == cells ? edge : 0.5, 0};
    } else {
      entries[i] = {half, half + 1, half == 0 ? 1 - edge : 0.25, half + 1 == cells / 2 ? 1 - edge : 0.25};
    }
  }
  return {points_of(location, cells / 2), std::move(entries)};
}

std::vector<linalg::AxisTransfer> restriction_axes(std::span<const std::size_t> cells, std::string_view location,
                                                   Padding padding) {
  check(cells, location);
  std::vector<linalg::AxisTransfer> axes;
  for (std::size_t axis = 0; axis < cells.size(); ++axis) {
    if (location[axis] != '.' && cells[axis] % 2 != 0) {
      throw Error(
          ErrorCode::out_of_range, "cells",
          "`cells` of " + axis_name(axis) + " must be even to be restricted, got " + std::to_string(cells[axis]));
    }
    axes.push_back(restriction_axis(location[axis], cells[axis], padding));
  }
  return axes;
}

template <class T>
void scale(T factor, std::span<T> values, std::size_t threads) {
  const T* const vectors[] = {values.data()};
  linalg::combine<T>(vectors, std::span<const T>(&factor, 1), {}, values, threads);
}

}  // namespace

std::vector<linalg::AxisTransfer> interpolation_axes(std::span<const std::size_t> cells, std::string_view location,
                                                     Padding padding) {
  check(cells, location);
  std::vector<linalg::AxisTransfer> axes;
  for (std::size_t axis = 0; axis < cells.size(); ++axis) {
    if (location[axis] == 'c' && cells[axis] < 2) {
      throw Error(ErrorCode::out_of_range, "cells",
                  "`cells` of " + axis_name(axis) + " must be at least 2 to be interpolated, got 1");
    }
    axes.push_back(interpolation_axis(location[axis], cells[axis], padding));
  }
  return axes;
}

Interpolation::Interpolation(std::span<const std::size_t> cells, std::string_view location)
    : product_(interpolation_axes(cells, location, Padding::linear)),
      correction_(true, interpolation_axes(cells, location, Padding::nearest), axes_at(location, 'c')) {}

template <class T>
void Interpolation::apply(std::span<const T> coarse, T scale, std::span<const T> addend, std::span<T> fine,
                          std::size_t threads) const {
  product_.to_fine<T>(coarse, scale, addend, fine, threads);
  correction_.add<T>(coarse, scale, fine);
}

template <class T>
void Interpolation::apply_transposed(std::span<const T> fine, T scale, std::span<T> coarse, std::size_t threads) const {
  product_.to_coarse<T>(fine, scale, coarse, threads);
  correction_.add_transposed<T>(fine, scale, coarse);
}

std::size_t Decomposition::default_levels(std::span<const std::size_t> cells, std::string_view location) {
  check(cells, location);
  std::size_t least = 0;
  for (std::size_t axis = 0; axis < cells.size(); ++axis) {
    if (location[axis] == '.') continue;
    const auto levels = static_cast<std::size_t>(std::lround(std::log2(static_cast<double>(cells[axis]))));
    least = least == 0 ? levels : std::min(least, levels);
  }
  return std::max<std::size_t>(least, 1);
}

Decomposition::Decomposition(std::span<const std::size_t> cells, std::string_view location, std::size_t levels,
                             std::span<const double> factors)
    : factors_(factors.begin(), factors.end()) {
  check(cells, location);
  if (levels == 0) levels = default_levels(cells, location);
  if (factors.empty()) factors_.assign(levels, 1);
  if (factors_.size() != levels) {
    throw Error(ErrorCode::shape_mismatch, "factors",
                "`factors` must have one number for each of " + std::to_string(levels) + " levels, got " +
                    std::to_string(factors_.size()));
  }
  for (const double factor : factors_) {
    if (!(factor > 0 && std::isfinite(factor))) {
      throw Error(ErrorCode::out_of_range, "factors", "`factors` must be positive, got " + std::to_string(factor));
    }
  }
  std::vector<std::size_t> now(cells.begin(), cells.end());
  std::size_t offset = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    if (level > 0) {
      for (std::size_t axis = 0; axis < now.size(); ++axis) {
        if (location[axis] != '.') {
          const std::size_t least = location[axis] == 'c' ? 2 : 1;
          if (now[axis] % 2 != 0 || now[axis] / 2 < least) {
            throw Error(ErrorCode::out_of_range, "levels",
                        "`levels` of " + std::to_string(levels) + " cannot be made: " + axis_name(axis) + " has " +
                            std::to_string(now[axis]) + " cells on level " + std::to_string(level) +
                            ", which must halve exactly" + (least == 2 ? " to two cells or more" : ""));
          }
          now[axis] /= 2;
        }
      }
      interpolations_.emplace_back(now, location);
    }
    Shape shape;
    shape.axes = now.size();
    shape.count.fill(1);
    for (std::size_t axis = 0; axis < now.size(); ++axis) {
      shape.count[axis] = static_cast<std::int32_t>(points_of(location[axis], now[axis]));
    }
    levels_.push_back({shape, shape.points(), offset});
    offset += shape.points();
  }
}

template <class T>
void Decomposition::compose(std::span<const T> levels, std::span<T> field, std::size_t threads) const {
  const std::size_t count = levels_.size();
  // From the coarsest level up, in two buffers that take turns. What lies in them is u_l + f_{l+1}/f_l T (...), so that
  // each factor costs nothing but the scale of an interpolation.
  AlignedBuffer<T> even(count > 2 ? levels_[1].points : 0), odd(count > 3 ? levels_[2].points : 0);
  std::span<const T> below = levels.subspan(levels_.back().offset, levels_.back().points);
  for (std::size_t l = count - 1; l-- > 0;) {
    const Level& level = levels_[l];
    const std::span<T> target = l == 0 ? field : (l % 2 == 1 ? even : odd).span().first(level.points);
    interpolations_[l].apply<T>(below, static_cast<T>(factors_[l + 1] / factors_[l]),
                                levels.subspan(level.offset, level.points), target, threads);
    below = target;
  }
  if (count == 1) std::copy_n(levels.begin(), field.size(), field.begin());
  if (factors_[0] != 1) scale(static_cast<T>(factors_[0]), field, threads);
}

template <class T>
void Decomposition::compose_transposed(std::span<const T> field_gradient, std::span<T> levels_gradient,
                                       std::size_t threads) const {
  std::copy(field_gradient.begin(), field_gradient.end(), levels_gradient.begin());
  if (factors_[0] != 1) scale(static_cast<T>(factors_[0]), levels_gradient.first(field_points()), threads);
  for (std::size_t l = 0; l + 1 < levels_.size(); ++l) {
    interpolations_[l].apply_transposed<T>(
        levels_gradient.subspan(levels_[l].offset, levels_[l].points), static_cast<T>(factors_[l + 1] / factors_[l]),
        levels_gradient.subspan(levels_[l + 1].offset, levels_[l + 1].points), threads);
  }
}

template <class T>
void Decomposition::decompose(std::span<const T> field, std::span<T> levels) const {
  std::copy(field.begin(), field.end(), levels.begin());
  if (factors_[0] != 1) scale(static_cast<T>(1 / factors_[0]), levels.first(field.size()), 1);
  std::fill(levels.begin() + static_cast<std::ptrdiff_t>(field.size()), levels.end(), T(0));
}

Restriction::Restriction(std::span<const std::size_t> cells, std::string_view location)
    : transfer_(restriction_axes(cells, location, Padding::linear)),
      correction_(false, restriction_axes(cells, location, Padding::nearest), axes_at(location, 'n')) {}

template <class T>
void Restriction::apply(std::span<const T> fine, std::span<T> coarse, std::size_t threads) const {
  transfer_.to_coarse<T>(fine, T(1), coarse, threads);
  correction_.add<T>(fine, T(1), coarse);
}

template <class T>
void Restriction::apply_transposed(std::span<const T> coarse, std::span<T> fine, std::size_t threads) const {
  transfer_.to_fine<T>(coarse, T(1), {}, fine, threads);
  correction_.add_transposed<T>(coarse, T(1), fine);
}

template void Interpolation::apply(std::span<const float>, float, std::span<const float>, std::span<float>,
                                   std::size_t) const;
template void Interpolation::apply(std::span<const double>, double, std::span<const double>, std::span<double>,
                                   std::size_t) const;
template void Interpolation::apply_transposed(std::span<const float>, float, std::span<float>, std::size_t) const;
template void Interpolation::apply_transposed(std::span<const double>, double, std::span<double>, std::size_t) const;
template void Restriction::apply(std::span<const float>, std::span<float>, std::size_t) const;
template void Restriction::apply(std::span<const double>, std::span<double>, std::size_t) const;
template void Restriction::apply_transposed(std::span<const float>, std::span<float>, std::size_t) const;
template void Restriction::apply_transposed(std::span<const double>, std::span<double>, std::size_t) const;
template void Decomposition::compose(std::span<const float>, std::span<float>, std::size_t) const;
template void Decomposition::compose(std::span<const double>, std::span<double>, std::size_t) const;
template void Decomposition::compose_transposed(std::span<const float>, std::span<float>, std::size_t) const;
template void Decomposition::compose_transposed(std::span<const double>, std::span<double>, std::size_t) const;
template void Decomposition::decompose(std::span<const float>, std::span<float>) const;
template void Decomposition::decompose(std::span<const double>, std::span<double>) const;

}  // namespace dd::odil
