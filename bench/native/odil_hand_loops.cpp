// Compiled with -O3 -march=native ; inner loops are such that the compiler turns them into vectors.
#include "odil_hand_loops.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <iterator>
#include <vector>

namespace dd::bench::hand {
namespace {

// The compiler makes no vectors of a loop around an exponential, so these are written as such.
using Vector = double __attribute__((vector_size(64)));
using Bits = std::int64_t __attribute__((vector_size(64)));
constexpr std::size_t width = 8;

inline Vector load(const double* from) {
  Vector value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}
inline void store(double* to, Vector value) { std::memcpy(to, &value, sizeof(value)); }

// The method of odil/functions.hpp, for arguments between -700 and 700.
#if defined(__AVX512F__)
inline Vector exponential(Vector x) {
  alignas(64) static constexpr double sixteenths[] = {1.0,
                                                      1.0442737824274138,
                                                      1.0905077326652577,
                                                      1.1387886347566916,
                                                      1.189207115002721,
                                                      1.241857812073484,
                                                      1.2968395546510096,
                                                      1.3542555469368927,
                                                      1.4142135623730951,
                                                      1.4768261459394993,
                                                      1.5422108254079407,
                                                      1.6104903319492543,
                                                      1.681792830507429,
                                                      1.7562521603732995,
                                                      1.8340080864093424,
                                                      1.9152065613971474};
  constexpr double rounding = 6755399441055744.0;
  const Vector moved = x * (16 * 1.4426950408889634074) + rounding;
  const Vector whole = moved - rounding;
  const Vector rest = x - whole * (6.93147180369123816490e-01 / 16) - whole * (1.90821492927058770002e-10 / 16);
  Vector series = rest * 0.0013889034377693012 + 0.008333449724528355;
  series = series * rest + 0.041666666664959766;
  series = series * rest + 0.16666666665301144;
  series = series * rest + 0.5;
  const auto part =
      (Vector)_mm512_permutex2var_pd(_mm512_load_pd(sixteenths), (__m512i)moved, _mm512_load_pd(sixteenths + 8));
  const Vector value = part * (rest * rest * series + rest) + part;
  return (Vector)_mm512_maskz_scalef_pd(0xff, (__m512d)value, (__m512d)(whole * 0.0625));
}
#else
inline Vector exponential(Vector x) {
  constexpr double rounding = 6755399441055744.0;
  constexpr double series[] = {1.6059043836821613e-10,
                               2.08767569878681e-09,
                               2.505210838544172e-08,
                               2.7557319223985893e-07,
                               2.7557319223985893e-06,
                               2.48015873015873e-05,
                               1.9841269841269841e-04,
                               1.3888888888888889e-03,
                               8.333333333333333e-03,
                               4.1666666666666664e-02,
                               1.6666666666666666e-01,
                               0.5,
                               1,
                               1};
  const Vector shifted = x * 1.4426950408889634074 + rounding;
  const Vector whole = shifted - rounding;
  const Vector rest = x - whole * 6.93147180369123816490e-01 - whole * 1.90821492927058770002e-10;
  Vector value = rest * series[0] + series[1];
  for (std::size_t k = 2; k < std::size(series); ++k) value = value * rest + series[k];
  const Bits power = ((Bits)shifted + 1023) << 52;
  return value * (Vector)power;
}
#endif

/// low + high are four times the temperature at the face.
inline Vector flux(Vector low, Vector high, double dx) {
  const Vector distance = (low + high) * 0.25 - 0.5;
  return 0.02 * exponential(-20 * distance * distance) * (high - low) * (0.5 / dx);
}

/// Numbers that a row of so many takes if it is to be read in whole vectors.
std::size_t padded(std::size_t count) { return count + 2 * width; }

double halo(double inner, double edge) { return (inner - 6 * edge) / 3; }

/// Twice the means of two rows in time, with a value beyond each end.
void add_rows(const double* __restrict now, const double* __restrict before, double* __restrict sums,
              std::size_t cells) {
  for (std::size_t j = 0; j < cells; ++j) sums[j + 1] = now[j] + before[j];
  sums[0] = halo(sums[2], sums[1]);
  sums[cells + 1] = halo(sums[cells - 1], sums[cells]);
}

/// body(row, the row before it, residuals of the row).
template <class Body>
void for_rows(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells,
              Body&& body) {
  std::vector<double> before(cells);
  for (std::size_t j = 0; j < cells; ++j) before[j] = 2 * first[j] - u[j];
  for (std::size_t t = 0; t < rows; ++t) {
    body(u + t * cells, t == 0 ? before.data() : u + (t - 1) * cells, residual + t * cells);
  }
}

/// Writes up to a vector beyond the row of residuals, which `spare` takes.
void two_faces_row(const double* __restrict now, const double* __restrict before, const double* __restrict s,
                   double* __restrict residual, double* __restrict spare, std::size_t cells, double dt, double dx) {
  const double over_dt = 1 / dt, over_dx = 1 / dx;
  for (std::size_t j = 0; j < cells; j += width) {
    const Vector here = load(s + j + 1);
    store(spare + j, (flux(here, load(s + j + 2), dx) - flux(load(s + j), here, dx)) * over_dx);
  }
  for (std::size_t j = 0; j < cells; ++j) residual[j] = (now[j] - before[j]) * over_dt - spare[j];
}

void fluxes(const double* __restrict s, double* __restrict faces, std::size_t count, double dx) {
  for (std::size_t j = 0; j < count; j += width) store(faces + j, flux(load(s + j), load(s + j + 1), dx));
}
void one_face_row(const double* __restrict now, const double* __restrict before, const double* __restrict faces,
                  double* __restrict residual, std::size_t cells, double over_dt, double over_dx) {
  for (std::size_t j = 0; j < cells; ++j) {
    residual[j] = (now[j] - before[j]) * over_dt - (faces[j + 1] - faces[j]) * over_dx;
  }
}

void wave_row(const double* __restrict now, const double* __restrict one, const double* __restrict two,
              double* __restrict residual, std::size_t cells, double in_time, double in_space) {
  for (std::size_t j = 1; j + 1 < cells; ++j) {
    residual[j] = in_time * (now[j] - 2 * one[j] + two[j]) - in_space * (one[j - 1] - 2 * one[j] + one[j + 1]);
  }
  const std::size_t last = cells - 1;
  residual[0] = in_time * (now[0] - 2 * one[0] + two[0]) - in_space * (halo(one[1], one[0]) - 2 * one[0] + one[1]);
  residual[last] = in_time * (now[last] - 2 * one[last] + two[last]) -
                   in_space * (one[last - 1] - 2 * one[last] + halo(one[last - 1], one[last]));
}

void halo_row(const double* __restrict inner, const double* __restrict edge, double* __restrict to, std::size_t cells) {
  for (std::size_t k = 0; k < cells; ++k) to[k] = (inner[k] - 6 * edge[k]) * (1.0 / 3);
}
void poisson_row(const double* __restrict u, const double* __restrict a, const double* __restrict b,
                 const double* __restrict c, const double* __restrict d, const double* __restrict q,
                 double* __restrict residual, std::size_t cells, double scale) {
  for (std::size_t k = 1; k + 1 < cells; ++k) {
    residual[k] = scale * (a[k] + b[k] + c[k] + d[k] + u[k - 1] + u[k + 1] - 6 * u[k]) - q[k];
  }
  const std::size_t last = cells - 1;
  residual[0] = scale * (a[0] + b[0] + c[0] + d[0] + halo(u[1], u[0]) + u[1] - 6 * u[0]) - q[0];
  residual[last] =
      scale * (a[last] + b[last] + c[last] + d[last] + u[last - 1] + halo(u[last - 1], u[last]) - 6 * u[last]) -
      q[last];
}

}  // namespace

void heat_two_faces(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells) {
  const double dt = 1 / static_cast<double>(rows), dx = 1 / static_cast<double>(cells);
  std::vector<double> sums(padded(cells)), spare(padded(cells));
  for_rows(u, first, residual, rows, cells, [&](const double* now, const double* before, double* to) {
    add_rows(now, before, sums.data(), cells);
    two_faces_row(now, before, sums.data(), to, spare.data(), cells, dt, dx);
  });
}

void heat_one_face(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells) {
  const double dt = 1 / static_cast<double>(rows), dx = 1 / static_cast<double>(cells);
  std::vector<double> sums(padded(cells)), faces(padded(cells));
  for_rows(u, first, residual, rows, cells, [&](const double* now, const double* before, double* to) {
    add_rows(now, before, sums.data(), cells);
    fluxes(sums.data(), faces.data(), cells + 1, dx);
    one_face_row(now, before, faces.data(), to, cells, 1 / dt, 1 / dx);
  });
}

void wave(const double* u, const double* first, double* residual, std::size_t rows, std::size_t cells) {
  const auto square = [](double x) { return x * x; };
  const double in_time = square(static_cast<double>(rows)), in_space = square(static_cast<double>(cells));
  for (std::size_t j = 0; j < cells; ++j) residual[j] = u[j] - first[j];
  for (std::size_t t = 1; t < rows; ++t) {
    const double* const one = u + (t - 1) * cells;
    wave_row(u + t * cells, one, t == 1 ? one : one - cells, residual + t * cells, cells, in_time, in_space);
  }
}

void poisson(const double* u, const double* q, double* residual, std::size_t cells) {
  const double scale = static_cast<double>(cells) * static_cast<double>(cells);
  const std::size_t plane = cells * cells, last = cells - 1;
  std::vector<double> beyond(2 * cells);
  for (std::size_t i = 0; i < cells; ++i) {
    for (std::size_t j = 0; j < cells; ++j) {
      const std::size_t at = i * plane + j * cells;
      const double* const row = u + at;
      const double *above = row - plane, *below = row + plane, *left = row - cells, *right = row + cells;
      if (i == 0 || i == last) {
        halo_row(i == 0 ? below : above, row, beyond.data(), cells);
        (i == 0 ? above : below) = beyond.data();
      }
      if (j == 0 || j == last) {
        halo_row(j == 0 ? right : left, row, beyond.data() + cells, cells);
        (j == 0 ? left : right) = beyond.data() + cells;
      }
      poisson_row(row, above, below, left, right, q + at, residual + at, cells, scale);
    }
  }
}

}  // namespace dd::bench::hand
