// Gradients from differences of two losses: SPSA with its gain sequences, and MeZO, which is the same with normal
// directions and constant gains.
#pragma once

#include "polystep/baselines/descent.hpp"
#include "polystep/baselines/method.hpp"
#include "polystep/baselines/perturbations.hpp"

namespace dd::polystep {

/// Of step k: rate a / (k + 1 + stability)^rate_exponent * decay^k, distance c / (k + 1)^distance_exponent.
struct TwoPointOptions {
  std::size_t directions = 1;  ///< averaged in a step; twice as many candidates
  double learning_rate = 1, perturbation = 1, stability = 0, rate_exponent = 0, distance_exponent = 0, decay = 1;
};

/// x <- x - a_k mean_i (f(x + c_k eps_i) - f(x - c_k eps_i)) / (2 c_k) eps_i. Spall, IEEE Transactions on Automatic
/// Control 37 (1992), gains of IEEE Transactions on Aerospace and Electronic Systems 34 (1998), Section III; MeZO:
/// Malladi et al., arXiv 2305.17333, Algorithm 1.
class TwoPoint final : public SearchMethod {
 public:
  TwoPoint(std::span<const double> x0, Perturbations perturbations, const TwoPointOptions& options);

  std::size_t candidates() const noexcept override { return 2 * options_.directions; }
  Gains gains(std::uint64_t step) const noexcept override;
  void ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const override;
  void tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) override;
  void reset() override { descent_.reset(); }

 private:
  TwoPointOptions options_;
  Perturbations perturbations_;
  Descent descent_;
  std::vector<double> gradient_;
};

}  // namespace dd::polystep
