// The parts of the linear relaxation: its scaling and the two methods, chosen between by bound.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// min t, h z - upper <= t, lower - h z <= t, |z_j| <= rho_j, with h_ij = w_i a_ij / column_size_j: every column of h
/// has largest entry 1, and everything is in units of the largest reach of a single variable.
struct ScaledRelaxation {
  explicit ScaledRelaxation(const Problem& problem);

  /// x_j inside its box.
  double original(const Problem& problem, std::size_t j, double z) const noexcept;

  std::vector<double> middle, column_size, rho, upper, lower;  ///< column_size: 0 where a variable cannot move anything
  double scale = 1;
};

/// What the interval widths alone imply: max_i -w_i (u_i - l_i) / 2.
double width_bound(const Problem& problem);

/// Fills in `point`, `multipliers`, `bound` (checked), `converged` and `iterations`.
LinearRelaxation exchange_relaxation(const Problem& problem, std::uint64_t iteration_limit, const RunControl& control);

/// The same by restarted primal-dual hybrid gradient: z in the box, a distribution y over the finite sides of the rows,
/// steps from the sums of rows and columns (Pock, Chambolle, ICCV 2011), restarts at the better of the average and the
/// last iterate and weights that follow the movement of both (Applegate et al., PDLP, NeurIPS 2021; the restarts by the
/// duality gap itself, which is finite here). `converged`: the gap is below `tolerance`, relatively, or the point is as
/// near to what the widths prove, in units of where it began: then there is nothing to be proven.
/// Memory: some 8 vectors of m + n. Cost: two passes over the entries an iteration.
LinearRelaxation first_order_relaxation(const Problem& problem, std::uint64_t iteration_limit, double tolerance,
                                        const RunControl& control);

}  // namespace dd::dmmv
