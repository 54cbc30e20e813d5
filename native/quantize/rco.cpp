// The loop of RCO: questions in order, gradient steps between them, swaps at the end.
#include "quantize/rco.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantize/assignment_isa.hpp"
#include "quantize/rco_geometry.hpp"

namespace dd::quantize {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double largest_total = 0x1p53;

void check_length(std::size_t length, std::size_t expected, const char* name) {
  if (length != expected) {
    throw Error(ErrorCode::shape_mismatch, name,
                std::string("`") + name + "` must have " + std::to_string(expected) + " elements, got " +
                    std::to_string(length));
  }
}

void check_finite(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw Error(ErrorCode::not_finite, name,
                  std::string("`") + name + "` must be finite, but is not at position " + std::to_string(i));
    }
  }
}

void check(const RcoProblem& problem, const RcoOptions& options) {
  const std::size_t cells = problem.weights.size() * problem.costs.size();
  if (problem.weights.empty()) throw Error(ErrorCode::shape_mismatch, "weights", "`weights` must not be empty");
  if (problem.costs.empty()) throw Error(ErrorCode::shape_mismatch, "costs", "`costs` must not be empty");
  if (problem.budgets.empty()) throw Error(ErrorCode::shape_mismatch, "budget", "`budget` must not be empty");
  check_finite(problem.weights, "weights");
  check_finite(problem.costs, "costs");
  check_finite(problem.budgets, "budget");
  for (const double weight : problem.weights) {
    if (!(weight > 0)) throw Error(ErrorCode::out_of_range, "weights", "`weights` must be greater than 0");
  }
  if (problem.costs.front() < 0) throw Error(ErrorCode::out_of_range, "costs", "`costs` must not be negative");
  for (std::size_t k = 1; k < problem.costs.size(); ++k) {
    if (!(problem.costs[k] > problem.costs[k - 1])) {
      throw Error(ErrorCode::invalid_argument_value, "costs", "`costs` must increase strictly");
    }
  }
  if (!problem.blocks.empty()) check_length(problem.blocks.size(), problem.weights.size(), "blocks");
  for (const std::int32_t block : problem.blocks) {
    if (block < 0 || static_cast<std::size_t>(block) >= problem.budgets.size()) {
      throw Error(ErrorCode::out_of_range, "blocks",
                  "`blocks` must be below the number of budgets, " + std::to_string(problem.budgets.size()) + ", got " +
                      std::to_string(block));
    }
  }
  if (!options.proxy.empty()) check_length(options.proxy.size(), cells, "proxy");
  check_finite(options.proxy, "proxy");
  if (options.start == RcoStart::logits || !options.logits.empty()) {
    check_length(options.logits.size(), cells, "logits");
  }
  check_finite(options.logits, "logits");
  if (options.start == RcoStart::sensitivity && options.proxy.empty()) {
    throw Error(ErrorCode::invalid_argument_value, "start", "`start` 'sensitivity' needs `proxy`");
  }
  if (!options.uniforms.empty())
    check_length(options.uniforms.size(), options.steps * options.samples * cells, "uniforms");
  for (const double u : options.uniforms) {
    if (!(u > 0 && u < 1)) throw Error(ErrorCode::out_of_range, "uniforms", "`uniforms` must lie in (0, 1)");
  }
  const auto positive = [](double value, const char* name) {
    if (!(value > 0 && std::isfinite(value))) {
      throw Error(ErrorCode::out_of_range, name, std::string("`") + name + "` must be finite and greater than 0");
    }
  };
  positive(options.learning_rate, "learningRate");
  positive(options.tau_first, "tau");
  positive(options.tau_last, "tau");
  if (options.steps > 0 && options.samples == 0) {
    throw Error(ErrorCode::out_of_range, "samples", "`samples` must be at least 1");
  }
}

