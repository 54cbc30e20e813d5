// From losses to displacements: rows of a cost matrix, rows fused with a native objective, and sweeps that apply each
// block before the next is probed.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/rotation.hpp"
#include "polystep/softmax_projection_isa.hpp"

namespace dd::polystep {
namespace {

/// The mean over probes; anything that is not finite makes it so.
void average_probes(std::span<const double> losses, std::size_t probes, std::span<double> costs) {
  if (probes == 1) {
    std::copy(losses.begin(), losses.end(), costs.begin());
    return;
  }
  for (std::size_t n = 0; n < costs.size(); ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < probes; ++k) sum += losses[n * probes + k];
    costs[n] = sum / static_cast<double>(probes);
  }
}

bool constant(std::span<const double> row) {
  return std::all_of(row.begin(), row.end(), [&](double cost) { return cost == row[0]; });
}

}  // namespace

template <class Scalar>
void Engine<Scalar>::note_costs(std::size_t p, std::span<const double> costs, PassStats& stats) {
  const double least = stats.add_costs(costs);
  if (options_.adaptive_per_particle) row_minima_[p] = least;
}

template <class Scalar>
void Engine<Scalar>::move_row(std::size_t p, std::span<double> costs, std::span<const double> losses, double centre,
                              Workspace& work, PassStats& stats) {
  const bool frozen = constant(costs);
  if (!frozen) {
    scale_row(costs, options_.scale, options_.divisor);
    const bool soft = options_.rule == Rule::softmax || options_.rule == Rule::tempered_softmax;
    if (soft && polytope_.antithetic()) {
      double squares = 0;
      const SoftmaxProjection arguments{
          1, d_, costs.data(), temperature(p), work.weights.data(), work.template_step.data(), &squares};
      polystep_softmax_projection(&arguments);
    } else {
      weigh_row(p, costs, work.weights);
    }
  }
  displace_row(p, work.weights, losses, centre, frozen, work, stats);
}

template <class Scalar>
void Engine<Scalar>::weigh_row(std::size_t p, std::span<const double> costs, std::span<double> weights) const {
  double uniform = 0.5;
  if (options_.rule == Rule::sample) {
    philox_uniforms(options_.seed, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(step_),
                    RandomStream::sampling, {&uniform, 1});
  }
  row_weights({options_.rule, temperature(p), options_.k}, costs, uniform, weights);
}

/// Weighted mean squares of the vertices' coordinates, in units of a coordinate's share of the radius; those of a row
/// that saw nothing are the variances themselves.
template <class Scalar>
void Engine<Scalar>::note_squares(std::size_t p, std::span<const double> weights, bool frozen, Workspace& work) {
  for (std::size_t j = 0; j < layout_.width(p); ++j) {
    const std::size_t at = layout_.first(p) + j;
    if (frozen) {
      squares_[at] = covariance_.variances[at];
      continue;
    }
    const double* const frame = work.rotation.data() + j * d_;
    double sum = 0;
    for (std::size_t n = 0; n < weights.size(); ++n) {
      double along = 0;
      if (polytope_.antithetic()) {
        along = frame[n < d_ ? n : n - d_];
      } else {
        polytope_.vertex(n, work.vertex);
        for (std::size_t i = 0; i < d_; ++i) along += frame[i] * work.vertex[i];
      }
      sum += weights[n] * along * along;
    }
    squares_[at] = sum * static_cast<double>(d_);
  }
}

