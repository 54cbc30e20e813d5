// Marching through time: the state from its equations, row by row; changes of the state from changes of the residuals
// (the inverse of the derivative); and the transpose of that, backwards.
//
// Source: specs/odil-engine.md, sections 3.1, 3.2 and 3.4.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

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
  std::size_t blocks() const noexcept { return programs_.size(); }
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
  /// states[k] = M right_side[k]. A right side may be made of `states[k]`'s own row. False when it was stopped.
  bool forward(std::span<T* const> states, RowBegin begin, RowFill fill, RunControl& control);
  /// states[k] = M^T states[k].
  bool adjoint(std::span<T* const> states, RunControl& control);

  /// d equation / d parameter of a row, as RowCoefficients::parameters.
  void parameters(std::size_t row, std::span<T* const> columns, std::size_t threads) const;
  /// Which parameters the equation of a row depends on.
  std::span<const std::int32_t> parameters_of(std::size_t row) const;

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
  PointSources<T> sources_;
  std::vector<std::unique_ptr<RowCoefficients<T>>> coefficients_;  // by block
  std::vector<RowFactor<T>> factors_;
  std::vector<std::size_t> factor_of_;  // by row
  std::vector<RowScratch<T>> scratch_;  // by state
};

struct MarchOptions {
  /// Root mean square of what an equation of weight 1 may miss its target by; 0: to rounding.
  double tolerance = 0;
  double sweep_tolerance = 1e-9;
  std::size_t newton_steps = 50;  ///< at most per row
  bool start_from_previous_row = true;
};

enum class MarchStatus : std::uint8_t {
  finished,
  not_finite,     ///< a residual or a derivative, at `row`
  not_converged,  ///< Newton's method at `row`
  abandoned,      ///< by the caller
  stopped,        ///< by the control
};

struct MarchResult {
  MarchStatus status = MarchStatus::finished;
  std::size_t row = 0;
  std::size_t residual = 0;  ///< the residual that is not finite or not small, numbered as in Problem
  std::size_t newton_steps = 0, sweeps = 0;
};

/// The state from its equations: F_row(u) = target, row after row, by Newton's method.
template <class T>
class NonlinearMarch {
 public:
  NonlinearMarch(const Problem& problem, const Evolution& evolution, const EvolutionPrograms& programs);

  /// Subtracts the target from a row of residuals.
  using Target = FunctionRef<void(std::size_t row, T* residuals)>;
  /// Called with the residuals of a row that is solved, target not subtracted; false abandons the march.
  using AfterRow = FunctionRef<bool(std::size_t row, const T* residuals)>;
  /// `state` holds first guesses of every row and is what sources.operands[0] points to.
  MarchResult run(const PointSources<T>& sources, T* state, const MarchOptions& options, Target target,
                  AfterRow after_row, RunControl& control);

 private:
  struct Error {
    double square_mean = 0;
    double largest = 0;
    bool finite = true;
    std::size_t worst = 0;
  };
  Error evaluate(std::size_t row, const PointSources<T>& sources, Target target, std::size_t threads);

  const Problem& problem_;
  const Evolution& evolution_;
  std::vector<std::unique_ptr<RowCoefficients<T>>> coefficients_;
  RowFactor<T> factor_;
  RowScratch<T> scratch_;
  AlignedBuffer<T> residual_, error_, step_;
};

/// Throws Error(not_finite or not_converged, residual) for a march that ended so.
[[noreturn]] void throw_march_error(const Problem& problem, const MarchResult& result);

/// Solves a problem whose residuals are all equations: `state` from the parameters. Throws Error(not_finite or
/// not_converged or singular, residual) naming block and index, Error(invalid_argument_value, "method") where there are
/// residuals that are no equations. The same bytes for any number of threads. Cost: linear in the points.
template <class T>
MarchResult march(const Problem& problem, const Evolution& evolution, std::span<T> state,
                  std::span<const double> parameters, std::size_t newton_steps, RunControl& control);

}  // namespace dd::odil
