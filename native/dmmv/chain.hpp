// One chain of the portfolio: walks of one engine, one after another.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/elite_pool.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/norm_annealing.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/sampled_starts.hpp"
#include "dmmv/swap_descent.hpp"
#include "dmmv/target_search.hpp"

namespace dd::dmmv {

/// What the chains of a portfolio share. Nothing of it changes during a round.
struct ChainSetting {
  const Problem& problem;
  const SearchRows& rows;
  const MoveDictionary& moves;
  const ElitePool& elites;
  const SampledStarts& samples;
  const RunControl& control;
  TargetSearchParameters target = {};
  NormAnnealingParameters annealing = {};
  std::uint64_t seed = 1;
  std::uint64_t restart_after = 0;  ///< steps without anything better after which a walk ends
  bool swaps = false;               ///< descent by levels and swaps from where walks end
};

class Chain {
 public:
  /// Starts at an elite, or beside it where there are more chains than elites. `setting` must outlive the chain.
  Chain(const ChainSetting& setting, bool anneals, std::uint32_t number);

  /// A share of a round; ends early at an objective <= level or when the control says stop. Walks that have found
  /// nothing for long give way to new ones, beside a sampled point or an elite.
  void run(std::uint64_t budget, double level);
  /// A better value from elsewhere: targets move below it.
  void tell(double objective);

  const SearchBest& best() const { return search_ ? search_->best() : annealing_->best(); }
  std::uint64_t steps() const { return search_ ? search_->steps() : annealing_->sweeps(); }
  bool anneals() const noexcept { return annealing_ != nullptr; }
  /// Where the walks that have ended since the last call were best.
  std::vector<SearchBest> take_ended() { return std::exchange(ended_, {}); }

 private:
  std::vector<std::int32_t> next_start();

  const ChainSetting* setting_;
  std::unique_ptr<TargetSearch> search_;
  std::unique_ptr<NormAnnealing> annealing_;
  std::unique_ptr<SwapDescent> descent_;  ///< null unless swaps are asked for
  std::vector<SearchBest> ended_;
};

}  // namespace dd::dmmv
