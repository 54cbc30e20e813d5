#include "polystep/subspace.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/matrix_view.hpp"
#include "core/philox.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/syrk.hpp"
#include "linalg/triangular.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
namespace {

/// Columns of `basis` (count columns of m numbers each) made orthonormal: QR with a positive diagonal, by two rounds of
/// Cholesky, which for normal numbers are as good as reflections.
void orthonormalise(std::span<double> basis, std::size_t m, std::size_t count, std::size_t threads) {
  LargeVector<double> gram(count * count);
  const auto columns = MatrixView<double>::column_major(basis.data(), m, count);
  for (int round = 0; round < 3; ++round) {
    const auto square = MatrixView<double>::column_major(gram.data(), count, count);
    linalg::syrk<double>(1, MatrixView<const double>{basis.data(), count, m, m, 1}, 0, square, linalg::Triangle::upper,
                         threads);
    if (linalg::cholesky<double>(square, linalg::Triangle::upper, threads) != 0 ||
        linalg::solve_triangular<double>(linalg::Side::right, linalg::Triangle::upper,
                                         MatrixView<const double>::column_major(gram.data(), count, count), columns,
                                         threads) != 0) {
      throw Error(ErrorCode::singular, "subspace", "`subspace`: the drawn basis has dependent columns");
    }
  }
}

std::size_t sparse_count(std::size_t parameters) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::sqrt(static_cast<double>(parameters))));
}

}  // namespace

template <class Scalar>
Subspace<Scalar>::Subspace(SubspaceKind kind, std::vector<SubspaceEntry> entries, std::uint64_t seed,
                           std::uint32_t epoch, std::vector<std::vector<double>> injected, std::size_t threads)
    : kind_(kind), entries_(std::move(entries)), seed_(seed), epoch_(epoch), bases_(entries_.size()) {
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    SubspaceEntry& entry = entries_[e];
    entry.first_parameter = parameters_;
    entry.first_coordinate = coordinates_;
    parameters_ += entry.parameters();
    coordinates_ += entry.coordinates;
    const bool given = e < injected.size() && !injected[e].empty();
    injected_.push_back(given);
    if (!given) continue;
    const std::size_t m = entry.parameters(), n = entry.coordinates;
    if (injected[e].size() != m * n) {
      throw Error(ErrorCode::shape_mismatch, "bases",
                  "`bases` must have parameters x coordinates numbers, " + std::to_string(m * n) + " for entry " +
                      std::to_string(e) + ", got " + std::to_string(injected[e].size()));
    }
    bases_[e].resize(m * n);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) bases_[e][j * m + i] = static_cast<Scalar>(injected[e][i * n + j]);
    }
  }
  redraw(epoch, {}, threads);
}

template <class Scalar>
void Subspace<Scalar>::redraw(std::uint32_t epoch, std::span<const double> leading, std::size_t threads) {
  epoch_ = epoch;
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const SubspaceEntry& entry = entries_[e];
    if (!entry.projected || injected_[e] || entry.sparse || kind_ == SubspaceKind::low_rank) continue;
    const bool factored = kind_ == SubspaceKind::factored;
    const std::size_t m = factored ? entry.columns : entry.parameters();
    const std::size_t n = factored ? entry.rank : entry.coordinates;
    LargeVector<double> drawn(m * n);
    philox_normals(seed_, static_cast<std::uint32_t>(e), epoch_, RandomStream::bases, drawn);
    // As long as the others, so that the squares of the orthonormalisation stay well apart from singular.
    const double length = std::sqrt(static_cast<double>(m));
    for (std::size_t i = 0; i < std::min(leading.size(), drawn.size()); ++i) drawn[i] = length * leading[i];
    if (kind_ != SubspaceKind::linear && n <= m) {
      orthonormalise(drawn, m, n, threads);
    } else {
      for (double& value : drawn) value /= std::sqrt(static_cast<double>(n));
    }
    bases_[e].resize(m * n);
    std::transform(drawn.begin(), drawn.end(), bases_[e].begin(),
                   [](double value) { return static_cast<Scalar>(value); });
  }
}

