// The loop of RCO: questions in order, gradient steps between them, swaps at the end.
#include "quantize/rco.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/philox.hpp"
#include "quantize/assignment_isa.hpp"
#include "quantize/rco_block.hpp"
#include "quantize/rco_check.hpp"
#include "quantize/rco_swaps.hpp"

namespace dd::quantize {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

enum class Phase : std::uint8_t { proxy, sample, rounding, swaps, start, done };

}  // namespace

class RcoSearch::State {
 public:
  State(const RcoProblem& problem, const RcoOptions& options)
      : constraint_(problem.constraint),
        options_(options),
        weights_(problem.weights.begin(), problem.weights.end()),
        costs_(problem.costs.begin(), problem.costs.end()),
        proxy_(options.proxy.begin(), options.proxy.end()),
        uniforms_(options.uniforms.begin(), options.uniforms.end()),
        noise_(options.seed, 0, 0x52434F),
        blocks_(make_rco_blocks(problem, options)),
        swaps_(blocks_, weights_.size(), costs_.size(), problem.constraint) {
    question_.resize(weights_.size());
    samples_total_ = options_.samples;
    phase_ = proxy_.empty() ? Phase::sample : Phase::proxy;
    skip_empty_phases();
  }

  std::size_t groups() const { return weights_.size(); }
  std::size_t options() const { return costs_.size(); }
  Phase phase() const { return phase_; }
  bool wants_gradient() const { return phase_ == Phase::sample && options_.gradient; }

  std::span<const std::int32_t> ask(RunControl& control) {
    if (phase_ == Phase::done) return {};
    if (phase_ == Phase::start) return question_;
    if (control.stop_reason() != StopReason::none) return stop(control);
    if (asked_) return question_;
    try {
      switch (phase_) {
        case Phase::proxy:
          assign(control, [&](RcoBlock& block, std::size_t i, std::size_t k) {
            return proxy_[block.groups[i] * options() + k];
          });
          break;
        case Phase::sample:
          draw();
          assign(control, [&](RcoBlock& block, std::size_t i, std::size_t k) { return -block.z[i * options() + k]; });
          break;
        case Phase::rounding:
          assign(control, [&](RcoBlock& block, std::size_t i, std::size_t k) { return -block.log_probability(i, k); });
          break;
        case Phase::swaps:
        case Phase::start:
        case Phase::done:
          break;  // `next_swap` or `stop` has made the question
      }
    } catch (const Error&) {
      // A knapsack with an equality can be cut off without a solution; anything else is the caller's to see.
      if (control.stop_reason() == StopReason::none) throw;
    }
    if (control.stop_reason() != StopReason::none) return stop(control);
    asked_ = true;
    return question_;
  }

  void tell(double loss, std::span<const double> gradient, RunControl& control) {
    if (!asked_) throw Error(ErrorCode::internal, "objective", "an answer came without a question");
    if (!std::isfinite(loss)) {
      throw Error(ErrorCode::not_finite, "objective",
                  "`objective` must give a finite loss, got " + std::to_string(loss));
    }
    if (wants_gradient()) {
      check_length(gradient.size(), groups() * options(), "objective.gradient");
      check_finite(gradient, "objective.gradient");
    }
    asked_ = false;
    ++evaluations_;
    const bool better = loss < best_loss_;
    if (better) {
      best_loss_ = loss;
      best_ = question_;
    }
    switch (phase_) {
      case Phase::proxy:
        proxy_loss_ = loss;
        proxy_choices_ = question_;
        phase_ = Phase::sample;
        break;
      case Phase::sample:
        take_sample(loss, gradient);
        break;
      case Phase::rounding:
        final_loss_ = loss;
        begin_swaps(control);
        break;
      case Phase::swaps:
        take_swap(loss, control);
        break;
      case Phase::start:
        phase_ = Phase::done;
        break;
      case Phase::done:
        break;
    }
    skip_empty_phases();
    report(control);
  }

  RcoResult result() const {
    if (best_.empty()) {
      throw Error(ErrorCode::not_converged, "objective",
                  "the run was stopped before an assignment of exactly this cost was found");
    }
    RcoResult result;
    result.choices = best_;
    result.loss = best_loss_;
    for (std::size_t i = 0; i < groups(); ++i) result.cost += weights_[i] * costs_[static_cast<std::size_t>(best_[i])];
    result.logits.resize(groups() * options());
    for (const RcoBlock& block : blocks_) {
      for (std::size_t i = 0; i < block.groups.size(); ++i) {
        for (std::size_t k = 0; k < options(); ++k) {
          result.logits[block.groups[i] * options() + k] = block.alpha[i * options() + k];
        }
      }
    }
    result.history = history_;
    result.proxy_loss = proxy_loss_;
    result.final_loss = final_loss_;
    result.evaluations = evaluations_;
    result.steps = history_.size();
    result.stopped = stopped_;
    return result;
  }

 private:
  double tau() const {
    if (options_.steps < 2) return options_.tau_first;
    const double part = static_cast<double>(step_) / static_cast<double>(options_.steps - 1);
    return std::max(options_.tau_first * std::pow(options_.tau_last / options_.tau_first, part),
                    std::min(options_.tau_first, options_.tau_last));
  }

