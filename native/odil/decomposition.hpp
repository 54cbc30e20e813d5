// Multigrid decomposition of a field: u = f_1 u_1 + T_1 (f_2 u_2 + T_2 (f_3 u_3 + ...)), so that gradient methods move
// the field on all levels at once. Sources: specs/odil.md, section 4; mODIL, arXiv 2303.04679.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "linalg/axis_transfer.hpp"
#include "odil/padding.hpp"
#include "odil/shape.hpp"

namespace dd::odil {

/// Interpolation T from one level to the next finer one, and its exact transpose: cells 'c' by (3, 1) / 4 with a layer
/// outside padded linearly, nodes 'n' by (1, 1) / 2, axes '.' unchanged. Exact for linear functions.
class Interpolation {
 public:
  /// `cells` of the coarse level, at least 2 on 'c' axes ('.': points).
  Interpolation(std::span<const std::size_t> cells, std::string_view location);

  std::size_t fine_points() const noexcept { return product_.fine_points(); }
  std::size_t coarse_points() const noexcept { return product_.coarse_points(); }

  /// fine = addend + scale T coarse; an empty addend is zero.
  template <class T>
  void apply(std::span<const T> coarse, T scale, std::span<const T> addend, std::span<T> fine,
             std::size_t threads) const;
  /// coarse = scale T^T fine.
  template <class T>
  void apply_transposed(std::span<const T> fine, T scale, std::span<T> coarse, std::size_t threads) const;

 private:
  linalg::GridTransfer product_;
  PaddingCorrection correction_;
};

/// How the layer outside a 'c' axis is filled by one of the parts of an interpolation (padding.hpp).
enum class Padding : std::uint8_t { linear, nearest, mirrored };

/// The axes of an interpolation with one kind of padding; their product is the interpolation only with one 'c' axis.
std::vector<linalg::AxisTransfer> interpolation_axes(std::span<const std::size_t> cells, std::string_view location,
                                                     Padding padding);

/// The levels' own arrays lie one after the other, the finest first.
class Decomposition {
 public:
  struct Level {
    Shape shape;
    std::size_t points;
    std::size_t offset;  ///< of its array in the packed levels
  };

  /// cells: of each axis (1 to max_axes). location: one character per axis: 'c' (cells), 'n' (cells + 1 points), '.'
  /// (as many points as `cells` says, the same on every level). levels: 0 means the default, the least round(log2 n)
  /// over the axes that are not '.', at least 1.
  /// Throws ERR_OUT_OF_RANGE naming the axis whose cells do not halve that often (cells of a 'c' axis stay >= 2 on a
  /// level that is interpolated), ERR_INVALID_ARG_VALUE for another location, ERR_SHAPE_MISMATCH when it has another
  /// number of axes, or there are not as many factors as levels. `factors`: f_1, f_2, ..., positive; empty: all 1.
  Decomposition(std::span<const std::size_t> cells, std::string_view location, std::size_t levels = 0,
                std::span<const double> factors = {});

  static std::size_t default_levels(std::span<const std::size_t> cells, std::string_view location);

  std::span<const Level> levels() const noexcept { return levels_; }
  /// Unknowns of all levels together.
  std::size_t unknowns() const noexcept { return levels_.back().offset + levels_.back().points; }
  std::size_t field_points() const noexcept { return levels_.front().points; }

  /// field = u. Scratch: the coarser levels.
  template <class T>
  void compose(std::span<const T> levels, std::span<T> field, std::size_t threads) const;
  /// The exact transpose: the gradient for all levels from that for the field.
  template <class T>
  void compose_transposed(std::span<const T> field_gradient, std::span<T> levels_gradient, std::size_t threads) const;
  /// The levels of a field: all of it in the first, zeros elsewhere.
  template <class T>
  void decompose(std::span<const T> field, std::span<T> levels) const;

 private:
  std::vector<Level> levels_;
  std::vector<Interpolation> interpolations_;  // from level l + 1 to level l
  std::vector<double> factors_;
};

/// Restriction of the multi-level loss by one level (odil.md, section 4): means of two cells, (1, 2, 1) / 4 at nodes
/// with a layer outside padded linearly, axes '.' unchanged.
class Restriction {
 public:
  /// Throws ERR_OUT_OF_RANGE naming an axis with an odd number of cells.
  Restriction(std::span<const std::size_t> cells, std::string_view location);

  std::size_t fine_points() const noexcept { return transfer_.fine_points(); }
  std::size_t coarse_points() const noexcept { return transfer_.coarse_points(); }

  template <class T>
  void apply(std::span<const T> fine, std::span<T> coarse, std::size_t threads) const;
  /// fine = R^T coarse.
  template <class T>
  void apply_transposed(std::span<const T> coarse, std::span<T> fine, std::size_t threads) const;

 private:
  linalg::GridTransfer transfer_;  // its transpose is the restriction
  PaddingCorrection correction_;
};

}  // namespace dd::odil
