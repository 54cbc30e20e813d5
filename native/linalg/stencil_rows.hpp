// The way over an operator row by row, shared by products and smoothers: where a row's neighbours are, which part of it
// a vector kernel may take, and single points at the ends of rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "linalg/stencil.hpp"
#include "linalg/stencil_isa.hpp"

namespace dd::linalg {

inline void stencil_apply(const StencilApply<double>& a) { stencil_apply_float64(&a); }
inline void stencil_apply(const StencilApply<float>& a) { stencil_apply_float32(&a); }
inline void stencil_relax(const StencilRelax<double>& a) { stencil_relax_float64(&a); }
inline void stencil_relax(const StencilRelax<float>& a) { stencil_relax_float32(&a); }

/// Rows of one operator and one vector; one object per thread. `without`: number of the term to leave out, or that of
/// no term.
template <class T>
class RowWalker {
 public:
  RowWalker(const StencilOperator<T>& a, const T* x, std::size_t without)
      : a_(a), x_(x), row_length_(a.grid().row()), strides_(a.grid().strides()) {
    for (std::size_t k = 0; k < a.shifts().size(); ++k) {
      if (k == without) continue;
      numbers_.push_back(k);
      const std::int32_t along = a.shifts()[k][a.grid().axes - 1];
      if (along < 0) before_ = std::max(before_, static_cast<std::size_t>(-along));
      if (along > 0) after_ = std::max(after_, static_cast<std::size_t>(along));
    }
    coefficients_.resize(numbers_.size());
    sources_.resize(numbers_.size());
    shifted_.resize(numbers_.size());
    along_.resize(numbers_.size());
    begin_ = std::min(before_, row_length_);
    end_ = std::max(begin_, row_length_ - std::min(after_, row_length_));
  }

  /// Goes to the row whose first point is number `at` (indices of the outer axes; the last is not looked at).
  void go_to(const std::array<std::size_t, max_grid_axes>& at) {
    const PointGrid& grid = a_.grid();
    std::size_t offset = 0;
    for (std::size_t axis = 0; axis + 1 < grid.axes; ++axis) offset += at[axis] * strides_[axis];
    offset_ = offset;
    uniform_ = a_.uniform_row(offset / row_length_);
    used_ = 0;
    for (const std::size_t k : numbers_) {
      const GridShift& shift = a_.shifts()[k];
      std::ptrdiff_t source = static_cast<std::ptrdiff_t>(offset);
      bool inside = true;
      for (std::size_t axis = 0; axis + 1 < grid.axes && inside; ++axis) {
        if (shift[axis] == 0) continue;
        const auto count = static_cast<std::ptrdiff_t>(grid.count[axis]);
        std::ptrdiff_t step = shift[axis];
        const std::ptrdiff_t to = static_cast<std::ptrdiff_t>(at[axis]) + step;
        if (to < 0 || to >= count) {
          inside = grid.periodic[axis];
          step += to < 0 ? count : -count;
        }
        source += step * static_cast<std::ptrdiff_t>(strides_[axis]);
      }
      if (!inside) continue;
      coefficients_[used_] = a_.coefficients(k).data() + offset;
      along_[used_] = shift[grid.axes - 1];
      sources_[used_] = x_ + source;
      shifted_[used_] = sources_[used_] + along_[used_];
      ++used_;
    }
  }

  std::size_t offset() const noexcept { return offset_; }
  /// Points for which all neighbours along the row are inside it.
  std::size_t begin() const noexcept { return begin_; }
  std::size_t end() const noexcept { return end_; }
  StencilRow<T> middle() const noexcept {
    return {coefficients_.data(), shifted_.data(), used_, begin_, end_, uniform_};
  }

  /// start -+ the terms at point i near an end of the row.
  template <bool Subtract>
  T sum_at(std::size_t i, T start) const noexcept {
    const auto count = static_cast<std::ptrdiff_t>(row_length_);
    T total = start;
    for (std::size_t k = 0; k < used_; ++k) {
      std::ptrdiff_t to = static_cast<std::ptrdiff_t>(i) + along_[k];
      if (to < 0 || to >= count) {
        if (!a_.grid().periodic[a_.grid().axes - 1]) continue;
        to += to < 0 ? count : -count;
      }
      const T term = coefficients_[k][i] * sources_[k][to];
      total = Subtract ? total - term : total + term;
    }
    return total;
  }

 private:
  const StencilOperator<T>& a_;
  const T* x_;
  std::size_t row_length_, offset_ = 0, used_ = 0;
  std::size_t before_ = 0, after_ = 0, begin_ = 0, end_ = 0;
  bool uniform_ = false;
  std::array<std::size_t, max_grid_axes> strides_;
  std::vector<std::size_t> numbers_;
  std::vector<const T*> coefficients_, sources_, shifted_;
  std::vector<std::int32_t> along_;
};

/// body(indices) for the rows of plane `first` of the first axis, in order; a grid of one axis is one row.
template <class Body>
void for_rows(const PointGrid& grid, std::size_t first, Body&& body) {
  std::array<std::size_t, max_grid_axes> at{};
  if (grid.axes == 1) return body(at);
  at[0] = first;
  for (;;) {
    body(at);
    std::size_t axis = grid.axes - 1;
    for (;;) {
      if (axis <= 1) return;
      --axis;
      if (++at[axis] < grid.count[axis]) break;
      at[axis] = 0;
    }
  }
}

/// Planes of the first axis that `for_rows` knows: one for a grid of one axis.
inline std::size_t planes_of(const PointGrid& grid) noexcept { return grid.axes == 1 ? 1 : grid.count[0]; }

}  // namespace dd::linalg
