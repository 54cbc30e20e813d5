// Rays are walked twice: to count the entries of each column, and to fill them in, which leaves rows ascending.
#include "dmmv/projector.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace dd::dmmv {
namespace {

/// visit(pixel, weight) for every pixel a ray gives weight to.
template <class Visit>
void walk(const ParallelBeams& beams, double angle, std::size_t detector, Visit&& visit) {
  const auto n = static_cast<std::ptrdiff_t>(beams.size);
  const double centre = (static_cast<double>(beams.size) - 1) / 2;
  const double s = static_cast<double>(detector) - (static_cast<double>(beams.detectors) - 1) / 2;
  const double c = std::cos(angle), sine = std::sin(angle);
  const bool by_rows = std::abs(c) >= std::abs(sine);
  const double length = by_rows ? std::abs(c) : std::abs(sine);
  for (std::ptrdiff_t line = 0; line < n; ++line) {
    const auto at = static_cast<double>(line);
    const double position = by_rows ? (s - (centre - at) * sine) / c + centre : centre - (s - (at - centre) * c) / sine;
    // Far outside nothing is met, and the conversion below would overflow.
    if (!(position > -1 && position < static_cast<double>(n))) continue;
    const double floor = std::floor(position);
    const double fraction = position - floor;
    const auto first = static_cast<std::ptrdiff_t>(floor);
    const auto give = [&](std::ptrdiff_t across, double weight) {
      if (across < 0 || across >= n || weight == 0) return;
      visit(static_cast<std::size_t>(by_rows ? line * n + across : across * n + line), weight);
    };
    give(first, (1 - fraction) / length);
    give(first + 1, fraction / length);
  }
}

}  // namespace

SparseColumnsData joseph_projector(const ParallelBeams& beams, double memory_bytes) {
  constexpr double most = std::numeric_limits<std::int32_t>::max();
  const double rays = static_cast<double>(beams.angles.size()) * static_cast<double>(beams.detectors);
  const double pixels = static_cast<double>(beams.size) * static_cast<double>(beams.size);
  const double entries = rays * 2 * static_cast<double>(beams.size);
  if (rays > most || pixels > most || entries > most) {
    throw Error(ErrorCode::out_of_range, "size",
                "`size`, `detectors` and `angles` must give fewer than 2^31 pixels, rays and matrix entries");
  }
  if (entries * 12 + pixels * 8 > memory_bytes) {
    throw Error(ErrorCode::out_of_memory, "size",
                "the projector needs up to " + std::to_string(static_cast<std::uint64_t>(entries * 12 / 1048576)) +
                    " MiB, more than there is");
  }
  SparseColumnsData result;
  result.rows = beams.angles.size() * beams.detectors;
  result.columns = beams.size * beams.size;
  result.column_pointers.assign(result.columns + 1, 0);
  const auto each_ray = [&](auto&& visit) {
    for (std::size_t a = 0; a < beams.angles.size(); ++a) {
      for (std::size_t k = 0; k < beams.detectors; ++k) {
        walk(beams, beams.angles[a], k,
             [&](std::size_t pixel, double weight) { visit(a * beams.detectors + k, pixel, weight); });
      }
    }
  };
  each_ray([&](std::size_t, std::size_t pixel, double) { ++result.column_pointers[pixel + 1]; });
  for (std::size_t j = 0; j < result.columns; ++j) result.column_pointers[j + 1] += result.column_pointers[j];
  std::vector<std::int32_t> next(result.column_pointers.begin(), result.column_pointers.end() - 1);
  result.row_indices.resize(static_cast<std::size_t>(result.column_pointers.back()));
  result.values.resize(result.row_indices.size());
  each_ray([&](std::size_t row, std::size_t pixel, double weight) {
    const auto at = static_cast<std::size_t>(next[pixel]++);
    result.row_indices[at] = static_cast<std::int32_t>(row);
    result.values[at] = weight;
  });
  return result;
}

}  // namespace dd::dmmv
