// CMA-ES, with the full covariance or its diagonal only.
#pragma once

#include "polystep/baselines/method.hpp"
#include "polystep/baselines/perturbations.hpp"

namespace dd::polystep {

struct CmaOptions {
  std::size_t population = 4;
  double sigma = 1;
  bool separable = false;
  bool active = true;  ///< negative weights of bad candidates
};

/// Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, Figure 6 with the defaults of Table 1; the
/// diagonal variant with its learning rates times (n + 2) / 3 after Ros and Hansen, PPSN X (2008). Cost of a step: for
/// the full covariance population n^2 and, one step in max(1, 1 / (10 n (c_1 + c_mu))), about 9 n^3 operations.
class CmaEs final : public SearchMethod {
 public:
  CmaEs(std::span<const double> x0, std::uint64_t seed, const CmaOptions& options);

  std::size_t candidates() const noexcept override { return options_.population; }
  Gains gains(std::uint64_t step) const noexcept override;
  void ask(std::uint64_t step, std::size_t first, MatrixView<double> rows) const override;
  void tell(std::uint64_t step, std::span<const double> losses, std::size_t threads) override;
  void reset() override;

 private:
  void choose_weights();
  /// y = B D z.
  void shape(std::span<const double> z, std::span<double> y) const;
  void update_covariance(std::span<const double> z, std::span<const double> y, std::span<const std::size_t> order,
                         double stalled);
  void decompose();

  CmaOptions options_;
  Perturbations perturbations_;
  std::vector<double> weights_;
  double effective_ = 1, c_sigma_ = 0, damping_ = 1, c_path_ = 0, c_one_ = 0, c_mu_ = 0, length_ = 1;

  double sigma_ = 1;
  std::vector<double> covariance_;  // n x n, or its n diagonal numbers
  std::vector<double> axes_;        // rows are its eigenvectors; empty when separable
  std::vector<double> scales_;      // square roots of its eigenvalues
  std::vector<double> sigma_path_, path_;
  std::uint64_t generations_ = 0, decomposed_ = 0;
};

}  // namespace dd::polystep
