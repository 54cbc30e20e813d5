// Gauss-Seidel on grids by colours: points of one colour do not meet in any equation, so a sweep has one result
// whatever the order inside a colour, the number of threads or the width of vectors.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "linalg/stencil.hpp"

namespace dd::linalg {

/// Colours by the parities of indices: two (red and black) where shifts go along one axis at a time, 2^axes otherwise.
/// An odd number of points on a periodic axis needs a third class for its last index.
template <class T>
class ColouredSweep {
 public:
  ColouredSweep() = default;
  /// Throws ERR_OUT_OF_RANGE for a shift of more than 1, ERR_SINGULAR naming the first point with a zero diagonal.
  explicit ColouredSweep(const StencilOperator<T>& a);

  /// One sweep of x towards A x = b, `a` as given to the constructor. Backward: the colours in reverse, so that a
  /// backward sweep with A^T is the transpose of a forward one with A. Where the first axis allows it the colours
  /// follow each other plane by plane, which reads the memory once.
  void sweep(const StencilOperator<T>& a, std::span<const T> b, std::span<T> x, bool backward,
             std::size_t threads) const;

  std::size_t colours() const noexcept;
  /// The number of the colour of a point, in the order of a forward sweep.
  std::size_t colour(const std::array<std::size_t, max_grid_axes>& at) const noexcept;

 private:
  class Worker;

  std::size_t class_of(std::size_t axis, std::size_t index) const noexcept;

  PointGrid grid_;
  bool red_black_ = false;
  std::array<std::size_t, max_grid_axes> classes_{1, 1, 1, 1};  // of each axis
  std::size_t diagonal_ = 0;                                    // number of its term
  AlignedBuffer<T> inverse_diagonal_;
};

}  // namespace dd::linalg
