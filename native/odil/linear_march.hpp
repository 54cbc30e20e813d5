// Changes of the state from changes of the equations' residuals, the inverse of the derivative, row by row of time; and
// the transpose of that, backwards.
//
// Source: specs/odil-engine.md, sections 3.1 and 3.4.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "core/function_ref.hpp"
#include "core/run_control.hpp"
#include "odil/evolution.hpp"
#include "odil/row_coefficients.hpp"
#include "odil/row_solver.hpp"

namespace dd::odil {

/// The equations' derivatives, compiled; shared by all marches of a problem.
class EvolutionPrograms {
 public:
  EvolutionPrograms(const Problem& problem, const Evolution& evolution);
  /// Null for blocks that hold no equations.
  const RowProgram* program(std::size_t block) const noexcept { return programs_[block].get(); }
  /// One object for the derivatives of each of these blocks; `keep`: as RowCoefficients.
  template <class T>
  std::vector<std::unique_ptr<RowCoefficients<T>>> coefficients(std::size_t keep) const;
  /// Elements beyond both ends of a state that marches read and multiply with 0.
  std::size_t reach() const noexcept;

 private:
  std::vector<std::unique_ptr<RowProgram>> programs_;
};

/// Values at all points of the state, with zeros around them.
template <class T>
class StateVector {
 public:
  StateVector() = default;
  StateVector(std::size_t points, std::size_t reach)
      : guard_(row_guard<T>(reach)), points_(points), memory_(points + 2 * guard_, T(0)) {}
  T* data() noexcept { return memory_.data() + guard_; }
  const T* data() const noexcept { return memory_.data() + guard_; }
  std::span<T> span() noexcept { return {data(), points_}; }
  std::span<const T> span() const noexcept { return {data(), points_}; }

 private:
  std::size_t guard_ = 0, points_ = 0;
  AlignedBuffer<T> memory_;
};

/// Where a march keeps a state: rows from `first` on, and of those before it the last ones only, each in a slot with
/// zeros around it.
template <class T>
struct RowStore {
  T* kept = nullptr;  ///< row `first`
  std::size_t first = 0;
  T* recent = nullptr;  ///< the first point of slot 0
  std::size_t slots = 0, stride = 0;

  T* row(std::size_t row, std::size_t points) const noexcept {
    return row >= first ? kept + (row - first) * points : recent + row % slots * stride;
  }
};

/// M, the inverse of the derivative of the equations by the state (neither weighted), and its transpose.
template <class T>
class LinearMarch {
 public:
  LinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs);

  /// Takes the derivatives at a state, which must stay as it is. `tolerance`: of row solves by sweeps. Throws
  /// Error(singular or not_finite, block) with the row.
  void linearise(const PointSources<T>& sources, double tolerance, RunControl& control);

  /// Called once per row before its right sides are filled.
  using RowBegin = FunctionRef<void(std::size_t row)>;
  /// Fills right side number k of a row.
  using RowFill = FunctionRef<void(std::size_t k, std::size_t row, T* right_side)>;
  /// states[k] = M right_side[k] in the first `rows` rows. A right side may be made of `states[k]`'s own row. Stores
  /// that forget rows need depth() + 1 slots. False when it was stopped.
  bool forward(std::span<const RowStore<T>> states, std::size_t rows, RowBegin begin, RowFill fill,
               RunControl& control);
  /// states[k] = M^T states[k].
  bool adjoint(std::span<T* const> states, RunControl& control);

  /// d equation / d parameter of a row, as RowCoefficients::parameters.
  void parameters(std::size_t row, std::span<T* const> columns, std::size_t threads) const;
  /// Which parameters the equation of a row depends on.
  std::span<const std::int32_t> parameters_of(std::size_t row) const;

  /// How many rows back an equation reads at most.
  std::size_t depth() const noexcept;

  /// Most sweeps of a row, or 0.
  std::size_t most_sweeps() const noexcept;
  std::size_t sweeps_of_one_march() const noexcept;

 private:
  const RowView<T>& view(std::size_t row, std::size_t threads);
  std::int32_t own_time(std::size_t row) const noexcept;
  template <class Body>
  void for_states(std::size_t count, std::size_t threads, Body&& body);

  const Problem& problem_;
  const Evolution& evolution_;
  std::vector<std::unique_ptr<RowCoefficients<T>>> coefficients_;  // by block
  std::vector<RowFactor<T>> factors_;
  std::vector<std::size_t> factor_of_;  // by row
  std::vector<RowScratch<T>> scratch_;  // by state
};

/// Throws `error` again with the block and the row that it belongs to.
[[noreturn]] void throw_row_error(const Error& error, const Problem& problem, const Evolution& evolution,
                                  std::size_t row);

}  // namespace dd::odil
