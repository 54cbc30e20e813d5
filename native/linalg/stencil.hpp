// Square operators on grids, stored as diagonals: one array of coefficients per shift, each as large as the grid. What
// a residual of a differential equation is linearised to, and what multigrid works on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"

namespace dd::linalg {

inline constexpr std::size_t max_grid_axes = 4;

/// Points of a grid, row-major, the last axis contiguous.
struct PointGrid {
  std::size_t axes = 0;
  std::array<std::size_t, max_grid_axes> count{1, 1, 1, 1};
  std::array<bool, max_grid_axes> periodic{};

  std::size_t points() const noexcept { return count[0] * count[1] * count[2] * count[3]; }
  /// Points along the contiguous axis.
  std::size_t row() const noexcept { return count[axes - 1]; }
  std::array<std::size_t, max_grid_axes> strides() const noexcept;
  bool operator==(const PointGrid&) const = default;
};

/// Throws ERR_OUT_OF_RANGE for no axes or more than four, and for an axis without points.
PointGrid make_grid(std::span<const std::size_t> count, std::span<const bool> periodic = {});

using GridShift = std::array<std::int32_t, max_grid_axes>;

/// (A x)_i = sum over k of coefficients(k)[i] x_{i + shifts()[k]}; indices wrap along periodic axes, entries that leave
/// another axis must be zero.
template <class T>
class StencilOperator {
 public:
  StencilOperator() = default;
  /// All coefficients zero. Throws ERR_INVALID_ARG_VALUE for a shift that comes twice, ERR_OUT_OF_RANGE for one that is
  /// as long as its axis or along an axis that is not there.
  StencilOperator(const PointGrid& grid, std::vector<GridShift> shifts);

  const PointGrid& grid() const noexcept { return grid_; }
  std::span<const GridShift> shifts() const noexcept { return shifts_; }
  std::span<T> coefficients(std::size_t k) noexcept {
    uniform_rows_.clear();
    return coefficients_.span().subspan(k * points_, points_);
  }
  std::span<const T> coefficients(std::size_t k) const noexcept {
    return coefficients_.span().subspan(k * points_, points_);
  }
  /// Number of the shift, shifts().size() when there is none.
  std::size_t find(const GridShift& shift) const noexcept;

  /// Throws ERR_NOT_FINITE or ERR_INVALID_ARG_VALUE naming shift and point of the first coefficient that is not finite,
  /// or not zero although it leaves the grid.
  void check(const char* name) const;

  /// Looks for rows in which no coefficient varies, but for the points at their ends; products and relaxation then do
  /// not read the coefficients of these rows. The results are the same bits. To be called when all coefficients are
  /// there; asking for one to be written forgets what was found. Cost: at most a read of the coefficients.
  void find_uniform_rows(std::size_t threads);
  /// Whether the row with that number is one of them.
  bool uniform_row(std::size_t row) const noexcept { return !uniform_rows_.empty() && uniform_rows_[row] != 0; }

  /// y = A x. Cost: a read of the coefficients. Same bits for any number of threads.
  void multiply(std::span<const T> x, std::span<T> y, std::size_t threads) const;
  /// residual = b - A x.
  void residual(std::span<const T> b, std::span<const T> x, std::span<T> residual, std::size_t threads) const;
  /// A^T as an operator of its own: products with it are as fast, at the price of its memory.
  StencilOperator transposed() const;
  StencilOperator copy() const;

 private:
  PointGrid grid_;
  std::size_t points_ = 0;
  std::vector<GridShift> shifts_;
  AlignedBuffer<T> coefficients_;
  std::vector<unsigned char> uniform_rows_;
};

/// "point [3][4]".
std::string point_name(const PointGrid& grid, std::size_t index);

}  // namespace dd::linalg
