// Rows taken together: what is short and the same for all of them fills vectors only over many rows.
#include <algorithm>
#include <cmath>

#include "polystep/engine_workspace.hpp"
#include "polystep/probe_costs.hpp"
#include "polystep/probes_isa.hpp"
#include "polystep/rotation.hpp"
#include "polystep/softmax_projection_isa.hpp"

namespace dd::polystep {

/// Whether all rows have the temperature and the radius of the first.
template <class Scalar>
bool Engine<Scalar>::alike() const noexcept {
  if (options_.adaptive_per_particle) return false;
  return options_.mode == SearchMode::population || layout_.groups().size() < 2;
}

template <class Scalar>
void Engine<Scalar>::draw_rotations(const RowSet& rows, Workspace& work) const {
  const std::size_t size = d_ * d_;
  work.rotations.resize(rows.count * size);
  if (has_rotations_) {
    for (std::size_t i = 0; i < rows.count; ++i) {
      std::copy_n(rotations_.begin() + static_cast<std::ptrdiff_t>(rows[i] * size), size,
                  work.rotations.begin() + static_cast<std::ptrdiff_t>(i * size));
    }
  } else {
    haar_rotations(options_.seed, rows, static_cast<std::uint32_t>(step_), d_, work.rotations, work.scratch);
  }
  const bool biased = options_.biased_rotation && has_direction_;
  for (std::size_t i = rows.count; i-- > 0;) {
    work.turn_to(i);
    if (biased || options_.adapt_covariance) shape_rotation(rows[i], work);
  }
}

/// Candidates of `rows` without what is not theirs: rows x candidates x d.
template <class Scalar>
void Engine<Scalar>::write_tile(const RowSet& rows, Scalar* out, Workspace& work) const {
  const std::size_t K = scales_.size(), each = candidates_per_particle();
  if (!polytope_.antithetic() || !alike()) {
    for (std::size_t i = 0; i < rows.count; ++i) {
      work.turn_to(i);
      write_offsets(rows[i], 0, each, out + i * each * d_, work);
    }
    return;
  }
  const Scalar* x = x_.data() + rows.first * d_;
  if (rows.list != nullptr) {
    work.x.resize(rows.count * d_);
    for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(x_.data() + rows[i] * d_, d_, work.x.data() + i * d_);
    x = work.x.data();
  }
  const double radius = (options_.at_vertices ? step_radius_ : probe_radius_) * multiplier(rows[0]);
  for (std::size_t k = 0; k < K; ++k) work.distances[k] = radius * scales_[k];
  write_probes(Probes<Scalar>{rows.count, d_, K, x, work.rotations.data(), work.distances.data(), out});
  for (std::size_t i = 0; i < rows.count; ++i) clamp_rows(rows[i], each, out + i * each * d_);
}

/// Losses of all candidates of `rows`, in order.
template <class Scalar>
void Engine<Scalar>::score_tile(const RowSet& rows, const Evaluator<Scalar>& evaluator, std::size_t lane,
                                std::span<double> values, Workspace& work) const {
  const std::size_t each = candidates_per_particle();
  work.offsets.resize(rows.count * each * d_);
  write_tile(rows, work.offsets.data(), work);
  if (options_.mode == SearchMode::block && subspace_ == nullptr && layout_.contiguous()) {
    return evaluator.evaluate_blocks(
        rows, MatrixView<const Scalar>::row_major(work.offsets.data(), rows.count * each, d_), values, lane);
  }
  for (std::size_t i = 0; i < rows.count; ++i) {
    score_row(rows[i], evaluator, work.offsets.data() + i * each * d_, values.subspan(i * each, each), work);
  }
}

/// Weights of rows into work.tile_weights, rows x V; those that do not move get any. costs: rows x V, scaled in place
/// where they are not yet.
template <class Scalar>
void Engine<Scalar>::weigh_rows(const RowSet& rows, std::span<double> costs, bool scaled,
                                std::span<const RowState> states, Workspace& work) const {
  const std::size_t V = vertices();
  work.tile_weights.resize(rows.count * V);
  const bool sampled = options_.rule == Rule::sample;
  const bool soft = options_.rule == Rule::softmax || options_.rule == Rule::tempered_softmax || sampled;
  const bool together = soft && polytope_.antithetic();
  for (std::size_t i = 0; i < rows.count; ++i) {
    const std::span<double> own = costs.subspan(i * V, V);
    if (states[i] != RowState::moves) continue;
    if (!scaled) scale_row(own, options_.scale, options_.divisor);
    if (!together) weigh_row(rows[i], own, std::span(work.tile_weights).subspan(i * V, V));
  }
  if (!together) return;
  soften(rows, costs, states, work);
  if (!sampled) return;
  work.scratch.resize(rows.count);
  row_uniforms(options_.seed, rows, static_cast<std::uint32_t>(step_), RandomStream::sampling, work.scratch);
  for (std::size_t i = 0; i < rows.count; ++i) {
    if (states[i] != RowState::moves) continue;
    draw_vertex(std::span(work.tile_weights).subspan(i * V, V), work.scratch[i]);
  }
}

/// Softmax of the rows that move, as if they were all: the others do not cost their exponentials.
template <class Scalar>
void Engine<Scalar>::soften(const RowSet& rows, std::span<const double> costs, std::span<const RowState> states,
                            Workspace& work) const {
  const std::size_t V = vertices();
  const auto moving = static_cast<std::size_t>(std::count(states.begin(), states.end(), RowState::moves));
  const auto apply = [&](std::size_t count, const double* from, double* to, double temperature) {
    work.tile_projection.resize(count * (d_ + 1));
    const SoftmaxProjection arguments{
        count, d_, from, temperature, to, work.tile_projection.data(), work.tile_projection.data() + count * d_};
    polystep_softmax_projection(&arguments);
  };
  if (!alike()) {
    for (std::size_t begin = 0, end = 0; begin < rows.count; begin = end) {
      const double own = temperature(rows[begin]);
      for (end = begin + 1; end < rows.count && temperature(rows[end]) == own;) ++end;
      apply(end - begin, costs.data() + begin * V, work.tile_weights.data() + begin * V, own);
    }
    return;
  }
  if (moving == rows.count) return apply(moving, costs.data(), work.tile_weights.data(), temperature(rows[0]));
  work.packed.resize(2 * moving * V);
  double* to = work.packed.data();
  for (std::size_t i = 0; i < rows.count; ++i) {
    if (states[i] == RowState::moves) to = std::copy_n(costs.data() + i * V, V, to);
  }
  apply(moving, work.packed.data(), to, temperature(rows[0]));
  const double* from = to;
  for (std::size_t i = 0; i < rows.count; ++i) {
    if (states[i] != RowState::moves) continue;
    std::copy_n(from, V, work.tile_weights.data() + i * V);
    from += V;
  }
}

/// Displacements of rows from costs that are not scaled yet. losses: of all their candidates.
template <class Scalar>
void Engine<Scalar>::move_rows(const RowSet& rows, std::span<double> costs, std::span<const double> losses,
                               std::span<const double> centres, std::span<const RowState> states, Workspace& work,
                               PassStats& stats) {
  weigh_rows(rows, costs, false, states, work);
  displace_rows(rows, work.tile_weights, losses, centres, states, work, stats);
}

/// Displacements of rows from their weights, rows x V.
template <class Scalar>
void Engine<Scalar>::displace_rows(const RowSet& rows, std::span<const double> weights, std::span<const double> losses,
                                   std::span<const double> centres, std::span<const RowState> states, Workspace& work,
                                   PassStats& stats) {
  const std::size_t V = vertices(), each = candidates_per_particle();
  for (std::size_t i = 0; i < rows.count; ++i) {
    if (states[i] == RowState::waits) continue;
    work.turn_to(i);
    const double centre = centres.empty() ? std::numeric_limits<double>::quiet_NaN()
                                          : centres[options_.mode == SearchMode::block ? 0 : rows[i]];
    displace_row(rows[i], weights.subspan(i * V, V), losses.subspan(i * each, each), centre,
                 states[i] == RowState::frozen, work, stats);
  }
}

template bool Engine<float>::alike() const noexcept;
template void Engine<float>::draw_rotations(const RowSet&, Workspace&) const;
template void Engine<float>::write_tile(const RowSet&, float*, Workspace&) const;
template void Engine<float>::score_tile(const RowSet&, const Evaluator<float>&, std::size_t, std::span<double>,
                                        Workspace&) const;
template void Engine<float>::weigh_rows(const RowSet&, std::span<double>, bool, std::span<const RowState>,
                                        Workspace&) const;
template void Engine<float>::soften(const RowSet&, std::span<const double>, std::span<const RowState>,
                                    Workspace&) const;
template void Engine<float>::displace_rows(const RowSet&, std::span<const double>, std::span<const double>,
                                           std::span<const double>, std::span<const RowState>, Workspace&, PassStats&);
template void Engine<float>::move_rows(const RowSet&, std::span<double>, std::span<const double>,
                                       std::span<const double>, std::span<const RowState>, Workspace&, PassStats&);
template bool Engine<double>::alike() const noexcept;
template void Engine<double>::draw_rotations(const RowSet&, Workspace&) const;
template void Engine<double>::write_tile(const RowSet&, double*, Workspace&) const;
template void Engine<double>::score_tile(const RowSet&, const Evaluator<double>&, std::size_t, std::span<double>,
                                         Workspace&) const;
template void Engine<double>::weigh_rows(const RowSet&, std::span<double>, bool, std::span<const RowState>,
                                         Workspace&) const;
template void Engine<double>::soften(const RowSet&, std::span<const double>, std::span<const RowState>,
                                     Workspace&) const;
template void Engine<double>::displace_rows(const RowSet&, std::span<const double>, std::span<const double>,
                                            std::span<const double>, std::span<const RowState>, Workspace&, PassStats&);
template void Engine<double>::move_rows(const RowSet&, std::span<double>, std::span<const double>,
                                        std::span<const double>, std::span<const RowState>, Workspace&, PassStats&);

}  // namespace dd::polystep
