// Gauss-Newton in control space: the unknowns are the errors of the model and the parameters; the state follows by
// marching. The linear step is solved by conjugate gradients on I + K^T P K, whose eigenvalues are at least 1 and whose
// number of iterations does not grow with the grid; parameters are eliminated exactly.
//
// Source: specs/odil-engine.md, sections 3.1 to 3.5.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/run_control.hpp"
#include "odil/evolution.hpp"
#include "odil/gauss_newton.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

/// What the solver knows of one parameter.
struct ParameterRange {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
  /// The step one is willing to take at once; of the logarithm where there is one.
  double scale = 1;
  /// The solver moves its logarithm; it must be positive.
  bool logarithm = false;
};

struct ControlSpaceOptions {
  Normalization normalization = Normalization::mean;
  std::vector<double> weights{};  ///< of the blocks; empty where all are 1
  /// Weak: the equations may be missed where data ask for it, at their weight. Strong: they hold.
  bool weak = true;
  std::size_t max_iterations = 50;
  double loss_tolerance = 1e-4;        ///< of the decrease of a step, relative to the loss
  double linear_tolerance = 0.1;       ///< of conjugate gradients, relative to the first residual
  std::size_t linear_iterations = 50;  ///< at most per step
  double initial_lambda = 1;           ///< damping of parameters, in units of the loss at one step's scale
  std::size_t halvings = 3;            ///< of a step, at most
  double sweep_tolerance = 0;          ///< of row solves; 0: 1e-9, or 1e-6 in single precision
};

struct ControlSpaceStep {
  double loss = 0;             ///< after the step
  double lambda = 0;           ///< it was made with
  double alpha = 0;            ///< share of the step that was taken; 0 where none lowered the loss
  double linear_residual = 0;  ///< of conjugate gradients, relative
  std::size_t linear_iterations = 0;
  std::size_t marches = 0;                 ///< forwards, backwards and nonlinear
  std::size_t sweeps = 0;                  ///< most of one row
  std::vector<std::size_t> active_bounds;  ///< parameters at a bound that they would leave
  std::vector<std::size_t> frozen;         ///< parameters that are kept because the loss jumps as they move
};

struct ControlSpaceResult {
  SolveStatus status = SolveStatus::max_iterations;
  std::string detail;  ///< what went wrong on the way, where something did
  double loss = 0;
  double initial_loss = 0;  ///< of the state that was begun with
  std::size_t iterations = 0;
  std::size_t linear_iterations = 0;
  std::size_t marches = 0;
  std::vector<ControlSpaceStep> history;
};

/// Minimises the loss over `unknowns`, the field and the parameters, in place: they always hold the best state. Begins
/// with the state that marches from the parameters, or with the given one where its loss is less than half of that. The
/// same bytes for any number of threads.
///
/// Throws Error(invalid_argument_value, parameter) for one that is not positive and has a logarithm,
/// Error(out_of_range) for one outside its bounds; Error(not_finite or not_converged or singular, residual) when the
/// first state cannot be marched. Memory: nine fields, and one more per parameter of the equations. Cost of a step: two
/// marches per iteration of conjugate gradients, one per parameter of the equations, and one or more nonlinear ones.
template <class T>
ControlSpaceResult control_space(const Problem& problem, const Evolution& evolution, std::span<T> unknowns,
                                 std::span<const ParameterRange> ranges, const ControlSpaceOptions& options,
                                 RunControl& control);

}  // namespace dd::odil
