// Uncertainty at a minimum: the posterior exp(-1/2 sum_b |F_b / sigma_b|^2) taken for a normal distribution around it,
// with the precision matrix H = sum_b J_b^T J_b / sigma_b^2.
// Source: specs/odil.md, section 8 (B-ODIL, arXiv 2510.15664); Tierney and Kadane, JASA 81, 1986.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

struct LaplaceOptions {
  std::vector<double> sigmas;        ///< one for each block; empty: all 1
  bool all_variances = true;         ///< or those of the parameters alone
  std::vector<std::size_t> entries;  ///< unknowns whose covariance is wanted
  std::size_t samples = 0;
  std::uint64_t seed = 0;
};

struct LaplaceResult {
  bool stopped = false;              ///< by the control; then nothing else is valid
  std::vector<double> variances{};   ///< of all unknowns if asked for; infinite where no residual reads the unknown
  std::vector<double> covariance{};  ///< of the entries, row-major
  std::vector<double> samples{};     ///< one state after the other; unknowns no residual reads keep their value
  double log_determinant = 0;        ///< of H, without the unknowns that no residual reads
};

/// `unknowns` should be a minimum. Throws Error(invalid_argument_value, block) for raw blocks, Error(not_finite,
/// residual), Error(singular, unknown) where the residuals do not determine the state, Error(out_of_memory). The same
/// bytes for any number of threads. Cost: a factorisation, three more for all variances, a solve per entry, half a
/// solve per sample.
LaplaceResult laplace(const Problem& problem, std::span<const double> unknowns, const LaplaceOptions& options,
                      RunControl& control);

}  // namespace dd::odil