template <class Scalar>
void Engine<Scalar>::displace_row(std::size_t p, std::span<const double> weights, std::span<const double> losses,
                                  double centre, bool frozen, Workspace& work, PassStats& stats) {
  Scalar* const out = row(transport_, p);
  if (options_.adapt_covariance) note_squares(p, weights, frozen, work);
  if (!confidence_.empty()) confidence_[p] = frozen ? 0 : 1 / (weight_entropy(weights, 1) + 1e-6);
  if (frozen) {
    std::fill_n(out, d_, Scalar{0});
    stats.frozen += 1;
    stats.effective_samples += 1;
    return;
  }
  stats.effective_samples += options_.rule == Rule::linear ? 1 : effective_sample_size(weights);
  const double radius = step_radius_ * multiplier(p);
  std::vector<double>& z = work.template_step;
  polytope_.combine(weights, z);
  for (double& component : z) component *= radius;
  const bool modelled = (options_.newton_refinement || options_.trust_region) &&
                        std::all_of(losses.begin(), losses.end(), [](double loss) { return std::isfinite(loss); });
  if (modelled) {
    quadratic_model(losses, scales_, (options_.at_vertices ? step_radius_ : probe_radius_) * multiplier(p), centre,
                    work.gradient, work.curvature);
    if (options_.newton_refinement) {
      constexpr double share = 0.3;
      newton_step(work.gradient, work.curvature, 0.5 * radius, work.newton);
      for (std::size_t j = 0; j < d_; ++j) work.newton[j] = (1 - share) * z[j] + share * work.newton[j];
      if (predicted_change(work.gradient, work.curvature, work.newton) <=
          predicted_change(work.gradient, work.curvature, z)) {
        std::copy(work.newton.begin(), work.newton.end(), z.begin());
      }
    }
    stats.predicted += predicted_change(work.gradient, work.curvature, z);
  }
  const Scalar* const x = x_.data() + p * d_;
  for (std::size_t j = 0; j < d_; ++j) {
    double component = 0;
    for (std::size_t i = 0; i < d_; ++i) component += work.rotation[j * d_ + i] * z[i];
    if (bounded()) {
      const double at = static_cast<double>(x[j]), low = lower_bound(p, j), high = upper_bound(p, j);
      if (!options_.newton_refinement) {  // the barycentre of the clamped vertices, which is not the clamped barycentre
        component = 0;
        for (std::size_t n = 0; n < weights.size(); ++n) {
          if (weights[n] == 0) continue;
          double along = 0;
          if (polytope_.antithetic()) {
            along = n < d_ ? work.rotation[j * d_ + n] : -work.rotation[j * d_ + n - d_];
          } else {
            polytope_.vertex(n, work.vertex);
            for (std::size_t i = 0; i < d_; ++i) along += work.rotation[j * d_ + i] * work.vertex[i];
          }
          component += weights[n] * (std::clamp(at + radius * along, low, high) - at);
        }
      }
      component = std::clamp(at + component, low, high) - at;
    }
    out[j] = static_cast<Scalar>(component);
  }
  double squares = 0;
  for (std::size_t j = 0; j < d_; ++j) squares += static_cast<double>(out[j]) * static_cast<double>(out[j]);
  stats.squared_displacement += squares;
  if (step_radius_ > 0) stats.relative_displacement += std::sqrt(squares) / step_radius_;
}

/// Weights of rows begin ... end - 1 into work.tile_weights. costs: of all rows, scaled in place where they are not yet.
template <class Scalar>
void Engine<Scalar>::weigh_rows(std::size_t begin, std::size_t end, std::span<double> costs, bool scaled,
                                std::span<const char> frozen, Workspace& work) {
  const std::size_t V = vertices();
  work.tile_weights.resize((end - begin) * V);
  const bool soft = options_.rule == Rule::softmax || options_.rule == Rule::tempered_softmax;
  const bool together = soft && polytope_.antithetic();
  for (std::size_t p = begin; p < end; ++p) {
    const std::span<double> own = costs.subspan(p * V, V);
    if (frozen[p - begin] != 0) continue;
    if (!scaled) scale_row(own, options_.scale, options_.divisor);
    if (together) continue;
    weigh_row(p, own, std::span(work.tile_weights).subspan((p - begin) * V, V));
  }
  // Rows of one temperature at a time: short rows fill vectors only together.
  for (std::size_t p = begin; together && p < end;) {
    const std::size_t last = options_.mode == SearchMode::block ? std::min(end, layout_.group(p).end) : end;
    work.tile_projection.resize((last - p) * (d_ + 1));
    const SoftmaxProjection arguments{last - p,
                                      d_,
                                      costs.data() + p * V,
                                      temperature(p),
                                      work.tile_weights.data() + (p - begin) * V,
                                      work.tile_projection.data(),
                                      work.tile_projection.data() + (last - p) * d_};
    polystep_softmax_projection(&arguments);
    p = last;
  }
}

