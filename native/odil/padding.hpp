// What linear padding in several axes adds to a tensor product. The official code fills the layer outside a grid with
// 2 (nearest) - (mirrored), taken in all axes at once, which is a product of one-dimensional extrapolations only where
// a single axis is left: with E the axis padded by the nearest and M by the mirrored value,
//   T = 2 (E x E x ...) - (M x M x ...) = (2 E - M) x (2 E - M) x ... - 2 sum over even S of (product over S of E - M)
//   x (product of E over the other axes),
// S having at least two axes. E - M is (u_0 - u_1) / 4 at both ends of an axis and nothing else, so the sum lives on
// edges and corners of the grid.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "linalg/axis_transfer.hpp"

namespace dd::odil {

class PaddingCorrection {
 public:
  /// `to_fine`: the operator goes from the coarse to the fine grid (interpolation) or back (restriction). `nearest`: E
  /// of each axis. `padded`: whether the axis has a padding at all.
  PaddingCorrection(bool to_fine, const std::vector<linalg::AxisTransfer>& nearest, const std::vector<bool>& padded);

  /// out += scale D in, with D what the product of extrapolations lacks.
  template <class T>
  void add(std::span<const T> in, T scale, std::span<T> out) const;
  /// in += scale D^T out.
  template <class T>
  void add_transposed(std::span<const T> out, T scale, std::span<T> in) const;

 private:
  struct Part {
    std::vector<std::size_t> ends;  // the axes of S
    std::vector<std::size_t> rest;
    linalg::GridTransfer transfer;  // E along the rest
  };

  template <class Body>
  void for_corners(const Part& part, Body&& body) const;

  bool to_fine_;
  std::vector<std::size_t> in_count_, out_count_, in_stride_, out_stride_;
  std::vector<Part> parts_;
};

}  // namespace dd::odil
