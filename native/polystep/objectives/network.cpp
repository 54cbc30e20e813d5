// Networks as objectives: what is known of them before they are scored.
#include "polystep/objectives/network.hpp"

#include <utility>

#include "core/thread_pool.hpp"
#include "polystep/objectives/network_evaluator.hpp"

namespace dd::polystep {

Network::Network(Graph graph, Samples samples, Loss loss, std::size_t batch_size)
    : graph_(std::move(graph)),
      layout_(graph_),
      samples_(std::move(samples)),
      loss_(loss),
      batch_size_(std::min(batch_size, samples_.count)) {
  places_.reserve(graph_.parameters);
  for (std::size_t i = 0; i < graph_.parameters; ++i) places_.push_back(place_of(graph_, i));
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    responses32_.push_back(responses_of<float>(graph_, i, loss_));
    responses64_.push_back(responses_of<double>(graph_, i, loss_));
  }
}

std::unique_ptr<Evaluator<float>> Network::float32_evaluator(std::uint64_t seed) const {
  return std::make_unique<NetworkEvaluator<float>>(*this, seed);
}
std::unique_ptr<Evaluator<double>> Network::float64_evaluator(std::uint64_t seed) const {
  return std::make_unique<NetworkEvaluator<double>>(*this, seed);
}

std::unique_ptr<Evaluator<float>> Network::float32_screen(std::uint64_t seed, double share) const {
  return std::make_unique<NetworkEvaluator<float>>(*this, seed, share);
}
std::unique_ptr<Evaluator<double>> Network::float64_screen(std::uint64_t seed, double share) const {
  return std::make_unique<NetworkEvaluator<double>>(*this, seed, share);
}

template <class Scalar>
void Network::values(std::span<const Scalar> parameters, const Batch<Scalar>& batch, std::size_t node,
                     std::size_t threads, std::span<double> out) const {
  std::vector<Scalar> effective(graph_.effective);
  effective_weights(graph_, parameters.data(), effective.data());
  const std::size_t features = graph_.nodes.front().units, ticks = graph_.nodes[node].ticks;
  const std::size_t length = graph_.nodes[node].units * ticks;
  parallel_for(threads, batch.groups, 4, [&](std::size_t begin, std::size_t end) {
    AlignedBuffer<Scalar> state(layout_.size);
    for (std::size_t g = begin; g < end; ++g) {
      const Scalar* const input = batch.inputs.data() + g * features * group_samples;
      forward_group(graph_, layout_, effective.data(), input, state.data());
      const Scalar* const post = GroupView<Scalar>(layout_, input, state.data()).post(node);
      for (std::size_t lane = 0; lane < batch.valid(g); ++lane) {
        for (std::size_t i = 0; i < length; ++i) {
          out[(g * group_samples + lane) * length + i] = double{post[i * group_samples + lane]};
        }
      }
    }
  });
}
template void Network::values(std::span<const float>, const Batch<float>&, std::size_t, std::size_t,
                              std::span<double>) const;
template void Network::values(std::span<const double>, const Batch<double>&, std::size_t, std::size_t,
                              std::span<double>) const;

}  // namespace dd::polystep
