// Rows fused with a native objective: each is scored and moved at once, from the base that all share.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"

namespace dd::polystep {

/// Whether some of a subspace's candidates can be scored as steps from the iterate.
template <class Scalar>
bool Engine<Scalar>::follows(const Evaluator<Scalar>& evaluator) const {
  if (subspace_ == nullptr || subspace_->kind() == SubspaceKind::low_rank) return false;
  return std::any_of(subspace_->entries().begin(), subspace_->entries().end(), [&](const SubspaceEntry& entry) {
    return entry.projected && evaluator.can_follow(entry.first_parameter, entry.parameters());
  });
}

/// Scores candidates of row p, whose rows are `offsets` and are lost, as steps from the evaluator's base; false, and
/// nothing done, where they have to be whole points.
template <class Scalar>
bool Engine<Scalar>::step_along(std::size_t p, const Evaluator<Scalar>& evaluator, Scalar* offsets,
                                std::span<double> values, Workspace& work) const {
  if (subspace_ == nullptr || !follows(evaluator)) return false;
  const std::size_t first = layout_.first(p), width = layout_.width(p), each = values.size();
  const SubspaceEntry* const entry = subspace_->entry_of(first, width);
  if (entry == nullptr) return false;
  if (entry->projected && !evaluator.can_follow(entry->first_parameter, entry->parameters())) return false;
  const std::size_t parameter = entry->first_parameter + first - entry->first_coordinate;
  for (std::size_t c = 0; c < each; ++c) {
    for (std::size_t j = 0; j < width; ++j) {
      Scalar& value = offsets[c * d_ + j];
      value -= x_[p * d_ + j];
      if (!entry->projected) value += point_[parameter + j];
    }
  }
  const auto rows = MatrixView<const Scalar>::row_major(offsets, each, d_).block(0, 0, each, width);
  if (!entry->projected) {
    evaluator.evaluate_replacements(parameter, rows, values);
  } else {
    evaluator.evaluate_along(subspace_->directions(first, width, work.directions), rows, values);
  }
  return true;
}

/// Scores as many candidates of row p as there are values; their rows, `offsets`, may be lost.
template <class Scalar>
void Engine<Scalar>::score_row(std::size_t p, const Evaluator<Scalar>& evaluator, Scalar* offsets,
                               std::span<double> values, Workspace& work) const {
  const std::size_t each = values.size(), n = options_.dimension;
  const auto rows = MatrixView<const Scalar>::row_major(offsets, each, d_);
  if (options_.mode == SearchMode::population) return evaluator.evaluate(rows, values);
  if (subspace_ == nullptr) {
    return evaluator.evaluate_replacements(layout_.first(p), rows.block(0, 0, each, layout_.width(p)), values);
  }
  if (step_along(p, evaluator, offsets, values, work)) return;
  work.points.resize(each * n);
  write_points(p, each, offsets, work.points.data());
  evaluator.evaluate(MatrixView<const Scalar>::row_major(work.points.data(), each, n), values);
}

/// Scores the candidates work.chosen of row p.
template <class Scalar>
void Engine<Scalar>::score_chosen(std::size_t p, const Evaluator<Scalar>& evaluator, std::span<double> values,
                                  Workspace& work) const {
  const std::size_t all = candidates_per_particle();
  work.offsets.resize(all * d_);
  write_offsets(p, 0, all, work.offsets.data(), work);
  for (std::size_t i = 0; i < work.chosen.size(); ++i) {
    if (work.chosen[i] == i) continue;
    std::copy_n(work.offsets.data() + work.chosen[i] * d_, d_, work.offsets.data() + i * d_);
  }
  score_row(p, evaluator, work.offsets.data(), values, work);
}

/// Ranks the directions of row p by how far apart the losses of their two ends lie on a part of the data; work.chosen
/// are the candidates along the best of them.
template <class Scalar>
void Engine<Scalar>::screen_row(std::size_t p, Workspace& work) const {
  const std::size_t V = vertices(), K = scales_.size();
  work.chosen.clear();
  for (std::size_t v = 0; v < V; ++v) work.chosen.push_back(static_cast<std::uint32_t>(v * K + K - 1));
  std::vector<double> values(V), contrast(d_);
  score_chosen(p, *screen_, values, work);
  for (std::size_t i = 0; i < d_; ++i) {
    contrast[i] = std::abs(values[i] - values[i + d_]);
    if (!std::isfinite(contrast[i])) contrast[i] = std::numeric_limits<double>::infinity();
  }
  std::vector<std::size_t> order(d_);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return contrast[a] > contrast[b]; });
  order.resize(kept_directions());
  std::sort(order.begin(), order.end());
  work.chosen.clear();
  for (const std::size_t end : {std::size_t{0}, d_}) {
    for (const std::size_t i : order) {
      for (std::size_t k = 0; k < K; ++k) work.chosen.push_back(static_cast<std::uint32_t>((i + end) * K + k));
    }
  }
}

