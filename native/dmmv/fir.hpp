// Linear-phase FIR filters with integer coefficients: the first real job of the solver. Symmetric, odd length (type I).
//
//   A(f) = 2^-(B-1) (x_0 + 2 sum_{k=1..M} x_k cos(k pi f)),   f in units of the Nyquist frequency, 2 M + 1 taps,
//   x_k integer in [-2^(B-1), 2^(B-1) - 1], impulse response h[M +- k] = x_k.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

struct FirBand {
  double from = 0, to = 0;  ///< 0 <= from <= to <= 1, in units of the Nyquist frequency
  double gain = 0;          ///< wanted response
  double weight = 1;        ///< > 0; the ripple is weight * |response - gain|
};

struct FirSpecification {
  std::int32_t taps = 0;         ///< 2 M + 1, odd, 1 ... 4095
  std::int32_t word_length = 0;  ///< bits B with sign, 2 ... 30
  std::vector<FirBand> bands;    ///< ascending, not overlapping, at least one
  double grid_density = 16;      ///< grid points per band: ceil((to - from) * density * (M + 1)) + 1
  /// Free passband gain: when set (0 < minimum <= maximum) every wanted gain is multiplied by one common factor of this
  /// range, chosen by the search, and ripples are divided by it.
  struct GainRange {
    double minimum = 1, maximum = 1;
  } gain_range;
};

/// Throws dd::Error naming `taps`, `wordLength`, `bands[k].from` ... for anything outside the limits above.
void check_specification(const FirSpecification& specification);

/// Frequencies of the grid, band after band, both ends included.
std::vector<double> fir_grid(const FirSpecification& specification);

/// The min-max problem: variables x_0 (centre) ... x_M, level q standing for q - 2^(B-1); one equality row per grid
/// point, weight * response = weight * gain * gain_factor.
Problem make_fir_problem(const FirSpecification& specification, double gain_factor = 1);

/// A(f) for a half response x_0 (centre) ... x_M in units of the last bit.
double fir_response(std::span<const double> half, std::int32_t word_length, double frequency);

/// max weight |A(f) - gain_factor gain| over the grid.
double grid_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor = 1);

/// The same over all frequencies of the bands: 4096 points a band, then every peak refined between its neighbours to
/// rounding. Cost: 4096 (M + 1) a band.
double continuous_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor = 1);

struct FirDesign {
  std::vector<std::int32_t> coefficients;  ///< the whole impulse response, 2 M + 1 integers, symmetric
  double gain_factor = 1;
  double ripple = 0;             ///< on the grid, divided by gain_factor
  double continuous_ripple = 0;  ///< between the grid points too, divided by gain_factor
  /// Ripple of the best filter with real coefficients (the linear relaxation at gain_factor), divided by gain_factor.
  double unquantised_ripple = 0;
  std::vector<double> unquantised;  ///< its half response in units of the last bit, M + 1
  double rounded_ripple = 0;        ///< of `unquantised` rounded coefficient by coefficient: what naive rounding gives
  /// Proven: no integer filter of this length and word has a smaller grid ripple. -infinity with a free gain.
  double lower_bound = -std::numeric_limits<double>::infinity();
  SolveResult search;  ///< status, iterations, trace (in ripple units before division), certificate
};

/// Designs the filter. `options.initial`, if given, holds M + 1 level indices. Errors: those of check_specification and
/// solve. The limits of `control` and `options` cover everything, the scan over gains included.
FirDesign design_fir(const FirSpecification& specification, const SolveOptions& options, RunControl& control);

}  // namespace dd::dmmv
