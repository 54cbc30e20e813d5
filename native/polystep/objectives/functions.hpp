// Functions that optimisers are compared on (specs/polystep.md, section 13), with optional noise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "polystep/objective.hpp"

namespace dd::polystep {

enum class FunctionKind : std::uint8_t {
  ackley,
  beale,
  branin,
  griewank,
  levy,
  rastrigin,
  rosenbrock,
  sphere,
  styblinski_tang,
};
inline constexpr std::size_t function_kinds = 9;

struct FunctionDescription {
  FunctionKind kind = FunctionKind::sphere;
  std::size_t dimension = 1;  ///< 2 for Beale and Branin, at least 2 for Rosenbrock
  double noise = 0;           ///< standard deviation
  bool negate = false;
};

/// Value at x, computed in float64.
double function_value(FunctionKind kind, std::span<const double> x) noexcept;

/// sign f(x) + noise g, where g is normal and a function of (seed, step, x) alone: the same point scored twice in a
/// step has the same value, whatever is scored beside it.
class Function final : public Objective {
 public:
  explicit Function(const FunctionDescription& description) noexcept : description_(description) {}

  std::string_view name() const noexcept override { return "function"; }
  std::size_t dimension() const noexcept override { return description_.dimension; }
  std::size_t bytes() const noexcept override { return sizeof *this; }
  std::unique_ptr<Evaluator<float>> float32_evaluator(std::uint64_t seed) const override;
  std::unique_ptr<Evaluator<double>> float64_evaluator(std::uint64_t seed) const override;

 private:
  FunctionDescription description_;
};

}  // namespace dd::polystep
