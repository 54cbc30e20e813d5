// Cross-entropy of a group on the CPU: three walks over the rows (largest, sum of exponentials, the label's own), all
// of which stay in the first cache.
#include "linalg/simd.hpp"
#include "polystep/objectives/lane_functions.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

template <class T>
DD_INLINE void cross_entropy_of(const CrossEntropy<T>& a) {
  const bool binary = a.classes == 1;
  T own[16];
  for (size_t c = 0; c < 16; ++c) {
    const auto label = static_cast<size_t>(a.labels[c]);
    own[c] = binary ? (label == 0 ? T(0) : a.logits[c]) : a.logits[label * 16 + c];
  }
  for (size_t c = 0; c < 16; c += static_cast<size_t>(lanes<T>)) {
    Vector<T> largest = load(a.logits + c);
    if (binary) largest = largest > broadcast(T(0)) ? largest : broadcast(T(0));
    for (size_t r = 1; r < a.classes; ++r) {
      const Vector<T> x = load(a.logits + r * 16 + c);
      largest = x > largest ? x : largest;
    }
    Vector<T> sum = binary ? lane_exp<T>(-largest) : broadcast(T(0));
    for (size_t r = 0; r < a.classes; ++r) sum += lane_exp<T>(load(a.logits + r * 16 + c) - largest);
    const Vector<T> loss = lane_log<T>(sum) + (largest - load(own + c));
    store(a.losses + c, sum == sum ? loss : sum);  // the logarithm does not pass NaN on
  }
}

}  // namespace

DD_ISA_ENTRY(void, cross_entropy_float64)(const CrossEntropy<double>* arguments) { cross_entropy_of(*arguments); }
DD_ISA_ENTRY(void, cross_entropy_float32)(const CrossEntropy<float>* arguments) { cross_entropy_of(*arguments); }

}  // namespace dd::polystep