  /// z = alpha + Gumbel noise for the sample in turn.
  void draw() {
    const bool mirrored = options_.antithetic && sample_ % 2 == 1;
    if (!mirrored) {
      gumbel_.resize(groups() * options());
      const double* const given =
          uniforms_.empty() ? nullptr : uniforms_.data() + (step_ * options_.samples + sample_) * gumbel_.size();
      for (std::size_t c = 0; c < gumbel_.size(); ++c) {
        const double u = std::max(given != nullptr ? given[c] : noise_.next_uniform(), 1e-20);
        gumbel_[c] = -std::log(-std::log(u) + 1e-20);
      }
    }
    for (RcoBlock& block : blocks_) {
      for (std::size_t i = 0; i < block.groups.size(); ++i) {
        for (std::size_t k = 0; k < options(); ++k) {
          const double noise = gumbel_[block.groups[i] * options() + k];
          block.z[i * options() + k] = block.alpha[i * options() + k] + (mirrored ? -noise : noise);
        }
      }
    }
  }

  /// The best assignment within every budget for value(block, i, k), into `question_`.
  template <class Value>
  void assign(RunControl& control, Value value) {
    assign(control, options_.method, value);
  }

  template <class Value>
  void assign(RunControl& control, KnapsackMethod method, Value value) {
    RunControl quiet(control, infinity);  // stops with the run, but its progress is not the run's
    for (RcoBlock& block : blocks_) {
      block.values.resize(block.groups.size() * options());
      for (std::size_t i = 0; i < block.groups.size(); ++i) {
        for (std::size_t k = 0; k < options(); ++k) block.values[i * options() + k] = value(block, i, k);
      }
      const KnapsackSolution found = solve_knapsack({.groups = block.groups.size(),
                                                     .options = options(),
                                                     .values = block.values,
                                                     .costs = block.costs,
                                                     .budget = block.budget,
                                                     .constraint = constraint_},
                                                    {.method = method}, quiet);
      for (std::size_t i = 0; i < block.groups.size(); ++i) question_[block.groups[i]] = found.choices[i];
    }
  }

  void take_sample(double loss, std::span<const double> gradient) {
    if (options_.gradient) {
      for (RcoBlock& block : blocks_) {
        block.values.resize(block.z.size());
        for (std::size_t i = 0; i < block.groups.size(); ++i) {
          std::copy_n(gradient.data() + block.groups[i] * options(), options(), block.values.data() + i * options());
        }
        const RcoGradientArguments arguments{block.groups.size(),  options(), block.z.data(),
                                             block.values.data(),  tau(),     1.0 / static_cast<double>(samples_total_),
                                             block.gradient.data()};
        rco_gradient(&arguments);
      }
    } else {
      sampled_.push_back(question_);
    }
    losses_.push_back(loss);
    if (++sample_ < options_.samples) return;
    sample_ = 0;
    if (!options_.gradient) score_gradient();
    double mean = 0;
    for (const double one : losses_) mean += one / static_cast<double>(losses_.size());
    baseline_ = step_ == 0 ? mean : 0.9 * baseline_ + 0.1 * mean;
    history_.push_back({tau(), mean, best_loss_});
    losses_.clear();
    sampled_.clear();
    for (RcoBlock& block : blocks_) block.descend(options_, step_);
    if (++step_ == options_.steps) phase_ = Phase::rounding;
  }

  /// From values alone: sum_s (loss_s - baseline_s) d log p(choices_s) / d alpha over the samples; the baseline is the
  /// mean of the other samples, or the running mean where there are none.
  void score_gradient() {
    const double count = static_cast<double>(losses_.size());
    const double sum = std::accumulate(losses_.begin(), losses_.end(), 0.0);
    for (std::size_t s = 0; s < losses_.size(); ++s) {
      const double baseline = losses_.size() > 1 ? (sum - losses_[s]) / (count - 1)
                              : step_ == 0       ? losses_[s]
                                                 : baseline_;
      const double advantage = (losses_[s] - baseline) / count;
      for (RcoBlock& block : blocks_) {
        for (std::size_t i = 0; i < block.groups.size(); ++i) {
          const auto choice = static_cast<std::size_t>(sampled_[s][block.groups[i]]);
          for (std::size_t k = 0; k < options(); ++k) {
            const double p = std::exp(block.log_probability(i, k));
            block.gradient[i * options() + k] += advantage * ((k == choice ? 1.0 : 0.0) - p);
          }
        }
      }
    }
  }

  // ---- swaps: descents from the best assignment and from the proxy's ------------------------------------------------

  void begin_swaps(RunControl& control) {
    starts_.clear();  // the last is taken first
    if (!proxy_choices_.empty() && proxy_choices_ != best_) starts_.push_back({proxy_choices_, proxy_loss_});
    starts_.push_back({best_, best_loss_});
    phase_ = Phase::swaps;
    next_start(control);
  }

