// Words that the dense routines share.
#pragma once

#include <cstdint>

namespace dd::linalg {

/// Which triangle of a square matrix is read or written; the other one is never touched.
enum class Triangle : std::uint8_t { lower, upper };
/// On which side of the unknown the triangular matrix stands.
enum class Side : std::uint8_t { left, right };

constexpr Triangle other(Triangle triangle) noexcept {
  return triangle == Triangle::lower ? Triangle::upper : Triangle::lower;
}

}  // namespace dd::linalg
