// Evolution strategies with mirrored perturbations of a fixed distribution: OpenAI-ES, and EGGROLL where the
// perturbations of matrices have a low rank.
#pragma once

#include "polystep/baselines/descent.hpp"
#include "polystep/baselines/method.hpp"
#include "polystep/baselines/perturbations.hpp"
#include "polystep/costs.hpp"

namespace dd::polystep {

struct EvolutionStrategyOptions {
  std::size_t population = 2;  ///< candidates of a step, even
  double sigma = 1, learning_rate = 1;
  double sigma_decay = 1, learning_rate_decay = 1;  ///< factors from step to step
  DescentRule rule = DescentRule::adam;
  CostScale scale = CostScale::rank;  ///< one that looks at a single row
  double divisor = 1;
};

/// x <- x - rate g with g = sum_i F_i eps_i / (population sigma), candidates x + sigma eps_i and x - sigma eps_i, F the
/// scaled losses. Salimans et al., arXiv 1703.03864, Algorithm 1 and Section 2.1; EGGROLL: Sarkar et al., arXiv
/// 2511.16652.
class EvolutionStrategy final : public SearchMethod {
 public:
  EvolutionStrategy(std::span<const double> x0, Perturbations perturbations, const EvolutionStrategyOptions& options);

  std::size_t candidates() const noexcept override { return options_.population; }
  Gains gains(std::uint64_t step) const noexcept override;
  void ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const override;
  std::span<const StepTensor> step_tensors() const noexcept override;
  StepChoice step_choice(std::uint64_t step, std::size_t index) const override;
  void write_step(std::uint64_t step, std::size_t number, std::span<double> out) const override {
    perturbations_.write_factors(number, step, out);
  }
  void tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) override;
  void reset() override { descent_.reset(); }

 private:
  EvolutionStrategyOptions options_;
  Perturbations perturbations_;
  Descent descent_;
  std::vector<double> gradient_;
};

/// Rows of mirrored candidates: x + distance eps_{c / 2} for even c, x - distance eps_{c / 2} for odd.
void write_mirrored(const Perturbations& perturbations, std::uint64_t step, double distance, std::span<const double> x,
                    std::size_t first, MatrixView<double> rows);

}  // namespace dd::polystep