template <class Scalar>
std::size_t Subspace<Scalar>::bytes() const noexcept {
  std::size_t total = 0;
  for (const auto& basis : bases_) total += basis.size() * sizeof(Scalar);
  return total;
}

/// visit(row, whether the sign is negative) for the entries of a sparse column, in order.
template <class Scalar>
template <class Visit>
void Subspace<Scalar>::visit_signs(std::size_t e, std::size_t column, Visit&& visit) const {
  const std::size_t m = entries_[e].parameters(), count = sparse_count(m);
  // A block of four words gives two entries: row and sign.
  for (std::size_t i = 0; i < count; i += 2) {
    const auto draw = static_cast<std::uint32_t>(column * ((count + 1) / 2) + i / 2);
    const PhiloxCounter words =
        philox4x32({draw, static_cast<std::uint32_t>(e), epoch_, static_cast<std::uint32_t>(RandomStream::bases)},
                   {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
    for (std::size_t k = 0; k < 2 && i + k < count; ++k) {
      visit(static_cast<std::size_t>(std::uint64_t{words[2 * k]} * m >> 32), (words[2 * k + 1] & 1) != 0);
    }
  }
}

template <class Scalar>
const SubspaceEntry* Subspace<Scalar>::entry_of(std::size_t first, std::size_t count) const noexcept {
  for (const SubspaceEntry& entry : entries_) {
    if (first < entry.first_coordinate || first >= entry.first_coordinate + entry.coordinates) continue;
    return first + count <= entry.first_coordinate + entry.coordinates ? &entry : nullptr;
  }
  return nullptr;
}

template <class Scalar>
Directions<Scalar> Subspace<Scalar>::directions(std::size_t first, std::size_t count, DirectionStorage& storage) const {
  const auto e = static_cast<std::size_t>(entry_of(first, count) - entries_.data());
  const SubspaceEntry& entry = entries_[e];
  const std::size_t m = entry.parameters(), column = first - entry.first_coordinate;
  Directions<Scalar> directions;
  directions.first = entry.first_parameter;
  directions.parameters = m;
  directions.count = count;
  if (injected_[e] || (!entry.sparse && kind_ != SubspaceKind::factored)) {
    directions.dense = std::span<const Scalar>(bases_[e]).subspan(column * m, count * m);
    return directions;
  }
  storage.starts.assign(1, 0);
  storage.places.clear();
  storage.values.clear();
  for (std::size_t j = column; j < column + count; ++j) {
    if (entry.sparse) {
      const auto value = static_cast<Scalar>(1 / std::sqrt(static_cast<double>(sparse_count(m))));
      visit_signs(e, j, [&](std::size_t row, bool negative) {
        storage.places.push_back(static_cast<std::uint32_t>(row));
        storage.values.push_back(negative ? -value : value);
      });
    } else {
      const Scalar* const basis = bases_[e].data() + j % entry.rank * entry.columns;
      const std::size_t begin = j / entry.rank * entry.columns;
      for (std::size_t i = 0; i < entry.columns; ++i) {
        storage.places.push_back(static_cast<std::uint32_t>(begin + i));
        storage.values.push_back(basis[i]);
      }
    }
    storage.starts.push_back(static_cast<std::uint32_t>(storage.values.size()));
  }
  directions.starts = storage.starts;
  directions.places = storage.places;
  directions.values = storage.values;
  return directions;
}

template <class Scalar>
void Subspace<Scalar>::add_column(std::size_t e, std::size_t column, Scalar factor, Scalar* out) const {
  const SubspaceEntry& entry = entries_[e];
  const std::size_t m = entry.parameters();
  if (!entry.projected) {
    out[column] += factor;
  } else if (injected_[e] || (!entry.sparse && kind_ != SubspaceKind::factored)) {
    const Scalar* const basis = bases_[e].data() + column * m;
    for (std::size_t i = 0; i < m; ++i) out[i] += factor * basis[i];
  } else if (entry.sparse) {
    const Scalar value = factor / static_cast<Scalar>(std::sqrt(static_cast<double>(sparse_count(m))));
    visit_signs(e, column, [&](std::size_t row, bool negative) { out[row] += negative ? -value : value; });
  } else {
    const Scalar* const basis = bases_[e].data() + column % entry.rank * entry.columns;
    Scalar* const row = out + column / entry.rank * entry.columns;
    for (std::size_t j = 0; j < entry.columns; ++j) row[j] += factor * basis[j];
  }
}

template <class Scalar>
void Subspace<Scalar>::add(std::size_t coordinate, double factor, std::span<double> out) const {
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const SubspaceEntry& entry = entries_[e];
    if (coordinate < entry.first_coordinate || coordinate >= entry.first_coordinate + entry.coordinates) continue;
    std::vector<Scalar> column(entry.parameters(), Scalar{0});
    add_column(e, coordinate - entry.first_coordinate, Scalar{1}, column.data());
    for (std::size_t i = 0; i < column.size(); ++i) {
      out[entry.first_parameter + i] += factor * static_cast<double>(column[i]);
    }
  }
}

template <class Scalar>
void Subspace<Scalar>::expand_low_rank(const SubspaceEntry& entry, const Scalar* base, const Scalar* coordinates,
                                       Scalar* out) const {
  const Scalar* const b = coordinates;
  const Scalar* const a = coordinates + entry.rows * entry.rank;
  for (std::size_t i = 0; i < entry.rows; ++i) {
    Scalar* const row = out + i * entry.columns;
    for (std::size_t j = 0; j < entry.columns; ++j) row[j] = base[i * entry.columns + j];
    for (std::size_t k = 0; k < entry.rank; ++k) {
      const Scalar factor = b[i * entry.rank + k];
      for (std::size_t j = 0; j < entry.columns; ++j) row[j] += factor * a[k * entry.columns + j];
    }
  }
}

template <class Scalar>
void Subspace<Scalar>::expand(std::span<const Scalar> base, std::span<const Scalar> coordinates,
                              std::span<Scalar> out) const {
  std::copy(base.begin(), base.end(), out.begin());
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const SubspaceEntry& entry = entries_[e];
    Scalar* const to = out.data() + entry.first_parameter;
    const Scalar* const c = coordinates.data() + entry.first_coordinate;
    if (entry.projected && kind_ == SubspaceKind::low_rank) {
      expand_low_rank(entry, base.data() + entry.first_parameter, c, to);
      continue;
    }
    for (std::size_t j = 0; j < entry.coordinates; ++j) {
      if (c[j] != 0) add_column(e, j, c[j], to);
    }
  }
}

