// The portfolio: a fixed number of chains that depends on sizes only, run in rounds of a fixed number of steps, with an
// elite pool that is updated between rounds in the order of the chains. Threads only share out the chains of a round.
#include "dmmv/solve.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/elite_pool.hpp"
#include "dmmv/enumeration.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/norm_annealing.hpp"
#include "dmmv/presolve.hpp"
#include "dmmv/sparse_rows.hpp"
#include "dmmv/sparse_solve.hpp"
#include "dmmv/starts.hpp"
#include "dmmv/swap_descent.hpp"
#include "dmmv/target_search.hpp"

namespace dd::dmmv {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t samples_drawn = 1024;
constexpr std::size_t samples_evaluated = 128;

void check_options(const Problem& problem, const SolveOptions& options) {
  const auto fail = [](ErrorCode code, const std::string& argument, const std::string& what) {
    throw Error(code, argument, "`" + argument + "` " + what);
  };
  if (!options.initial.empty() || problem.variables() == 0) problem.check_indices(options.initial, "initial");
  if (!options.continuous.empty()) {
    if (options.continuous.size() != problem.variables()) {
      fail(ErrorCode::shape_mismatch, "continuous",
           "must have length " + std::to_string(problem.variables()) + " (one entry per variable), got " +
               std::to_string(options.continuous.size()));
    }
    for (std::size_t j = 0; j < options.continuous.size(); ++j) {
      if (!std::isfinite(options.continuous[j])) {
        fail(ErrorCode::not_finite, "continuous[" + std::to_string(j) + "]", "must be finite");
      }
    }
  }
  if (!(options.eta >= 0 && options.eta < 1)) {
    fail(ErrorCode::invalid_argument_value, "eta",
         "must be 0 (automatic) to below 1, got " + std::to_string(options.eta));
  }
  if (!(options.decay > 0 && options.decay <= 1)) {
    fail(ErrorCode::invalid_argument_value, "decay",
         "must be above 0 and at most 1, got " + std::to_string(options.decay));
  }
  if (std::isnan(options.target)) fail(ErrorCode::not_finite, "target", "must not be NaN");
  if (problem.soft_rows() != nullptr && !std::isfinite(options.target)) {
    fail(ErrorCode::invalid_argument_value, "target", "must be given (finite) when the problem has soft rows");
  }
  if (!problem.levels().equally_spaced()) {
    if (has(options.moves, Moves::lattice) || has(options.moves, Moves::pair)) {
      fail(ErrorCode::invalid_argument_value, "moves", "must be unit (or automatic): levels are not equally spaced");
    }
    if (options.engine == Engine::norm_annealing) {
      fail(ErrorCode::invalid_argument_value, "engine",
           "must be target search (or automatic): levels are not equally spaced");
    }
  }
  if (std::isnan(options.l2_guard)) fail(ErrorCode::not_finite, "l2Guard", "must not be NaN");
  if (options.l2_guard >= 0) {
    const bool anneals = options.engine == Engine::norm_annealing || options.engine == Engine::both;
    if (anneals)
      fail(ErrorCode::invalid_argument_value, "engine", "must be target search (or automatic) with `l2Guard`");
    if (has(options.moves, Moves::swap)) {
      fail(ErrorCode::invalid_argument_value, "moves", "must be without swaps with `l2Guard`");
    }
    if (problem.soft_rows() != nullptr) {
      fail(ErrorCode::invalid_argument_value, "l2Guard", "must not be given where there are soft rows");
    }
  }
  if (problem.soft_rows() != nullptr && has(options.moves, Moves::swap)) {
    fail(ErrorCode::invalid_argument_value, "moves", "must be without swaps where there are soft rows");
  }
  if (problem.soft_rows() != nullptr && options.engine == Engine::norm_annealing) {
    fail(ErrorCode::invalid_argument_value, "engine", "must be target search (or automatic) with soft rows");
  }
}

struct Chain {
  std::unique_ptr<TargetSearch> search;
  std::unique_ptr<NormAnnealing> annealing;
  std::unique_ptr<SwapDescent> descent;  ///< from where walks end; null unless swaps are asked for
  std::vector<SearchBest> ended;         ///< where the walks that ended in this round were best

  const SearchBest& best() const { return search ? search->best() : annealing->best(); }
  std::uint64_t steps() const { return search ? search->steps() : annealing->sweeps(); }
};

class Portfolio {
 public:
  Portfolio(const Problem& problem, const SolveOptions& options, RunControl& control)
      : problem_(problem),
        options_(options),
        control_(control),
        rows_(search_rows(problem)),
        pool_(rows_, options.target) {}

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
    moves_ = make_moves(problem_, rows_, lattice, kinds_);
    result_.seconds.reduction = control_.seconds() - begun;

