// Lower bounds that anybody can verify: the linear relaxation over the boxes of the levels, its dual multipliers, and
// the check of such multipliers by one matrix-vector product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// What a bound rests on.
enum class BoundSource : std::uint8_t {
  widths,      ///< the widths of the intervals, which any assignment shows: t >= 0 for equality rows
  relaxation,  ///< the multipliers of the linear relaxation
  spectrum,    ///< the smallest singular value: no multipliers show it
};
/// "widths", "relaxation", "spectrum".
const char* bound_source_name(BoundSource source) noexcept;

struct LinearRelaxation {
  /// D(multipliers) less its error allowance, or the bound that the widths of the intervals give by themselves if that
  /// is higher: a proven lower bound of t, whatever `converged` says. -infinity when nothing was found.
  double bound = -std::numeric_limits<double>::infinity();
  /// False when `bound` says no more than the interval widths do (t >= 0 for equality rows), for example because the
  /// continuous target lies inside the boxes: then a gap would be meaningless.
  bool useful = false;
  BoundSource source = BoundSource::widths;
  std::vector<double> multipliers;  ///< y, m: ||y||_1 = 1; y_i > 0 pushes on the upper side, y_i < 0 on the lower side
  std::vector<double> point;        ///< the continuous x, n values inside the boxes
  double objective = std::numeric_limits<double>::infinity();  ///< t(point), evaluated from scratch
  bool converged = false;                                      ///< `objective` and `bound` meet to rounding
  std::uint64_t iterations = 0;
};

enum class RelaxationMethod : std::uint8_t {
  automatic,    ///< exchange while n (m n + 3 n^2) stays within some seconds of work, else first order
  exchange,     ///< to rounding; a dense copy of the matrix
  first_order,  ///< to `tolerance`; two passes over the entries an iteration
};

struct LinearRelaxationOptions {
  std::uint64_t iteration_limit = 0;  ///< 0 means 50 (n + 10) + 2000 exchanges, or 50 000 first-order steps
  RelaxationMethod method = RelaxationMethod::automatic;
  double tolerance = 1e-6;  ///< of the first-order method: the duality gap, relatively
};

/// min t subject to v_i(x) <= t, min L_j <= x_j <= max L_j. Columns are scaled to boxes [-1, 1].
/// Exchange: the primal simplex method on the dual, a basis of n + 1 multipliers, started at a single row (always
/// feasible) and exchanged one at a time for the row that the current point violates most, which for FIR filters is
/// Remez' single exchange. LU factors with updates, solves refined once, so that relaxations 1e-8 below the data are
/// still resolved. Cost: m n + n^2 a step, some n steps. First order: see first_order_relaxation in relaxation.hpp.
/// Stops early when `control` says so (the bound of the multipliers reached is still valid). Soft rows play no part.
/// Throws out_of_memory when the dense matrix of exchange would pass 2^31 entries.
LinearRelaxation linear_relaxation(const Problem& problem, const LinearRelaxationOptions& options,
                                   const RunControl& control);

/// max |r| >= ||r||_2 / sqrt(m) over the m rows with two sides, and ||r||_2 >= sigma_min ||s||_2 for r = B s - d, s
/// being the levels in units of their half range around the middle: |s_j| = 1 for two levels, so that t >= sigma_min
/// sqrt(n / m) where d = 0 (the eigenvalue bound of discrepancy: L. Lovasz, J. Spencer, K. Vesztergombi, European J.
/// Combin. 7, 1986). d is taken as one more column, or off by the triangle inequality, whichever proves more; rounded
/// up where t can only be an integer. Allowances cover the Gram matrix and its factors. -infinity where it proves
/// nothing, or for more than 1024 variables. Cost: m n^2, and some 40 Cholesky factors.
double spectral_bound(const Problem& problem);

/// linear_relaxation, and where its bound is of no use, spectral_bound if that is higher: `useful` and `source` say so.
LinearRelaxation lower_bound(const Problem& problem, const LinearRelaxationOptions& options, const RunControl& control);

/// D(y) = sum_j min(lo_j c_j, hi_j c_j) - sum_i (y_i > 0 ? y_i w_i u_i : y_i w_i l_i), c = A^T W y, less an allowance
/// for every rounding made here (sums are carried in doubled precision, so it is of the order of the last bit). If
/// ||y||_1 = 1 it bounds t(x) from below for every x in the boxes; if ||y||_1 < 1 it bounds max(t(x), 0).
/// y: m entries, ||y||_1 <= 1 + 1e-9 (a sum above 1 is divided out). Throws shape_mismatch; not_finite;
/// invalid_argument_value when a component leans on an infinite side or the norm is too large.
/// Source: specs/dmmv.md section 5; doubled sums: Ogita, Rump, Oishi, SIAM J. Sci. Comput. 26(6), 2005.
double check_certificate(const Problem& problem, std::span<const double> y);

}  // namespace dd::dmmv
