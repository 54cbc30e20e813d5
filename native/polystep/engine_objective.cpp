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

/// Scores candidates of row p, whose rows are work.offsets, as steps from the evaluator's base; false, and nothing
/// done, where they have to be whole points.
template <class Scalar>
bool Engine<Scalar>::step_along(std::size_t p, const Evaluator<Scalar>& evaluator, std::span<double> values,
                                Workspace& work) const {
  if (subspace_ == nullptr || !follows(evaluator)) return false;
  const std::size_t first = layout_.first(p), width = layout_.width(p), each = values.size();
  const SubspaceEntry* const entry = subspace_->entry_of(first, width);
  if (entry == nullptr) return false;
  if (entry->projected && !evaluator.can_follow(entry->first_parameter, entry->parameters())) return false;
  const std::size_t parameter = entry->first_parameter + first - entry->first_coordinate;
  for (std::size_t c = 0; c < each; ++c) {
    for (std::size_t j = 0; j < width; ++j) {
      Scalar& value = work.offsets[c * d_ + j];
      value -= x_[p * d_ + j];
      if (!entry->projected) value += point_[parameter + j];
    }
  }
  const auto rows = MatrixView<const Scalar>::row_major(work.offsets.data(), each, d_).block(0, 0, each, width);
  if (!entry->projected) {
    evaluator.evaluate_replacements(parameter, rows, values);
  } else {
    evaluator.evaluate_along(subspace_->directions(first, width, work.directions), rows, values);
  }
  return true;
}

/// Scores candidates `chosen` of row p (none: all of them) into `values`.
template <class Scalar>
void Engine<Scalar>::score_row(std::size_t p, const Evaluator<Scalar>& evaluator, std::span<const std::uint32_t> chosen,
                               std::span<double> values, Workspace& work) const {
  const std::size_t all = candidates_per_particle(), each = values.size(), n = options_.dimension;
  work.offsets.resize(all * d_);
  write_offsets(p, 0, all, work.offsets.data(), work);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] == i) continue;
    std::copy_n(work.offsets.data() + chosen[i] * d_, d_, work.offsets.data() + i * d_);
  }
  const auto rows = MatrixView<const Scalar>::row_major(work.offsets.data(), each, d_);
  if (options_.mode == SearchMode::population) return evaluator.evaluate(rows, values);
  if (subspace_ == nullptr) {
    return evaluator.evaluate_replacements(layout_.first(p), rows.block(0, 0, each, layout_.width(p)), values);
  }
  if (step_along(p, evaluator, values, work)) return;
  work.points.resize(each * n);
  write_points(p, each, work.offsets.data(), work.points.data());
  evaluator.evaluate(MatrixView<const Scalar>::row_major(work.points.data(), each, n), values);
}

