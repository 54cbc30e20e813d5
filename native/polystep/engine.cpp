// The state of an optimizer and what happens around the losses of a step; the passes are in engine_pass.cpp.
#include "polystep/engine.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/thread_pool.hpp"
#include "polystep/engine_workspace.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
namespace {

/// Rotations of a step whose losses come from outside are needed twice; below this many numbers they are kept.
constexpr std::size_t kept_rotation_numbers = std::size_t{1} << 21;

std::vector<double> probe_scales(const EngineOptions& options) {
  if (options.at_vertices) return {1.0};
  std::vector<double> scales;
  for (std::size_t k = 1; k <= options.probes; ++k) {
    scales.push_back(static_cast<double>(k) / static_cast<double>(options.probes + 1));
  }
  return scales;
}

std::size_t row_dimension(const EngineOptions& options) {
  return options.mode == SearchMode::population ? options.dimension : options.particle_dimension;
}

}  // namespace

template <class Scalar>
Engine<Scalar>::Engine(EngineOptions options, std::span<const Scalar> x0, std::unique_ptr<Subspace<Scalar>> subspace)
    : options_(std::move(options)),
      subspace_(std::move(subspace)),
      particles_(options_.particles),
      d_(row_dimension(options_)),
      polytope_(options_.polytope, d_),
      scales_(probe_scales(options_)) {
  if (options_.mode == SearchMode::population) {
    x_.assign(x0.begin(), x0.end());
  } else {
    base_.assign(x0.begin(), x0.end());
  }
  make_layout();
}

/// Sizes everything for the current subspace; block mode starts at base_.
template <class Scalar>
void Engine<Scalar>::make_layout() {
  if (options_.mode == SearchMode::block) {
    const std::size_t count = subspace_ != nullptr ? subspace_->coordinates() : options_.dimension;
    layout_ = RowLayout(count, d_, options_.groups);
    particles_ = layout_.rows();
    x_.assign(particles_ * d_, Scalar{0});
    if (subspace_ == nullptr) {
      for (std::size_t p = 0; p < particles_; ++p) {
        std::copy_n(base_.data() + layout_.first(p), layout_.width(p), row(x_, p));
      }
      base_.clear();
    }
    point_.assign(options_.dimension, Scalar{0});
    if (!layout_.contiguous()) packed_.assign(count, Scalar{0});
    if (options_.adapt_covariance) {
      covariance_ = DiagonalCovariance(count);
      squares_.assign(count, 1.0);
    }
    if (options_.leading.kind == LeadingKind::transport) confidence_.assign(particles_, 0.0);
  }
  transport_.assign(particles_ * d_, Scalar{0});
  if (options_.momentum) velocity_.assign(particles_ * d_, Scalar{0});
  if (options_.amortize > 1) average_.assign(particles_ * d_, Scalar{0});
  if (options_.biased_rotation) direction_.assign(particles_ * d_, Scalar{0});
  if (options_.adaptive_per_particle) {
    particle_radii_.assign(particles_, {});
    row_minima_.assign(particles_, infinity);
  }
  forget();
  refresh_point();
}

template <class Scalar>
std::size_t Engine<Scalar>::bytes() const noexcept {
  return (x_.size() + base_.size() + point_.size() + transport_.size() + direction_.size() + velocity_.size() +
          average_.size() + best_.size()) *
             sizeof(Scalar) +
         (subspace_ != nullptr ? subspace_->bytes() : 0);
}

template <class Scalar>
double Engine<Scalar>::multiplier(std::size_t p) const {
  const double own = options_.adaptive_per_particle ? particle_radii_[p].multiplier : 1;
  return options_.mode == SearchMode::block ? own * layout_.group(p).radius_factor : own;
}

template <class Scalar>
void Engine<Scalar>::add_within_bounds(std::size_t p) {
  Scalar* const x = row(x_, p);
  const Scalar* const change = row(transport_, p);
  for (std::size_t j = 0; j < d_; ++j) {
    x[j] += change[j];
    if (!bounded()) continue;
    x[j] = std::clamp(x[j], static_cast<Scalar>(lower_bound(p, j)), static_cast<Scalar>(upper_bound(p, j)));
  }
}

template <class Scalar>
std::size_t Engine<Scalar>::centres() const noexcept {
  const bool curvature = options_.newton_refinement && scales_.size() == 1;
  return curvature || options_.trust_region ? points() : 0;
}

template <class Scalar>
bool Engine<Scalar>::coasting() const noexcept {
  return options_.amortize > 1 && has_average_ && amortize_counter_ % options_.amortize != 0;
}

/// Directions of a row that are scored in full.
template <class Scalar>
std::size_t Engine<Scalar>::kept_directions() const noexcept {
  if (!(options_.screening_keep > 0)) return d_;
  const auto kept = static_cast<std::size_t>(std::ceil(options_.screening_keep * static_cast<double>(d_)));
  return std::clamp<std::size_t>(kept, 1, d_);
}

template <class Scalar>
std::size_t Engine<Scalar>::next_evaluations() const noexcept {
  if (coasting()) return 0;
  if (options_.screening_keep > 0) {
    return particles_ * (vertices() + 2 * kept_directions() * scales_.size()) + (options_.sequential ? 1 : 0);
  }
  return particles_ * candidates_per_particle() + centres() + (options_.trust_region ? points() : 0) +
         (options_.sequential ? 1 : 0);
}