/// Scales the costs of one group of rows and, where rows are tied by a column marginal, fills its part of the plan.
template <class Scalar>
void Engine<Scalar>::assign_group(const RowLayout::Group& group, std::size_t number, Assignment& assignment,
                                  RunControl& control, PassStats& stats) {
  const std::size_t V = vertices(), rows = group.end - group.begin;
  const std::span<double> own = std::span(assignment.costs).subspan(group.begin * V, rows * V);
  const double shift = scale_costs(own, V, options_.scale, options_.divisor).shift;
  if (assignment.plan.empty()) return;
  const double least = *std::min_element(own.begin(), own.end());
  for (double& cost : own) cost -= least;
  const std::vector<double> a(rows, 1 / static_cast<double>(rows)), b(V, 1 / static_cast<double>(V));
  SinkhornOptions transport = options_.transport;
  transport.epsilon = parameters_.epsilon * group.epsilon_factor;
  if (options_.warm_start && !f_.empty()) {
    transport.start_f = std::span<const double>(f_).subspan(group.begin, rows);
    transport.start_g = std::span<const double>(g_).subspan(number * V, V);
    transport.start_epsilon = dual_epsilon_ * group.epsilon_factor;
  }
  const TransportPlan found = options_.rule == Rule::kl ? kl_relaxed(own, a, b, options_.lambda, transport, control)
                                                        : sinkhorn(own, a, b, transport, control);
  stats.transport_iterations = std::max(stats.transport_iterations, found.iterations);
  stats.transport_converged = stats.transport_converged && found.converged;
  const double objective = found.objective + least + shift;
  stats.transport_objective = number == 0 ? objective : stats.transport_objective + objective;
  stats.kl_violation += found.kl_violation;
  std::copy(found.plan.begin(), found.plan.end(), assignment.plan.data() + group.begin * V);
  std::copy(found.f.begin(), found.f.end(), assignment.f.data() + group.begin);
  std::copy(found.g.begin(), found.g.end(), assignment.g.data() + number * V);
}

