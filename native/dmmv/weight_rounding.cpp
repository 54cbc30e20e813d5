// A layer: what its rows share is made once; then rounds of annealing over all rows, a fixed number of runs each.
#include "dmmv/weight_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/thread_pool.hpp"
#include "dmmv/batched_flip.hpp"
#include "dmmv/narrow_rounding.hpp"
#include "dmmv/rounding_starts.hpp"
#include "dmmv/row_annealing.hpp"
#include "linalg/gemm.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t least_runs = 8;           // attempts make up for few rows, so that threads have work
constexpr std::size_t evaluated_together = 64;  // rows of one product with the activations
constexpr std::size_t groups_between_reports = 16;
constexpr std::uint64_t default_sweeps = 64, first_sweeps = 4;
constexpr std::uint64_t steps_for_a_sweep = 4;
constexpr double annealed_part = 0.25;  // of the time of narrow rows
constexpr double temperature = 0.5;     // times 1 / columns: a single move changes the norm by about that part

/// Best codes of a row and what they are worth in units of its step.
struct RowBest {
  double value = std::numeric_limits<double>::infinity(), largest = 0, norm = 0;
};

class LayerRounding {
 public:
  LayerRounding(const WeightRounding& problem, const WeightRoundingOptions& options, RunControl& control)
      : problem_(problem),
        options_(options),
        control_(control),
        rows_(problem.weights.rows),
        columns_(problem.weights.columns),
        tokens_(problem.activations.rows) {}

  WeightRoundingResult run() {
    const double begun = control_.seconds();
    prepare();
    result_.seconds.preparation = control_.seconds() - begun;
    start();
    const double searching = control_.seconds();
    search();
    result_.seconds.search = control_.seconds() - searching;
    return finish();
  }

 private:
  std::span<std::int32_t> codes_of(std::size_t i) { return std::span(result_.codes).subspan(i * columns_, columns_); }

  void prepare() {
    const auto n = static_cast<double>(columns_), k = static_cast<double>(tokens_), r = static_cast<double>(rows_);
    // Activations in float64 and, as moves, in float32; moment, transform and factor; base and codes.
    control_.require_memory(8 * k * n + 8 * k * n + 40 * n * n + 20 * r * n, "the activations, their moments and rows");
    activations_ = AlignedBuffer<double>(tokens_ * columns_);
    for (std::size_t j = 0; j < columns_; ++j) {
      for (std::size_t t = 0; t < tokens_; ++t) activations_[t + j * tokens_] = problem_.activations(t, j);
    }
    x_ = MatrixView<const double>::column_major(activations_.data(), tokens_, columns_);
    make_grids();
    damped_ = damped_moment(x_, options_.damping, control_.threads());
    const bool with_gram = options_.l2_weight > 0 || options_.l2_guard >= 0;
    moves_ = make_rounding_moves(x_, damped_, options_.moves, with_gram, control_);
    result_.pairs = moves_.pairs;
    report("starts", 0);
  }

  void make_grids() {
    base_.resize(rows_ * columns_);
    result_.codes.assign(rows_ * columns_, -1);
    result_.offsets.assign(rows_, 0.0);
    result_.steps.assign(rows_, 0.0);
    row_.resize(rows_);
    for (std::size_t i = 0; i < rows_; ++i) {
      const auto fixed =
          problem_.fixed.empty() ? std::span<const std::uint8_t>{} : problem_.fixed.subspan(i * columns_, columns_);
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (std::size_t j = 0; j < columns_; ++j) {
        if (!fixed.empty() && fixed[j] != 0) continue;
        low = std::min(low, problem_.weights(i, j));
        high = std::max(high, problem_.weights(i, j));
      }
      if (low > high) low = high = 0;  // nothing is free
      double offset = low, step = (high - low) / static_cast<double>(problem_.levels - 1);
      if (!problem_.steps.empty()) {
        offset = problem_.offsets[i];
        step = problem_.steps[i];
      }
      result_.offsets[i] = offset;
      result_.steps[i] = step;
      double* const base = base_.data() + i * columns_;
      // Equal weights: every one of them is level 0 of its grid.
      for (std::size_t j = 0; j < columns_; ++j) base[j] = step > 0 ? (offset - problem_.weights(i, j)) / step : 0.0;
      row_[i] = {std::span<const double>(base, columns_), fixed, step > 0 ? problem_.levels : 1};
    }
  }

  double value_of(double largest, double norm) const { return largest + options_.l2_weight * norm; }

