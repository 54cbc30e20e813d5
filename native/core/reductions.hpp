// The reductions that every room needs: sum, inner product, largest absolute value, first element that is not finite.
// Same bits for any number of threads, on every instruction-set level and on every back end.
#pragma once

#include <cstddef>
#include <span>

namespace dd {

/// Elements that one chunk of a reduction covers; chunk results are joined by a fixed tree.
inline constexpr std::size_t reduction_chunk = 4096;
/// Partial sums inside a chunk: element i goes to lane i mod (256 bytes / element size): four vectors of 64 bytes.
template <class T>
inline constexpr std::size_t reduction_lanes = 256 / sizeof(T);

/// Sum of all elements in the fixed order of specs/linalg.md, section 9: lanes, their tree, the tree of chunks. The
/// relative error of n equal signs is at most about (4096 / lanes + log2 n) eps. An empty span gives 0. Cost: one
/// read of the data.
float sum(std::span<const float> values, std::size_t threads);
double sum(std::span<const double> values, std::size_t threads);

/// Inner product in float64, in the same fixed order; without fused operations, so all levels give the same bits. Spans
/// of one length. Cost: one read of both.
double dot(std::span<const float> a, std::span<const float> b, std::size_t threads);
double dot(std::span<const double> a, std::span<const double> b, std::size_t threads);

/// max_i |x_i|; NaN when any element is NaN; 0 for an empty span. Cost: one read of the data.
float max_abs(std::span<const float> values, std::size_t threads);
double max_abs(std::span<const double> values, std::size_t threads);

/// Index of the first NaN or infinity, `values.size()` when all are finite. Cost: at most one read of the data.
std::size_t first_non_finite(std::span<const float> values, std::size_t threads);
std::size_t first_non_finite(std::span<const double> values, std::size_t threads);

}  // namespace dd
