// Lattice reduction: integer changes of basis that make the columns of a matrix short and nearly orthogonal, and the
// nearest-plane rounding that goes with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/matrix_view.hpp"
#include "core/run_control.hpp"

namespace dd::linalg {

struct LatticeReductionOptions {
  double delta = 0.99;          ///< Lovasz factor, (1/4, 1]
  bool deep_insertions = true;  ///< Schnorr and Euchner, Math. Programming 66 (1994): slower, shorter vectors
  std::size_t block_size = 0;   ///< > 2: also BKZ with blocks of this size until a tour changes nothing (or 16 tours)
  const RunControl* control = nullptr;  ///< when it says stop, the basis reached by then is returned
};

/// A basis B = A U. Column k of B is A times column k of U.
struct ReducedBasis {
  std::size_t columns = 0;
  std::vector<std::int64_t> transform;  ///< U, columns x columns, column-major, determinant +-1
  std::vector<double> triangle;         ///< R of B = Q R, columns x columns, column-major, upper, diagonal > 0
  std::uint64_t swaps = 0;
};

/// Reduces the lattice spanned by the columns of A (m >= n, linearly independent in float64). Works on R of a
/// Householder QR of A, never on the Gram matrix, whose condition number is the square. On return |R_ij| <= R_ii / 2
/// (1 + 1e-9) and delta R_ii^2 <= R_i,i+1^2 + R_i+1,i+1^2.
/// Throws dd::Error singular when A has dependent columns (in float64), not_converged when an entry of U would pass
/// 2^53. Cost: m n^2 for QR, then n^2 a swap.
/// Source: Lenstra, Lenstra, Lovasz, Math. Ann. 261 (1982); L. N. Trefethen, D. Bau, lecture 10 (Householder).
ReducedBasis reduce_lattice(MatrixView<const double> a, const LatticeReductionOptions& options = {});

/// R of a Householder QR of A, columns x columns, column-major, diagonal >= 0 (zero rows where A has fewer rows than
/// columns). Appending b as a last column of A gives Q^T b as the last column of R. Cost: 2 m n^2.
std::vector<double> triangle_factor(MatrixView<const double> a);

/// |det U| computed exactly modulo two 31-bit primes: true iff it is 1 for both.
bool is_unimodular(const std::vector<std::int64_t>& transform, std::size_t columns);

/// Nearest plane (Babai, Combinatorica 6(1), 1986): integers z, one after another from the last, such that R z is near
/// `target` (n entries, coordinates in the orthonormal basis Q). Ties: the lower integer. Cost: n^2.
std::vector<std::int64_t> nearest_plane(const std::vector<double>& triangle, std::size_t columns,
                                        const std::vector<double>& target);

}  // namespace dd::linalg
