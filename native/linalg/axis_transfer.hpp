// Linear maps between two grids that act along one axis at a time: interpolation from a coarse to a fine grid and the
// exact transpose of it. The multigrid decomposition of odil and the multigrid solver both are made of these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "linalg/axis_transfer_isa.hpp"

namespace dd::linalg {

/// One axis: every fine point is a combination of at most two coarse points.
class AxisTransfer {
 public:
  /// `entries[i]` describes fine point i; its coarse points are below `coarse`.
  AxisTransfer(std::size_t coarse, std::vector<AxisEntry> entries);
  /// An axis that is the same on both grids.
  static AxisTransfer identity(std::size_t points);

  std::size_t fine() const noexcept { return entries_.size(); }
  std::size_t coarse() const noexcept { return coarse_; }
  bool is_identity() const noexcept { return identity_; }
  std::span<const AxisEntry> entries() const noexcept { return entries_; }
  /// The transpose by coarse point: sources()[k] with source_weights()[k] for source_begin()[j] <= k <
  /// source_begin()[j + 1].
  std::span<const std::uint32_t> source_begin() const noexcept { return source_begin_; }
  std::span<const std::uint32_t> sources() const noexcept { return sources_; }
  std::span<const double> source_weights() const noexcept { return source_weights_; }

  template <class T>
  ContiguousTransfer<T> contiguous() const noexcept;

 private:
  void find_pattern() noexcept;

  std::size_t coarse_;
  bool identity_ = false;
  std::vector<AxisEntry> entries_;
  std::vector<std::uint32_t> source_begin_, sources_;
  std::vector<double> source_weights_;
  std::size_t first_ = 0, last_ = 0, offset_ = 0;  // ContiguousTransfer
  double near_[2] = {}, far_[2] = {};
};

/// The tensor product of one transfer per axis (at least one), arrays row-major.
///
/// Cost: a pass over the fine grid, the steps along the other axes happen on data in the cache. Results do not depend
/// on the number of threads.
class GridTransfer {
 public:
  explicit GridTransfer(std::vector<AxisTransfer> axes);

  std::size_t fine_points() const noexcept { return fine_points_; }
  std::size_t coarse_points() const noexcept { return coarse_points_; }
  std::span<const AxisTransfer> axes() const noexcept { return axes_; }

  /// fine = addend + scale T coarse; an empty addend is zero, and it may be `fine` itself.
  template <class T>
  void to_fine(std::span<const T> coarse, T scale, std::span<const T> addend, std::span<T> fine,
               std::size_t threads) const;
  /// coarse = scale T^T fine.
  template <class T>
  void to_coarse(std::span<const T> fine, T scale, std::span<T> coarse, std::size_t threads) const;

 private:
  template <class T>
  struct Walk;

  std::vector<AxisTransfer> axes_;
  // The axes as they are worked on: at least two, and axes behind the last that changes are one of runs.
  std::vector<AxisTransfer> walked_;
  std::vector<std::size_t> fine_stride_, coarse_stride_;  // of walked_
  std::size_t fine_points_ = 1, coarse_points_ = 1;
};

}  // namespace dd::linalg
