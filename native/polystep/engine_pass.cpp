// From losses to displacements: weights of rows, one by one or as parts of a cost matrix, and where they lead.
#include <algorithm>
#include <cmath>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
template <class Scalar>
void Engine<Scalar>::note_costs(std::size_t p, const RowCosts& costs, PassStats& stats) {
  stats.add_costs(costs, vertices());
  if (options_.adaptive_per_particle) row_minima_[p] = costs.least;
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
  const bool modelled = (options_.newton_refinement || options_.trust_region) &&
                        std::all_of(losses.begin(), losses.end(), [](double loss) { return std::isfinite(loss); });
  if (modelled) refine_step(p, weights, losses, centre, work, stats);
  if (modelled && options_.newton_refinement) return;
  if (bounded()) {
    displace_within(p, weights, work, stats);
  } else {
    displace_plainly(p, weights, work, stats);
  }
}

/// What a quadratic model of the row's losses promises of its step, and with a refinement the step itself.
template <class Scalar>
void Engine<Scalar>::refine_step(std::size_t p, std::span<const double> weights, std::span<const double> losses,
                                 double centre, Workspace& work, PassStats& stats) {
  const double radius = step_radius_ * multiplier(p);
  const std::span<double> z = work.template_step;
  polytope_.combine(weights, z);
  for (double& component : z) component *= radius;
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
  if (!options_.newton_refinement) return;
  const Scalar* const x = x_.data() + p * d_;
  Scalar* const out = row(transport_, p);
  for (std::size_t j = 0; j < d_; ++j) {
    double component = 0;
    for (std::size_t i = 0; i < d_; ++i) component += work.rotation[j * d_ + i] * z[i];
    if (bounded()) {
      const auto at = static_cast<double>(x[j]);
      component = std::clamp(at + component, lower_bound(p, j), upper_bound(p, j)) - at;
    }
    out[j] = static_cast<Scalar>(component);
  }
  note_displacement(p, weights, stats);
}

/// The step of weights alone.
template <class Scalar>
void Engine<Scalar>::displace_plainly(std::size_t p, std::span<const double> weights, Workspace& work,
                                      PassStats& stats) {
  const double radius = step_radius_ * multiplier(p);
  const double* const rotation = work.rotation.data();
  Scalar* const out = row(transport_, p);
  if (d_ == 2 && polytope_.antithetic()) {
    const double z0 = (weights[0] - weights[2]) * radius, z1 = (weights[1] - weights[3]) * radius;
    out[0] = static_cast<Scalar>(rotation[0] * z0 + rotation[1] * z1);
    out[1] = static_cast<Scalar>(rotation[2] * z0 + rotation[3] * z1);
  } else {
    const std::span<double> z = work.template_step;
    polytope_.combine(weights, z);
    for (double& component : z) component *= radius;
    for (std::size_t j = 0; j < d_; ++j) {
      double component = 0;
      for (std::size_t i = 0; i < d_; ++i) component += rotation[j * d_ + i] * z[i];
      out[j] = static_cast<Scalar>(component);
    }
  }
  note_displacement(p, weights, stats);
}

/// The same in a box: the barycentre of the vertices as they were clamped, which is not the clamped barycentre.
template <class Scalar>
void Engine<Scalar>::displace_within(std::size_t p, std::span<const double> weights, Workspace& work,
                                     PassStats& stats) {
  const std::size_t d = d_;
  const double radius = step_radius_ * multiplier(p);
  const Scalar* const x = x_.data() + p * d;
  const std::span<double> moved = work.template_step, low = work.gradient, high = work.curvature;
  for (std::size_t j = 0; j < d; ++j) {
    low[j] = lower_bound(p, j);
    high[j] = upper_bound(p, j);
  }
  std::fill(moved.begin(), moved.end(), 0.0);
  for (std::size_t n = 0; n < weights.size(); ++n) {
    if (weights[n] == 0) continue;
    if (!polytope_.antithetic()) polytope_.vertex(n, work.vertex);
    for (std::size_t j = 0; j < d; ++j) {
      const double* const frame = work.rotation.data() + j * d;
      double along = 0;
      if (polytope_.antithetic()) {
        along = n < d ? frame[n] : -frame[n - d];
      } else {
        for (std::size_t i = 0; i < d; ++i) along += frame[i] * work.vertex[i];
      }
      const auto at = static_cast<double>(x[j]);
      moved[j] += weights[n] * (std::clamp(at + radius * along, low[j], high[j]) - at);
    }
  }
  Scalar* const out = row(transport_, p);
  for (std::size_t j = 0; j < d; ++j) {
    const auto at = static_cast<double>(x[j]);
    out[j] = static_cast<Scalar>(std::clamp(at + moved[j], low[j], high[j]) - at);
  }
  note_displacement(p, weights, stats);
}