template <class Scalar>
void Engine<Scalar>::begin_step(const StepParameters& parameters) {
  parameters_ = parameters;
  const double radius = options_.adaptive_per_particle ? 1 : radius_.multiplier;
  step_radius_ = parameters.step_radius * radius * trust_;
  probe_radius_ = parameters.probe_radius * radius;
  if (options_.jitter > 0) {
    double uniform = 0;
    philox_uniforms(options_.seed, 0, static_cast<std::uint32_t>(step_), RandomStream::jitter, {&uniform, 1});
    probe_radius_ *= 1 + options_.jitter * (2 * uniform - 1);
  }
  centre_mean_ = 0;
  has_rotations_ = false;
  if (options_.redraw_every_step && subspace_ != nullptr && !coasting()) {
    absorb();
    redraw_basis();
  }
}

/// The basis of this step: led by what was remembered, if anything was.
template <class Scalar>
void Engine<Scalar>::redraw_basis() {
  leading_.clear();
  const LeadingOptions& leading = options_.leading;
  if (leading.kind != LeadingKind::none && !history_.empty()) {
    const std::size_t count = leading_count(leading, subspace_->coordinates(), step_), m = options_.dimension;
    if (leading.kind == LeadingKind::displacements) {
      leading_ = principal_directions(history_, m, count);
    } else {
      leading_.assign(history_.begin(),
                      history_.begin() + static_cast<std::ptrdiff_t>(std::min(history_.size(), count * m)));
    }
  }
  subspace_->redraw(static_cast<std::uint32_t>(step_), leading_, 0);
}

template <class Scalar>
void Engine<Scalar>::begin(const StepParameters& parameters, std::span<const double> rotations, std::size_t threads) {
  begin_step(parameters);
  begun_ = true;
  const std::size_t numbers = particles_ * d_ * d_;
  if (!rotations.empty()) {
    if (rotations.size() != numbers) {
      throw Error(ErrorCode::shape_mismatch, "rotations",
                  "`rotations` must give particles x d x d numbers, " + std::to_string(numbers) + ", got " +
                      std::to_string(rotations.size()));
    }
    rotations_.assign(rotations.begin(), rotations.end());
    has_rotations_ = true;
  } else if (d_ > 1 && numbers <= kept_rotation_numbers && !coasting()) {
    rotations_.resize(numbers);
    const std::size_t grain = std::max<std::size_t>(1, (std::size_t{1} << 14) / (d_ * d_ * d_));
    parallel_for(threads, particles_, grain, [&](std::size_t first, std::size_t last) {
      std::vector<double> scratch;
      haar_rotations(options_.seed, {first, last - first}, static_cast<std::uint32_t>(step_), d_,
                     std::span(rotations_).subspan(first * d_ * d_), scratch);
    });
    has_rotations_ = true;
  }
}

template <class Scalar>
void Engine<Scalar>::current(Scalar* out) const {
  const LargeVector<Scalar>& from = options_.mode == SearchMode::block ? point_ : x_;
  std::copy(from.begin(), from.end(), out);
}

template <class Scalar>
void Engine<Scalar>::refresh_point() {
  if (options_.mode != SearchMode::block) return;
  if (!layout_.contiguous()) {
    for (std::size_t p = 0; p < particles_; ++p) {
      std::copy_n(x_.data() + p * d_, layout_.width(p), packed_.data() + layout_.first(p));
    }
  }
  if (subspace_ != nullptr) {
    subspace_->expand(base_, coordinates(), point_);
  } else {
    const std::span<const Scalar> from = coordinates();
    std::copy(from.begin(), from.end(), point_.begin());
  }
}

template <class Scalar>
void Engine<Scalar>::absorb() {
  if (subspace_ == nullptr) return;
  refresh_point();
  base_ = point_;
  std::fill(x_.begin(), x_.end(), Scalar{0});
  std::fill(packed_.begin(), packed_.end(), Scalar{0});
  forget();
  ++absorbed_;
  if (subspace_->kind() != SubspaceKind::factored) return;
  subspace_->redraw(static_cast<std::uint32_t>(absorbed_), {}, 0);
  if (options_.adapt_covariance) covariance_ = DiagonalCovariance(layout_.coordinates());
}

template <class Scalar>
void Engine<Scalar>::change_subspace(std::unique_ptr<Subspace<Scalar>> subspace) {
  absorb();
  subspace_ = std::move(subspace);
  const LargeVector<Scalar> base = base_;
  make_layout();
  base_ = base;
  refresh_point();
}

template <class Scalar>
void Engine<Scalar>::restart(std::uint32_t number, std::span<const double> lower, std::span<const double> upper) {
  const std::size_t n = options_.dimension;
  std::vector<double> uniforms(points() * n);
  philox_uniforms(options_.seed, 0, number, RandomStream::initialisation, uniforms);
  LargeVector<Scalar> start(uniforms.size());
  for (std::size_t i = 0; i < uniforms.size(); ++i) {
    start[i] = static_cast<Scalar>(lower[i % n] + uniforms[i] * (upper[i % n] - lower[i % n]));
  }
  if (subspace_ != nullptr) {
    base_ = start;
    std::fill(x_.begin(), x_.end(), Scalar{0});
  } else if (options_.mode == SearchMode::block) {
    for (std::size_t p = 0; p < particles_; ++p) {
      std::copy_n(start.data() + layout_.first(p), layout_.width(p), row(x_, p));
    }
  } else {
    x_ = start;
  }
  forget();
  history_.clear();
  if (options_.adapt_covariance) covariance_ = DiagonalCovariance(layout_.coordinates());
  radius_ = {};
  std::fill(particle_radii_.begin(), particle_radii_.end(), AdaptiveRadius{});
  trust_ = 1;
  patience_ = {};
  last_displacement_ = peak_displacement_ = 0;
  stop_ = RunStop::steps;
  refresh_point();
}

template class Engine<float>;
template class Engine<double>;

}  // namespace dd::polystep
