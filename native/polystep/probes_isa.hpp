// What a step asks of the kernel compiled once per ISA level: the points that are evaluated.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd::polystep {

/// Per row: points[n][k] = x + distances[k] R v_n for the 2 d vertices of an orthoplex, computed in float64 and rounded
/// once. rotations: rows x d x d, row-major; points: rows x 2 d x probes x d.
template <class Scalar>
struct Probes {
  std::size_t rows, dimension, probes;
  const Scalar* x;
  const double* rotations;
  const double* distances;
  Scalar* points;
};

DD_ISA_KERNEL(polystep_probes_float32, void(const Probes<float>*));
DD_ISA_KERNEL(polystep_probes_float64, void(const Probes<double>*));

inline void write_probes(const Probes<float>& arguments) { polystep_probes_float32(&arguments); }
inline void write_probes(const Probes<double>& arguments) { polystep_probes_float64(&arguments); }

}  // namespace dd::polystep
