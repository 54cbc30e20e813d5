// A network with its data as an objective: points are parameters, the loss is taken over the minibatch of the step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "polystep/objective.hpp"
#include "polystep/objectives/loss.hpp"
#include "polystep/objectives/network_pass.hpp"
#include "polystep/objectives/network_responses.hpp"
#include "polystep/objectives/samples.hpp"

namespace dd::polystep {

class Network final : public Objective {
 public:
  /// `graph` is complete; `batch_size` samples a step, all of them when there are not more.
  Network(Graph graph, Samples samples, Loss loss, std::size_t batch_size);

  std::string_view name() const noexcept override { return "network"; }
  std::size_t dimension() const noexcept override { return graph_.parameters; }
  std::size_t bytes() const noexcept override { return samples_.bytes() + places_.size() * sizeof(ParameterPlace); }
  std::unique_ptr<Evaluator<float>> float32_evaluator(std::uint64_t seed) const override;
  std::unique_ptr<Evaluator<double>> float64_evaluator(std::uint64_t seed) const override;
  std::unique_ptr<Evaluator<float>> float32_screen(std::uint64_t seed, double share) const override;
  std::unique_ptr<Evaluator<double>> float64_screen(std::uint64_t seed, double share) const override;

  const Graph& graph() const noexcept { return graph_; }
  const GroupLayout& layout() const noexcept { return layout_; }
  const Samples& samples() const noexcept { return samples_; }
  Loss loss() const noexcept { return loss_; }
  std::size_t batch_size() const noexcept { return batch_size_; }
  const ParameterPlace& place(std::size_t parameter) const noexcept { return places_[parameter]; }

  template <class Scalar>
  const Responses<Scalar>& responses(std::size_t node) const noexcept {
    if constexpr (sizeof(Scalar) == 4) {
      return responses32_[node];
    } else {
      return responses64_[node];
    }
  }

  /// Values of node `node` for each sample of `batch`: samples x (units x ticks).
  template <class Scalar>
  void values(std::span<const Scalar> parameters, const Batch<Scalar>& batch, std::size_t node, std::size_t threads,
              std::span<double> out) const;

 private:
  Graph graph_;
  GroupLayout layout_;
  Samples samples_;
  Loss loss_;
  std::size_t batch_size_;
  std::vector<ParameterPlace> places_;
  std::vector<Responses<float>> responses32_;
  std::vector<Responses<double>> responses64_;
};

}  // namespace dd::polystep
