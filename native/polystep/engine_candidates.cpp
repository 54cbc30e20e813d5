// From a step's rotations and radii to the candidates that are evaluated.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/probes_isa.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {

/// From a drawn rotation to the frame that row p uses: led by its direction, as long as its coordinates vary.
template <class Scalar>
void Engine<Scalar>::shape_rotation(std::size_t p, Workspace& work) const {
  const auto deviation = [&](std::size_t j) {
    const std::size_t at = coordinate(p, j);
    return at < covariance_.variances.size() ? std::sqrt(covariance_.variances[at]) : 1.0;
  };
  if (options_.biased_rotation && has_direction_) {
    for (std::size_t j = 0; j < d_; ++j) work.direction[j] = static_cast<double>(direction_[p * d_ + j]);
    if (options_.adapt_covariance) {
      for (std::size_t j = 0; j < d_; ++j) work.direction[j] /= deviation(j);
    }
    bias_rotation(work.rotation, d_, work.direction);
  }
  if (!options_.adapt_covariance) return;
  // From here on the frame is no rotation any more: directions are as long as their coordinates vary.
  for (std::size_t j = 0; j < d_; ++j) {
    const double own = deviation(j);
    for (std::size_t i = 0; i < d_; ++i) work.rotation[j * d_ + i] *= own;
  }
}

/// Rows first ... of particle p: the particle itself displaced along its vertices, vertex by vertex, probe by probe.
template <class Scalar>
void Engine<Scalar>::write_offsets(std::size_t p, std::size_t first, std::size_t count, Scalar* out,
                                   Workspace& work) const {
  const std::size_t K = scales_.size();
  const double own = multiplier(p);
  const double radius = (options_.at_vertices ? step_radius_ : probe_radius_) * own;
  const Scalar* const x = x_.data() + p * d_;
  if (polytope_.antithetic() && count == candidates_per_particle()) {
    for (std::size_t k = 0; k < K; ++k) work.distances[k] = radius * scales_[k];
    write_probes(Probes<Scalar>{1, d_, K, x, work.rotation.data(), work.distances.data(), out});
    clamp_rows(p, count, out);
    return;
  }
  for (std::size_t c = 0; c < count; ++c) {
    const std::size_t n = (first + c) / K;
    const double distance = radius * scales_[(first + c) % K];
    Scalar* const to = out + c * d_;
    if (polytope_.antithetic()) {
      const std::size_t column = n < d_ ? n : n - d_;
      const double along = n < d_ ? distance : -distance;
      for (std::size_t j = 0; j < d_; ++j) {
        to[j] = static_cast<Scalar>(static_cast<double>(x[j]) + along * work.rotation[j * d_ + column]);
      }
    } else {
      polytope_.vertex(n, work.vertex);
      for (std::size_t j = 0; j < d_; ++j) {
        double component = 0;
        for (std::size_t i = 0; i < d_; ++i) component += work.rotation[j * d_ + i] * work.vertex[i];
        to[j] = static_cast<Scalar>(static_cast<double>(x[j]) + distance * component);
      }
    }
  }
  clamp_rows(p, count, out);
}

template <class Scalar>
void Engine<Scalar>::clamp_rows(std::size_t p, std::size_t count, Scalar* rows) const {
  if (!bounded()) return;
  const std::size_t d = d_;
  for (std::size_t j = 0; j < d; ++j) {
    const auto low = static_cast<Scalar>(lower_bound(p, j)), high = static_cast<Scalar>(upper_bound(p, j));
    for (Scalar* value = rows + j; value < rows + count * d; value += d) *value = std::clamp(*value, low, high);
  }
}

template <class Scalar>
void Engine<Scalar>::write_candidates(std::size_t p, std::size_t first, std::size_t count, Scalar* out,
                                      Workspace& work) const {
  if (options_.mode == SearchMode::population) return write_offsets(p, first, count, out, work);
  work.offsets.resize(count * d_);
  write_offsets(p, first, count, work.offsets.data(), work);
  write_points(p, count, work.offsets.data(), out);
}