template <class Scalar>
void Subspace<Scalar>::replace(std::span<const Scalar> base, std::span<const Scalar> coordinates, std::size_t first,
                               std::span<const Scalar> values, std::span<Scalar> out) const {
  const std::size_t last = std::min(first + values.size(), coordinates_);
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    const SubspaceEntry& entry = entries_[e];
    const std::size_t begin = std::max(first, entry.first_coordinate);
    const std::size_t end = std::min(last, entry.first_coordinate + entry.coordinates);
    if (begin >= end) continue;
    Scalar* const to = out.data() + entry.first_parameter;
    if (entry.projected && kind_ == SubspaceKind::low_rank) {
      std::vector<Scalar> changed(
          coordinates.begin() + static_cast<std::ptrdiff_t>(entry.first_coordinate),
          coordinates.begin() + static_cast<std::ptrdiff_t>(entry.first_coordinate + entry.coordinates));
      for (std::size_t c = begin; c < end; ++c) changed[c - entry.first_coordinate] = values[c - first];
      expand_low_rank(entry, base.data() + entry.first_parameter, changed.data(), to);
      continue;
    }
    for (std::size_t c = begin; c < end; ++c) {
      const Scalar change = values[c - first] - coordinates[c];
      if (change != 0) add_column(e, c - entry.first_coordinate, change, to);
    }
  }
}

template class Subspace<float>;
template class Subspace<double>;

}  // namespace dd::polystep
