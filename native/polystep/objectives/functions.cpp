// The formulas, term by term in index order.
#include "polystep/objectives/functions.hpp"

#include <bit>
#include <cmath>
#include <numbers>

#include "core/philox.hpp"
#include "polystep/objectives/support.hpp"

namespace dd::polystep {
namespace {

using std::numbers::pi;

constexpr std::uint32_t noise_purpose = 18;

double square(double x) noexcept { return x * x; }

double ackley(std::span<const double> x) noexcept {
  double squares = 0, cosines = 0;
  for (const double v : x) {
    squares += v * v;
    cosines += std::cos(2 * pi * v);
  }
  const auto n = static_cast<double>(x.size());
  return -20 * std::exp(-0.2 * std::sqrt(squares / n)) - std::exp(cosines / n) + 20 + std::numbers::e;
}

double beale(std::span<const double> x) noexcept {
  const double a = x[0], b = x[1];
  return square(1.5 - a + a * b) + square(2.25 - a + a * b * b) + square(2.625 - a + a * b * b * b);
}

double branin(std::span<const double> x) noexcept {
  const double a = x[0], b = x[1];
  return square(b - 5.1 / (4 * pi * pi) * a * a + 5 / pi * a - 6) + 10 * (1 - 1 / (8 * pi)) * std::cos(a) + 10;
}

double griewank(std::span<const double> x) noexcept {
  double sum = 0, product = 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += x[i] * x[i] / 4000;
    product *= std::cos(x[i] / std::sqrt(static_cast<double>(i + 1)));
  }
  return sum - product + 1;
}

double levy(std::span<const double> x) noexcept {
  const auto w = [&](std::size_t i) { return 1 + (x[i] - 1) / 4; };
  const std::size_t last = x.size() - 1;
  double sum = square(std::sin(pi * w(0)));
  for (std::size_t i = 0; i < last; ++i) sum += square(w(i) - 1) * (1 + 10 * square(std::sin(pi * w(i) + 1)));
  return sum + square(w(last) - 1) * (1 + square(std::sin(2 * pi * w(last))));
}

double rastrigin(std::span<const double> x) noexcept {
  double sum = 10 * static_cast<double>(x.size());
  for (const double v : x) sum += v * v - 10 * std::cos(2 * pi * v);
  return sum;
}

double rosenbrock(std::span<const double> x) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) sum += 100 * square(x[i + 1] - x[i] * x[i]) + square(1 - x[i]);
  return sum;
}

double sphere(std::span<const double> x) noexcept {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum;
}

double styblinski_tang(std::span<const double> x) noexcept {
  double sum = 0;
  for (const double v : x) sum += v * v * v * v - 16 * v * v + 5 * v;
  return sum / 2;
}

/// Normal, from the bits of the point: mixed into one word by the finaliser of MurmurHash3, then a Philox address.
double point_noise(std::span<const double> x, std::uint64_t seed, std::uint64_t step) noexcept {
  std::uint64_t hash = 0x9E3779B97F4A7C15u;
  for (const double v : x) {
    hash ^= std::bit_cast<std::uint64_t>(v);
    hash ^= hash >> 33;
    hash *= 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 33;
    hash *= 0xC4CEB9FE1A85EC53u;
    hash ^= hash >> 33;
  }
  const PhiloxCounter words = philox4x32({static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32),
                                          static_cast<std::uint32_t>(step), noise_purpose},
                                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  const double radius = std::sqrt(-2 * std::log((words[0] + 0.5) * 0x1p-32));
  return radius * std::cos(2 * pi * ((words[1] + 0.5) * 0x1p-32));
}

template <class Scalar>
struct FunctionLoss {
  FunctionDescription description;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;

  double operator()(const Scalar* point) const {
    const std::vector<double> x(point, point + description.dimension);
    double value = function_value(description.kind, x);
    if (description.negate) value = -value;
    return description.noise == 0 ? value : value + description.noise * point_noise(x, seed, step);
  }
};

template <class Scalar>
class FunctionEvaluator final : public WholeEvaluator<Scalar, FunctionLoss<Scalar>> {
 public:
  using WholeEvaluator<Scalar, FunctionLoss<Scalar>>::WholeEvaluator;
  void begin_step(std::uint64_t step, std::size_t) override { this->loss().step = step; }
};

}  // namespace

double function_value(FunctionKind kind, std::span<const double> x) noexcept {
  switch (kind) {
    case FunctionKind::ackley:
      return ackley(x);
    case FunctionKind::beale:
      return beale(x);
    case FunctionKind::branin:
      return branin(x);
    case FunctionKind::griewank:
      return griewank(x);
    case FunctionKind::levy:
      return levy(x);
    case FunctionKind::rastrigin:
      return rastrigin(x);
    case FunctionKind::rosenbrock:
      return rosenbrock(x);
    case FunctionKind::sphere:
      return sphere(x);
    case FunctionKind::styblinski_tang:
      return styblinski_tang(x);
  }
  return 0;
}

std::unique_ptr<Evaluator<float>> Function::float32_evaluator(std::uint64_t seed) const {
  return std::make_unique<FunctionEvaluator<float>>(dimension(), FunctionLoss<float>{description_, seed, 0});
}
std::unique_ptr<Evaluator<double>> Function::float64_evaluator(std::uint64_t seed) const {
  return std::make_unique<FunctionEvaluator<double>>(dimension(), FunctionLoss<double>{description_, seed, 0});
}

}  // namespace dd::polystep