template <class Scalar>
void Engine<Scalar>::note_displacement(std::size_t p, std::span<const double> weights, PassStats& stats) const {
  const Scalar* const moved = transport_.data() + p * d_;
  double squares = 0;
  for (std::size_t j = 0; j < d_; ++j) squares += static_cast<double>(moved[j]) * static_cast<double>(moved[j]);
  stats.effective_samples += options_.rule == Rule::linear ? 1 : effective_sample_size(weights);
  stats.squared_displacement += squares;
  if (step_radius_ > 0) stats.relative_displacement += std::sqrt(squares) / step_radius_;
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
    const RowSet rows{begin, end - begin};
    work.states.resize(rows.count);
    for (std::size_t p = begin; p < end; ++p) {
      const std::span<const double> raw = std::span(costs).subspan(p * V, V);
      const RowCosts seen = survey(raw);
      note_costs(p, seen, tile);
      work.states[p - begin] = seen.constant ? RowState::frozen : RowState::moves;
    }
    if (by_row) weigh_rows(rows, given.subspan(begin * V, rows.count * V), !scaled.empty(), work.states, work);
    draw_rotations(rows, work);
    const std::span<const double> own = losses.subspan(begin * V * K, rows.count * V * K);
    if (by_row) {
      displace_rows(rows, work.tile_weights, own, centres, work.states, work, tile);
      return;
    }
    // A plan moves rows of equal costs as well: their vertices do not weigh the same.
    const std::span<double> plan = std::span(assignment.plan).subspan(begin * V, rows.count * V);
    for (std::size_t i = 0; i < rows.count; ++i) {
      const std::span<double> weights = plan.subspan(i * V, V);
      double mass = 0;
      for (const double weight : weights) mass += weight;
      for (double& weight : weights) weight /= mass;
      tile.frozen += work.states[i] == RowState::frozen ? 1 : 0;
      work.states[i] = RowState::moves;
    }
    displace_rows(rows, plan, own, centres, work.states, work, tile);
  });
  for (const PassStats& tile : tiles) stats.join(tile);
}

template <class Scalar>
std::size_t Engine<Scalar>::tile_rows() const noexcept {
  return std::clamp<std::size_t>(4096 / (vertices() * d_), 1, 128);
}

template void Engine<float>::weigh_row(std::size_t, std::span<const double>, std::span<double>) const;
template void Engine<float>::displace_row(std::size_t, std::span<const double>, std::span<const double>, double, bool,
                                          Workspace&, PassStats&);
template void Engine<float>::refine_step(std::size_t, std::span<const double>, std::span<const double>, double,
                                         Workspace&, PassStats&);
template void Engine<float>::displace_plainly(std::size_t, std::span<const double>, Workspace&, PassStats&);
template void Engine<float>::displace_within(std::size_t, std::span<const double>, Workspace&, PassStats&);
template void Engine<float>::note_displacement(std::size_t, std::span<const double>, PassStats&) const;
template void Engine<float>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<float>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<float>::note_costs(std::size_t, const RowCosts&, PassStats&);
template void Engine<float>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template std::size_t Engine<float>::tile_rows() const noexcept;
template void Engine<double>::weigh_row(std::size_t, std::span<const double>, std::span<double>) const;
template void Engine<double>::displace_row(std::size_t, std::span<const double>, std::span<const double>, double, bool,
                                           Workspace&, PassStats&);
template void Engine<double>::refine_step(std::size_t, std::span<const double>, std::span<const double>, double,
                                          Workspace&, PassStats&);
template void Engine<double>::displace_plainly(std::size_t, std::span<const double>, Workspace&, PassStats&);
template void Engine<double>::displace_within(std::size_t, std::span<const double>, Workspace&, PassStats&);
template void Engine<double>::note_displacement(std::size_t, std::span<const double>, PassStats&) const;
template void Engine<double>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<double>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<double>::note_costs(std::size_t, const RowCosts&, PassStats&);
template void Engine<double>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template std::size_t Engine<double>::tile_rows() const noexcept;

}  // namespace dd::polystep