/// Moves row p by the costs of the candidates work.chosen: the other vertices get nothing.
template <class Scalar>
void Engine<Scalar>::move_screened(std::size_t p, std::span<double> costs, Workspace& work, PassStats& stats) {
  const std::size_t K = scales_.size();
  const bool frozen = survey(costs).constant;
  if (!frozen) {
    scale_row(costs, options_.scale, options_.divisor);
    std::vector<double> weights(costs.size());
    weigh_row(p, costs, weights);
    std::fill(work.weights.begin(), work.weights.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) work.weights[work.chosen[i * K] / K] = weights[i];
  }
  displace_row(p, work.weights, {}, std::numeric_limits<double>::quiet_NaN(), frozen, work, stats);
}

template <class Scalar>
void Engine<Scalar>::set_base(Evaluator<Scalar>& evaluator, std::size_t threads) {
  if (options_.mode == SearchMode::block && (subspace_ == nullptr || follows(evaluator))) {
    static_cast<void>(evaluator.set_base(point_, threads));
  }
}

/// A row whose costs are not all finite: what replaces them is known when all rows are scored.
template <class Scalar>
struct Engine<Scalar>::Late {
  std::size_t p;
  std::vector<double> losses;
  std::vector<std::uint32_t> chosen;
};

/// What the tiles of a pass leave behind, each its own part.
template <class Scalar>
struct Engine<Scalar>::Pass {
  std::size_t grain;
  bool fused;                  ///< a row's weights need no other row: no cost matrix
  std::vector<double> losses;  ///< of all candidates, where they do
  std::vector<double> centres;
  std::vector<PassStats> stats;
  std::vector<double> largest;
  std::vector<std::vector<Late>> late;
};

template <class Scalar>
void Engine<Scalar>::pass_tile(const RowSet& rows, const Evaluator<Scalar>& evaluator, Pass& shared) {
  const std::size_t V = vertices(), K = scales_.size(), each = V * K, tile = rows.first / shared.grain;
  PassStats& stats = shared.stats[tile];
  double& largest = shared.largest[tile];
  Workspace work(*this);
  draw_rotations(rows, work);
  if (screen_ != nullptr) {
    for (std::size_t i = 0; i < rows.count; ++i) {
      const std::size_t p = rows[i];
      work.turn_to(i);
      screen_row(p, work);
      work.values.resize(work.chosen.size());
      score_chosen(p, evaluator, work.values, work);
      const std::span<const double> values = work.values;
      for (std::size_t c = 0; c < work.chosen.size(); ++c) {
        stats.add_losses(values.subspan(c, 1), p * each + work.chosen[c]);
      }
      const std::span<double> costs = work.row.first(values.size() / K);
      average_probes(values, K, costs);
      largest = std::max(largest, largest_finite(costs));
      const RowCosts seen = survey(costs);
      if (!seen.finite) {
        shared.late[tile].push_back({p, work.values, work.chosen});
        continue;
      }
      note_costs(p, seen, stats);
      move_screened(p, costs, work, stats);
    }
    return;
  }
  if (!shared.fused) {
    return score_tile(rows, evaluator, 0, std::span(shared.losses).subspan(rows.first * each, rows.count * each), work);
  }
  work.values.resize(rows.count * each);
  score_tile(rows, evaluator, 0, work.values, work);
  stats.add_losses(work.values, rows.first * each);
  work.costs.resize(rows.count * V);
  average_probes(work.values, K, work.costs);
  largest = std::max(largest, largest_finite(work.costs));
  work.states.resize(rows.count);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::span<const double> costs = std::span(work.costs).subspan(i * V, V);
    const RowCosts seen = survey(costs);
    work.states[i] = !seen.finite ? RowState::waits : seen.constant ? RowState::frozen : RowState::moves;
    if (work.states[i] != RowState::waits) {
      note_costs(rows[i], seen, stats);
      continue;
    }
    const auto values = work.values.begin() + static_cast<std::ptrdiff_t>(i * each);
    shared.late[tile].push_back({rows[i], {values, values + static_cast<std::ptrdiff_t>(each)}, {}});
  }
  move_rows(rows, work.costs, work.values, shared.centres, work.states, work, stats);
}

