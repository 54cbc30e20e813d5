// What a step draws for its rows, compiled once per ISA level: with rows of two or three numbers the sines of their
// rotations are most of what a step costs besides its objective.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::polystep {

/// out[i] = the first uniform number at (seed, particle, step, stream), as philox_uniforms (polystep/rotation.hpp)
/// draws it, bit by bit; particle = particles[i], or first + i where `particles` is null.
struct RowUniforms {
  std::uint64_t seed;
  std::uint32_t step, stream;
  const std::uint32_t* particles;
  std::uint32_t first;
  std::size_t count;
  double* out;
};

DD_ISA_KERNEL(polystep_row_uniforms, void(const RowUniforms*));

/// out[4 i ...] = the rotation of the plane by turns[i] of a whole turn, 0 < turns < 1, row-major. The same bits at
/// every level.
struct PlaneRotations {
  std::size_t count;
  const double* turns;
  double* out;
};

DD_ISA_KERNEL(polystep_plane_rotations, void(const PlaneRotations*));

}  // namespace dd::polystep
