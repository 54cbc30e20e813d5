// Random rotations that are recomputed from counters whenever they are needed, and never stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polystep/row_layout.hpp"

namespace dd::polystep {

/// What a random word is drawn for; the counter is (draw, particle, step, stream), the key is the seed.
enum class RandomStream : std::uint32_t {
  rotations,
  jitter,
  minibatch,
  initialisation,
  bases,
  sampling,
  perturbations
};

/// Standard normal numbers of one address: a block of four words gives four, pairs by Box and Muller.
void philox_normals(std::uint64_t seed, std::uint32_t particle, std::uint32_t step, RandomStream stream,
                    std::span<double> out);
/// Uniform numbers (w + 1/2) / 2^32 in (0, 1) of one address, a word each.
void philox_uniforms(std::uint64_t seed, std::uint32_t particle, std::uint32_t step, RandomStream stream,
                     std::span<double> out);

/// The rotation that QR with a positive diagonal makes of Z (Mezzadri), column 0 negated where the determinant would be
/// -1. z, out: d x d, row-major; d = 1 gives the identity. Householder reflections, whose parity is the determinant's
/// sign: nothing underflows. Cost: 8 d^3 / 3 operations.
void haar_from_gaussian(std::span<const double> z, std::size_t d, std::span<double> out);

/// The first uniform number of (row, step) for each of `rows`.
void row_uniforms(std::uint64_t seed, const RowSet& rows, std::uint32_t step, RandomStream stream,
                  std::span<double> out);

/// The rotation of (particle, step) for each of `rows`, rows x d x d: a uniform angle for d = 2, haar_from_gaussian of
/// normal numbers above. `scratch` is resized as needed.
void haar_rotations(std::uint64_t seed, const RowSet& rows, std::uint32_t step, std::size_t d, std::span<double> out,
                    std::vector<double>& scratch);

/// Turns `rotation` (d x d, row-major, in place) so that its column 0 is the unit vector `direction`: the other columns
/// are those of a Householder QR, signs included, the last negated where the determinant would be -1. A direction that
/// is not finite or (nearly) zero, or d = 1, changes nothing.
void bias_rotation(std::span<double> rotation, std::size_t d, std::span<const double> direction);

}  // namespace dd::polystep
