// Random search: the best of a few random candidates and the iterate, step by step.
#pragma once

#include "polystep/baselines/method.hpp"
#include "polystep/baselines/perturbations.hpp"

namespace dd::polystep {

struct RandomSearchOptions {
  std::size_t population = 2;  ///< candidates of a step; the first one is the iterate, scored again
  double sigma = 1, sigma_decay = 1;
  std::vector<double> lower, upper;  ///< draw uniformly from this box instead of around the iterate; or empty
};

/// x <- the best of x and population - 1 candidates, normal around x (a (1 + lambda) strategy that does not adapt) or
/// uniform in a box (pure random search). The iterate is scored in every step because minibatches change.
class RandomSearch final : public SearchMethod {
 public:
  RandomSearch(std::span<const double> x0, std::uint64_t seed, RandomSearchOptions options);

  std::size_t candidates() const noexcept override { return options_.population; }
  Gains gains(std::uint64_t step) const noexcept override;
  void ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const override;
  void tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) override;
  void reset() override {}

 private:
  void write(std::uint64_t step, std::size_t candidate, std::span<double> point) const;

  std::uint64_t seed_;
  RandomSearchOptions options_;
  Perturbations perturbations_;
};

}  // namespace dd::polystep
