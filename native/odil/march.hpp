// Marching through time: the state from its nonlinear equations, row by row.
//
// Source: specs/odil-engine.md, section 3.2, step 6.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "core/run_control.hpp"
#include "odil/linear_march.hpp"

namespace dd::odil {

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
