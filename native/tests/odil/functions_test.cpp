// The elementary functions of programs against long double, at every level of the instruction set: errors in units in
// the last place, and what happens at zeros, subnormal numbers, infinities and NaN.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/philox.hpp"
#include "odil/program_isa.hpp"
#include "tests/linalg/support.hpp"

using namespace dd;
using namespace dd::odil;

namespace {

void run_block(const BlockRun<float>& run) { run_block_float32(&run); }
void run_block(const BlockRun<double>& run) { run_block_float64(&run); }

template <class T>
std::vector<T> by_program(Code code, std::vector<T> x) {
  std::vector<T> result(x.size());
  Instruction instruction;
  instruction.code = code;
  instruction.terms = 1;
  instruction.destination = 1;
  T* const slots[] = {x.data(), result.data()};
  const T table[] = {0};
  double sums[] = {0};
  run_block(BlockRun<T>{&instruction, 1, slots, table, sums, x.size()});
  return result;
}

long double exact(Code code, long double x) {
  switch (code) {
    case Code::exp:
      return std::exp(x);
    case Code::log:
      return std::log(x);
    case Code::tanh:
      return std::tanh(x);
    default:
      return 1 / (1 + std::exp(-x));
  }
}

/// Distance in units in the last place of the rounded truth; subnormal results have units of the smallest of them.
template <class T>
double ulps(T value, long double truth) {
  const T rounded = static_cast<T>(truth);
  if (std::isnan(rounded) || std::isnan(value)) return std::isnan(rounded) == std::isnan(value) ? 0 : INFINITY;
  if (value == rounded) return 0;
  if (std::isinf(value) || std::isinf(rounded)) return INFINITY;
  const T away = std::nextafter(std::fabs(rounded), std::numeric_limits<T>::infinity());
  const long double unit = static_cast<long double>(away) - static_cast<long double>(std::fabs(rounded));
  return static_cast<double>(std::fabs(static_cast<long double>(value) - truth) / unit);
}

/// Arguments from low to high, their magnitudes spread over all powers of two as well.
template <class T>
std::vector<T> arguments(double low, double high, std::size_t count) {
  PhiloxStream random(7, 0);
  std::vector<T> x{T(0),
                   T(-0.0),
                   std::numeric_limits<T>::denorm_min(),
                   -std::numeric_limits<T>::denorm_min(),
                   std::numeric_limits<T>::min(),
                   std::numeric_limits<T>::max(),
                   std::numeric_limits<T>::lowest(),
                   std::numeric_limits<T>::infinity(),
                   -std::numeric_limits<T>::infinity(),
                   std::numeric_limits<T>::quiet_NaN(),
                   T(1),
                   T(-1)};
  const int smallest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  while (x.size() < count) {
    x.push_back(static_cast<T>(low + (high - low) * random.next_uniform()));
    const double exponent = smallest + (std::log2(high) - smallest) * random.next_uniform();
    const T small = static_cast<T>(std::exp2(exponent));
    x.push_back(random.next_uniform() < 0.5 && low < 0 ? -small : small);
  }
  return x;
}

struct Limits {
  Code code;
  double low, high;  // of the arguments
  double most_ulps;
};

template <class T>
void check(const Limits& limits, std::size_t count) {
  const std::vector<T> x = arguments<T>(limits.low, limits.high, count);
  const std::vector<T> y = by_program<T>(limits.code, x);
  double worst = 0;
  T where = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double error = ulps(y[k], exact(limits.code, static_cast<long double>(x[k])));
    if (error > worst) {
      worst = error;
      where = x[k];
    }
  }
  CAPTURE(static_cast<int>(limits.code));
  CAPTURE(sizeof(T));
  CAPTURE(where);
  CHECK(worst <= limits.most_ulps);
}

}  // namespace

TEST_SUITE_BEGIN("odil");

TEST_CASE("elementary functions are as exact as functions.hpp says") {
  constexpr Limits float64[] = {
      {Code::exp, -750, 712, 2}, {Code::log, 0, 1e300, 2}, {Code::tanh, -25, 25, 4}, {Code::sigmoid, -720, 60, 3}};
  constexpr Limits float32[] = {
      {Code::exp, -105, 90, 2}, {Code::log, 0, 1e38, 2}, {Code::tanh, -12, 12, 4}, {Code::sigmoid, -88, 30, 3}};
  test::at_every_isa_level([&](IsaLevel) {
    for (const Limits& limits : float64) check<double>(limits, 60'000);
    for (const Limits& limits : float32) check<float>(limits, 60'000);
  });
}

TEST_SUITE_END();