template <class Scalar>
void Engine<Scalar>::move_matrix(std::span<const double> losses, std::span<const double> centres, RunControl& control,
                                 PassStats& stats) {
  const std::size_t V = vertices(), K = scales_.size();
  std::vector<double> costs(particles_ * V);
  average_probes(losses, K, costs);
  stats.add_losses(losses, 0);
  const double largest = largest_finite(costs);
  if (largest < 0) {
    stats.infeasible = true;
    return;
  }
  replace_infeasible(costs, infeasible_cost(largest));
  const bool by_row = is_row_rule(options_.rule);
  Assignment assignment;
  const std::vector<double>& scaled = assignment.costs;
  if (!by_row || !is_row_scale(options_.scale)) {
    assignment.costs = costs;
    const RowLayout::Group all{0, particles_};
    const bool block = options_.mode == SearchMode::block;
    const std::span<const RowLayout::Group> groups = block ? layout_.groups() : std::span(&all, 1);
    if (!by_row) {
      assignment.plan.resize(costs.size());
      assignment.f.resize(particles_);
      assignment.g.resize(groups.size() * V);
    }
    for (std::size_t i = 0; i < groups.size(); ++i) assign_group(groups[i], i, assignment, control, stats);
    if (!by_row) {
      f_ = assignment.f;
      g_ = assignment.g;
      dual_epsilon_ = parameters_.epsilon;
    }
  }
  const std::size_t grain = tile_rows();
  std::vector<PassStats> tiles((particles_ + grain - 1) / grain);
  const std::span<double> given = by_row && scaled.empty() ? std::span(costs) : std::span(assignment.costs);
  parallel_for(control.threads(), particles_, grain, [&](std::size_t begin, std::size_t end) {
    Workspace work(*this);
    PassStats& tile = tiles[begin / grain];
    std::vector<char> frozen(end - begin);
    for (std::size_t p = begin; p < end; ++p) {
      const std::span<const double> raw = std::span(costs).subspan(p * V, V);
      note_costs(p, raw, tile);
      frozen[p - begin] = constant(raw) ? 1 : 0;
    }
    if (by_row) weigh_rows(begin, end, given, !scaled.empty(), frozen, work);
    for (std::size_t p = begin; p < end; ++p) {
      rotation(p, work);
      const double centre = centres.empty() ? std::numeric_limits<double>::quiet_NaN()
                                            : centres[options_.mode == SearchMode::block ? 0 : p];
      const std::span<double> weights =
          by_row ? std::span(work.tile_weights).subspan((p - begin) * V, V) : std::span(assignment.plan).subspan(p * V, V);
      if (!by_row) {
        double mass = 0;
        for (const double weight : weights) mass += weight;
        for (double& weight : weights) weight /= mass;
        tile.frozen += frozen[p - begin];
      }
      displace_row(p, weights, losses.subspan(p * V * K, V * K), centre, by_row && frozen[p - begin] != 0, work, tile);
    }
  });
  for (const PassStats& tile : tiles) stats.join(tile);
}

/// Whether some of a subspace's candidates can be scored as steps from the iterate.
template <class Scalar>
bool Engine<Scalar>::follows(const Evaluator<Scalar>& evaluator) const {
  if (subspace_ == nullptr || subspace_->kind() == SubspaceKind::low_rank) return false;
  return std::any_of(subspace_->entries().begin(), subspace_->entries().end(), [&](const SubspaceEntry& entry) {
    return entry.projected && evaluator.can_follow(entry.first_parameter, entry.parameters());
  });
}

/// Scores the candidates of row p as steps from the evaluator's base; false where they have to be whole points.
template <class Scalar>
bool Engine<Scalar>::step_along(std::size_t p, const Evaluator<Scalar>& evaluator, std::span<double> values,
                                Workspace& work) const {
  if (subspace_ == nullptr || !follows(evaluator)) return false;
  const std::size_t first = layout_.first(p), width = layout_.width(p), each = values.size();
  const SubspaceEntry* const entry = subspace_->entry_of(first, width);
  if (entry == nullptr) return false;
  if (entry->projected && !evaluator.can_follow(entry->first_parameter, entry->parameters())) return false;
  work.offsets.resize(each * d_);
  write_offsets(p, 0, each, work.offsets.data(), work);
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

  struct Deferred {
    std::size_t p;
    std::vector<double> losses;
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
    work.values.resize(each);
    const std::size_t tile = begin / grain;
    for (std::size_t p = begin; p < end; ++p) {
      rotation(p, work);
      const std::span<double> values = fused ? std::span(work.values) : std::span(losses).subspan(p * each, each);
      if (replaces) {
        work.offsets.resize(each * d_);
        write_offsets(p, 0, each, work.offsets.data(), work);
        const auto rows = MatrixView<const Scalar>::row_major(work.offsets.data(), each, d_);
        evaluator.evaluate_replacements(layout_.first(p), rows.block(0, 0, each, layout_.width(p)), values);
      } else if (!step_along(p, evaluator, values, work)) {
        work.points.resize(each * n);
        write_candidates(p, 0, each, work.points.data(), work);
        evaluator.evaluate(MatrixView<const Scalar>::row_major(work.points.data(), each, n), values);
      }
      if (!fused) continue;
      tiles[tile].add_losses(values, p * each);
      average_probes(values, K, work.row);
      const double own = largest_finite(work.row);
      largest[tile] = std::max(largest[tile], own);
      if (std::any_of(work.row.begin(), work.row.end(), [](double cost) { return !std::isfinite(cost); })) {
        deferred[tile].push_back({p, {values.begin(), values.end()}});
        continue;
      }
      note_costs(p, work.row, tiles[tile]);
      const double centre = centres.empty() ? std::numeric_limits<double>::quiet_NaN()
                                            : centres[options_.mode == SearchMode::block ? 0 : p];
      move_row(p, work.row, values, centre, work, tiles[tile]);
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
      average_probes(late.losses, K, work.row);
      replace_infeasible(work.row, infeasible_cost(most));
      note_costs(late.p, work.row, tiles[tile]);
      const double centre = centres.empty() ? std::numeric_limits<double>::quiet_NaN()
                                            : centres[options_.mode == SearchMode::block ? 0 : late.p];
      move_row(late.p, work.row, late.losses, centre, work, tiles[tile]);
    }
    stats.join(tiles[tile]);
  }
  return true;
}

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

