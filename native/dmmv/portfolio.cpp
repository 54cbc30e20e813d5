// A fixed number of chains that depends on sizes only, run in rounds of a fixed number of steps, with an elite pool
// that is updated between rounds in the order of the chains. Threads only share out the chains of a round.
#include "dmmv/portfolio.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/infinity.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/chain.hpp"
#include "dmmv/elite_pool.hpp"
#include "dmmv/enumeration.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/sampled_starts.hpp"
#include "dmmv/starts.hpp"

namespace dd::dmmv {
namespace {

class Portfolio {
 public:
  Portfolio(const Problem& problem, const SolveOptions& options, RunControl& control)
      : problem_(problem),
        options_(options),
        control_(control),
        rows_(search_rows(problem)),
        pool_(rows_, options.target),
        samples_(problem),
        setting_{problem, rows_, moves_, pool_, samples_, control} {}

  SolveResult run() {
    const bool free = prepare();
    if (free && !finished()) enumerate();
    if (free && !finished()) search();
    return finish();
  }

 private:
  bool prepare() {
    const LevelSets& levels = problem_.levels();
    free_ = free_variables(problem_);
    std::size_t many = 0;
    for (std::size_t j = 0; j < problem_.variables(); ++j) {
      if (levels.count(j) != 2) two_levels_ = false;
    }
    for (const std::size_t j : free_) many += levels.count(j) > 4 ? 1 : 0;
    if (!options_.initial.empty()) {
      offer({options_.initial.begin(), options_.initial.end()});
    }
    if (free_.empty()) {
      offer(middle_levels(problem_));
      result_.lower_bound = incumbent_.objective;
      exact_ = true;
      return false;
    }
    double begun = control_.seconds();
    const bool cheap = problem_.rows() * problem_.variables() <= 400'000 && problem_.variables() <= 256;
    const bool wanted = options_.bound == BoundRequest::yes || (options_.bound == BoundRequest::automatic && cheap);
    if (wanted || (cheap && options_.continuous.empty())) {
      LinearRelaxation relaxation =
          wanted ? lower_bound(problem_, {}, control_) : linear_relaxation(problem_, {}, control_);
      result_.continuous = std::move(relaxation.point);
      result_.continuous_objective = relaxation.objective;
      if (wanted && relaxation.useful) {
        result_.lower_bound = relaxation.bound;
        if (relaxation.source == BoundSource::relaxation) result_.multipliers = std::move(relaxation.multipliers);
      } else if (wanted && problem_.soft_rows() == nullptr) {
        trivial_bound_ = relaxation.bound;
      }
    }
    result_.seconds.relaxation = control_.seconds() - begun;
    const std::span<const double> point =
        options_.continuous.empty() ? std::span<const double>(result_.continuous) : options_.continuous;
    offer(point.empty() ? middle_levels(problem_) : nearest_levels(problem_, point));
    report("lattice reduction");

    begun = control_.seconds();
    kinds_ = options_.moves;
    if (kinds_ == Moves::automatic) {
      kinds_ = Moves::unit;
      const std::size_t free = free_.size();
      if (levels.equally_spaced() && free >= 2 && free <= 256 && 2 * many >= free) kinds_ = kinds_ | Moves::lattice;
      // Exchanges are what balances sums of two-level variables; their number is affordable only while n is small.
      if (levels.equally_spaced() && free >= 2 && free <= 32 && !has(kinds_, Moves::lattice))
        kinds_ = kinds_ | Moves::pair;
    }
    SearchLattice lattice;
    if (has(kinds_, Moves::lattice)) lattice = search_lattice(problem_, rows_, {}, control_);
    moves_ = make_moves(problem_, rows_, lattice, kinds_, control_);
    result_.seconds.reduction = control_.seconds() - begun;

    begun = control_.seconds();
    report("starts");
    if (!point.empty() && !control_.should_stop()) {
      for (std::vector<std::int32_t>& start : make_starts(problem_, rows_, lattice, point, control_)) {
        offer(std::move(start));
      }
      samples_.prepare(rows_, lattice, point, control_);
      if (samples_.available()) offer(samples_.nearest());
    }
    result_.seconds.starts = control_.seconds() - begun;
    return true;
  }

  bool guarded() const { return options_.l2_guard >= 0; }

