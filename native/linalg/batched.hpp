// Many small systems of equal order (n up to about 32), stored interleaved so that a vector holds one element of many
// matrices: 4 to 25 times faster than one by one.
//
// Layout: matrices come in groups of batch_lanes<T> (8 float64, 16 float32, at every ISA level); element (i, j) of
// matrix l of group g is at ((g columns + j) rows + i) batch_lanes + l. The last group is padded: with identity
// matrices where they are factored, with anything finite elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace dd::linalg {

/// Matrices in one group.
template <class T>
inline constexpr std::size_t batch_group = 64 / sizeof(T);

/// Elements of an interleaved batch of `count` matrices, padding included.
template <class T>
constexpr std::size_t batch_elements(std::size_t count, std::size_t rows, std::size_t columns) noexcept {
  return (count + batch_group<T> - 1) / batch_group<T> * batch_group<T> * rows * columns;
}

/// What fills the unused lanes of the last group.
enum class BatchPadding : std::uint8_t { zero, identity };

/// From `count` column-major matrices one after the other to the interleaved layout, and back (padding is dropped).
/// Sizes: count rows columns, and batch_elements. Throws ERR_SHAPE_MISMATCH. Blocks are transposed in registers.
template <class T>
void interleave(std::size_t count, std::size_t rows, std::size_t columns, std::span<const std::type_identity_t<T>> from,
                std::span<T> to, BatchPadding padding, std::size_t threads = 1);
template <class T>
void deinterleave(std::size_t count, std::size_t rows, std::size_t columns,
                  std::span<const std::type_identity_t<T>> from, std::span<T> to, std::size_t threads = 1);

/// Lower Cholesky factors in place (the upper triangles are read by nobody and left alone).
///
/// a: batch_elements(count, n, n); status: count entries, 0 or the 1-based pivot that is not positive or not finite.
/// A matrix that fails holds NaN from that pivot on; the others never notice. Throws ERR_SHAPE_MISMATCH.
/// Returns how many failed. Cost: n^3 / 3 operations a matrix. threads: same bits for any number.
template <class T>
std::size_t batched_cholesky(std::size_t count, std::size_t n, std::span<T> a, std::span<std::int32_t> status,
                             std::size_t threads = 1);

/// b (n x right_hand_sides each, interleaved) = L^-1 b, or L^-T b when `transposed`. l: lower triangles.
template <class T>
void batched_solve_lower(std::size_t count, std::size_t n, std::size_t right_hand_sides,
                         std::span<const std::type_identity_t<T>> l, std::span<T> b, bool transposed,
                         std::size_t threads = 1);

/// P A = L U in place with partial pivoting chosen per matrix. pivots: count n entries, entry [matrix n + j] is the row
/// exchanged with row j. status and failure as in batched_cholesky (a column of zeros or a value that is not finite).
template <class T>
std::size_t batched_lu(std::size_t count, std::size_t n, std::span<T> a, std::span<std::int32_t> pivots,
                       std::span<std::int32_t> status, std::size_t threads = 1);

/// b = A^-1 b from the factors and pivots of batched_lu.
template <class T>
void batched_lu_solve(std::size_t count, std::size_t n, std::size_t right_hand_sides,
                      std::span<const std::type_identity_t<T>> lu, std::span<const std::int32_t> pivots, std::span<T> b,
                      std::size_t threads = 1);

/// C = alpha A B + beta C for interleaved m x k, k x n and m x n matrices. Better than batched_gemm below about n = 12.
template <class T>
void batched_product(std::size_t count, std::size_t m, std::size_t n, std::size_t k, std::type_identity_t<T> alpha,
                     std::span<const std::type_identity_t<T>> a, std::span<const std::type_identity_t<T>> b,
                     std::type_identity_t<T> beta, std::span<T> c, std::size_t threads = 1);

/// The same for column-major matrices one after the other, not interleaved.
template <class T>
void batched_gemm(std::size_t count, std::size_t m, std::size_t n, std::size_t k, std::type_identity_t<T> alpha,
                  std::span<const std::type_identity_t<T>> a, std::span<const std::type_identity_t<T>> b,
                  std::type_identity_t<T> beta, std::span<T> c, std::size_t threads = 1);

}  // namespace dd::linalg
