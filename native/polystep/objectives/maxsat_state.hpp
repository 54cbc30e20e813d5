// The state of MAX-SAT while it is minimised: the assignment and, for each clause, how many of its literals are true.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "polystep/objectives/maxsat.hpp"

namespace dd::polystep {

/// An assignment that changes by flips. Methods that are const may be called by many threads; `flip` by many where
/// they flip variables that meet in no clause.
///
/// The counts of clauses may be kept several times, a copy a lane: threads that share them spend their time on fetching
/// lines from each other that the other has just written. Each lane writes down what it flips, and takes the flips of
/// the others over when it enters the next colour. Lane 0 is always there, and many threads may share it.
class MaxSatState {
 public:
  explicit MaxSatState(const MaxSat& problem);

  /// `assignment_` has been filled: counts everything anew, into lane 0 alone.
  void recount(std::size_t threads);
  std::span<std::uint8_t> assignment() noexcept { return assignment_; }
  std::span<const std::uint8_t> assignment() const noexcept { return assignment_; }
  /// Of lane 0.
  std::span<const std::uint8_t> counts() const noexcept { return {lanes_[0].counts.data(), problem_.clauses()}; }

  /// Makes sure of that many lanes and shows the flips of each so far to all; by one thread, between colours.
  void publish(std::size_t lanes);
  /// Takes over what was published.
  void catch_up(std::size_t lane) noexcept;
  std::size_t lanes() const noexcept { return lanes_.size(); }

  /// out[i] = change of the unsatisfied weight when variables[i] alone is flipped.
  void deltas(std::span<const std::uint32_t> variables, std::int64_t* out, std::size_t lane) const noexcept;
  /// The change when all of `variables` (distinct) are flipped together.
  std::int64_t joint_delta(std::span<const std::uint32_t> variables, std::size_t lane) const;
  /// What the change of both variables together is more than the sum of their own changes. Cost: their occurrences.
  std::int64_t pair_correction(std::uint32_t a, std::uint32_t b, std::size_t lane) const noexcept;
  /// Flips and returns the change.
  std::int64_t flip(std::uint32_t variable, std::size_t lane) noexcept;

  std::int64_t unsatisfied() const noexcept { return unsatisfied_.load(std::memory_order_relaxed); }
  /// Sums of integers do not depend on the order of the threads that add.
  void add(std::int64_t change) noexcept { unsatisfied_.fetch_add(change, std::memory_order_relaxed); }

 private:
  struct alignas(128) Lane {
    LargeVector<std::uint8_t> counts;
    LargeVector<std::uint32_t> flips;  ///< 2 variable + its new truth value, `flipped` of them
    std::size_t flipped = 0, published = 0;
    std::vector<std::size_t> seen;  ///< of each other lane's flips
  };

  const MaxSat& problem_;
  LargeVector<std::uint8_t> assignment_;
  std::vector<Lane> lanes_;
  std::atomic<std::int64_t> unsatisfied_{0};
};

}  // namespace dd::polystep
