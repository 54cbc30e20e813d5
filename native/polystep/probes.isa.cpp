// Probes of an orthoplex: a column of the rotation serves a vertex and its antipode. Columns are strided and short (2
// to 8 numbers), so what counts is that each is read once.
#include "linalg/fma.hpp"
#include "polystep/probes_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

template <class Scalar>
DD_INLINE void write(const Probes<Scalar>& a) {
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
