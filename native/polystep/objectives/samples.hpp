// Data that a loss is taken over, and the part of it that a step looks at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"

namespace dd::polystep {

/// samples x features inputs in one of two precisions, and for each sample a label or `outputs` targets.
struct Samples {
  std::size_t count = 0;
  std::size_t features = 0;
  std::size_t outputs = 0;
  std::vector<float> inputs32;
  std::vector<double> inputs64;
  std::vector<std::int32_t> labels;
  std::vector<double> targets;

  template <class Scalar>
  Scalar input(std::size_t sample, std::size_t feature) const noexcept {
    const std::size_t at = sample * features + feature;
    return inputs32.empty() ? static_cast<Scalar>(inputs64[at]) : static_cast<Scalar>(inputs32[at]);
  }
  std::size_t bytes() const noexcept {
    return inputs32.size() * sizeof(float) + inputs64.size() * sizeof(double) + labels.size() * sizeof(std::int32_t) +
           targets.size() * sizeof(double);
  }
};

/// Groups of 16 samples, features x 16 values each; what is left of the last group is zeros with the label 0.
template <class Scalar>
struct Batch {
  std::size_t count = 0;
  std::size_t groups = 0;
  LargeVector<Scalar> inputs;
  std::vector<std::int32_t> labels;
  std::vector<double> targets;  ///< groups x outputs x 16

  std::size_t valid(std::size_t group) const noexcept { return group + 1 < groups ? 16 : count - 16 * group; }
};

template <class Scalar>
void gather(const Samples& samples, std::span<const std::uint32_t> chosen, Batch<Scalar>& batch);
/// Samples without labels: what a network is asked about.
template <class Scalar, class Given>
void gather_inputs(std::span<const Given> inputs, std::size_t features, Batch<Scalar>& batch);

/// Which samples a step looks at: in each epoch a new order of all of them, cut into batches; what is left over after
/// the last whole batch is not looked at in that epoch. A function of (seed, step) alone.
class BatchOrder {
 public:
  BatchOrder(std::size_t count, std::size_t batch, std::uint64_t seed) : count_(count), batch_(batch), seed_(seed) {}
  std::span<const std::uint32_t> of_step(std::uint64_t step);

 private:
  std::size_t count_;
  std::size_t batch_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = ~std::uint64_t{0};
  std::vector<std::uint32_t> order_;
};

}  // namespace dd::polystep
