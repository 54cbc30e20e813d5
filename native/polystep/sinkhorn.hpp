// Rules that tie particles together through a column marginal: entropic optimal transport and its relaxed family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/run_control.hpp"

namespace dd::polystep {

struct SinkhornOptions {
  double epsilon = 0.1;
  double threshold = 1e-6;  ///< of the larger marginal error; 0 or less: exactly max_iterations
  std::size_t max_iterations = 2000;
  std::size_t check_every = 10;
  double omega = 1;  ///< relaxation, in [0.5, 1.95]
  bool adaptive_omega = false;
  std::size_t anderson_depth = 0;
  /// Duals to start from and the epsilon they were found at; empty: zeros.
  std::span<const double> start_f, start_g;
  double start_epsilon = 0;
};

struct TransportPlan {
  std::vector<double> plan;  ///< P x V, row-major
  std::vector<double> f, g;
  std::size_t iterations = 0;
  bool converged = false;
  double error = std::numeric_limits<double>::quiet_NaN();  ///< larger of the two marginals' largest errors
  double objective = 0;                                     ///< without the shift of the costs
  double kl_violation = 0;                                  ///< KL(T^T 1 || b)
  double omega = 1;                                         ///< the relaxation at the end
};

/// min <C, T> + eps KL(T || a x b), T 1 = a, T^T 1 = b, in the log domain. costs: P x V, finite, row-major; a, b:
/// marginals, clamped at 1e-30. Same bits for any number of threads. A run that `control` stops gives the plan of its
/// last iteration, not converged. Source: arXiv 2309.15970; specs of arXiv 2605.01928, appendix.
/// Cost: 2 P V exponentials per iteration.
TransportPlan sinkhorn(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                       const SinkhornOptions& options, RunControl& control);

/// min <C, T> + eps sum T (log T - 1) + lambda KL(T^T 1 || b), T 1 = a exactly: lambda = 0 is softmax (one pass),
/// infinity is entropic transport. omega, anderson_depth and the start are not used.
TransportPlan kl_relaxed(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                         double lambda, const SinkhornOptions& options, RunControl& control);

}  // namespace dd::polystep