    begun = control_.seconds();
    report("starts");
    if (!point.empty() && !control_.should_stop()) {
      for (std::vector<std::int32_t>& start : make_starts(problem_, rows_, lattice, point, control_)) {
        offer(std::move(start));
      }
      prepare_sampling(lattice, point);
    }
    result_.seconds.starts = control_.seconds() - begun;
    return true;
  }

  /// Nearest planes in the D-optimal metric, with a basis reduced for it.
  void prepare_sampling(const SearchLattice& lattice, std::span<const double> point) {
    if (!lattice.available) return;
    const std::vector<double> factors = design_factors(problem_, rows_, lattice);
    if (factors.empty()) return;
    const SearchLattice reduced = search_lattice(problem_, rows_, factors, control_);
    if (!reduced.available) return;
    plane_ = std::make_unique<NearestPlane>(problem_, rows_, reduced, factors, point);
    if (!plane_->usable()) plane_.reset();
    if (plane_) offer(plane_->nearest());
  }

  /// A good assignment near the continuous point: many sampled, the nearest in the metric evaluated, the best returned.
  std::vector<std::int32_t> sample_start(PhiloxStream& random) const {
    // Little noise finds the same points again and again, much noise far ones; so it varies.
    const double spread = 0.1 * std::pow(10.0, random.next_uniform());
    std::vector<std::pair<double, std::vector<std::int64_t>>> samples(samples_drawn);
    for (auto& [square, coordinates] : samples) {
      if (control_.should_stop()) return {};
      coordinates = plane_->sample(random, spread, square);
    }
    std::partial_sort(samples.begin(), samples.begin() + samples_evaluated, samples.end(),
                      [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::int32_t> best;
    double least = infinity;
    for (std::size_t k = 0; k < samples_evaluated && !control_.should_stop(); ++k) {
      std::vector<std::int32_t> start = plane_->levels(samples[k].second);
      const double value = objective(problem_, start);
      if (value < least) {
        least = value;
        best = std::move(start);
      }
    }
    return best;
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
                                     [&](std::size_t k) { advance(chains_[k], budget[k], level); });
      iterations_ = 0;
      for (const Chain& chain : chains_) iterations_ += chain.steps();
      for (Chain& chain : chains_) {
        for (const SearchBest& walk : chain.ended) consider(walk);
        chain.ended.clear();
        if (!chain.best().indices.empty()) consider(chain.best());
      }
      for (Chain& chain : chains_) {
        if (chain.search) chain.search->tell(incumbent_.objective);
      }
      round_steps = std::min(2 * round_steps, longest_round);
      report("search");
    }
    result_.iterations = iterations_;
    for (const Chain& chain : chains_) {
      result_.evaluations += chain.steps() * (chain.search ? 2 * moves_.pairs : moves_.pairs);
    }
    result_.seconds.search = control_.seconds() - begun;
  }

  void make_chains(std::size_t chains) {
    const bool may_anneal = !moves_.follows_levels && rows_.soft_multipliers.empty() && !guarded();
    TargetSearchParameters target;
    target.eta = options_.eta > 0 ? options_.eta : problem_.variables() >= 128 ? 0.05 : 1e-4;
    target.decay = options_.decay;
    target.tabu = options_.tabu;
    target.feasible = options_.target;
    target.square_limit = square_limit_;
    NormAnnealingParameters annealing;
    if (!two_levels_) {
      annealing.doublings = 6;
      annealing.first_temperature = 0.002;
      annealing.last_temperature = 5e-5;
    }
    // Where starts can be sampled, many short walks find more than few long ones.
    const std::uint64_t variables = problem_.variables();
    restart_after_ =
        plane_ ? std::max<std::uint64_t>(300, 8 * variables) : std::max<std::uint64_t>(300, 50 * variables);
    for (std::size_t k = 0; k < chains; ++k) {
      const bool shared = options_.engine == Engine::both || (options_.engine == Engine::automatic && two_levels_);
      const bool anneal = options_.engine == Engine::norm_annealing || (shared && may_anneal && k % 2 == 0);
      const auto stream = static_cast<std::uint32_t>(k);
      Chain chain;
      const SearchBest& elite = pool_[k % pool_.size()];
      if (anneal) {
        chain.annealing = std::make_unique<NormAnnealing>(problem_, rows_, moves_, annealing, options_.seed, stream);
        chain.annealing->start(elite.indices);
      } else {
        chain.search = std::make_unique<TargetSearch>(problem_, rows_, moves_, target, options_.seed, stream);
        std::vector<std::int32_t> start = elite.indices;
        if (k >= pool_.size()) perturb(start, chain.search->random(), 4);
        chain.search->start(start);
        chain.search->tell(incumbent_.objective);
        if (has(kinds_, Moves::swap)) chain.descent = std::make_unique<SwapDescent>(problem_, rows_);
      }
      chains_.push_back(std::move(chain));
    }
  }