template <class Scalar>
std::size_t Engine<Scalar>::tile_rows() const noexcept {
  return std::clamp<std::size_t>(4096 / (vertices() * d_), 1, 128);
}

template void Engine<float>::move_row(std::size_t, std::span<double>, std::span<const double>, double, Workspace&,
                                      PassStats&);
template void Engine<float>::weigh_row(std::size_t, std::span<const double>, std::span<double>) const;
template void Engine<float>::weigh_rows(std::size_t, std::size_t, std::span<double>, bool, std::span<const char>,
                                        Workspace&);
template void Engine<float>::displace_row(std::size_t, std::span<const double>, std::span<const double>, double, bool,
                                          Workspace&, PassStats&);
template void Engine<float>::sweep_row(std::size_t, Evaluator<float>&, Workspace&, PassStats&);
template void Engine<float>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<float>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<float>::note_costs(std::size_t, std::span<const double>, PassStats&);
template void Engine<float>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template bool Engine<float>::follows(const Evaluator<float>&) const;
template bool Engine<float>::step_along(std::size_t, const Evaluator<float>&, std::span<double>, Workspace&) const;
template bool Engine<float>::pass(Evaluator<float>&, RunControl&, PassStats&);
template bool Engine<float>::sweep(Evaluator<float>&, RunControl&, PassStats&);
template std::size_t Engine<float>::tile_rows() const noexcept;
template void Engine<double>::move_row(std::size_t, std::span<double>, std::span<const double>, double, Workspace&,
                                      PassStats&);
template void Engine<double>::weigh_row(std::size_t, std::span<const double>, std::span<double>) const;
template void Engine<double>::weigh_rows(std::size_t, std::size_t, std::span<double>, bool, std::span<const char>,
                                        Workspace&);
template void Engine<double>::displace_row(std::size_t, std::span<const double>, std::span<const double>, double, bool,
                                           Workspace&, PassStats&);
template void Engine<double>::sweep_row(std::size_t, Evaluator<double>&, Workspace&, PassStats&);
template void Engine<double>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<double>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<double>::note_costs(std::size_t, std::span<const double>, PassStats&);
template void Engine<double>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template bool Engine<double>::follows(const Evaluator<double>&) const;
template bool Engine<double>::step_along(std::size_t, const Evaluator<double>&, std::span<double>, Workspace&) const;
template bool Engine<double>::pass(Evaluator<double>&, RunControl&, PassStats&);
template bool Engine<double>::sweep(Evaluator<double>&, RunControl&, PassStats&);
template std::size_t Engine<double>::tile_rows() const noexcept;

}  // namespace dd::polystep
