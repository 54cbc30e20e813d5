// Gauss-Newton with Levenberg-Marquardt damping on sparse normal equations: the minimiser of a discrete loss.
//
// Source: specs/odil.md, sections 3.1 and 3.2; Nielsen, IMM-REP-1999-05 (update of the damping).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/run_control.hpp"
#include "odil/block_weights.hpp"
#include "odil/linear_step.hpp"
#include "odil/solve_status.hpp"

namespace dd::odil {

/// Where a run stands beside its unknowns: enough to go on to the bit.
struct GaussNewtonState {
  double lambda = 0;
  double growth = 2;
  double first_gradient = 0;
  std::uint64_t iterations = 0;  ///< over all calls
  LinearSolver linear_solver = LinearSolver::automatic;
};

struct GaussNewtonOptions {
  Normalization normalization = Normalization::mean;
  BlockWeights weights{};
  std::optional<GaussNewtonState> resume{};
  LinearSolver linear_solver = LinearSolver::automatic;
  std::size_t max_iterations = 100;  ///< of this call
  std::uint64_t history_every = 0;   ///< see History
  /// Levenberg-Marquardt with gain ratios; without it every step is taken as it is, as the official code does.
  bool levenberg_marquardt = true;
  double initial_lambda = 1e-6;
  /// Fixed terms on the diagonal of J^T J: damp^2, then damp_diagonal^2 times the diagonal.
  double damp = 0;
  double damp_diagonal = 0;
  double gradient_tolerance = 1e-10;  ///< of max |J^T v|, relative to its first value
  double step_tolerance = 1e-12;      ///< of |d|, relative to |z|
  double loss_tolerance = 1e-14;      ///< of the decrease, relative to the loss
};

struct GaussNewtonStep {
  std::uint64_t iteration = 0;  ///< over all calls, this one included
  double loss = 0;              ///< after the step
  double gradient = 0;          ///< max |J^T v| before it
  double lambda = 0;
  double step = 0;  ///< |d|
};

struct GaussNewtonResult {
  SolveStatus status = SolveStatus::max_iterations;
  double loss = 0;
  std::size_t iterations = 0;                            ///< steps taken
  std::size_t factorizations = 0;                        ///< or solutions by an iterative solver
  LinearSolver linear_solver = LinearSolver::automatic;  ///< used last
  std::string reason;                                    ///< why that one
  std::size_t linear_iterations = 0;                     ///< of iterative solvers
  std::string detail;                                    ///< what went wrong, where the status says so
  std::vector<GaussNewtonStep> history;
  GaussNewtonState state;
};

/// Improves `unknowns` in place; they always hold the last accepted state. Throws Error(invalid_argument_value, block)
/// for raw blocks, Error(not_finite, block) when the residuals at the start are not finite. The same bytes for any
/// number of threads.
GaussNewtonResult gauss_newton(const Problem& problem, std::span<double> unknowns, const GaussNewtonOptions& options,
                               RunControl& control);

}  // namespace dd::odil
