// The grid and the basis functions of a filter, shared by the problem that is made of them and by the ripple.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dmmv/fir.hpp"

namespace dd::dmmv {

/// Grid points of one band.
std::size_t grid_count(const FirSpecification& specification, const FirBand& band);

/// Point k of `count` equally spaced ones, both ends included.
double grid_point(const FirBand& band, std::size_t k, std::size_t count);

/// What entry k of a half response adds to 2^(B-1) A(f) per unit.
double fir_basis(FirType type, std::size_t k, double frequency);

/// Entry of the half response that stands for this tap of the impulse response; half_length for the centre of type III,
/// which has none.
std::size_t half_index(const FirSpecification& specification, std::int32_t tap);

}  // namespace dd::dmmv
