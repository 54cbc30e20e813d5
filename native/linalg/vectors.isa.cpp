// Weighted sums of long vectors: one pass whatever their number.
#include "linalg/for_vectors.hpp"
#include "linalg/vectors_isa.hpp"

namespace dd::linalg {
namespace {

template <class T>
void combine(const CombineVectors<T>& a) {
  for_vectors<T>(a.count, [&](std::size_t i, auto get, auto put) {
    Vector<T> total = a.addend == nullptr ? Vector<T>{} : get(a.addend + i);
    for (std::size_t k = 0; k < a.terms; ++k) {
      total = multiply_add(broadcast(a.weights[k]), get(a.vectors[k] + i), total);
    }
    put(a.out + i, total);
  });
}

}  // namespace
}  // namespace dd::linalg

DD_ISA_ENTRY(void, combine_vectors_float64)(const dd::linalg::CombineVectors<double>* a) { dd::linalg::combine(*a); }
DD_ISA_ENTRY(void, combine_vectors_float32)(const dd::linalg::CombineVectors<float>* a) { dd::linalg::combine(*a); }