/// Ranks the directions of row p by how far apart the losses of their two ends lie on a part of the data; work.chosen
/// are the candidates along the best of them.
template <class Scalar>
void Engine<Scalar>::screen_row(std::size_t p, Workspace& work) const {
  const std::size_t V = vertices(), K = scales_.size();
  work.chosen.clear();
  for (std::size_t v = 0; v < V; ++v) work.chosen.push_back(static_cast<std::uint32_t>(v * K + K - 1));
  std::vector<double> values(V), contrast(d_);
  score_row(p, *screen_, work.chosen, values, work);
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

/// As move_row, from the costs of some of the vertices: the others get nothing.
template <class Scalar>
void Engine<Scalar>::move_screened(std::size_t p, std::span<double> costs, std::span<const std::uint32_t> chosen,
                                   Workspace& work, PassStats& stats) {
  const std::size_t K = scales_.size();
  const bool frozen = constant(costs);
  if (!frozen) {
    scale_row(costs, options_.scale, options_.divisor);
    std::vector<double> weights(costs.size());
    weigh_row(p, costs, weights);
    std::fill(work.weights.begin(), work.weights.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) work.weights[chosen[i * K] / K] = weights[i];
  }
  displace_row(p, work.weights, {}, std::numeric_limits<double>::quiet_NaN(), frozen, work, stats);
}

template <class Scalar>
void Engine<Scalar>::set_base(Evaluator<Scalar>& evaluator, std::size_t threads) {
  if (options_.mode == SearchMode::block && (subspace_ == nullptr || follows(evaluator))) {
    static_cast<void>(evaluator.set_base(point_, threads));
  }
}

/// Every row from the same base, costs and displacements at once: no cost matrix where a row's weights need no other.
template <class Scalar>
bool Engine<Scalar>::pass(Evaluator<Scalar>& evaluator, RunControl& control, PassStats& stats) {
  const std::size_t V = vertices(), K = scales_.size(), each = V * K, n = options_.dimension;
  const bool fused = is_row_rule(options_.rule) && is_row_scale(options_.scale);
  const bool replaces = options_.mode == SearchMode::block && subspace_ == nullptr;
  std::vector<double> centres;
  if (replaces) {
    const double value = evaluator.set_base(point_, control.threads());
    if (this->centres() > 0) centres.assign(1, value);
  } else if (options_.mode == SearchMode::block && (evaluator.can_fall_silent() || follows(evaluator))) {
    static_cast<void>(evaluator.set_base(point_, control.threads()));
  }
  if (options_.mode == SearchMode::block && evaluator.can_fall_silent()) {
    stats.silent_outputs = evaluator.silent_outputs();
  }
  if (!replaces && this->centres() > 0) {
    centres.resize(points());
    const Scalar* const from = options_.mode == SearchMode::block ? point_.data() : x_.data();
    evaluator.evaluate(MatrixView<const Scalar>::row_major(from, points(), n), centres);
  }
  for (const double value : centres) centre_mean_ += value / static_cast<double>(centres.size());
  if (screen_ != nullptr) {
    screen_->begin_step(step_, control.threads());
    set_base(*screen_, control.threads());
  }

  struct Deferred {
    std::size_t p;
    std::vector<double> losses;
    std::vector<std::uint32_t> chosen;
  };
  const auto move = [&](std::size_t p, std::span<double> costs, std::span<const double> values,
                        std::span<const std::uint32_t> chosen, Workspace& work, PassStats& tile) {
    note_costs(p, costs, tile);
    if (!chosen.empty()) return move_screened(p, costs, chosen, work, tile);
    const double centre = centres.empty() ? std::numeric_limits<double>::quiet_NaN()
                                          : centres[options_.mode == SearchMode::block ? 0 : p];
    move_row(p, costs, values, centre, work, tile);
  };
  const std::size_t grain = tile_rows(), count = (particles_ + grain - 1) / grain;
  std::vector<PassStats> tiles(count);
  std::vector<double> largest(count, -1.0);
  std::vector<std::vector<Deferred>> deferred(count);
  std::vector<double> losses(fused ? 0 : particles_ * each);
  std::atomic<bool> stopped{false};
  parallel_for(control.threads(), particles_, grain, [&](std::size_t begin, std::size_t end) {
    if (stopped.load(std::memory_order_relaxed) || control.should_stop()) {
      stopped.store(true, std::memory_order_relaxed);
      return;
    }
    Workspace work(*this);
    const std::size_t tile = begin / grain;
    for (std::size_t p = begin; p < end; ++p) {
      rotation(p, work);
      if (screen_ != nullptr) screen_row(p, work);
      work.values.resize(work.chosen.empty() ? each : work.chosen.size());
      const std::span<double> values = fused ? std::span(work.values) : std::span(losses).subspan(p * each, each);
      score_row(p, evaluator, work.chosen, values, work);
      if (!fused) continue;
      if (screen_ == nullptr) tiles[tile].add_losses(values, p * each);
      for (std::size_t i = 0; i < work.chosen.size(); ++i) {
        tiles[tile].add_losses(values.subspan(i, 1), p * each + work.chosen[i]);
      }
      const std::span<double> costs = std::span(work.row).first(values.size() / K);
      average_probes(values, K, costs);
      largest[tile] = std::max(largest[tile], largest_finite(costs));
      if (std::any_of(costs.begin(), costs.end(), [](double cost) { return !std::isfinite(cost); })) {
        deferred[tile].push_back({p, {values.begin(), values.end()}, work.chosen});
        continue;
      }
      move(p, costs, values, work.chosen, work, tiles[tile]);
    }
  });
  if (stopped.load()) return false;
  if (!fused) {
    move_matrix(losses, centres, control, stats);
    return true;
  }
  const double most = *std::max_element(largest.begin(), largest.end());
  if (most < 0) {
    stats.infeasible = true;
    return true;
  }
  Workspace work(*this);
  for (std::size_t tile = 0; tile < count; ++tile) {
    for (const Deferred& late : deferred[tile]) {
      rotation(late.p, work);
      const std::span<double> costs = std::span(work.row).first(late.losses.size() / K);
      average_probes(late.losses, K, costs);
      replace_infeasible(costs, infeasible_cost(most));
      move(late.p, costs, late.losses, late.chosen, work, tiles[tile]);
    }
    stats.join(tiles[tile]);
  }
  return true;
}

template void Engine<float>::score_row(std::size_t, const Evaluator<float>&, std::span<const std::uint32_t>,
                                       std::span<double>, Workspace&) const;
template void Engine<float>::screen_row(std::size_t, Workspace&) const;
template void Engine<float>::move_screened(std::size_t, std::span<double>, std::span<const std::uint32_t>, Workspace&,
                                           PassStats&);
template void Engine<float>::set_base(Evaluator<float>&, std::size_t);
template void Engine<double>::score_row(std::size_t, const Evaluator<double>&, std::span<const std::uint32_t>,
                                        std::span<double>, Workspace&) const;
template void Engine<double>::screen_row(std::size_t, Workspace&) const;
template void Engine<double>::move_screened(std::size_t, std::span<double>, std::span<const std::uint32_t>, Workspace&,
                                            PassStats&);
template void Engine<double>::set_base(Evaluator<double>&, std::size_t);
template bool Engine<float>::follows(const Evaluator<float>&) const;
template bool Engine<float>::step_along(std::size_t, const Evaluator<float>&, std::span<double>, Workspace&) const;
template bool Engine<float>::pass(Evaluator<float>&, RunControl&, PassStats&);
template bool Engine<double>::follows(const Evaluator<double>&) const;
template bool Engine<double>::step_along(std::size_t, const Evaluator<double>&, std::span<double>, Workspace&) const;
template bool Engine<double>::pass(Evaluator<double>&, RunControl&, PassStats&);

}  // namespace dd::polystep