/// Whole points of candidates whose rows are known; block mode.
template <class Scalar>
void Engine<Scalar>::write_points(std::size_t p, std::size_t count, const Scalar* rows, Scalar* out) const {
  const std::size_t n = options_.dimension, width = layout_.width(p);
  for (std::size_t c = 0; c < count; ++c) {
    Scalar* const to = out + c * n;
    const Scalar* const values = rows + c * d_;
    std::memcpy(to, point_.data(), n * sizeof(Scalar));
    if (subspace_ != nullptr) {
      subspace_->replace(base_, coordinates(), layout_.first(p), {values, width}, {to, n});
    } else {
      std::copy_n(values, width, to + layout_.first(p));
    }
  }
}

template <class Scalar>
void Engine<Scalar>::candidates(std::size_t first, std::size_t count, Scalar* out, std::size_t threads) {
  const std::size_t each = candidates_per_particle(), all = particles_ * each, n = options_.dimension;
  const std::size_t inside = first < all ? std::min(count, all - first) : 0;
  const bool block = options_.mode == SearchMode::block;
  if (inside > 0) {
    const std::size_t begin = first / each, end = (first + inside - 1) / each + 1;
    const std::size_t grain = std::max<std::size_t>(1, (std::size_t{1} << 18) / (each * (n + d_ * d_)));
    parallel_for(threads, end - begin, grain, [&](std::size_t from, std::size_t to) {
      Workspace work(*this);
      const RowSet rows{begin + from, to - from};
      draw_rotations(rows, work);
      if (block) {
        work.offsets.resize(rows.count * each * d_);
        write_tile(rows, work.offsets.data(), work);
      }
      for (std::size_t i = 0; i < rows.count; ++i) {
        const std::size_t p = rows[i];
        const std::size_t low = std::max(first, p * each), high = std::min(first + inside, (p + 1) * each);
        Scalar* const to_points = out + (low - first) * n;
        if (block) {
          write_points(p, high - low, work.offsets.data() + (i * each + low - p * each) * d_, to_points);
        } else {
          work.turn_to(i);
          write_offsets(p, low - p * each, high - low, to_points, work);
        }
      }
    });
  }
  for (std::size_t c = std::max(first, all); c < first + count; ++c) {
    const Scalar* const from = block ? point_.data() : x_.data() + (c - all) * d_;
    std::memcpy(out + (c - first) * n, from, n * sizeof(Scalar));
  }
}

template <class Scalar>
void Engine<Scalar>::replacements(std::size_t first, std::size_t count, Scalar* out, std::size_t threads) {
  const std::size_t each = candidates_per_particle();
  const std::size_t begin = first / each, end = (first + count - 1) / each + 1;
  parallel_for(threads, end - begin, 256, [&](std::size_t from, std::size_t to) {
    Workspace work(*this);
    const RowSet rows{begin + from, to - from};
    draw_rotations(rows, work);
    for (std::size_t i = 0; i < rows.count; ++i) {
      const std::size_t p = rows[i];
      const std::size_t low = std::max(first, p * each), high = std::min(first + count, (p + 1) * each);
      work.turn_to(i);
      write_offsets(p, low - p * each, high - low, out + (low - first) * d_, work);
    }
  });
}

template void Engine<float>::shape_rotation(std::size_t, Workspace&) const;
template void Engine<float>::clamp_rows(std::size_t, std::size_t, float*) const;
template void Engine<float>::write_offsets(std::size_t, std::size_t, std::size_t, float*, Workspace&) const;
template void Engine<float>::write_candidates(std::size_t, std::size_t, std::size_t, float*, Workspace&) const;
template void Engine<float>::write_points(std::size_t, std::size_t, const float*, float*) const;
template void Engine<float>::candidates(std::size_t, std::size_t, float*, std::size_t);
template void Engine<float>::replacements(std::size_t, std::size_t, float*, std::size_t);
template void Engine<double>::shape_rotation(std::size_t, Workspace&) const;
template void Engine<double>::clamp_rows(std::size_t, std::size_t, double*) const;
template void Engine<double>::write_offsets(std::size_t, std::size_t, std::size_t, double*, Workspace&) const;
template void Engine<double>::write_candidates(std::size_t, std::size_t, std::size_t, double*, Workspace&) const;
template void Engine<double>::write_points(std::size_t, std::size_t, const double*, double*) const;
template void Engine<double>::candidates(std::size_t, std::size_t, double*, std::size_t);
template void Engine<double>::replacements(std::size_t, std::size_t, double*, std::size_t);

}  // namespace dd::polystep