  void next_start(RunControl& control) {
    if (starts_.empty()) {
      phase_ = Phase::done;
      return;
    }
    swaps_.start(starts_.back().first, starts_.back().second);
    starts_.pop_back();
    next_swap(control);
  }

  void next_swap(RunControl& control) {
    if (swap_evaluations_ >= options_.swap_evaluations) {
      phase_ = Phase::done;
    } else if (!swaps_.next(question_, control)) {
      if (control.stop_reason() != StopReason::none) {
        (void)stop(control);
      } else {
        next_start(control);
      }
    }
  }

  void take_swap(double loss, RunControl& control) {
    ++swap_evaluations_;
    swaps_.take(question_, loss);
    next_swap(control);
  }

  // ---- the course of the run ----------------------------------------------------------------------------------------

  void skip_empty_phases() {
    if (phase_ == Phase::sample && options_.steps == 0) phase_ = Phase::rounding;
  }

  /// Ends the run, with a question where there has been no answer yet: an assignment that is made at once. For an
  /// equality that would be a search of its own, so there the run may end with nothing.
  std::span<const std::int32_t> stop(RunControl& control) {
    stopped_ = control.stop_reason();
    phase_ = Phase::done;
    if (!best_.empty() || constraint_ != KnapsackConstraint::at_most) return {};
    phase_ = Phase::start;
    asked_ = true;
    assign(control, KnapsackMethod::hull, [&](RcoBlock& block, std::size_t i, std::size_t k) {
      return proxy_.empty() ? -block.log_probability(i, k) : proxy_[block.groups[i] * options() + k];
    });
    return question_;
  }

  void report(RunControl& control) {
    if (!control.wants_progress()) return;
    Progress progress;
    progress.phase = phase_ == Phase::swaps ? "swaps" : "descent";
    if (phase_ == Phase::sample) progress.fraction = static_cast<double>(step_) / static_cast<double>(options_.steps);
    progress.iterations = evaluations_;
    progress.objective = best_loss_;
    progress.best = std::as_bytes(std::span(best_));
    control.report(progress);
  }

  KnapsackConstraint constraint_;
  RcoOptions options_;
  std::vector<double> weights_, costs_, proxy_, uniforms_;
  PhiloxStream noise_;
  std::vector<RcoBlock> blocks_;
  RcoSwaps swaps_;
  Phase phase_ = Phase::done;
  bool asked_ = false;
  std::vector<std::int32_t> question_, best_, proxy_choices_;
  double best_loss_ = infinity, proxy_loss_ = not_a_number, final_loss_ = not_a_number;
  std::vector<double> gumbel_;
  std::vector<double> losses_;
  std::vector<std::vector<std::int32_t>> sampled_;
  double baseline_ = 0;
  std::size_t step_ = 0, sample_ = 0, samples_total_ = 1;
  std::vector<RcoStep> history_;
  std::uint64_t evaluations_ = 0, swap_evaluations_ = 0;
  StopReason stopped_ = StopReason::none;
  std::vector<std::pair<std::vector<std::int32_t>, double>> starts_;
};

RcoSearch::RcoSearch(const RcoProblem& problem, const RcoOptions& options) {
  check_rco(problem, options);
  state_ = std::make_unique<State>(problem, options);
}
RcoSearch::~RcoSearch() = default;
RcoSearch::RcoSearch(RcoSearch&&) noexcept = default;
RcoSearch& RcoSearch::operator=(RcoSearch&&) noexcept = default;

std::size_t RcoSearch::groups() const noexcept { return state_->groups(); }
std::size_t RcoSearch::options() const noexcept { return state_->options(); }
bool RcoSearch::done() const noexcept { return state_->phase() == Phase::done; }
std::span<const std::int32_t> RcoSearch::ask(RunControl& control) { return state_->ask(control); }
bool RcoSearch::wants_gradient() const noexcept { return state_->wants_gradient(); }
const char* RcoSearch::phase() const noexcept {
  constexpr const char* names[] = {"proxy", "sample", "rounding", "swaps", "start", "done"};
  return names[static_cast<std::size_t>(state_->phase())];
}
void RcoSearch::tell(double loss, std::span<const double> gradient, RunControl& control) {
  state_->tell(loss, gradient, control);
}
RcoResult RcoSearch::result() const { return state_->result(); }

RcoResult minimize_rco(RcoSearch& search, RcoObjective& objective, RunControl& control) {
  std::vector<double> gradient(search.groups() * search.options());
  while (!search.done()) {
    const std::span<const std::int32_t> choices = search.ask(control);
    if (choices.empty()) break;
    if (search.wants_gradient()) {
      search.tell(objective.evaluate(choices, gradient), gradient, control);
    } else {
      search.tell(objective.value(choices), {}, control);
    }
  }
  RcoResult result = search.result();
  result.loss = objective.evaluate(result.choices, {});  // from scratch
  return result;
}

RcoResult minimize_rco(const RcoProblem& problem, const RcoOptions& options, RcoObjective& objective,
                       RunControl& control) {
  RcoSearch search(problem, options);
  return minimize_rco(search, objective, control);
}

}  // namespace dd::quantize
