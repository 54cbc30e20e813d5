// From losses to displacements: weights of rows, one by one or as parts of a cost matrix, and where they lead.
#include <algorithm>
#include <cmath>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"
#include "polystep/rotation.hpp"
#include "polystep/softmax_projection_isa.hpp"

namespace dd::polystep {
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

/// Weights of rows begin ... end - 1 into work.tile_weights. costs: of all rows, scaled in place where they are not
/// yet.
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
      const std::span<double> weights = by_row ? std::span(work.tile_weights).subspan((p - begin) * V, V)
                                               : std::span(assignment.plan).subspan(p * V, V);
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
template void Engine<float>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<float>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<float>::note_costs(std::size_t, std::span<const double>, PassStats&);
template void Engine<float>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template std::size_t Engine<float>::tile_rows() const noexcept;
template void Engine<double>::move_row(std::size_t, std::span<double>, std::span<const double>, double, Workspace&,
                                       PassStats&);
template void Engine<double>::weigh_row(std::size_t, std::span<const double>, std::span<double>) const;
template void Engine<double>::weigh_rows(std::size_t, std::size_t, std::span<double>, bool, std::span<const char>,
                                         Workspace&);
template void Engine<double>::displace_row(std::size_t, std::span<const double>, std::span<const double>, double, bool,
                                           Workspace&, PassStats&);
template void Engine<double>::note_squares(std::size_t, std::span<const double>, bool, Workspace&);
template void Engine<double>::assign_group(const RowLayout::Group&, std::size_t, Assignment&, RunControl&, PassStats&);
template void Engine<double>::note_costs(std::size_t, std::span<const double>, PassStats&);
template void Engine<double>::move_matrix(std::span<const double>, std::span<const double>, RunControl&, PassStats&);
template std::size_t Engine<double>::tile_rows() const noexcept;

}  // namespace dd::polystep
