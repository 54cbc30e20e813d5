// K6 on the CPU: lanes run along a column of the triangle; four targets share the loads of it.
#include "linalg/nearest_plane.hpp"

#include "linalg/for_vectors.hpp"

namespace dd::linalg {
namespace {

using std::size_t;

/// Rounds half down without a call into the library: |x| < 2^52 or it is whole already.
inline double nearest(double x) {
  const double shifted = x - 0.5;
  if (!(shifted < 0x1p52 && shifted > -0x1p52)) return shifted;
  const double whole = static_cast<double>(static_cast<long long>(shifted));
  return whole < shifted ? whole + 1 : whole;
}

template <int Targets>
void solve(const NearestPlane& a, size_t first) {
  const size_t n = a.columns;
  double* rest[Targets];
  for (int c = 0; c < Targets; ++c) {
    rest[c] = a.coordinates + (first + static_cast<size_t>(c)) * n;
    const double* const target = a.targets + (first + static_cast<size_t>(c)) * n;
    for (size_t i = 0; i < n; ++i) rest[c][i] = target[i];
  }
  for (size_t k = n; k-- > 0;) {
    const double* const column = a.triangle + k * n;
    Vector<double> z[Targets];
    for (int c = 0; c < Targets; ++c) {
      rest[c][k] = nearest(rest[c][k] / column[k]);
      z[c] = broadcast(rest[c][k]);
    }
    for_vectors<double>(k, [&](size_t i, auto get, auto put) {
      const Vector<double> r = get(column + i);
      DD_UNROLL for (int c = 0; c < Targets; ++c) put(rest[c] + i, get(rest[c] + i) - z[c] * r);
    });
  }
}

}  // namespace
}  // namespace dd::linalg

DD_ISA_ENTRY(void, nearest_plane_float64)(const dd::linalg::NearestPlane* a) {
  std::size_t c = 0;
  for (; c + 4 <= a->count; c += 4) dd::linalg::solve<4>(*a, c);
  for (; c < a->count; ++c) dd::linalg::solve<1>(*a, c);
}
