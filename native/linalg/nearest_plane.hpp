// Kernel K6 of specs/dmmv.md: nearest planes of many targets over one triangular basis.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::linalg {

/// Integers z_c, one after another from the last, such that R z_c is near target c (Babai, Combinatorica 6(1), 1986):
///   z_ck = ceil(rest_ck / R_kk - 1/2), then rest_ci -= z_ck R_ik for i < k
/// Nothing is fused, so every ISA level gives the same bits. `coordinates` holds the rests meanwhile.
struct NearestPlane {
  const double* triangle;  ///< R, columns x columns, column-major
  const double* targets;   ///< count x columns
  double* coordinates;     ///< count x columns, whole numbers
  std::size_t columns, count;
};

DD_ISA_KERNEL(nearest_plane_float64, void(const NearestPlane*));

}  // namespace dd::linalg
