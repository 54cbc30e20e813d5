// Linear-phase FIR filters with integer coefficients: the first real job of the solver.
//
//   H(f) = e^(-i c pi f) A(f)    symmetric (types I and II),       c = (taps - 1) / 2, f in units of the Nyquist
//   frequency H(f) = i e^(-i c pi f) A(f)  antisymmetric (types III and IV)
//
//   A(f) = 2^-(B-1) (x_0 + 2 sum_k x_k cos(k pi f))     type I     taps odd,  k = 1 ... (taps - 1) / 2
//   A(f) = 2^-(B-1) 2 sum_k x_k cos((k + 1/2) pi f)     type II    taps even, k = 0 ... taps / 2 - 1;  A(1) = 0
//   A(f) = 2^-(B-1) 2 sum_k x_k sin((k + 1) pi f)       type III   taps odd,  k = 0 ... (taps - 3) / 2;  A(0) = A(1) =
//   0 A(f) = 2^-(B-1) 2 sum_k x_k sin((k + 1/2) pi f)     type IV    taps even, k = 0 ... taps / 2 - 1;  A(0) = 0
//
// x is the half response from the centre outwards: h[c - d] = x_k and h[c + d] = x_k or -x_k at its distance d.
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
  double gain = 0;          ///< wanted response at f: gain + slope f
  double weight = 1;        ///< > 0; the ripple is weight * |response - wanted|
  double slope = 0;

  double wanted(double frequency) const noexcept { return gain + slope * frequency; }
};

/// Symmetry of the impulse response and parity of its length.
enum class FirType : std::uint8_t { one = 1, two, three, four };

constexpr bool is_symmetric(FirType type) noexcept { return type == FirType::one || type == FirType::two; }

struct FirSpecification {
  std::int32_t taps = 0;         ///< 1 ... 4095; odd for types I and III (there at least 3), even for II and IV
  std::int32_t word_length = 0;  ///< bits B with sign, 2 ... 30
  std::vector<FirBand> bands;    ///< ascending, not overlapping, at least one
  double grid_density = 16;      ///< grid points per band: ceil((to - from) * density * (taps + 1) / 2) + 1
  /// Free passband gain: when set (0 < minimum <= maximum) every wanted gain is multiplied by one common factor of this
  /// range, chosen by the search, and ripples are divided by it.
  struct GainRange {
    double minimum = 1, maximum = 1;
  } gain_range;
  FirType type = FirType::one;
  std::vector<std::int32_t> zero_taps;  ///< positions in the impulse response that are zero, with their mirror images
  /// At least so many taps are zero, at positions chosen by choose_zero_taps; 0: none. Not together with `zero_taps`.
  std::int32_t zero_tap_count = 0;
  /// Every coefficient is a sum of at most so many signed powers of two, 2^0 ... 2^(B-1); 0: any integer.
  std::int32_t max_signed_powers = 0;
};

/// Throws dd::Error naming `taps`, `wordLength`, `bands[k].from` ... for anything outside the limits above.
void check_specification(const FirSpecification& specification);

/// Entries of the half response.
std::size_t half_length(const FirSpecification& specification) noexcept;

/// Frequencies of the grid, band after band, both ends included.
std::vector<double> fir_grid(const FirSpecification& specification);

/// What a coefficient may be, ascending, in units of the last bit, where `max_signed_powers` excludes some integer;
/// else empty. Throws out_of_memory for more than 2^22 values.
std::vector<double> signed_power_levels(const FirSpecification& specification);

/// Entries of the half response that are not fixed to zero, ascending. `zero_taps` only: a count has no positions yet.
std::vector<std::size_t> free_half_taps(const FirSpecification& specification);

/// The min-max problem: the free entries of the half response as variables, in units of the last bit; one equality row
/// per grid point, weight * response = weight * wanted * gain_factor. Levels: all integers of the word, level q
/// standing for q - 2^(B-1) (antisymmetric: q + 1 - 2^(B-1), since -2^(B-1) has no mirror image), or
/// signed_power_levels.
Problem make_fir_problem(const FirSpecification& specification, double gain_factor = 1);

/// Positions for `zero_tap_count`: tap after tap, of the four smallest coefficients of the best real filter the one
/// without which the best real filter is best (T. Baran, D. Wei, A. Oppenheim, IEEE TSP 58(3), 2010: minimum increase,
/// restricted). Cost: four linear relaxations a tap.
std::vector<std::int32_t> choose_zero_taps(const FirSpecification& specification, const RunControl& control);

/// A(f) for a half response in units of the last bit.
double fir_response(std::span<const double> half, FirType type, std::int32_t word_length, double frequency);

/// max weight |A(f) - gain_factor wanted(f)| over the grid.
double grid_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor = 1);

/// The same over all frequencies of the bands: 4096 points a band, then every peak refined between its neighbours to
/// rounding. Cost: 4096 half_length a band.
double continuous_ripple(const FirSpecification& specification, std::span<const double> half, double gain_factor = 1);

struct FirDesign {
  std::vector<std::int32_t> coefficients;  ///< the whole impulse response, `taps` integers
  double gain_factor = 1;
  double ripple = 0;             ///< on the grid, divided by gain_factor
  double continuous_ripple = 0;  ///< between the grid points too, divided by gain_factor
  /// Ripple of the best filter with real coefficients (the linear relaxation at gain_factor), divided by gain_factor.
  double unquantised_ripple = 0;
  std::vector<double> unquantised;    ///< its half response in units of the last bit
  std::vector<std::int32_t> rounded;  ///< the same, every coefficient moved to what is nearest to it and allowed
  double rounded_ripple = 0;          ///< of `rounded`: what naive rounding gives
  /// Proven: no filter of these levels, zeros and length has a smaller grid ripple. -infinity with a free gain.
  double lower_bound = -std::numeric_limits<double>::infinity();
  SolveResult search;  ///< status, iterations, trace (in ripple units before division), certificate
};

/// Designs the filter. `options.initial`, if given, is a half response in units of the last bit; with `zero_tap_count`
/// its zeros are the positions. Progress carries the half response (int32). Errors: those of check_specification and
/// solve; out_of_range naming `initial[k]` where that is no level. The limits of `control` and `options` cover
/// everything, the scan over gains included.
FirDesign design_fir(const FirSpecification& specification, const SolveOptions& options, RunControl& control);

}  // namespace dd::dmmv
