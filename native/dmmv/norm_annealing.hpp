// One chain of p-norm annealing: single random moves, accepted by the change of a smooth stand-in for the maximum whose
// exponent doubles while the temperature falls (specs/dmmv.md 6.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "core/philox.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/target_search.hpp"

namespace dd::dmmv {

struct NormAnnealingParameters {
  std::uint32_t doublings = 3;  ///< the exponent ends at 2^doublings
  double first_temperature = 0.3;
  double last_temperature = 0.01;
  std::uint64_t sweeps = 100;  ///< of the first run; every further run is twice as long, up to 64 times
};

class NormAnnealing {
 public:
  /// Equally spaced levels only (the effects of moves must not depend on the levels).
  NormAnnealing(const Problem& problem, const SearchRows& rows, const MoveDictionary& moves,
                const NormAnnealingParameters& parameters, std::uint64_t seed, std::uint32_t stream);

  void start(std::span<const std::int32_t> indices);
  /// Up to `sweeps` sweeps (one proposal for each pair of moves); a finished run is followed by a longer one from the
  /// best state. Stops early as TargetSearch does.
  void run(std::uint64_t sweeps, double target, FunctionRef<bool()> should_stop);

  const SearchBest& best() const noexcept { return best_; }
  std::uint64_t sweeps() const noexcept { return sweeps_; }

 private:
  void begin_stage();
  void propose();
  double power_sum(const double* effect, double sign, double& largest) const noexcept;
  void restart_from_best();

  const Problem& problem_;
  const SearchRows& rows_;
  const MoveDictionary& moves_;
  NormAnnealingParameters parameters_;
  PhiloxStream random_;
  std::vector<std::int32_t> indices_, counts_;
  AlignedBuffer<double> residual_;
  SearchBest best_;
  double shift_ = 0, reference_ = 1, sum_ = 0, violation_ = 0, temperature_ = 0;
  std::uint32_t doublings_ = 1;
  std::uint64_t run_length_ = 0, in_run_ = 0, sweeps_ = 0, applied_ = 0;
};

}  // namespace dd::dmmv