  /// Whether the guard lets an assignment pass; the first one that is asked about sets it.
  bool is_allowed(const std::vector<std::int32_t>& indices) {
    if (!guarded()) return true;
    std::vector<double> residual(rows_.stride);
    search_residual(problem_, rows_, indices, residual);
    const double sum = squares(rows_, residual);
    if (square_limit_ == infinity) square_limit_ = (1 + options_.l2_guard) * (1 + options_.l2_guard) * sum;
    return sum <= square_limit_;
  }

  void offer(std::vector<std::int32_t> indices) {
    const Evaluation evaluation = evaluate(problem_, indices);
    consider({std::move(indices), evaluation.objective, evaluation.soft_penalty});
  }

  void consider(const SearchBest& candidate) {
    if (!is_allowed(candidate.indices)) return;
    pool_.add(candidate);
    if (!is_better(rows_, options_.target, candidate.objective, candidate.soft, incumbent_)) return;
    incumbent_ = candidate;
    best_at_ = iterations_;
    result_.trace.push_back({incumbent_.objective, iterations_, control_.seconds()});
  }

  /// The objective at which nothing is left to do.
  double stop_level() const {
    if (!rows_.soft_multipliers.empty()) return -infinity;
    const double bound = std::max(result_.lower_bound, trivial_bound_);
    const double proven = bound == -infinity ? -infinity : bound + 1e-12 * std::abs(bound);
    return std::max(options_.target, proven);
  }
  bool finished() const { return exact_ || incumbent_.objective <= stop_level(); }

  void enumerate() {
    if (options_.engine != Engine::automatic || !rows_.soft_multipliers.empty() || guarded()) return;
    if (!is_worth_enumeration(problem_, rows_, free_)) return;
    const double begun = control_.seconds();
    exact_ = enumerate_assignments(problem_, rows_, free_, incumbent_.indices, control_,
                                   [&](double violation, const std::vector<std::int32_t>& indices) {
                                     ++result_.evaluations;
                                     if (is_better(rows_, options_.target, violation, 0, incumbent_)) offer(indices);
                                   });
    if (exact_) {
      result_.multipliers.clear();
      result_.lower_bound = incumbent_.objective;
    }
    result_.seconds.search = control_.seconds() - begun;
  }

