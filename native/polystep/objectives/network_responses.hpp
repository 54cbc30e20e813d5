// Units that answer in few ways. A spiking unit under a constant current fires at multiples of one period; a sign, a
// step or a staircase has a few values. Whatever changes such a unit's weights, a sample's loss is then one of a few:
// they are computed once, and candidates look them up.
#pragma once

#include <cstddef>
#include <vector>

#include "polystep/objectives/loss.hpp"
#include "polystep/objectives/network_graph.hpp"

namespace dd::polystep {

/// The answers of a node's units in the order of their sums, the answer to NaN last.
template <class Scalar>
struct Responses {
  unsigned kind = 0;            ///< activation to be applied before steps are counted, as in Activate
  std::vector<Scalar> steps;    ///< ascending: answer m is given where m of them are reached
  std::vector<Scalar> answers;  ///< (steps + 2) x ticks

  bool few() const noexcept { return !answers.empty(); }
  std::size_t count() const noexcept { return steps.size() + 2; }
};

/// Without answers where there are not a few of them, or where the loss of a batch is no sum over its samples.
template <class Scalar>
Responses<Scalar> responses_of(const Graph& graph, std::size_t node, Loss loss);

}  // namespace dd::polystep
