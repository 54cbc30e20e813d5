// A few chains in rounds of fixed numbers of steps; walks that have found nothing for long start again beside the best.
#include "dmmv/sparse_solve.hpp"

#include <algorithm>
#include <memory>

#include "core/infinity.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/sparse_search.hpp"
#include "dmmv/starts.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t chain_count = 4;
constexpr std::uint64_t longest_round = 1u << 16;

class SparsePortfolio {
 public:
  SparsePortfolio(const Problem& problem, const SolveOptions& options, RunControl& control)
      : problem_(problem),
        options_(options),
        control_(control),
        rows_(search_rows(problem)),
        sparse_(sparse_rows(problem, rows_, control)) {}

  SolveResult run() {
    const double begun = control_.seconds();
    if (!options_.initial.empty()) offer({options_.initial.begin(), options_.initial.end()});
    if (options_.bound == BoundRequest::yes) prove();
    offer(options_.continuous.empty() ? middle_levels(problem_) : nearest_levels(problem_, options_.continuous));
    result_.seconds.starts = control_.seconds() - begun;
    const double searching = control_.seconds();
    if (!done()) search();
    result_.seconds.search = control_.seconds() - searching;
    return finish();
  }

 private:
  void prove() {
    const RunControl part(control_, 0.25 * (control_.time_limit_seconds() - control_.seconds()));
    LinearRelaxation relaxation = lower_bound(problem_, {}, part);
    if (relaxation.useful) {
      result_.lower_bound = relaxation.bound;
      if (relaxation.source == BoundSource::relaxation) result_.multipliers = std::move(relaxation.multipliers);
    }
    result_.continuous = std::move(relaxation.point);
    result_.continuous_objective = relaxation.objective;
    offer(nearest_levels(problem_, result_.continuous));
    result_.seconds.relaxation = control_.seconds();
  }

  bool soft() const { return !rows_.soft_multipliers.empty(); }
  bool done() const {
    if (soft()) return incumbent_.objective <= options_.target && incumbent_.soft == 0;
    return incumbent_.objective <= options_.target;
  }

  void offer(std::vector<std::int32_t> indices) {
    const Evaluation evaluation = evaluate(problem_, indices);
    const SearchBest candidate{std::move(indices), evaluation.objective, evaluation.soft_penalty};
    if (!is_better(rows_, options_.target, candidate.objective, candidate.soft, incumbent_)) return;
    incumbent_ = candidate;
    best_at_ = iterations_;
    result_.trace.push_back({incumbent_.objective, iterations_, control_.seconds()});
  }

  void search() {
    SparseSearchParameters parameters;
    if (options_.eta > 0) parameters.eta = options_.eta;
    parameters.decay = options_.decay;
    parameters.tabu = options_.tabu;
    parameters.feasible = options_.target;
    parameters.cycle = std::max<std::uint64_t>(1000, 20 * problem_.variables());
    for (std::size_t k = 0; k < chain_count; ++k) {
      chains_.push_back(std::make_unique<SparseSearch>(problem_, rows_, sparse_, parameters, options_.seed,
                                                       static_cast<std::uint32_t>(k)));
      chains_.back()->start(incumbent_.indices);
    }
    const bool endless = options_.iteration_limit == 0 && control_.time_limit_seconds() == infinity;
    const std::uint64_t patience = std::max<std::uint64_t>(200'000, 100 * problem_.variables());
    std::uint64_t round = 1024;
    while (!done() && !control_.should_stop()) {
      if (options_.iteration_limit > 0 && iterations_ >= options_.iteration_limit) break;
      if (endless && iterations_ - best_at_ >= std::max(patience, best_at_)) break;
      if (stuck_) break;
      std::vector<std::uint64_t> budget(chain_count, round);
      if (options_.iteration_limit > 0) {
        const std::uint64_t left = options_.iteration_limit - iterations_;
        for (std::size_t k = 0; k < chain_count; ++k) {
          budget[k] = std::min(round, left / chain_count + (k < left % chain_count ? 1 : 0));
        }
      }
      ThreadPool::shared().run_tasks(control_.threads(), chain_count, [&](std::size_t k) {
        chains_[k]->run(budget[k], options_.target, [&] { return control_.should_stop(); });
      });
      std::uint64_t steps = 0;
      for (const auto& chain : chains_) steps += chain->steps();
      stuck_ = steps == iterations_;  // no chain had a violated row left to work on
      iterations_ = steps;
      for (const auto& chain : chains_) {
        const SearchBest& best = chain->best();
        if (best.indices.empty() || !is_better(rows_, options_.target, best.objective, best.soft, incumbent_)) continue;
        offer(best.indices);
      }
      const std::uint64_t restart_after = 50 * problem_.variables() + 10'000;
      for (const auto& chain : chains_) {
        chain->tell(incumbent_.objective);
        if (chain->since_improvement() > restart_after) chain->start(beside_best(chain->random()));
      }
      round = std::min(2 * round, longest_round);
      report();
    }
    result_.iterations = iterations_;
    for (const auto& chain : chains_) result_.evaluations += chain->evaluations();
  }

  /// One level up or down for one in fifty variables.
  std::vector<std::int32_t> beside_best(PhiloxStream& random) const {
    std::vector<std::int32_t> indices = incumbent_.indices;
    const auto n = static_cast<std::uint32_t>(indices.size());
    for (std::uint32_t k = 0; k < n / 50 + 1; ++k) {
      const std::size_t j = random.next_below(n);
      const std::int32_t index = indices[j] + (random.next_below(2) == 0 ? 1 : -1);
      if (index >= 0 && index < problem_.levels().count(j)) indices[j] = index;
    }
    return indices;
  }

  void report() {
    if (!control_.wants_progress()) return;
    Progress progress;
    progress.phase = "search";
    progress.iterations = iterations_;
    if (options_.iteration_limit > 0) {
      progress.fraction = static_cast<double>(iterations_) / static_cast<double>(options_.iteration_limit);
    } else if (control_.time_limit_seconds() < infinity) {
      progress.fraction = std::min(1.0, control_.seconds() / control_.time_limit_seconds());
    }
    progress.objective = incumbent_.objective;
    progress.best = std::as_bytes(std::span<const std::int32_t>(incumbent_.indices));
    control_.report(progress);
  }

  SolveResult finish() {
    result_.indices = incumbent_.indices;
    const Evaluation evaluation = evaluate(problem_, result_.indices);
    result_.objective = evaluation.objective;
    result_.soft_penalty = evaluation.soft_penalty;
    result_.lower_bound = std::min(result_.lower_bound, result_.objective);
    result_.gap = result_.objective - result_.lower_bound;
    if (control_.cancelled()) {
      result_.status = SolveStatus::cancelled;
    } else if (done() || stuck_) {
      result_.status = SolveStatus::target;
    } else if (control_.should_stop()) {
      result_.status = SolveStatus::time_limit;
    } else {
      result_.status = options_.iteration_limit > 0 ? SolveStatus::iteration_limit : SolveStatus::stagnation;
    }
    return std::move(result_);
  }

  const Problem& problem_;
  const SolveOptions& options_;
  RunControl& control_;
  SearchRows rows_;
  SparseRows sparse_;
  SearchBest incumbent_;
  SolveResult result_;
  std::vector<std::unique_ptr<SparseSearch>> chains_;
  std::uint64_t iterations_ = 0, best_at_ = 0;
  bool stuck_ = false;
};

}  // namespace

SolveResult solve_sparse(const Problem& problem, const SolveOptions& options, RunControl& control) {
  return SparsePortfolio(problem, options, control).run();
}

}  // namespace dd::dmmv