/// The groups of one budget, their geometry and their costs in whole units.
struct Block {
  std::vector<std::size_t> groups;
  std::vector<std::int64_t> costs;  ///< groups x K
  std::int64_t budget = 0;
  double real_budget = 0;
  std::optional<RcoGeometry> geometry;  ///< none where only one assignment costs so little or so much
  std::vector<double> alpha, first, second, gradient, normal, z, values;
};

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
        noise_(options.seed, 0, 0x52434F) {
    make_blocks(problem);
    for (Block& block : blocks_) start_block(block);
    question_.resize(weights_.size());
    samples_total_ = options_.samples;
    const std::size_t cells = weights_.size() * costs_.size();
    stride_ = static_cast<std::size_t>(0.6180339887498949 * static_cast<double>(cells) * static_cast<double>(cells));
    while (std::gcd(stride_, cells) != 1) ++stride_;
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
          assign(control,
                 [&](Block& block, std::size_t i, std::size_t k) { return proxy_[block.groups[i] * options() + k]; });
          break;
        case Phase::sample:
          draw();
          assign(control, [&](Block& block, std::size_t i, std::size_t k) { return -block.z[i * options() + k]; });
          break;
        case Phase::rounding:
          assign(control, [&](Block& block, std::size_t i, std::size_t k) { return -log_probability(block, i, k); });
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
    for (const Block& block : blocks_) {
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
  void make_blocks(const RcoProblem& problem) {
    blocks_.resize(problem.budgets.size());
    for (std::size_t i = 0; i < groups(); ++i) {
      blocks_[problem.blocks.empty() ? 0 : static_cast<std::size_t>(problem.blocks[i])].groups.push_back(i);
    }
    const double unit = problem.resolution > 0 ? problem.resolution : 1;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      Block& block = blocks_[b];
      block.real_budget = problem.budgets[b];
      if (block.groups.empty()) {
        throw Error(ErrorCode::invalid_argument_value, "blocks", "block " + std::to_string(b) + " has no groups");
      }
      double low = 0, high = 0;
      for (const std::size_t i : block.groups) {
        low += weights_[i] * costs_.front();
        high += weights_[i] * costs_.back();
        for (const double cost : costs_) {
          const double exact = weights_[i] * cost * unit, whole = std::nearbyint(exact);
          if (problem.resolution <= 0 && whole != exact) {
            throw Error(ErrorCode::invalid_argument_value, "weights",
                        "`weights` times `costs` must be whole numbers, got " + std::to_string(exact) +
                            "; otherwise say by `resolution` how many units a cost of 1 has");
          }
          if (!(whole < largest_total)) throw Error(ErrorCode::out_of_range, "weights", "`weights` are too large");
          block.costs.push_back(static_cast<std::int64_t>(whole));
        }
      }
      if (block.real_budget < low || block.real_budget > high) {
        throw Error(ErrorCode::out_of_range, "budget",
                    "`budget` must lie between " + std::to_string(low) + " and " + std::to_string(high) + ", got " +
                        std::to_string(block.real_budget));
      }
      block.budget = static_cast<std::int64_t>(
          std::min(std::floor(block.real_budget * unit + 1e-9 * std::max(1.0, std::abs(block.real_budget * unit))),
                   largest_total));
      std::int64_t least = 0;  // rounding to units must not make the cheapest assignment too dear
      for (std::size_t i = 0; i < block.groups.size(); ++i) least += block.costs[i * options()];
      block.budget = std::max(block.budget, least);
      if (block.real_budget > low && block.real_budget < high) {
        std::vector<double> weights;
        for (const std::size_t i : block.groups) weights.push_back(weights_[i]);
        block.geometry.emplace(weights, costs_);
      }
    }
  }

  void start_block(Block& block) {
    const std::size_t cells = block.groups.size() * options();
    block.alpha.assign(cells, 0);
    block.first.assign(cells, 0);
    block.second.assign(cells, 0);
    block.gradient.assign(cells, 0);
    block.normal.assign(cells, 0);
    block.z.assign(cells, 0);
    for (std::size_t i = 0; i < block.groups.size(); ++i) {
      double* const alpha = block.alpha.data() + i * options();
      if (options_.start == RcoStart::logits) {
        std::copy_n(options_.logits.data() + block.groups[i] * options(), options(), alpha);
      } else if (options_.start == RcoStart::sensitivity) {
        const double* const proxy = proxy_.data() + block.groups[i] * options();
        std::vector<double> sorted(proxy, proxy + options());
        std::sort(sorted.begin(), sorted.end());
        // Without the floor the reference option, whose distortion is 0, would start almost certain.
        const double floor = std::max(sorted[std::min<std::size_t>(1, options() - 1)], 1e-300);
        double mean = 0;
        for (std::size_t k = 0; k < options(); ++k) {
          alpha[k] = -std::log(std::max(proxy[k], floor));
          mean += alpha[k] / static_cast<double>(options());
        }
        for (std::size_t k = 0; k < options(); ++k) alpha[k] -= mean;
      }
    }
    if (block.geometry) block.geometry->retract(block.alpha, block.real_budget);
  }

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
    for (Block& block : blocks_) {
      for (std::size_t i = 0; i < block.groups.size(); ++i) {
        for (std::size_t k = 0; k < options(); ++k) {
          const double noise = gumbel_[block.groups[i] * options() + k];
          block.z[i * options() + k] = block.alpha[i * options() + k] + (mirrored ? -noise : noise);
        }
      }
    }
  }

  double log_probability(const Block& block, std::size_t i, std::size_t k) const {
    const double* const alpha = block.alpha.data() + i * options();
    const double largest = *std::max_element(alpha, alpha + options());
    double sum = 0;
    for (std::size_t l = 0; l < options(); ++l) sum += std::exp(alpha[l] - largest);
    return std::log(std::max(std::exp(alpha[k] - largest) / sum, 1e-10));
  }

  /// The best assignment within every budget for value(block, i, k), into `question_`.
  template <class Value>
  void assign(RunControl& control, Value value) {
    assign(control, options_.method, value);
  }

  template <class Value>
  void assign(RunControl& control, KnapsackMethod method, Value value) {
    RunControl quiet(control, infinity);  // stops with the run, but its progress is not the run's
    for (Block& block : blocks_) {
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
      for (Block& block : blocks_) {
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
    descend();
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
      for (Block& block : blocks_) {
        for (std::size_t i = 0; i < block.groups.size(); ++i) {
          const auto choice = static_cast<std::size_t>(sampled_[s][block.groups[i]]);
          for (std::size_t k = 0; k < options(); ++k) {
            const double p = std::exp(log_probability(block, i, k));
            block.gradient[i * options() + k] += advantage * ((k == choice ? 1.0 : 0.0) - p);
          }
        }
      }
    }
  }

  /// Projection, Adam, retraction, transport.
  void descend() {
    const double time = static_cast<double>(step_ + 1);
    const double first_bias = 1 - std::pow(options_.first_decay, time);
    const double second_bias = 1 - std::pow(options_.second_decay, time);
    for (Block& block : blocks_) {
      if (block.geometry) {
        block.geometry->normal(block.alpha, block.normal);
        RcoGeometry::project(block.gradient, block.normal);
        for (std::size_t c = 0; c < block.alpha.size(); ++c) {
          const double g = block.gradient[c];
          block.first[c] = options_.first_decay * block.first[c] + (1 - options_.first_decay) * g;
          block.second[c] = options_.second_decay * block.second[c] + (1 - options_.second_decay) * g * g;
          block.alpha[c] -= options_.learning_rate * (block.first[c] / first_bias) /
                            (std::sqrt(block.second[c] / second_bias) + options_.epsilon);
        }
        block.geometry->retract(block.alpha, block.real_budget);
        block.geometry->normal(block.alpha, block.normal);
        RcoGeometry::project(block.first, block.normal);
      }
      std::fill(block.gradient.begin(), block.gradient.end(), 0.0);
    }
  }

  // ---- swaps: descents from the best assignment and from the proxy's ------------------------------------------------

  struct Cursor {
    std::size_t i = 0, k = 0, j = 0, l = 0;  ///< group i to option k, group j >= i to l
  };

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
    base_ = std::move(starts_.back().first);
    base_loss_ = starts_.back().second;
    starts_.pop_back();
    spent_.assign(blocks_.size(), 0);
    block_of_.resize(groups());
    place_.resize(groups());
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
      for (std::size_t i = 0; i < blocks_[b].groups.size(); ++i) {
        const std::size_t group = blocks_[b].groups[i];
        block_of_[group] = b;
        place_[group] = i;
        spent_[b] += unit_cost(group, static_cast<std::size_t>(base_[group]));
      }
    }
    move_ = 0;
    since_improvement_ = 0;
    next_swap(control);
  }

  std::int64_t unit_cost(std::size_t group, std::size_t option) const {
    return blocks_[block_of_[group]].costs[place_[group] * options() + option];
  }

  /// Every pair of (group, option) is a move; a stride without a common divisor with their number comes by all of them
  /// in an order that spreads over the groups, so that a few evaluations go a long way. False after a whole round
  /// without improvement.
  bool advance() {
    const std::size_t cells = groups() * options(), moves = cells * cells;
    if (since_improvement_ == moves) return false;
    ++since_improvement_;
    move_ = (move_ + stride_) % moves;
    const std::size_t a = move_ / cells, b = move_ % cells;
    cursor_ = {a / options(), a % options(), b / options(), b % options()};
    return true;
  }

  bool allowed() const {
    const auto [i, k, j, l] = cursor_;
    if (j < i || (j == i && l != k)) return false;  // another move is the same
    const auto now = static_cast<std::size_t>(base_[i]);
    if (k == now) return false;
    const std::int64_t change = unit_cost(i, k) - unit_cost(i, now);
    const std::size_t block = block_of_[i];
    if (j == i) return keeps(block, spent_[block] + change);
    const auto other = static_cast<std::size_t>(base_[j]);
    if (l == other) return false;
    const std::int64_t other_change = unit_cost(j, l) - unit_cost(j, other);
    const std::size_t other_block = block_of_[j];
    if (block == other_block) return keeps(block, spent_[block] + change + other_change);
    return keeps(block, spent_[block] + change) && keeps(other_block, spent_[other_block] + other_change);
  }

  bool keeps(std::size_t block, std::int64_t spent) const {
    if (constraint_ == KnapsackConstraint::at_most) return spent <= blocks_[block].budget;
    return spent == spent_[block];
  }

  void next_swap(RunControl& control) {
    if (swap_evaluations_ >= options_.swap_evaluations) {
      phase_ = Phase::done;
      return;
    }
    constexpr std::size_t poll = 1 << 16;
    while (advance()) {
      if (since_improvement_ % poll == 0 && control.should_stop()) {
        (void)stop(control);
        return;
      }
      if (!allowed()) continue;
      question_ = base_;
      question_[cursor_.i] = static_cast<std::int32_t>(cursor_.k);
      question_[cursor_.j] = static_cast<std::int32_t>(cursor_.l);
      return;
    }
    next_start(control);
  }

  void take_swap(double loss, RunControl& control) {
    ++swap_evaluations_;
    // A gain of rounding alone would let two assignments take turns for ever.
    if (loss < base_loss_ - 1e-13 * std::abs(base_loss_)) {
      for (const std::size_t group : {cursor_.i, cursor_.j}) {
        // The second time round a lone change has nothing left to do.
        spent_[block_of_[group]] += unit_cost(group, static_cast<std::size_t>(question_[group])) -
                                    unit_cost(group, static_cast<std::size_t>(base_[group]));
        base_[group] = question_[group];
      }
      base_loss_ = loss;
      since_improvement_ = 0;
    }
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
    assign(control, KnapsackMethod::hull, [&](Block& block, std::size_t i, std::size_t k) {
      return proxy_.empty() ? -log_probability(block, i, k) : proxy_[block.groups[i] * options() + k];
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
  std::vector<Block> blocks_;
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
  std::vector<std::int32_t> base_;
  double base_loss_ = 0;
  std::vector<std::int64_t> spent_;
  std::vector<std::size_t> block_of_, place_;
  Cursor cursor_;
  std::size_t move_ = 0, stride_ = 1, since_improvement_ = 0;
};

RcoSearch::RcoSearch(const RcoProblem& problem, const RcoOptions& options) {
  check(problem, options);
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
