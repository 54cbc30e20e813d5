// What grid transfers ask of the kernels compiled once per ISA level: rows widened or narrowed by the regular middle of
// an axis transfer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::linalg {

/// One point of the fine axis as a combination of at most two points of the coarse one.
struct AxisEntry {
  std::uint32_t first, second;
  double first_weight, second_weight;
};

/// Elements of scratch beyond `fine` that each of the rows in `scratch` needs.
inline constexpr std::size_t transfer_slack = 64;

/// The contiguous axis: fine[offset + 2 p + k] = near[k] coarse[p] + far[k] coarse[p + 1] for first <= p < last, the
/// other fine points by their entries.
template <class T>
struct ContiguousTransfer {
  const AxisEntry* entries;
  std::size_t fine, coarse;
  std::size_t first, last, offset;
  T near[2], far[2];
};

/// The last two axes of a transfer from the coarse to the fine grid: fine = scale T coarse (+ addend, which may be
/// `fine` itself).
template <class T>
struct WidenPlane {
  ContiguousTransfer<T> columns;
  const AxisEntry* rows;
  std::size_t fine_rows;
  const T* coarse;
  const T* addend;
  T* fine;
  T scale;
  T* scratch;  // 2 (columns.fine + transfer_slack)
};

/// Its transpose: coarse = scale T^T fine. Row j of the coarse plane gathers rows sources[k] of the fine one with
/// weights[k], begin[j] <= k < begin[j + 1].
template <class T>
struct NarrowPlane {
  ContiguousTransfer<T> columns;
  const std::uint32_t* begin;
  const std::uint32_t* sources;
  const double* weights;
  std::size_t coarse_rows;
  const T* fine;
  T* coarse;
  T scale;
  T* scratch;  // 3 (columns.fine + transfer_slack)
};

DD_ISA_KERNEL(widen_plane_float64, void(const WidenPlane<double>*));
DD_ISA_KERNEL(widen_plane_float32, void(const WidenPlane<float>*));
DD_ISA_KERNEL(narrow_plane_float64, void(const NarrowPlane<double>*));
DD_ISA_KERNEL(narrow_plane_float32, void(const NarrowPlane<float>*));

}  // namespace dd::linalg
