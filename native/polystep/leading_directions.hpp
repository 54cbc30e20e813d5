// Directions of past steps that a new basis shall contain: what an adaptive subspace is led by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

/// Nothing; the principal directions of the last displacements; the displacements of the particles whose weights were
/// most concentrated.
enum class LeadingKind : std::uint8_t { none, displacements, transport };

struct LeadingOptions {
  LeadingKind kind = LeadingKind::none;
  double share = 0.5;         ///< of the basis, at the end of `steps`
  std::uint64_t steps = 200;  ///< over which the share of `displacements` grows from 0
  std::size_t history = 5;    ///< displacements that are remembered
};

/// How many columns of a basis of `rank` are led at `step`: at least one.
std::size_t leading_count(const LeadingOptions& options, std::size_t rank, std::uint64_t step) noexcept;

/// The up to `count` left singular vectors with the largest singular values of the matrix whose columns are the rows of
/// `history` (m numbers each), row by row; fewer where the rank is smaller. Each has a positive component of largest
/// size. Cost: h^2 m.
std::vector<double> principal_directions(std::span<const double> history, std::size_t m, std::size_t count);

/// Rows of a plan (rows x vertices, any row sums) by confidence 1 / (entropy + 1e-6), the most confident first, equal
/// ones by number; at most `count`.
std::vector<std::size_t> confident_rows(std::span<const double> plan, std::size_t vertices, std::size_t count);
/// sum_n w log(1 / w) of weights that sum to `mass`.
double weight_entropy(std::span<const double> weights, double mass) noexcept;

}  // namespace dd::polystep
