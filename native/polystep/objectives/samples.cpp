// Choice and layout of the samples of a step.
#include "polystep/objectives/samples.hpp"

#include <algorithm>
#include <numeric>

#include "core/philox.hpp"
#include "polystep/objectives/network_graph.hpp"

namespace dd::polystep {
namespace {

/// The optimizer's stream of minibatches (specs/polystep.md, section 15).
constexpr std::uint32_t minibatch_stream = 2;

template <class Scalar>
void resize(Batch<Scalar>& batch, std::size_t count, std::size_t features, std::size_t targets) {
  batch.count = count;
  batch.groups = (count + group_samples - 1) / group_samples;
  batch.inputs.assign(batch.groups * features * group_samples, Scalar{0});
  batch.labels.assign(batch.groups * group_samples, 0);
  batch.targets.assign(batch.groups * targets * group_samples, 0.0);
}

}  // namespace

template <class Scalar>
void gather(const Samples& samples, std::span<const std::uint32_t> chosen, Batch<Scalar>& batch) {
  const std::size_t outputs = samples.targets.empty() ? 0 : samples.outputs;
  resize(batch, chosen.size(), samples.features, outputs);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::size_t group = i / group_samples, lane = i % group_samples;
    Scalar* const inputs = batch.inputs.data() + group * samples.features * group_samples + lane;
    for (std::size_t f = 0; f < samples.features; ++f) {
      inputs[f * group_samples] = samples.input<Scalar>(chosen[i], f);
    }
    if (!samples.labels.empty()) batch.labels[i] = samples.labels[chosen[i]];
    for (std::size_t o = 0; o < outputs; ++o) {
      batch.targets[(group * outputs + o) * group_samples + lane] = samples.targets[chosen[i] * outputs + o];
    }
  }
}
template void gather(const Samples&, std::span<const std::uint32_t>, Batch<float>&);
template void gather(const Samples&, std::span<const std::uint32_t>, Batch<double>&);

template <class Scalar, class Given>
void gather_inputs(std::span<const Given> inputs, std::size_t features, Batch<Scalar>& batch) {
  resize(batch, inputs.size() / features, features, 0);
  for (std::size_t i = 0; i < batch.count; ++i) {
    Scalar* const to = batch.inputs.data() + i / group_samples * features * group_samples + i % group_samples;
    for (std::size_t f = 0; f < features; ++f) to[f * group_samples] = static_cast<Scalar>(inputs[i * features + f]);
  }
}
template void gather_inputs(std::span<const float>, std::size_t, Batch<float>&);
template void gather_inputs(std::span<const float>, std::size_t, Batch<double>&);
template void gather_inputs(std::span<const double>, std::size_t, Batch<float>&);
template void gather_inputs(std::span<const double>, std::size_t, Batch<double>&);

std::span<const std::uint32_t> BatchOrder::of_step(std::uint64_t step) {
  if (order_.empty()) {
    order_.resize(count_);
    std::iota(order_.begin(), order_.end(), 0u);
  }
  if (batch_ >= count_) return order_;
  const std::uint64_t steps = count_ / batch_, epoch = step / steps;
  if (epoch != epoch_) {
    // Fisher and Yates, from the identity, so that no epoch needs the one before.
    std::iota(order_.begin(), order_.end(), 0u);
    PhiloxStream random(seed_, static_cast<std::uint32_t>(epoch), minibatch_stream);
    for (std::size_t i = count_; i > 1; --i) {
      std::swap(order_[i - 1], order_[random.next_below(static_cast<std::uint32_t>(i))]);
    }
    epoch_ = epoch;
  }
  return std::span<const std::uint32_t>(order_).subspan(static_cast<std::size_t>(step % steps) * batch_, batch_);
}

}  // namespace dd::polystep
