// Sweeps of a native objective: each block moves before the next is probed.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"

namespace dd::polystep {

template <class Scalar>
void Engine<Scalar>::sweep_row(std::size_t p, Evaluator<Scalar>& evaluator, Workspace& work, PassStats& stats) {
  const std::size_t each = candidates_per_particle();
  rotation(p, work);
  work.offsets.resize(each * d_);
  work.values.resize(each);
  write_offsets(p, 0, each, work.offsets.data(), work);
  evaluator.evaluate_replacements(p * d_, MatrixView<const Scalar>::row_major(work.offsets.data(), each, d_),
                                  work.values);
  average_probes(work.values, scales_.size(), work.row);
  const double largest = largest_finite(work.row);
  if (largest < 0) std::fill_n(row(transport_, p), d_, Scalar{0});
  if (largest < 0) return;
  replace_infeasible(work.row, infeasible_cost(largest));
  // Costs of a sweep have no common base, and whole losses would depend on what other threads have done by now.
  const double least = *std::min_element(work.row.begin(), work.row.end());
  for (double& cost : work.row) cost -= least;
  note_costs(p, work.row, stats);
  move_row(p, work.row, work.values, std::numeric_limits<double>::quiet_NaN(), work, stats);
  const Scalar* const x = row(x_, p);
  const Scalar* const change = row(transport_, p);
  bool moved = false;
  for (std::size_t j = 0; j < d_; ++j) {
    if (!std::isfinite(change[j])) return;
    moved |= change[j] != 0;
  }
  if (!moved) return;
  add_within_bounds(p);
  evaluator.replace(p * d_, {x, d_});
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
      sweep_row(p, evaluator, work, stats);
    }
  }
  constexpr std::size_t grain = 64;
  for (const std::vector<std::uint32_t>& colour : colours_) {
    std::vector<PassStats> tiles((colour.size() + grain - 1) / grain);
    std::atomic<bool> stopped{false};
    evaluator.begin_colour();
    parallel_for(control.threads(), colour.size(), grain, [&](std::size_t begin, std::size_t end) {
      if (stopped.load(std::memory_order_relaxed) || control.should_stop()) {
        stopped.store(true, std::memory_order_relaxed);
        return;
      }
      Workspace work(*this);
      for (std::size_t i = begin; i < end; ++i) sweep_row(colour[i], evaluator, work, tiles[begin / grain]);
    });
    if (stopped.load()) return give_up();
    for (const PassStats& tile : tiles) stats.join(tile);
  }
  return true;
}

template void Engine<float>::sweep_row(std::size_t, Evaluator<float>&, Workspace&, PassStats&);
template bool Engine<float>::sweep(Evaluator<float>&, RunControl&, PassStats&);
template void Engine<double>::sweep_row(std::size_t, Evaluator<double>&, Workspace&, PassStats&);
template bool Engine<double>::sweep(Evaluator<double>&, RunControl&, PassStats&);

}  // namespace dd::polystep
