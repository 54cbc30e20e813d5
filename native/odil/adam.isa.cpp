// Adam in one pass: four vectors read, three written; the division and the root hide behind the memory.
#include "linalg/for_vectors.hpp"
#include "odil/adam_isa.hpp"

namespace dd::odil {
namespace {

template <class T>
void update(const AdamUpdate<T>& a) {
  const Vector<T> keep1 = broadcast(a.keep1), keep2 = broadcast(a.keep2);
  const Vector<T> rate = broadcast(a.rate), epsilon = broadcast(a.epsilon);
  for_vectors<T>(a.count, [&](std::size_t i, auto get, auto put) {
    const Vector<T> g = get(a.gradient + i), m = get(a.first_moment + i), v = get(a.second_moment + i);
    const Vector<T> first = m + (g - m) * keep1, second = v + (g * g - v) * keep2;
    put(a.first_moment + i, first);
    put(a.second_moment + i, second);
    put(a.x + i, get(a.x + i) - rate * first / (square_root(second) + epsilon));
  });
}

}  // namespace
}  // namespace dd::odil

DD_ISA_ENTRY(void, adam_update_float64)(const dd::odil::AdamUpdate<double>* a) { dd::odil::update(*a); }
DD_ISA_ENTRY(void, adam_update_float32)(const dd::odil::AdamUpdate<float>* a) { dd::odil::update(*a); }
