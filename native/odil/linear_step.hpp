// The linear step of Gauss-Newton, d = argmin ||J d + v||^2 + damping, by whatever solver fits the structure of J.
//
// Source: specs/odil.md, section 3.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/run_control.hpp"
#include "linalg/sparse/factor_result.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

enum class LinearSolver : std::uint8_t {
  automatic,
  cholesky,            ///< of J^T J, sparse
  lu,                  ///< of square J
  qr,                  ///< of dense J, rank-revealing
  bordered,            ///< Cholesky of the part of the grid, parameters and networks as a dense border
  block_tridiagonal,   ///< Cholesky of J^T J with dense blocks, one per level of the first axis
  multigrid,           ///< of square J on one field
  conjugate_gradient,  ///< on J^T J, preconditioned by the square block among the residuals
};

/// What is added to the diagonal of J^T J: see linalg::DiagonalTerms.
struct Damping {
  double damp = 0;
  double damp_diagonal = 0;
  double lambda = 0;  ///< times the squared norm of each column

  bool none() const noexcept { return damp == 0 && damp_diagonal == 0 && lambda == 0; }
};

struct StepResult {
  linalg::FactorStatus status = linalg::FactorStatus::factored;
  linalg::Index unknown = linalg::no_index;  ///< whose pivot failed
  std::size_t iterations = 0;                ///< of iterative solvers
  bool converged = true;                     ///< false where an iterative solver fell short of its tolerance
};

class LinearStep {
 public:
  LinearStep(const Problem& problem, Normalization normalization, std::size_t threads);
  virtual ~LinearStep() = default;
  LinearStep(const LinearStep&) = delete;
  LinearStep& operator=(const LinearStep&) = delete;

  virtual LinearSolver solver() const noexcept = 0;
  /// True when the step solves J d = -v itself and takes no damping: such a step is shortened where it is too long.
  virtual bool newton() const noexcept { return false; }
  /// J at z, which must stay as it is until the next call. Throws Error(not_finite, residual) for a bad derivative.
  virtual void linearise(std::span<const double> z) = 0;
  /// The step for weighted residuals v.
  virtual StepResult solve(std::span<const double> v, const Damping& damping, std::span<double> step,
                           RunControl& control) = 0;

  /// How far the next step must bring the gradient down for the run to end; iterative solvers need do little more than
  /// that. Until then, as far as it goes.
  void aim_at(double reduction) noexcept { reduction_ = reduction; }
  /// What the squares of each block are multiplied with from now on; until then, what the normalization says. Takes
  /// effect at the next linearise().
  void rescale(std::span<const double> scales);
  /// Multiplies residuals by the roots of that.
  void weigh(std::span<double> residuals) const;
  /// J^T v and J d of the weighted problem, from the programs.
  void slope(std::span<const double> v, std::span<double> result) const;
  void multiply(std::span<const double> d, std::span<double> result) const;

 protected:
  const Problem& problem_;
  std::vector<double> roots_;  // of the scales of the blocks
  std::size_t threads_;
  std::span<const double> z_;
  double reduction_ = 0;
};

struct LinearChoice {
  LinearChoice(std::unique_ptr<LinearStep> of, std::string why) : step(std::move(of)), reason(std::move(why)) {}

  std::unique_ptr<LinearStep> step;
  std::string reason;  ///< why this solver, in a sentence
};

/// The solver asked for, or the one that fits: LU where square J is triangular in time, multigrid where it is a stencil
/// on one field, a border where there are parameters, conjugate gradients where a square block would make the factor
/// too large, Cholesky else. `after`: a solver that has failed and what comes after it is wanted.
/// Throws Error(invalid_argument_value, "linearSolver") with the reason where a solver asked for does not fit.
LinearChoice choose_linear_step(const Problem& problem, LinearSolver asked, Normalization normalization,
                                std::size_t threads, std::optional<LinearSolver> after = std::nullopt);

const char* linear_solver_name(LinearSolver solver) noexcept;

}  // namespace dd::odil
