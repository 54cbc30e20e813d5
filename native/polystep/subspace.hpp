// Coordinates that stand for many parameters: theta = base + B c, entry by entry (a weight matrix, a bias).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "polystep/candidate_steps.hpp"

namespace dd::polystep {

enum class SubspaceKind : std::uint8_t { hybrid, linear, low_rank, factored, sparse, adaptive };

/// A tensor of the parameter vector, flattened row by row: `rows` x `columns`; projected entries have coordinates of
/// their own number, the others one per parameter.
struct SubspaceEntry {
  std::size_t rows = 1, columns = 1;
  std::size_t coordinates = 1;
  std::size_t rank = 1;  ///< of low_rank and factored
  bool projected = false;
  bool sparse = false;  ///< columns of signs from counters instead of a dense basis
  std::size_t first_parameter = 0, first_coordinate = 0;

  std::size_t parameters() const noexcept { return rows * columns; }
};

/// Bases are functions of (seed, entry, epoch). Dense ones (hybrid: orthonormal columns by QR of normal numbers, normal
/// numbers / sqrt(n) where there are more columns than parameters; linear: those always; adaptive: one orthonormal
/// basis over everything, which may begin with given directions) are kept, sparse ones (floor(sqrt(m)) entries of
/// +-1/sqrt of that count a column, drawn with replacement, duplicates summed) are drawn again whenever a column is
/// used.
template <class Scalar>
class Subspace {
 public:
  /// injected: per entry a parameters x coordinates matrix, row-major, or nothing; instead of drawing one.
  Subspace(SubspaceKind kind, std::vector<SubspaceEntry> entries, std::uint64_t seed, std::uint32_t epoch,
           std::vector<std::vector<double>> injected, std::size_t threads);

  SubspaceKind kind() const noexcept { return kind_; }
  std::uint32_t epoch() const noexcept { return epoch_; }
  std::size_t coordinates() const noexcept { return coordinates_; }
  std::size_t parameters() const noexcept { return parameters_; }
  std::span<const SubspaceEntry> entries() const noexcept { return entries_; }
  std::size_t bytes() const noexcept;

  /// out = base + B c.
  void expand(std::span<const Scalar> base, std::span<const Scalar> coordinates, std::span<Scalar> out) const;
  /// `out` holds base + B c; it becomes base + B c' where c' is c with coordinates first ... replaced by `values`
  /// (those past the end are padding). Touches only the entries these coordinates belong to.
  void replace(std::span<const Scalar> base, std::span<const Scalar> coordinates, std::size_t first,
               std::span<const Scalar> values, std::span<Scalar> out) const;
  /// The entry that holds coordinates first ... first + count - 1, all of them; null where none does.
  const SubspaceEntry* entry_of(std::size_t first, std::size_t count) const noexcept;
  /// Columns first ... first + count - 1 of one projected entry, which is not of kind low_rank; sparse ones lie in
  /// `storage`.
  struct DirectionStorage {
    std::vector<std::uint32_t> starts, places;
    std::vector<Scalar> values;
  };
  Directions<Scalar> directions(std::size_t first, std::size_t count, DirectionStorage& storage) const;
  /// Draws the bases of another epoch. leading (adaptive only): directions of `parameters` numbers each, independent of
  /// each other, that the first columns of the basis span.
  void redraw(std::uint32_t epoch, std::span<const double> leading, std::size_t threads);
  /// out += column `coordinate` times factor.
  void add(std::size_t coordinate, double factor, std::span<double> out) const;

 private:
  template <class Visit>
  void visit_signs(std::size_t entry, std::size_t column, Visit&& visit) const;
  void add_column(std::size_t entry, std::size_t column, Scalar factor, Scalar* out) const;
  void expand_low_rank(const SubspaceEntry& entry, const Scalar* base, const Scalar* coordinates, Scalar* out) const;

  SubspaceKind kind_;
  std::vector<SubspaceEntry> entries_;
  std::uint64_t seed_;
  std::uint32_t epoch_;
  std::vector<bool> injected_;
  std::size_t coordinates_ = 0, parameters_ = 0;
  // Dense: column-major, coordinates x parameters; factored: B0, rank x columns; else empty.
  std::vector<LargeVector<Scalar>> bases_;
};

extern template class Subspace<float>;
extern template class Subspace<double>;

}  // namespace dd::polystep