  /// Codes that are better than what their row has take its place. `rows` lists their rows; candidates lie row after
  /// row. Errors are products in float64 of blocks that depend on counts only.
  void offer(std::span<const std::size_t> rows, std::span<const std::int32_t> candidates,
             std::vector<double>* errors = nullptr) {
    const std::size_t blocks = (rows.size() + evaluated_together - 1) / evaluated_together;
    std::vector<RowBest> found(rows.size());
    ThreadPool::shared().run_tasks(control_.threads(), blocks, [&](std::size_t block) {
      const std::size_t first = block * evaluated_together;
      const std::size_t count = std::min(evaluated_together, rows.size() - first);
      std::vector<double> distance(columns_ * count, 0.0), error(tokens_ * count);
      for (std::size_t c = 0; c < count; ++c) {
        const RoundingRow& row = row_[rows[first + c]];
        for (std::size_t j = 0; j < columns_; ++j) {
          if (!row.fixed.empty() && row.fixed[j] != 0) continue;
          distance[j + c * columns_] = row.base[j] + candidates[(first + c) * columns_ + j];
        }
      }
      linalg::gemm<double>(1.0, x_, MatrixView<const double>::column_major(distance.data(), columns_, count), 0.0,
                           MatrixView<double>::column_major(error.data(), tokens_, count));
      for (std::size_t c = 0; c < count; ++c) {
        double square = 0, largest = 0;
        for (std::size_t t = 0; t < tokens_; ++t) {
          const double e = error[t + c * tokens_];
          largest = std::max(largest, std::abs(e));
          square += e * e;
        }
        const double norm = std::sqrt(square);
        found[first + c] = {value_of(largest, norm), largest, norm};
      }
    });
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const std::size_t i = rows[k];
      if (errors != nullptr) (*errors)[i] = found[k].largest * result_.steps[i];
      if (!(found[k].value < best_[i].value) || (started_ && found[k].norm > norm_limit(i) * (1 + 1e-6))) continue;
      best_[i] = found[k];
      std::copy_n(candidates.begin() + static_cast<std::ptrdiff_t>(k * columns_), columns_, codes_of(i).begin());
    }
  }

  double norm_limit(std::size_t i) const {
    return options_.l2_guard >= 0 ? (1 + options_.l2_guard) * start_norms_[i] : std::numeric_limits<double>::infinity();
  }

  void start() {
    const double begun = control_.seconds();
    best_.resize(rows_);
    std::vector<std::size_t> all(rows_);
    for (std::size_t i = 0; i < rows_; ++i) all[i] = i;
    std::vector<std::int32_t> candidates(rows_ * columns_);
    const auto candidate = [&](std::size_t i) { return std::span(candidates).subspan(i * columns_, columns_); };
    result_.nearest_errors.resize(rows_);
    result_.gptq_errors.resize(rows_);
    for (std::size_t i = 0; i < rows_; ++i) nearest_codes(row_[i], candidate(i));
    offer(all, candidates, &result_.nearest_errors);
    result_.gptq_errors = result_.nearest_errors;
    // GPTQ is cheap beside one sweep, and its errors are part of the result: a time limit does not leave it out.
    const GptqStart gptq(damped_, columns_, control_.threads());
    const RunControl unlimited(control_.threads());
    (void)gptq.round(row_, control_.threads(), unlimited, candidates);
    offer(all, candidates, &result_.gptq_errors);
    if (!moves_.transform.empty() && !control_.should_stop()) {
      parallel_for(control_.threads(), rows_, 4, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
          const bool any_fixed = std::any_of(row_[i].fixed.begin(), row_[i].fixed.end(), [](auto f) { return f != 0; });
          if (any_fixed || row_[i].levels < 2) continue;
          nearest_plane_codes(moves_, damped_, row_[i], candidate(i));
        }
      });
      offer(all, candidates);
    }
    if (!problem_.initial.empty()) {
      for (std::size_t i = 0; i < rows_; ++i) {
        for (std::size_t j = 0; j < columns_; ++j) {
          const bool fixed = !row_[i].fixed.empty() && row_[i].fixed[j] != 0;
          candidate(i)[j] = fixed ? -1 : std::min(problem_.initial[i * columns_ + j], row_[i].levels - 1);
        }
      }
      offer(all, candidates);
    }
    if (options_.reweighted) {
      candidates = result_.codes;
      parallel_for(control_.threads(), rows_, 1, [&](std::size_t i, std::size_t) {
        if (row_[i].levels > 1) reweighted_codes(x_, options_.damping, row_[i], control_, candidate(i));
      });
      offer(all, candidates);
    }
    started_ = true;
    for (std::size_t i = 0; i < rows_; ++i) start_norms_.push_back(best_[i].norm);
    result_.seconds.starts = control_.seconds() - begun;
  }

  void search() {
    std::vector<std::size_t> active;
    for (std::size_t i = 0; i < rows_; ++i) {
      if (best_[i].largest > 0) active.push_back(i);
    }
    if (active.empty()) return;
    const std::size_t attempts =
        options_.attempts > 0 ? options_.attempts : std::max<std::size_t>(1, least_runs / active.size());
    const bool endless =
        options_.sweeps == 0 && control_.time_limit_seconds() < std::numeric_limits<double>::infinity();
    std::uint64_t sweeps = options_.sweeps > 0 ? options_.sweeps : endless ? first_sweeps : default_sweeps;
    const bool narrow =
        is_narrow(tokens_, columns_) && moves_.gram.empty() && options_.moves != RoundingMoveKinds::unit;
    const double begun = control_.seconds(), limit = control_.time_limit_seconds();
    for (std::uint64_t round = 0; !control_.should_stop(); ++round) {
      if (!search_round(active, attempts, sweeps, round)) return;
      ++result_.rounds;
      if (endless && narrow && control_.seconds() - begun > annealed_part * (limit - begun)) break;
      if (!endless) break;
      sweeps = std::min<std::uint64_t>(2 * sweeps, 1u << 20);
    }
    if (narrow) search_narrow(active, attempts, endless ? 0 : sweeps);
  }

  /// The rest of the time, or steps in proportion to the sweeps, row by row.
  void search_narrow(std::span<const std::size_t> active, std::size_t attempts, std::uint64_t sweeps) {
    const std::uint64_t steps = sweeps * attempts * steps_for_a_sweep;
    for (std::size_t first = 0; first < active.size() && !control_.should_stop(); first += groups_between_reports) {
      const std::size_t count = std::min(groups_between_reports, active.size() - first);
      const std::span<const std::size_t> rows = active.subspan(first, count);
      std::vector<std::int32_t> candidates;
      for (const std::size_t i : rows) {
        candidates.insert(candidates.end(), codes_of(i).begin(), codes_of(i).end());
      }
      // An equal share of what is left for every row still to come.
      const double left = control_.time_limit_seconds() - control_.seconds();
      const double share = sweeps > 0 ? std::numeric_limits<double>::infinity()
                                      : left * static_cast<double>(count) / static_cast<double>(active.size() - first);
      const std::size_t waves = (count + control_.threads() - 1) / control_.threads();
      ThreadPool::shared().run_tasks(control_.threads(), count, [&](std::size_t k) {
        const RunControl own(control_, share / static_cast<double>(waves));
        search_narrow_row(x_, row_[rows[k]], steps, options_.seed, own,
                          std::span(candidates).subspan(k * columns_, columns_));
      });
      offer(rows, candidates);
      report("search", static_cast<double>(first + count) / static_cast<double>(active.size()));
    }
  }

  /// False when it was cut short. States are (row, attempt) pairs; groups of them share passes over the moves.
  bool search_round(std::span<const std::size_t> active, std::size_t attempts, std::uint64_t sweeps,
                    std::uint64_t round) {
    const std::size_t states = active.size() * attempts;
    const std::size_t group = std::clamp<std::size_t>(states / 16, 1, 8);
    const std::size_t groups = (states + group - 1) / group;
    for (std::size_t first = 0; first < groups && !control_.should_stop(); first += groups_between_reports) {
      const std::size_t count = std::min(groups_between_reports, groups - first);
      const std::size_t begin = first * group, end = std::min(states, (first + count) * group);
      std::vector<std::size_t> rows(end - begin);
      std::vector<std::int32_t> candidates(rows.size() * columns_);
      for (std::size_t s = 0; s < rows.size(); ++s) {
        rows[s] = active[(begin + s) / attempts];
        std::copy_n(codes_of(rows[s]).begin(), columns_,
                    candidates.begin() + static_cast<std::ptrdiff_t>(s * columns_));
      }
      std::vector<std::uint64_t> proposals(count, 0);
      ThreadPool::shared().run_tasks(control_.threads(), count, [&](std::size_t g) {
        const std::size_t from = g * group, to = std::min(rows.size(), from + group);
        RowAnnealing annealing(x_, moves_);
        for (std::size_t s = from; s < to && !control_.should_stop(); ++s) {
          const std::size_t i = rows[s], attempt = (begin + s) % attempts;
          // Hotter and cooler runs by turns: which one is best depends on the layer.
          constexpr double heats[] = {1.0, 2.5, 0.5};
          const double heat = heats[(round + attempt) % 3] * temperature / static_cast<double>(columns_);
          const RowSchedule schedule{sweeps, heat, heat / 20};
          const auto stream = static_cast<std::uint32_t>(i * attempts + attempt);
          annealing.run(row_[i], {options_.l2_weight, norm_limit(i)}, schedule,
                        PhiloxStream(options_.seed, stream, static_cast<std::uint32_t>(2 + round)), control_,
                        std::span(candidates).subspan(s * columns_, columns_));
        }
        proposals[g] = annealing.proposals();
        if (moves_.gram.empty()) {
          descend(std::span(rows).subspan(from, to - from),
                  std::span(candidates).subspan(from * columns_, (to - from) * columns_));
        }
      });
      for (const std::uint64_t number : proposals) result_.proposals += number;
      offer(rows, candidates);
      report("search", static_cast<double>(first + count) / static_cast<double>(groups));
    }
    return !control_.should_stop();
  }

  /// Single moves, the best one of each state at a time, while they lower its largest error: kernel K3.
  void descend(std::span<const std::size_t> rows, std::span<std::int32_t> candidates) const {
    const std::size_t states = rows.size();
    AlignedBuffer<float> residuals(tokens_ * states), values(2 * moves_.pairs * states);
    std::vector<double> exact(tokens_);
    std::vector<float> largest(states);
    const auto load = [&](std::size_t s) {
      rounding_residual(x_, row_[rows[s]], candidates.subspan(s * columns_, columns_), exact);
      largest[s] = 0;
      for (std::size_t t = 0; t < tokens_; ++t) {
        residuals[t + s * tokens_] = static_cast<float>(exact[t]);
        largest[s] = std::max(largest[s], std::abs(residuals[t + s * tokens_]));
      }
    };
    for (std::size_t s = 0; s < states; ++s) load(s);
    const BatchedFlip<float> arguments{
        moves_.effects.data(), residuals.data(), values.data(), tokens_, moves_.pairs, states};
    for (bool improved = true; improved && !control_.should_stop();) {
      improved = false;
      batched_flip_float32(&arguments);
      for (std::size_t s = 0; s < states; ++s) {
        const RoundingRow& row = row_[rows[s]];
        const std::span<std::int32_t> codes = candidates.subspan(s * columns_, columns_);
        std::size_t chosen = 2 * moves_.pairs;
        float least = largest[s] * (1 - 1e-6f);
        for (std::size_t move = 0; move < 2 * moves_.pairs; ++move) {
          const float after = values[move + 2 * moves_.pairs * s];
          if (after < least && move_fits(moves_, row, codes, move / 2, move % 2 == 0 ? 1 : -1)) {
            least = after;
            chosen = move;
          }
        }
        if (chosen == 2 * moves_.pairs) continue;
        for (std::size_t k = moves_.starts[chosen / 2]; k < moves_.starts[chosen / 2 + 1]; ++k) {
          codes[static_cast<std::size_t>(moves_.variables[k])] += (chosen % 2 == 0 ? 1 : -1) * moves_.amounts[k];
        }
        load(s);
        improved = true;
      }
    }
  }

  void report(const char* phase, double fraction) {
    if (!control_.wants_progress()) return;
    Progress progress;
    progress.phase = phase;
    progress.fraction = fraction;
    progress.iterations = result_.rounds;
    double sum = 0;
    for (std::size_t i = 0; i < best_.size(); ++i) sum += best_[i].value * result_.steps[i];
    progress.objective = best_.empty() ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(rows_);
    progress.best = std::as_bytes(std::span<const std::int32_t>(result_.codes));
    control_.report(progress);
  }

  WeightRoundingResult finish() {
    for (std::size_t i = 0; i < rows_; ++i) {
      result_.errors.push_back(best_[i].largest * result_.steps[i]);
      result_.norms.push_back(best_[i].norm * result_.steps[i]);
    }
    using Status = WeightRoundingResult::Status;
    result_.status = control_.cancelled()     ? Status::cancelled
                     : control_.should_stop() ? Status::time_limit
                                              : Status::done;
    return std::move(result_);
  }

  const WeightRounding& problem_;
  const WeightRoundingOptions& options_;
  RunControl& control_;
  std::size_t rows_, columns_, tokens_;
  AlignedBuffer<double> activations_;
  MatrixView<const double> x_;
  std::vector<double> base_, damped_, start_norms_;
  std::vector<RoundingRow> row_;
  std::vector<RowBest> best_;
  RoundingMoves moves_;
  WeightRoundingResult result_;
  bool started_ = false;
};

}  // namespace

WeightRoundingResult round_weights(const WeightRounding& problem, const WeightRoundingOptions& options,
                                   RunControl& control) {
  check_rounding(problem, options);
  return LayerRounding(problem, options, control).run();
}

}  // namespace dd::dmmv
