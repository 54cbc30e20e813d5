// Probes of an orthoplex: a column of the rotation serves a vertex and its antipode. Columns are strided and short (2
// to 8 numbers), so what counts is that each is read once.
#include "linalg/fma.hpp"
#include "polystep/probes_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

/// The plane with one probe, as MAX-SAT uses it: a row is one vector of four points' numbers.
template <class Scalar>
DD_INLINE void write_plane(const Probes<Scalar>& a) {
  using Four = VectorN<double, 4>;
  using Rounded = VectorN<Scalar, 4>;
  const double distance = a.distances[0];
  for (size_t row = 0; row < a.rows; ++row) {
    const Scalar* const x = a.x + 2 * row;
    const double* const rotation = a.rotations + 4 * row;
    const Four at{static_cast<double>(x[0]), static_cast<double>(x[1]), static_cast<double>(x[0]),
                  static_cast<double>(x[1])};
    const Four along = distance * Four{rotation[0], rotation[2], rotation[1], rotation[3]};
    const Rounded up = __builtin_convertvector(at + along, Rounded);
    const Rounded down = __builtin_convertvector(at - along, Rounded);
    __builtin_memcpy(a.points + 8 * row, &up, sizeof up);
    __builtin_memcpy(a.points + 8 * row + 4, &down, sizeof down);
  }
}

template <class Scalar>
DD_INLINE void write(const Probes<Scalar>& a) {
  if (a.dimension == 2 && a.probes == 1) return write_plane(a);
  const size_t d = a.dimension, half = d * a.probes * d;
  for (size_t row = 0; row < a.rows; ++row) {
    const Scalar* const x = a.x + row * d;
    const double* const rotation = a.rotations + row * d * d;
    Scalar* const up = a.points + row * 2 * half;
    Scalar* const down = up + half;
    for (size_t n = 0; n < d; ++n) {
      for (size_t k = 0; k < a.probes; ++k) {
        const size_t at = (n * a.probes + k) * d;
        for (size_t j = 0; j < d; ++j) {
          const double along = a.distances[k] * rotation[j * d + n];
          up[at + j] = static_cast<Scalar>(static_cast<double>(x[j]) + along);
          down[at + j] = static_cast<Scalar>(static_cast<double>(x[j]) - along);
        }
      }
    }
  }
}

}  // namespace
}  // namespace dd::polystep

DD_ISA_ENTRY(void, polystep_probes_float32)(const dd::polystep::Probes<float>* arguments) {
  dd::polystep::write(*arguments);
}
DD_ISA_ENTRY(void, polystep_probes_float64)(const dd::polystep::Probes<double>* arguments) {
  dd::polystep::write(*arguments);
}
