// Sweeps of a native objective: each block moves before the next is probed.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"

namespace dd::polystep {
namespace {

/// Rows of a colour that are scored together.
constexpr std::size_t sweep_rows = 32;

}  // namespace

/// Rows that do not meet in any term of the loss: scored side by side, then moved.
template <class Scalar>
void Engine<Scalar>::sweep_tile(const RowSet& rows, Evaluator<Scalar>& evaluator, std::size_t lane, Workspace& work,
                                PassStats& stats) {
  const std::size_t V = vertices(), each = candidates_per_particle();
  draw_rotations(rows, work);
  work.values.resize(rows.count * each);
  score_tile(rows, evaluator, lane, work.values, work);
  work.costs.resize(rows.count * V);
  average_probes(work.values, scales_.size(), work.costs);
  work.states.resize(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::span<double> costs = std::span(work.costs).subspan(i * V, V);
    work.states[i] = RowState::waits;
    RowCosts seen = survey(costs);
    if (!seen.finite) {
      const double largest = largest_finite(costs);
      if (largest < 0) continue;
      replace_infeasible(costs, infeasible_cost(largest));
      seen = survey(costs);
    }
    // Costs of a sweep have no common base, and whole losses would depend on what other threads have done by now.
    for (double& cost : costs) cost -= seen.least;
    seen = survey(costs);
    note_costs(rows[i], seen, stats);
    work.states[i] = seen.constant ? RowState::frozen : RowState::moves;
  }
  move_rows(rows, work.costs, work.values, {}, work.states, work, stats);
  for (std::size_t i = 0; i < rows.count; ++i) {
    Scalar* const change = row(transport_, rows[i]);
    if (work.states[i] == RowState::waits) std::fill_n(change, d_, Scalar{0});
    const bool moved = std::any_of(change, change + d_, [](Scalar component) { return component != 0; });
    if (!moved || !std::all_of(change, change + d_, [](Scalar component) { return std::isfinite(component); })) {
      continue;
    }
    add_within_bounds(rows[i]);
    evaluator.replace_block(rows[i] * d_, {row(x_, rows[i]), d_}, lane);
  }
}

/// Blocks one after the other, those of a colour at once.
template <class Scalar>
bool Engine<Scalar>::sweep(Evaluator<Scalar>& evaluator, RunControl& control, PassStats& stats) {
  const std::size_t n = options_.dimension;
  static_cast<void>(evaluator.set_base(std::span<const Scalar>(x_).first(n), control.threads()));
  if (evaluator.can_fall_silent()) stats.silent_outputs = evaluator.silent_outputs();
  const LargeVector<Scalar> before = x_;
  if (colours_.empty() && !coloured_) {
    colours_ = evaluator.blocks_by_colour(d_);
    coloured_ = true;
  }
  const auto give_up = [&] {
    x_ = before;
    return false;
  };
  if (colours_.empty()) {
    Workspace work(*this);
    for (std::size_t p = 0; p < particles_; ++p) {
      if (p % 16 == 0 && control.should_stop()) return give_up();
      sweep_tile({p, 1}, evaluator, 0, work, stats);
    }
  }
  // A lane takes consecutive blocks, the same part of every colour: what it wrote is still in its own cache.
  std::vector<std::unique_ptr<Workspace>> work;
  for (const std::vector<std::uint32_t>& colour : colours_) {
    const std::size_t count = (colour.size() + sweep_rows - 1) / sweep_rows, lanes = std::min(control.threads(), count);
    while (work.size() < lanes) work.push_back(std::make_unique<Workspace>(*this));
    std::vector<PassStats> tiles(count);
    std::atomic<bool> stopped{false};
    evaluator.begin_colour(lanes);
    parallel_for(lanes, lanes, 1, [&](std::size_t lane, std::size_t) {
      evaluator.enter_lane(lane);
      for (std::size_t tile = count * lane / lanes; tile < count * (lane + 1) / lanes; ++tile) {
        if (stopped.load(std::memory_order_relaxed) || control.should_stop()) {
          stopped.store(true, std::memory_order_relaxed);
          return;
        }
        const std::size_t begin = tile * sweep_rows, rows = std::min(sweep_rows, colour.size() - begin);
        sweep_tile({0, rows, colour.data() + begin}, evaluator, lane, *work[lane], tiles[tile]);
      }
    });
    if (stopped.load()) return give_up();
    for (const PassStats& tile : tiles) stats.join(tile);
  }
  return true;
}

template void Engine<float>::sweep_tile(const RowSet&, Evaluator<float>&, std::size_t, Workspace&, PassStats&);
template bool Engine<float>::sweep(Evaluator<float>&, RunControl&, PassStats&);
template void Engine<double>::sweep_tile(const RowSet&, Evaluator<double>&, std::size_t, Workspace&, PassStats&);
template bool Engine<double>::sweep(Evaluator<double>&, RunControl&, PassStats&);

}  // namespace dd::polystep