  /// A chain's share of a round: walks that have found nothing for long give way to new ones, beside a sampled point or
  /// an elite. The pool does not change during a round.
  void advance(Chain& chain, std::uint64_t budget, double level) const {
    const auto stop = [&] { return control_.should_stop(); };
    if (chain.annealing) {
      if (!stop()) chain.annealing->run(budget, level, stop);
      return;
    }
    TargetSearch& search = *chain.search;
    const std::uint64_t end = search.steps() + budget;
    while (search.steps() < end && !stop() && !(search.best().objective <= level)) {
      const std::uint64_t left = restart_after_ - std::min(restart_after_, search.since_improvement());
      search.run(std::min(end - search.steps(), std::max<std::uint64_t>(left, 1)), level, stop);
      if (search.since_improvement() < restart_after_) continue;
      SearchBest walk = search.walk_best();
      if (chain.descent && chain.descent->run(walk.indices, stop)) {
        walk.objective = objective(problem_, walk.indices);
        const bool record = walk.objective < search.best().objective;
        if (record) search.start(walk.indices);
        chain.ended.push_back(std::move(walk));
        if (record) continue;
      } else {
        chain.ended.push_back(std::move(walk));
      }
      PhiloxStream& random = search.random();
      std::vector<std::int32_t> start;
      if (plane_ && random.next_below(8) != 0) start = sample_start(random);
      if (start.empty() && !plane_ && problem_.variables() <= 32 && random.next_below(4) == 0) {
        for (std::size_t j = 0; j < problem_.variables(); ++j) {
          start.push_back(
              static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(problem_.levels().count(j)))));
        }
      }
      if (start.empty()) {
        start = pool_[random.next_below(static_cast<std::uint32_t>(pool_.size()))].indices;
        perturb(start, random, 4 + random.next_below(4));
      }
      search.start(start);
    }
  }

  /// `count` random moves of the dictionary, those that fit.
  void perturb(std::vector<std::int32_t>& indices, PhiloxStream& random, std::uint32_t count) const {
    const LevelSets& levels = problem_.levels();
    for (std::uint32_t done = 0; done < count && moves_.pairs > 0; ++done) {
      const std::size_t p = random.next_below(static_cast<std::uint32_t>(moves_.pairs));
      int sign = random.next_below(2) == 0 ? 1 : -1;
      for (int attempt = 0; attempt < 2; ++attempt, sign = -sign) {
        bool fits = true;
        for (std::size_t k = moves_.starts[p]; k < moves_.starts[p + 1]; ++k) {
          const auto j = static_cast<std::size_t>(moves_.variables[k]);
          const std::int32_t index = indices[j] + sign * moves_.amounts[k];
          fits = fits && index >= 0 && index < levels.count(j);
        }
        if (!fits) continue;
        for (std::size_t k = moves_.starts[p]; k < moves_.starts[p + 1]; ++k) {
          indices[static_cast<std::size_t>(moves_.variables[k])] += sign * moves_.amounts[k];
        }
        break;
      }
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
  std::vector<Chain> chains_;
  std::unique_ptr<NearestPlane> plane_;
  std::vector<std::size_t> free_;
  Moves kinds_ = Moves::unit;
  std::uint64_t iterations_ = 0, best_at_ = 0, restart_after_ = 0;
  double trivial_bound_ = -infinity, square_limit_ = infinity;
  bool two_levels_ = true, exact_ = false;
};

}  // namespace

const char* solve_status_name(SolveStatus status) noexcept {
  switch (status) {
    case SolveStatus::optimal:
      return "optimal";
    case SolveStatus::target:
      return "target";
    case SolveStatus::stagnation:
      return "stagnation";
    case SolveStatus::iteration_limit:
      return "iterations";
    case SolveStatus::time_limit:
      return "time";
    case SolveStatus::cancelled:
      return "cancelled";
  }
  return "";
}

SolveResult solve(const Problem& problem, const SolveOptions& options, RunControl& control) {
  check_options(problem, options);
  // The guard adds up all rows, those included that can never decide.
  if (options.l2_guard >= 0) return Portfolio(problem, options, control).run();
  const Presolved presolved = presolve(problem, options.target);
  const bool single_changes = options.engine != Engine::norm_annealing && !has(options.moves, Moves::pair) &&
                              !has(options.moves, Moves::lattice) && !has(options.moves, Moves::swap);
  SolveResult result = single_changes && is_worth_sparse(presolved.problem())
                           ? solve_sparse(presolved.problem(), options, control)
                           : Portfolio(presolved.problem(), options, control).run();
  if (&presolved.problem() == &problem) return result;
  result.multipliers = presolved.original_multipliers(result.multipliers);
  result.objective = evaluate(problem, result.indices).objective;
  if (result.status == SolveStatus::optimal &&
      result.objective > result.lower_bound + 1e-9 * std::abs(result.lower_bound)) {
    // Rows that cannot exceed the target were left out, and decide below it.
    result.status = SolveStatus::target;
  }
  result.lower_bound = std::min(result.lower_bound, result.objective);
  result.gap = result.objective - result.lower_bound;
  return result;
}

}  // namespace dd::dmmv
