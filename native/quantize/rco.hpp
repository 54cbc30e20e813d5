// RCO: minimises a loss of a whole assignment under a budget by descending on logits that stay on the budget manifold,
// sampling assignments that keep the budget exactly. For losses that are not sums over groups; where they are, the
// knapsack is optimal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "quantize/knapsack.hpp"

namespace dd::quantize {

/// N groups of weights w_i > 0 and K options of costs c_k, strictly increasing; block b (one or several) has the budget
/// budgets_b for its groups. The products w_i c_k are whole numbers, or `resolution` > 0 says how many units a cost of
/// 1 has: then they are rounded to units, as the official code does.
struct RcoProblem {
  std::span<const double> weights;
  std::span<const double> costs;
  std::span<const double> budgets;
  std::span<const std::int32_t> blocks;  ///< block of each group; empty: all in block 0
  double resolution = 0;
  KnapsackConstraint constraint = KnapsackConstraint::at_most;
};

enum class RcoStart : std::uint8_t {
  uniform,      ///< alpha_ik = -beta c_k on the budget
  sensitivity,  ///< alpha_ik = -log max(proxy_ik, second smallest of the row) less the row's mean, retracted
  logits,       ///< given, retracted
};

struct RcoOptions {
  std::size_t steps = 300;
  std::size_t samples = 1;
  bool antithetic = false;  ///< every second sample takes the noise of the one before with the other sign
  double learning_rate = 0.1;
  double first_decay = 0.9, second_decay = 0.999, epsilon = 1e-8;  ///< Adam
  double tau_first = 1, tau_last = 0.01;                           ///< geometric
  RcoStart start = RcoStart::uniform;
  std::span<const double> logits;    ///< N x K
  std::span<const double> proxy;     ///< N x K, a separable stand-in for the loss; may be empty
  std::span<const double> uniforms;  ///< steps x samples x N x K in (0, 1) in place of random numbers; may be empty
  std::uint64_t seed = 0;
  bool gradient = true;  ///< false: the objective gives values only (score function with a baseline)
  std::uint64_t swap_evaluations = UINT64_MAX;  ///< evaluations that the last phase may spend on swaps
  KnapsackMethod method = KnapsackMethod::automatic;
};

struct RcoStep {
  double tau, loss;  ///< mean of the samples
  double best;       ///< best so far
};

struct RcoResult {
  std::vector<std::int32_t> choices;
  double loss = 0;  ///< as told for those choices
  double cost = 0;  ///< sum_i w_i c_choice
  std::vector<double> logits;
  std::vector<RcoStep> history;
  double proxy_loss;  ///< of the separable solution; NaN without a proxy
  double final_loss;  ///< of the rounding of the last logits; NaN when the run was stopped before
  std::uint64_t evaluations = 0;
  std::size_t steps = 0;
  StopReason stopped = StopReason::none;
};

/// The loop as questions and answers, so that whoever evaluates may live anywhere.
///
///   while (!search.done()) search.tell(objective(search.ask(control)));
///
/// Order of questions: the proxy's solution; steps x samples; the rounding of the last logits; single changes and pair
/// swaps from the best of all, and from the proxy's solution, until none helps. The best assignment ever told wins.
/// Cost per step: O(N K) geometry and `samples` knapsacks.
/// Source: arXiv 2605.00649 and its code; specs/quant.md, section 7.
class RcoSearch {
 public:
  /// Copies everything. @throws Error naming what is wrong, before anything is computed.
  RcoSearch(const RcoProblem& problem, const RcoOptions& options);
  ~RcoSearch();
  RcoSearch(RcoSearch&&) noexcept;
  RcoSearch& operator=(RcoSearch&&) noexcept;

  std::size_t groups() const noexcept;
  std::size_t options() const noexcept;
  bool done() const noexcept;
  /// The assignment to evaluate; valid until `tell`. When the control says stop the search is done and this is empty;
  /// but a search that has no answer yet asks for its start first, so that there is a best so far.
  std::span<const std::int32_t> ask(RunControl& control);
  /// Whether the answer to the open question should bring d loss / d P (N x K) along.
  bool wants_gradient() const noexcept;
  const char* phase() const noexcept;
  /// @throws Error "objective" when the loss or the gradient is not finite or has the wrong length
  void tell(double loss, std::span<const double> gradient, RunControl& control);
  /// At any time; throws ERR_NOT_CONVERGED before the first answer. A stopped search has one, unless the budget must be
  /// met exactly and no assignment that does was found in time.
  RcoResult result() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// A loss that native code knows.
class RcoObjective {
 public:
  virtual ~RcoObjective() = default;
  /// Fills `gradient` (N x K) unless it is empty.
  virtual double evaluate(std::span<const std::int32_t> choices, std::span<double> gradient) = 0;
  /// The value alone, where it may be updated from the last one.
  virtual double value(std::span<const std::int32_t> choices) { return evaluate(choices, {}); }
};

/// sum_i e_i + e^T Q e with e_i = D_{i, choice_i}; `interactions` (N x N) may be empty: then it is the sum alone.
std::unique_ptr<RcoObjective> table_objective(std::span<const double> table, std::span<const double> interactions,
                                              std::size_t groups, std::size_t options);

/// Runs the search to its end, or until the control says stop.
RcoResult minimize_rco(RcoSearch& search, RcoObjective& objective, RunControl& control);
RcoResult minimize_rco(const RcoProblem& problem, const RcoOptions& options, RcoObjective& objective,
                       RunControl& control);

}  // namespace dd::quantize
