// Products of operators on grids: planes dealt over the pool, rows to the kernels.
#include "linalg/stencil.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/stencil_rows.hpp"

namespace dd::linalg {
namespace {

constexpr std::size_t stencil_points_per_task = std::size_t{1} << 15;

std::size_t planes_per_task(const PointGrid& grid) {
  return std::max<std::size_t>(1, stencil_points_per_task * planes_of(grid) / std::max<std::size_t>(1, grid.points()));
}

std::string shift_text(const PointGrid& grid, const GridShift& shift) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < grid.axes; ++axis) text += (axis > 0 ? ", " : "") + std::to_string(shift[axis]);
  return text + ")";
}

std::array<std::size_t, max_grid_axes> indices_of(const PointGrid& grid, std::size_t index) {
  std::array<std::size_t, max_grid_axes> at{};
  for (std::size_t axis = grid.axes; axis-- > 0; index /= grid.count[axis]) at[axis] = index % grid.count[axis];
  return at;
}

/// Number of the point `shift` away; points() when that is outside.
std::size_t neighbour(const PointGrid& grid, std::array<std::size_t, max_grid_axes> at, const GridShift& shift,
                      int sign) {
  std::size_t index = 0;
  for (std::size_t axis = 0; axis < grid.axes; ++axis) {
    const auto count = static_cast<std::ptrdiff_t>(grid.count[axis]);
    std::ptrdiff_t to = static_cast<std::ptrdiff_t>(at[axis]) + sign * shift[axis];
    if (to < 0 || to >= count) {
      if (!grid.periodic[axis]) return grid.points();
      to += to < 0 ? count : -count;
    }
    index = index * grid.count[axis] + static_cast<std::size_t>(to);
  }
  return index;
}

}  // namespace

std::array<std::size_t, max_grid_axes> PointGrid::strides() const noexcept {
  std::array<std::size_t, max_grid_axes> result{};
  std::size_t step = 1;
  for (std::size_t axis = axes; axis-- > 0;) {
    result[axis] = step;
    step *= count[axis];
  }
  return result;
}

PointGrid make_grid(std::span<const std::size_t> count, std::span<const bool> periodic) {
  if (count.empty() || count.size() > max_grid_axes) {
    throw Error(ErrorCode::out_of_range, "grid", "`grid` must have 1 to 4 axes, got " + std::to_string(count.size()));
  }
  if (!periodic.empty() && periodic.size() != count.size()) {
    throw Error(ErrorCode::shape_mismatch, "periodic",
                "`periodic` must have one entry for each of " + std::to_string(count.size()) + " axes, got " +
                    std::to_string(periodic.size()));
  }
  PointGrid grid;
  grid.axes = count.size();
  for (std::size_t axis = 0; axis < count.size(); ++axis) {
    if (count[axis] == 0 || count[axis] > 0x7FFFFFFF) {
      throw Error(ErrorCode::out_of_range, "grid",
                  "`grid` axis " + std::to_string(axis) + " must have 1 to 2^31 - 1 points, got " +
                      std::to_string(count[axis]));
    }
    grid.count[axis] = count[axis];
    grid.periodic[axis] = !periodic.empty() && periodic[axis];
  }
  return grid;
}

std::string point_name(const PointGrid& grid, std::size_t index) {
  std::string text = "point ";
  const auto at = indices_of(grid, index);
  for (std::size_t axis = 0; axis < grid.axes; ++axis) text += "[" + std::to_string(at[axis]) + "]";
  return text;
}

template <class T>
StencilOperator<T>::StencilOperator(const PointGrid& grid, std::vector<GridShift> shifts)
    : grid_(grid), points_(grid.points()), shifts_(std::move(shifts)) {
  for (std::size_t k = 0; k < shifts_.size(); ++k) {
    for (std::size_t axis = 0; axis < max_grid_axes; ++axis) {
      const auto length = static_cast<std::size_t>(std::abs(shifts_[k][axis]));
      if (length >= (axis < grid.axes ? grid.count[axis] : 1)) {
        throw Error(ErrorCode::out_of_range, "shifts",
                    "`shifts` must be shorter than their axes, got " + shift_text(grid, shifts_[k]));
      }
    }
    if (std::find(shifts_.begin(), shifts_.begin() + static_cast<std::ptrdiff_t>(k), shifts_[k]) !=
        shifts_.begin() + static_cast<std::ptrdiff_t>(k)) {
      throw Error(ErrorCode::invalid_argument_value, "shifts",
                  "`shifts` has " + shift_text(grid, shifts_[k]) + " twice");
    }
  }
  coefficients_ = AlignedBuffer<T>(points_ * shifts_.size(), T(0));
}

template <class T>
std::size_t StencilOperator<T>::find(const GridShift& shift) const noexcept {
  return static_cast<std::size_t>(std::find(shifts_.begin(), shifts_.end(), shift) - shifts_.begin());
}

