#include "polystep/rotation.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/philox.hpp"
#include "polystep/normals_isa.hpp"
#include "polystep/row_draws_isa.hpp"

namespace dd::polystep {
namespace {

PhiloxCounter words(std::uint64_t seed, std::uint32_t draw, std::uint32_t particle, std::uint32_t step,
                    RandomStream stream) {
  return philox4x32({draw, particle, step, static_cast<std::uint32_t>(stream)},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

double uniform(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }

double inner(const double* a, const double* b, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void subtract(double factor, const double* from, double* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] -= factor * from[i];
}

/// Q of a QR by Householder reflections (column by column), the diagonal of R, and whether det Q = -1.
struct Reflected {
  std::vector<double> columns, diagonal;
  bool negative = false;
};

Reflected reflect(std::span<const double> z, std::size_t d) {
  Reflected result{std::vector<double>(d * d), std::vector<double>(d)};
  // Columns are contiguous here: column j of Z at columns[j d], the reflections below the diagonal in place.
  std::vector<double> columns(d * d), scales(d);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) columns[j * d + i] = z[i * d + j];
  }
  for (std::size_t k = 0; k < d; ++k) {
    double* const v = columns.data() + k * d + k;
    const std::size_t count = d - k;
    const double norm = std::sqrt(inner(v, v, count));
    result.diagonal[k] = count == 1 ? v[0] : v[0] >= 0 ? -norm : norm;
    if (count == 1 || !(norm > 0)) continue;
    v[0] -= result.diagonal[k];
    scales[k] = 2 / inner(v, v, count);
    result.negative = !result.negative;
    for (std::size_t j = k + 1; j < d; ++j) {
      double* const column = columns.data() + j * d + k;
      subtract(scales[k] * inner(v, column, count), v, column, count);
    }
  }
  for (std::size_t j = 0; j < d; ++j) {
    double* const column = result.columns.data() + j * d;
    column[j] = 1;
    for (std::size_t k = std::min(j + 1, d - 1); k-- > 0;) {
      const double* const v = columns.data() + k * d + k;
      subtract(scales[k] * inner(v, column + k, d - k), v, column + k, d - k);
    }
  }
  return result;
}

}  // namespace

void philox_normals(std::uint64_t seed, std::uint32_t particle, std::uint32_t step, RandomStream stream,
                    std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const PhiloxCounter block = words(seed, static_cast<std::uint32_t>(i / 4), particle, step, stream);
    for (std::size_t pair = 0; pair < 2; ++pair) {
      const std::size_t at = i + 2 * pair;
      if (at >= out.size()) return;
      const double radius = std::sqrt(-2 * std::log(uniform(block[2 * pair])));
      const double angle = 2 * std::numbers::pi * uniform(block[2 * pair + 1]);
      out[at] = radius * std::cos(angle);
      if (at + 1 < out.size()) out[at + 1] = radius * std::sin(angle);
    }
  }
}

void philox_uniforms(std::uint64_t seed, std::uint32_t particle, std::uint32_t step, RandomStream stream,
                     std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const PhiloxCounter block = words(seed, static_cast<std::uint32_t>(i / 4), particle, step, stream);
    for (std::size_t k = 0; k < 4 && i + k < out.size(); ++k) out[i + k] = uniform(block[k]);
  }
}

void haar_from_gaussian(std::span<const double> z, std::size_t d, std::span<double> out) {
  if (d == 1) {
    out[0] = 1;
    return;
  }
  const Reflected qr = reflect(z, d);
  bool negative = qr.negative;
  for (const double diagonal : qr.diagonal) negative ^= diagonal < 0;
  for (std::size_t j = 0; j < d; ++j) {
    const double sign = (qr.diagonal[j] < 0) != (j == 0 && negative) ? -1 : 1;
    for (std::size_t i = 0; i < d; ++i) out[i * d + j] = sign * qr.columns[j * d + i];
  }
}

void row_uniforms(std::uint64_t seed, const RowSet& rows, std::uint32_t step, RandomStream stream,
                  std::span<double> out) {
  const RowUniforms arguments{
      seed,       step,      static_cast<std::uint32_t>(stream), rows.list, static_cast<std::uint32_t>(rows.first),
      rows.count, out.data()};
  polystep_row_uniforms(&arguments);
}

void haar_rotations(std::uint64_t seed, const RowSet& rows, std::uint32_t step, std::size_t d, std::span<double> out,
                    std::vector<double>& scratch) {
  if (d == 1) {
    std::fill_n(out.begin(), rows.count, 1.0);
    return;
  }
  if (d == 2) {
    scratch.resize(rows.count);
    row_uniforms(seed, rows, step, RandomStream::rotations, scratch);
    const PlaneRotations arguments{rows.count, scratch.data(), out.data()};
    polystep_plane_rotations(&arguments);
    return;
  }
  const std::size_t size = d * d;
  scratch.resize(size);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const Normals arguments{seed,
                            static_cast<std::uint32_t>(rows[i]),
                            step,
                            static_cast<std::uint32_t>(RandomStream::rotations),
                            0,
                            size,
                            scratch.data()};
    polystep_normals(&arguments);
    haar_from_gaussian(scratch, d, out.subspan(i * size, size));
  }
}

void bias_rotation(std::span<double> rotation, std::size_t d, std::span<const double> direction) {
  const double length = std::sqrt(inner(direction.data(), direction.data(), d));
  if (d == 1 || !std::isfinite(length) || length < 1e-12) return;
  std::vector<double> matrix(rotation.begin(), rotation.end());
  for (std::size_t i = 0; i < d; ++i) matrix[i * d] = direction[i] / length;
  const Reflected qr = reflect(matrix, d);
  if (!std::all_of(qr.columns.begin(), qr.columns.end(), [](double component) { return std::isfinite(component); })) {
    return;
  }
  const bool turned = qr.diagonal[0] < 0;  // column 0 came out as minus the direction
  const bool negative = qr.negative != turned;
  for (std::size_t j = 0; j < d; ++j) {
    const double sign = (j == 0 && turned) != (j + 1 == d && negative) ? -1 : 1;
    for (std::size_t i = 0; i < d; ++i) rotation[i * d + j] = sign * qr.columns[j * d + i];
  }
}

}  // namespace dd::polystep
