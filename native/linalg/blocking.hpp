// Block sizes that results or layouts depend on: the same at every ISA level and on every back end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dd::linalg {

/// Depth of one block of k: inside it an element of C is one chain in registers, between blocks it goes through C.
/// Results depend on it, so it is the same at every level.
inline constexpr std::size_t product_depth = 256;
/// The same for float32 products that are added up in float64, where C is twice as wide and its blocks cost more.
inline constexpr std::size_t widened_product_depth = 512;
template <class T, class Sum>
inline constexpr std::size_t product_depth_of = sizeof(T) < sizeof(Sum) ? widened_product_depth : product_depth;
/// Order of the diagonal block of a blocked factorisation, a multiple of every tile side.
inline constexpr std::size_t panel_columns = 96;
/// Largest triangle that is inverted by solving with the identity.
inline constexpr std::size_t inverse_leaf = 32;
/// Matrices of a batch lie interleaved in groups of one cache line per element, at every level.
template <class T>
inline constexpr std::size_t batch_lanes = 64 / sizeof(T);

/// Half of n, rounded so that recursion leaves are alike at every ISA level.
constexpr std::size_t recursion_half(std::size_t n) noexcept { return (n / 2 + 7) / 8 * 8; }
/// k is cut evenly, so that no block is tiny; a multiple of 4 except for the last.
constexpr std::size_t product_depth_step(std::size_t k, std::size_t depth = product_depth) noexcept {
  if (k <= depth) return (k + 3) / 4 * 4;
  const std::size_t blocks = (k + depth - 1) / depth;
  return ((k + blocks - 1) / blocks + 3) / 4 * 4;
}

}  // namespace dd::linalg