  void search() {
    const double begun = control_.seconds();
    const std::size_t entries = std::max<std::size_t>(1, moves_.pairs * rows_.stride);
    const std::size_t chains = std::clamp<std::size_t>(400'000 / entries, 2, 8);
    const std::uint64_t longest_round = std::clamp<std::uint64_t>(100'000'000 / entries, 1, 4096);
    std::uint64_t round_steps = std::min<std::uint64_t>(32, longest_round);  // small problems end in the first round
    const bool endless = options_.iteration_limit == 0 && control_.time_limit_seconds() == infinity;
    const std::uint64_t patience =
        std::min<std::uint64_t>(std::max<std::uint64_t>(200'000, 5'000 * problem_.variables()),
                                std::max<std::uint64_t>(2'000, 200'000'000'000 / entries));
    make_chains(chains);
    while (!finished() && !control_.should_stop()) {
      if (options_.iteration_limit > 0 && iterations_ >= options_.iteration_limit) break;
      if (endless && iterations_ - best_at_ >= std::max(patience, best_at_)) break;
      // Which chains run, and how far, depends on counts only.
      std::vector<std::uint64_t> budget(chains, round_steps);
      if (options_.iteration_limit > 0) {
        const std::uint64_t left = options_.iteration_limit - iterations_;
        for (std::size_t k = 0; k < chains; ++k) {
          budget[k] = std::min(round_steps, left / chains + (k < left % chains ? 1 : 0));
        }
      }
      const double level = stop_level();
      ThreadPool::shared().run_tasks(control_.threads(), chains,
                                     [&](std::size_t k) { chains_[k].run(budget[k], level); });
      iterations_ = 0;
      for (const Chain& chain : chains_) iterations_ += chain.steps();
      for (Chain& chain : chains_) {
        for (const SearchBest& walk : chain.take_ended()) consider(walk);
        if (!chain.best().indices.empty()) consider(chain.best());
      }
      for (Chain& chain : chains_) chain.tell(incumbent_.objective);
      round_steps = std::min(2 * round_steps, longest_round);
      report("search");
    }
    result_.iterations = iterations_;
    for (const Chain& chain : chains_) {
      result_.evaluations += chain.steps() * (chain.anneals() ? moves_.pairs : 2 * moves_.pairs);
    }
    result_.seconds.search = control_.seconds() - begun;
  }

  void make_chains(std::size_t chains) {
    const bool may_anneal = !moves_.follows_levels && rows_.soft_multipliers.empty() && !guarded();
    TargetSearchParameters& target = setting_.target;
    target.eta = options_.eta > 0 ? options_.eta : problem_.variables() >= 128 ? 0.05 : 1e-4;
    target.decay = options_.decay;
    target.tabu = options_.tabu;
    target.feasible = options_.target;
    target.square_limit = square_limit_;
    if (!two_levels_) {
      setting_.annealing.doublings = 6;
      setting_.annealing.first_temperature = 0.002;
      setting_.annealing.last_temperature = 5e-5;
    }
    setting_.seed = options_.seed;
    setting_.swaps = has(kinds_, Moves::swap);
    // Where starts can be sampled, many short walks find more than few long ones.
    const std::uint64_t variables = problem_.variables();
    setting_.restart_after = std::max<std::uint64_t>(300, (samples_.available() ? 8 : 50) * variables);
    for (std::size_t k = 0; k < chains; ++k) {
      const bool shared = options_.engine == Engine::both || (options_.engine == Engine::automatic && two_levels_);
      const bool anneals = options_.engine == Engine::norm_annealing || (shared && may_anneal && k % 2 == 0);
      chains_.emplace_back(setting_, anneals, static_cast<std::uint32_t>(k));
      chains_.back().tell(incumbent_.objective);
    }
  }

  void report(const char* phase) {
    if (!control_.wants_progress()) return;
    Progress progress;
    progress.phase = phase;
    progress.iterations = iterations_;
    if (options_.iteration_limit > 0) {
      progress.fraction = static_cast<double>(iterations_) / static_cast<double>(options_.iteration_limit);
    } else if (control_.time_limit_seconds() < infinity) {
      progress.fraction = std::min(1.0, control_.seconds() / control_.time_limit_seconds());
    }
    progress.objective = incumbent_.objective;
    progress.lower_bound = result_.lower_bound;
    progress.best = std::as_bytes(std::span<const std::int32_t>(incumbent_.indices));
    control_.report(progress);
  }

  SolveResult finish() {
    result_.indices = incumbent_.indices;
    if (!options_.initial.empty()) {
      // What no row notices stays as it was.
      std::vector<std::int32_t> indices(options_.initial.begin(), options_.initial.end());
      for (const std::size_t j : free_) indices[j] = incumbent_.indices[j];
      result_.indices = std::move(indices);
    }
    const Evaluation evaluation = evaluate(problem_, result_.indices);
    result_.objective = evaluation.objective;
    result_.soft_penalty = evaluation.soft_penalty;
    const double bound = std::max(result_.lower_bound, trivial_bound_);
    const bool proven =
        rows_.soft_multipliers.empty() && bound > -infinity && result_.objective <= bound + 1e-12 * std::abs(bound);
    if (exact_ || proven) {
      result_.status = SolveStatus::optimal;
      result_.lower_bound = std::min(result_.objective, bound > -infinity ? bound : result_.objective);
    } else if (control_.cancelled()) {
      result_.status = SolveStatus::cancelled;
    } else if (rows_.soft_multipliers.empty() && result_.objective <= options_.target) {
      result_.status = SolveStatus::target;
    } else if (control_.should_stop()) {
      result_.status = SolveStatus::time_limit;
    } else {
      result_.status = options_.iteration_limit > 0 ? SolveStatus::iteration_limit : SolveStatus::stagnation;
    }
    result_.gap = result_.objective - result_.lower_bound;
    return std::move(result_);
  }

  const Problem& problem_;
  const SolveOptions& options_;
  RunControl& control_;
  SearchRows rows_;
  MoveDictionary moves_;
  ElitePool pool_;
  SearchBest incumbent_;
  SolveResult result_;
  SampledStarts samples_;
  ChainSetting setting_;
  std::vector<Chain> chains_;
  std::vector<std::size_t> free_;
  Moves kinds_ = Moves::unit;
  std::uint64_t iterations_ = 0, best_at_ = 0;
  double trivial_bound_ = -infinity, square_limit_ = infinity;
  bool two_levels_ = true, exact_ = false;
};

}  // namespace

SolveResult solve_dense(const Problem& problem, const SolveOptions& options, RunControl& control) {
  return Portfolio(problem, options, control).run();
}

}  // namespace dd::dmmv