template <class T>
void StencilOperator<T>::check(const char* name) const {
  for (std::size_t k = 0; k < shifts_.size(); ++k) {
    const std::span<const T> values = coefficients(k);
    const std::size_t bad = first_non_finite(values, 1);
    if (bad < points_) {
      throw Error(ErrorCode::not_finite, name,
                  std::string("`") + name + "` must be finite, got " + std::to_string(values[bad]) + " for shift " +
                      shift_text(grid_, shifts_[k]) + " at " + point_name(grid_, bad));
    }
    const auto strides = grid_.strides();
    for (std::size_t axis = 0; axis < grid_.axes; ++axis) {
      if (grid_.periodic[axis] || shifts_[k][axis] == 0) continue;
      // The points of the last |shift| indices on the side that is left.
      const auto length = static_cast<std::size_t>(std::abs(shifts_[k][axis]));
      const std::size_t first = shifts_[k][axis] > 0 ? grid_.count[axis] - length : 0;
      const std::size_t period = strides[axis] * grid_.count[axis];
      for (std::size_t outer = 0; outer < points_; outer += period) {
        const std::size_t begin = outer + first * strides[axis];
        for (std::size_t i = begin; i < begin + length * strides[axis]; ++i) {
          if (values[i] == T(0)) continue;
          throw Error(ErrorCode::invalid_argument_value, name,
                      std::string("`") + name + "` must be zero where it leaves the grid, got " +
                          std::to_string(values[i]) + " for shift " + shift_text(grid_, shifts_[k]) + " at " +
                          point_name(grid_, i));
        }
      }
    }
  }
}

template <class T>
void StencilOperator<T>::find_uniform_rows(std::size_t threads) {
  const std::size_t length = grid_.row(), rows = points_ / length;
  std::size_t before = 0, after = 0;
  for (const GridShift& shift : shifts_) {
    const std::int32_t along = shift[grid_.axes - 1];
    before = std::max(before, static_cast<std::size_t>(std::max(-along, 0)));
    after = std::max(after, static_cast<std::size_t>(std::max(along, 0)));
  }
  std::vector<unsigned char> found(rows, 0);
  if (before + after < length) {
    parallel_for(threads, rows, 1 + stencil_points_per_task / length, [&](std::size_t begin, std::size_t end) {
      for (std::size_t row = begin; row < end; ++row) {
        bool same = true;
        for (std::size_t k = 0; k < shifts_.size() && same; ++k) {
          const T* const from = coefficients_.data() + k * points_ + row * length;
          same = std::equal(from + before + 1, from + length - after, from + before);
        }
        found[row] = same ? 1 : 0;
      }
    });
  }
  uniform_rows_ = std::move(found);
}

template <class T>
void StencilOperator<T>::multiply(std::span<const T> x, std::span<T> y, std::size_t threads) const {
  residual({}, x, y, threads);
}

template <class T>
void StencilOperator<T>::residual(std::span<const T> b, std::span<const T> x, std::span<T> result,
                                  std::size_t threads) const {
  parallel_for(threads, planes_of(grid_), planes_per_task(grid_), [&](std::size_t begin, std::size_t end) {
    RowWalker<T> walker(*this, x.data(), shifts_.size());
    for (std::size_t plane = begin; plane < end; ++plane) {
      for_rows(grid_, plane, [&](const auto& at) {
        walker.go_to(at);
        const T* const right_side = b.empty() ? nullptr : b.data() + walker.offset();
        T* const out = result.data() + walker.offset();
        const auto single = [&](std::size_t i) {
          out[i] = right_side == nullptr ? walker.template sum_at<false>(i, T(0))
                                         : walker.template sum_at<true>(i, right_side[i]);
        };
        for (std::size_t i = 0; i < walker.begin(); ++i) single(i);
        stencil_apply(StencilApply<T>{walker.middle(), right_side, out});
        for (std::size_t i = walker.end(); i < grid_.row(); ++i) single(i);
      });
    }
  });
}

template <class T>
StencilOperator<T> StencilOperator<T>::transposed() const {
  std::vector<GridShift> shifts;
  for (GridShift shift : shifts_) {
    for (std::int32_t& step : shift) step = -step;
    shifts.push_back(shift);
  }
  StencilOperator result(grid_, std::move(shifts));
  // Entry (i, i + s) of A is entry (i + s, i) of A^T.
  for (std::size_t k = 0; k < shifts_.size(); ++k) {
    const std::span<const T> from = coefficients(k);
    const std::span<T> to = result.coefficients(k);
    for (std::size_t i = 0; i < points_; i += grid_.row()) {
      std::array<std::size_t, max_grid_axes> at = indices_of(grid_, i);
      GridShift across = shifts_[k];
      const std::int32_t along = across[grid_.axes - 1];
      across[grid_.axes - 1] = 0;
      const std::size_t row = neighbour(grid_, at, across, 1);
      if (row == points_) continue;
      const auto length = static_cast<std::ptrdiff_t>(grid_.row());
      for (std::ptrdiff_t j = 0; j < length; ++j) {
        std::ptrdiff_t target = j + along;
        if (target < 0 || target >= length) {
          if (!grid_.periodic[grid_.axes - 1]) continue;
          target += target < 0 ? length : -length;
        }
        to[row + static_cast<std::size_t>(target)] = from[i + static_cast<std::size_t>(j)];
      }
    }
  }
  return result;
}

template <class T>
StencilOperator<T> StencilOperator<T>::copy() const {
  StencilOperator result(grid_, shifts_);
  std::copy(coefficients_.begin(), coefficients_.end(), result.coefficients_.begin());
  return result;
}

template class StencilOperator<float>;
template class StencilOperator<double>;

}  // namespace dd::linalg