/// Every row from the same base, costs and displacements at once.
template <class Scalar>
bool Engine<Scalar>::pass(Evaluator<Scalar>& evaluator, RunControl& control, PassStats& stats) {
  const std::size_t K = scales_.size(), n = options_.dimension;
  Pass shared;
  shared.fused = is_row_rule(options_.rule) && is_row_scale(options_.scale);
  shared.grain = tile_rows();
  const bool replaces = options_.mode == SearchMode::block && subspace_ == nullptr;
  if (replaces) {
    const double value = evaluator.set_base(point_, control.threads());
    if (this->centres() > 0) shared.centres.assign(1, value);
  } else if (options_.mode == SearchMode::block && (evaluator.can_fall_silent() || follows(evaluator))) {
    static_cast<void>(evaluator.set_base(point_, control.threads()));
  }
  if (options_.mode == SearchMode::block && evaluator.can_fall_silent()) {
    stats.silent_outputs = evaluator.silent_outputs();
  }
  if (!replaces && this->centres() > 0) {
    shared.centres.resize(points());
    const Scalar* const from = options_.mode == SearchMode::block ? point_.data() : x_.data();
    evaluator.evaluate(MatrixView<const Scalar>::row_major(from, points(), n), shared.centres);
  }
  for (const double value : shared.centres) centre_mean_ += value / static_cast<double>(shared.centres.size());
  if (screen_ != nullptr) {
    screen_->begin_step(step_, control.threads());
    set_base(*screen_, control.threads());
  }

  const std::size_t count = (particles_ + shared.grain - 1) / shared.grain;
  shared.stats.resize(count);
  shared.largest.assign(count, -1.0);
  shared.late.resize(count);
  shared.losses.resize(shared.fused ? 0 : particles_ * candidates_per_particle());
  std::atomic<bool> stopped{false};
  parallel_for(control.threads(), particles_, shared.grain, [&](std::size_t begin, std::size_t end) {
    if (stopped.load(std::memory_order_relaxed) || control.should_stop()) {
      stopped.store(true, std::memory_order_relaxed);
      return;
    }
    pass_tile({begin, end - begin}, evaluator, shared);
  });
  if (stopped.load()) return false;
  if (!shared.fused) {
    move_matrix(shared.losses, shared.centres, control, stats);
    return true;
  }
  const double most = *std::max_element(shared.largest.begin(), shared.largest.end());
  if (most < 0) {
    stats.infeasible = true;
    return true;
  }
  Workspace work(*this);
  const RowState moves = RowState::moves, frozen = RowState::frozen;
  for (std::size_t tile = 0; tile < count; ++tile) {
    for (const Late& late : shared.late[tile]) {
      draw_rotations({late.p, 1}, work);
      const std::span<double> costs = work.row.first(late.losses.size() / K);
      average_probes(late.losses, K, costs);
      replace_infeasible(costs, infeasible_cost(most));
      const RowCosts seen = survey(costs);
      note_costs(late.p, seen, shared.stats[tile]);
      work.chosen = late.chosen;
      if (!late.chosen.empty()) {
        move_screened(late.p, costs, work, shared.stats[tile]);
        continue;
      }
      move_rows({late.p, 1}, costs, late.losses, shared.centres, {seen.constant ? &frozen : &moves, 1}, work,
                shared.stats[tile]);
    }
    stats.join(shared.stats[tile]);
  }
  return true;
}

template void Engine<float>::score_row(std::size_t, const Evaluator<float>&, float*, std::span<double>,
                                       Workspace&) const;
template void Engine<float>::score_chosen(std::size_t, const Evaluator<float>&, std::span<double>, Workspace&) const;
template void Engine<float>::screen_row(std::size_t, Workspace&) const;
template void Engine<float>::move_screened(std::size_t, std::span<double>, Workspace&, PassStats&);
template void Engine<float>::set_base(Evaluator<float>&, std::size_t);
template bool Engine<float>::follows(const Evaluator<float>&) const;
template bool Engine<float>::step_along(std::size_t, const Evaluator<float>&, float*, std::span<double>,
                                        Workspace&) const;
template void Engine<float>::pass_tile(const RowSet&, const Evaluator<float>&, Pass&);
template bool Engine<float>::pass(Evaluator<float>&, RunControl&, PassStats&);
template void Engine<double>::score_row(std::size_t, const Evaluator<double>&, double*, std::span<double>,
                                        Workspace&) const;
template void Engine<double>::score_chosen(std::size_t, const Evaluator<double>&, std::span<double>, Workspace&) const;
template void Engine<double>::screen_row(std::size_t, Workspace&) const;
template void Engine<double>::move_screened(std::size_t, std::span<double>, Workspace&, PassStats&);
template void Engine<double>::set_base(Evaluator<double>&, std::size_t);
template bool Engine<double>::follows(const Evaluator<double>&) const;
template bool Engine<double>::step_along(std::size_t, const Evaluator<double>&, double*, std::span<double>,
                                         Workspace&) const;
template void Engine<double>::pass_tile(const RowSet&, const Evaluator<double>&, Pass&);
template bool Engine<double>::pass(Evaluator<double>&, RunControl&, PassStats&);

}  // namespace dd::polystep
