// The random numbers of perturbations, compiled once per ISA level: they are most of what a search costs besides its
// objective.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/isa.hpp"

namespace dd::polystep {

/// out[i] = number 4 first_block + i of the normal numbers at (seed, particle, step, stream), as philox_normals
/// (polystep/rotation.hpp) draws them but for rounding.
struct Normals {
  std::uint64_t seed;
  std::uint32_t particle, step, stream, first_block;
  std::size_t count;
  double* out;
};

DD_ISA_KERNEL(polystep_normals, void(const Normals*));

}  // namespace dd::polystep
