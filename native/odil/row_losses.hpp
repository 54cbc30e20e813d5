// The loss while marching: residuals of every block added up row by row as soon as the state they read is known, so
// that a trial that is already worse than what there is can be given up, and no block's residuals are ever stored.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "odil/evolution.hpp"

namespace dd::odil {

template <class T>
class RowLosses {
 public:
  /// `scales`: of the sums of squares, by block.
  RowLosses(const Problem& problem, const Evolution& evolution, std::vector<double> scales);

  void begin();
  /// Row `row` of the state is known, and the residuals of its equation. Adds these and all data that wait for it.
  void add(const PointSources<T>& sources, std::size_t row, const T* equation, std::size_t threads);
  /// What has been added so far; NaN where a residual is not finite.
  double partial() const noexcept { return partial_; }
  /// Adds single numbers: the loss of a whole state, the same bits whatever marched.
  double finish(const PointSources<T>& sources);

  /// The loss of a state that is known already; `equations` gets the residuals of the equations, row by row of the
  /// state.
  double evaluate(const PointSources<T>& sources, T* equations, std::size_t threads);

 private:
  void add_row(std::size_t block, std::span<const T> residuals);

  const Problem& problem_;
  const Evolution& evolution_;
  std::vector<double> scales_;
  std::vector<std::vector<BlockRow>> waiting_;  // by row of the state: data that read nothing later
  std::vector<double> sums_;                    // by block
  double partial_ = 0;
  AlignedBuffer<T> residuals_;
};

}  // namespace dd::odil
