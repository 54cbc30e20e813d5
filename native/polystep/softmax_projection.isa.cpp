// Softmax over the vertices of an orthoplex. Rows are short (4 to 16 costs), so the exponentials, where the time goes,
// are taken over whole vectors of several rows at a time; all other passes stay in the first cache. Without fused
// operations: the same bits at every level.
#include "linalg/for_vectors.hpp"
#include "polystep/softmax_projection_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

/// exp(x) for x <= 0 to two units in the last place; below -708 it is 0. x = n log 2 + r, a Taylor polynomial of degree
/// 13 in r, and n goes into the exponent.
DD_INLINE Float64s exponential(Float64s x) {
  typedef long long Bits __attribute__((vector_size(sizeof(Float64s))));
  const Float64s shift = broadcast(0x1.8p52), least = broadcast(-708.0);
  const Float64s inside = x > least ? x : least;
  const Float64s t = inside * broadcast(0x1.71547652b82fep0) + shift;
  const Float64s n = t - shift;
  const Float64s r = (inside - n * broadcast(0x1.62e42fee00000p-1)) - n * broadcast(0x1.a39ef35793c76p-33);
  constexpr double factors[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
  Float64s value = broadcast(factors[0]);
  DD_UNROLL for (int k = 1; k < 14; ++k) value = value * r + broadcast(factors[k]);
  const Bits power = ((Bits)t << 52) + 0x3ff0000000000000;
  const Float64s result = value * (Float64s)power;
  return x < least ? Float64s{} : result;
}

}  // namespace
}  // namespace dd::polystep

DD_ISA_ENTRY(void, polystep_softmax_projection)(const dd::polystep::SoftmaxProjection* arguments) {
  using namespace dd::polystep;
  using dd::Float64s;
  const SoftmaxProjection& a = *arguments;
  const size_t d = a.dimension, vertices = 2 * d;
  constexpr size_t chunk_numbers = 512;
  const size_t together = vertices < chunk_numbers ? chunk_numbers / vertices : 1;
  const Float64s temperature = dd::broadcast(a.temperature);
  for (size_t first = 0; first < a.rows; first += together) {
    const size_t rows = a.rows - first < together ? a.rows - first : together;
    double* const chunk = a.weights + first * vertices;
    for (size_t row = 0; row < rows; ++row) {
      const double* const costs = a.costs + (first + row) * vertices;
      double least = costs[0];
      for (size_t n = 1; n < vertices; ++n) least = costs[n] < least ? costs[n] : least;
      for (size_t n = 0; n < vertices; ++n) chunk[row * vertices + n] = least - costs[n];
    }
    dd::for_vectors<double>(rows * vertices, [&](size_t n, auto load, auto store) {
      store(chunk + n, exponential(load(chunk + n) / temperature));
    });
    for (size_t row = 0; row < rows; ++row) {
      double* const weights = chunk + row * vertices;
      double sum = 0;
      for (size_t n = 0; n < vertices; ++n) sum += weights[n];
      double squares = 0;
      for (size_t n = 0; n < vertices; ++n) {
        weights[n] /= sum;
        squares += weights[n] * weights[n];
      }
      for (size_t i = 0; i < d; ++i) a.projection[(first + row) * d + i] = weights[i] - weights[i + d];
      a.squares[first + row] = squares;
    }
  }
}
