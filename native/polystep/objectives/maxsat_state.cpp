#include "polystep/objectives/maxsat_state.hpp"

#include <algorithm>

#include "core/thread_pool.hpp"
#include "polystep/objectives/maxsat_isa.hpp"

namespace dd::polystep {
namespace {

/// Clauses that one task counts.
constexpr std::size_t clause_grain = std::size_t{1} << 15;

}  // namespace

MaxSatState::MaxSatState(const MaxSat& problem) : problem_(problem), assignment_(problem.variables(), 0), lanes_(1) {
  lanes_[0].counts.assign(problem.clauses() + maxsat_count_padding, 0);
}

void MaxSatState::recount(std::size_t threads) {
  lanes_.resize(1);
  lanes_[0].flips.clear();
  lanes_[0].flipped = lanes_[0].published = 0;
  lanes_[0].seen.clear();
  std::uint8_t* const counts = lanes_[0].counts.data();
  unsatisfied_.store(problem_.always_unsatisfied(), std::memory_order_relaxed);
  parallel_for(threads, problem_.clauses(), clause_grain, [&](std::size_t begin, std::size_t end) {
    std::int64_t unsatisfied = 0;
    for (std::size_t c = begin; c < end; ++c) {
      unsigned count = 0;
      for (const std::uint32_t literal : problem_.literals(c)) {
        count += (literal & 1u) == assignment_[literal >> 1] ? 1u : 0u;
      }
      counts[c] = static_cast<std::uint8_t>(count);
      if (count == 0) unsatisfied += problem_.weight(c);
    }
    add(unsatisfied);
  });
}

void MaxSatState::publish(std::size_t lanes) {
  // A colour flips a variable at most once: with room for all of them left, no lane can run out of it.
  const std::size_t most = 2 * problem_.variables();
  bool full = lanes > lanes_.size();
  for (Lane& lane : lanes_) {
    lane.published = lane.flipped;
    full = full || lane.flipped > problem_.variables();
  }
  if (!full) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i) catch_up(i);
  lanes_.resize(std::max(lanes, lanes_.size()));
  for (Lane& lane : lanes_) {
    if (lane.counts.empty()) lane.counts = lanes_[0].counts;
    if (lanes_.size() > 1) lane.flips.resize(most);
    lane.flipped = lane.published = 0;
    lane.seen.assign(lanes_.size(), 0);
  }
}

void MaxSatState::catch_up(std::size_t lane) noexcept {
  std::uint8_t* const counts = lanes_[lane].counts.data();
  for (std::size_t other = 0; other < lanes_.size(); ++other) {
    if (other == lane) continue;
    std::size_t& seen = lanes_[lane].seen[other];
    for (; seen < lanes_[other].published; ++seen) {
      const std::uint32_t flip = lanes_[other].flips[seen], truth = flip & 1u;
      for (const std::uint32_t entry : problem_.occurrences(flip >> 1)) {
        const std::uint32_t gained = (entry & 1u) == truth ? 1u : 0u;
        counts[entry >> 1] = static_cast<std::uint8_t>(counts[entry >> 1] + 2 * gained - 1);
      }
    }
  }
}

void MaxSatState::deltas(std::span<const std::uint32_t> variables, std::int64_t* out, std::size_t lane) const noexcept {
  const MaxSatDelta arguments{
      problem_.occurrence_starts(), problem_.occurrence_data(), lanes_[lane].counts.data(), problem_.weights(),
      assignment_.data(),           variables.data(),           variables.size(),           out};
  maxsat_delta(&arguments);
}

std::int64_t MaxSatState::joint_delta(std::span<const std::uint32_t> variables, std::size_t lane) const {
  const std::uint8_t* const counts = lanes_[lane].counts.data();
  // Every occurrence as 2 clause + (literal is true), sorted: runs of one clause tell its new count.
  std::vector<std::uint32_t> changes;
  for (const std::uint32_t variable : variables) {
    const std::uint32_t inverted = assignment_[variable] != 0 ? 0u : 1u;
    for (const std::uint32_t entry : problem_.occurrences(variable)) changes.push_back(entry ^ inverted);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t delta = 0;
  for (std::size_t i = 0; i < changes.size();) {
    const std::uint32_t clause = changes[i] >> 1;
    int count = counts[clause];
    const bool was = count == 0;
    for (; i < changes.size() && changes[i] >> 1 == clause; ++i) count += (changes[i] & 1u) != 0 ? -1 : 1;
    if (was != (count == 0)) delta += was ? -problem_.weight(clause) : problem_.weight(clause);
  }
  return delta;
}

std::int64_t MaxSatState::pair_correction(std::uint32_t a, std::uint32_t b, std::size_t lane) const noexcept {
  const std::uint8_t* const counts = lanes_[lane].counts.data();
  const std::uint32_t inverted_a = assignment_[a] != 0 ? 0u : 1u, inverted_b = assignment_[b] != 0 ? 0u : 1u;
  const std::span<const std::uint32_t> of_a = problem_.occurrences(a), of_b = problem_.occurrences(b);
  std::int64_t correction = 0;
  for (std::size_t i = 0, j = 0; i < of_a.size() && j < of_b.size();) {
    const std::uint32_t clause = of_a[i] >> 1;
    if (clause != of_b[j] >> 1) {
      ++(clause < of_b[j] >> 1 ? i : j);
      continue;
    }
    const std::uint32_t truth_a = (of_a[i++] & 1u) ^ inverted_a, truth_b = (of_b[j++] & 1u) ^ inverted_b;
    const std::uint32_t count = counts[clause], left = count + 2 - 2 * (truth_a + truth_b);
    const int alone = (count != truth_a ? 0 : truth_a != 0 ? 1 : -1) + (count != truth_b ? 0 : truth_b != 0 ? 1 : -1);
    const int joint = (left == 0 ? 1 : 0) - (count == 0 ? 1 : 0);
    correction += (joint - alone) * problem_.weight(clause);
  }
  return correction;
}

std::int64_t MaxSatState::flip(std::uint32_t variable, std::size_t lane) noexcept {
  Lane& own = lanes_[lane];
  const std::uint32_t inverted = assignment_[variable] != 0 ? 0u : 1u;
  std::int64_t delta = 0;
  for (const std::uint32_t entry : problem_.occurrences(variable)) {
    const std::uint32_t clause = entry >> 1, truth = (entry & 1u) ^ inverted, count = own.counts[clause];
    own.counts[clause] = static_cast<std::uint8_t>(truth != 0 ? count - 1 : count + 1);
    if (count == truth) delta += truth != 0 ? problem_.weight(clause) : -problem_.weight(clause);
  }
  assignment_[variable] ^= 1u;
  if (!own.flips.empty()) own.flips[own.flipped++] = 2 * variable + assignment_[variable];
  return delta;
}

}  // namespace dd::polystep
