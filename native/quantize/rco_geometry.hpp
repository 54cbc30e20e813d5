// The budget manifold of RCO: logits alpha (N x K, row by row) whose expected cost C(alpha) = sum_i w_i sum_k p_ik c_k,
// p_i = softmax(alpha_i), is the budget.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace dd::quantize {

/// Weights w (N) and costs c (K) of the groups that share one budget, and room for what is computed of them.
class RcoGeometry {
 public:
  RcoGeometry(std::span<const double> weights, std::span<const double> costs);

  std::size_t groups() const noexcept { return weights_.size(); }
  std::size_t options() const noexcept { return costs_.size(); }

  /// C(alpha).
  double expected_cost(std::span<const double> alpha);
  /// n_ik = w_i p_ik (c_k - sum_l p_il c_l), the gradient of C.
  void normal(std::span<const double> alpha, std::span<double> n);
  /// g -= (g.n / (n.n + 1e-12)) n; returns the coefficient.
  static double project(std::span<double> g, std::span<const double> n);
  /// The t for which C(alpha + t c) = budget to 1e-12 (c_K - c_1) sum w: Newton with the closed derivative
  /// sum_i w_i Var_{p_i}(c), inside a bracket that halves where Newton leaves it.
  /// @throws Error "budget" when it is not strictly between the smallest and the largest cost
  double retraction_shift(std::span<const double> alpha, double budget);
  /// alpha += t c with that t; returns t.
  double retract(std::span<double> alpha, double budget);

 private:
  struct Moments {
    double mean, slope;
  };
  Moments moments(std::span<const double> alpha, double shift, double* normal);

  std::vector<double> weights_, costs_, means_, variances_;
  double total_weight_;
};

}  // namespace dd::quantize
