#include "dmmv/chain.hpp"

#include <algorithm>
#include <utility>

#include "dmmv/evaluate.hpp"

namespace dd::dmmv {
namespace {

/// `count` random moves of the dictionary, those that fit.
void perturb(const ChainSetting& setting, std::vector<std::int32_t>& indices, PhiloxStream& random,
             std::uint32_t count) {
  const LevelSets& levels = setting.problem.levels();
  const MoveDictionary& moves = setting.moves;
  for (std::uint32_t done = 0; done < count && moves.pairs > 0; ++done) {
    const std::size_t p = random.next_below(static_cast<std::uint32_t>(moves.pairs));
    int sign = random.next_below(2) == 0 ? 1 : -1;
    for (int attempt = 0; attempt < 2; ++attempt, sign = -sign) {
      bool fits = true;
      for (std::size_t k = moves.starts[p]; k < moves.starts[p + 1]; ++k) {
        const auto j = static_cast<std::size_t>(moves.variables[k]);
        const std::int32_t index = indices[j] + sign * moves.amounts[k];
        fits = fits && index >= 0 && index < levels.count(j);
      }
      if (!fits) continue;
      for (std::size_t k = moves.starts[p]; k < moves.starts[p + 1]; ++k) {
        indices[static_cast<std::size_t>(moves.variables[k])] += sign * moves.amounts[k];
      }
      break;
    }
  }
}

}  // namespace

Chain::Chain(const ChainSetting& setting, bool anneals, std::uint32_t number) : setting_(&setting) {
  const SearchBest& elite = setting.elites[number % setting.elites.size()];
  if (anneals) {
    annealing_ = std::make_unique<NormAnnealing>(setting.problem, setting.rows, setting.moves, setting.annealing,
                                                 setting.seed, number);
    annealing_->start(elite.indices);
    return;
  }
  search_ = std::make_unique<TargetSearch>(setting.problem, setting.rows, setting.moves, setting.target, setting.seed,
                                           number);
  std::vector<std::int32_t> start = elite.indices;
  if (number >= setting.elites.size()) perturb(setting, start, search_->random(), 4);
  search_->start(start);
  if (setting.swaps) descent_ = std::make_unique<SwapDescent>(setting.problem, setting.rows);
}

void Chain::tell(double objective) {
  if (search_) search_->tell(objective);
}

void Chain::run(std::uint64_t budget, double level) {
  const auto stop = [&] { return setting_->control.should_stop(); };
  if (annealing_) {
    if (!stop()) annealing_->run(budget, level, stop);
    return;
  }
  TargetSearch& search = *search_;
  const std::uint64_t end = search.steps() + budget, restart_after = setting_->restart_after;
  while (search.steps() < end && !stop() && !(search.best().objective <= level)) {
    const std::uint64_t left = restart_after - std::min(restart_after, search.since_improvement());
    search.run(std::min(end - search.steps(), std::max<std::uint64_t>(left, 1)), level, stop);
    if (search.since_improvement() < restart_after) continue;
    SearchBest walk = search.walk_best();
    if (descent_ && descent_->run(walk.indices, stop)) {
      walk.objective = objective(setting_->problem, walk.indices);
      const bool record = walk.objective < search.best().objective;
      if (record) search.start(walk.indices);
      ended_.push_back(std::move(walk));
      if (record) continue;
    } else {
      ended_.push_back(std::move(walk));
    }
    search.start(next_start());
  }
}

std::vector<std::int32_t> Chain::next_start() {
  const Problem& problem = setting_->problem;
  PhiloxStream& random = search_->random();
  std::vector<std::int32_t> start;
  const bool sampled = setting_->samples.available();
  if (sampled && random.next_below(8) != 0) start = setting_->samples.draw(random, setting_->control);
  if (start.empty() && !sampled && problem.variables() <= 32 && random.next_below(4) == 0) {
    for (std::size_t j = 0; j < problem.variables(); ++j) {
      start.push_back(
          static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(problem.levels().count(j)))));
    }
  }
  if (start.empty()) {
    start = setting_->elites[random.next_below(static_cast<std::uint32_t>(setting_->elites.size()))].indices;
    perturb(*setting_, start, random, 4 + random.next_below(4));
  }
  return start;
}

}  // namespace dd::dmmv
