// The steps of a node's units, found by asking the kernels that compute them.
#include "polystep/objectives/network_responses.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

#include "polystep/objectives/network_nodes.hpp"

namespace dd::polystep {
namespace {

/// More answers than this are no longer few: a table has as many rows.
constexpr std::size_t most_steps = 64;

/// What one unit of the node answers to `sum`: ticks values.
template <class Scalar>
std::vector<Scalar> answer(const Graph& graph, const Node& node, Scalar sum) {
  std::array<Scalar, group_samples> sums;
  sums.fill(sum);
  std::vector<Scalar> post(node.ticks * group_samples), values;
  apply_activation(graph, node, sums.data(), post.data(), 1);
  for (std::size_t t = 0; t < node.ticks; ++t) values.push_back(post[t * group_samples]);
  return values;
}

/// The least current that makes a unit fire by tick `last`: positive numbers are in the order of their bits.
template <class Scalar>
Scalar least_current(const Graph& graph, const Node& node, std::size_t last) {
  using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
  Bits low = 0,
       high = std::bit_cast<Bits>(static_cast<Scalar>(graph.threshold));  // never at 0, at the threshold at once
  while (high - low > 1) {
    const Bits middle = low + (high - low) / 2;
    const std::vector<Scalar> spikes = answer(graph, node, std::bit_cast<Scalar>(middle));
    bool fires = false;
    for (std::size_t t = 0; t <= last; ++t) fires = fires || spikes[t] != 0;
    (fires ? high : low) = middle;
  }
  return std::bit_cast<Scalar>(high);
}

}  // namespace

template <class Scalar>
Responses<Scalar> responses_of(const Graph& graph, std::size_t index, Loss loss) {
  Responses<Scalar> responses;
  const Node& node = graph.nodes[index];
  const bool sums = loss == Loss::cross_entropy || loss == Loss::zero_one;
  const bool inner = node.kind == NodeKind::dense && node.pre_ticks == 1 && index + 1 < graph.nodes.size();
  if (!sums || !inner || node.decides) return responses;
  const auto add = [&](const std::vector<Scalar>& values) {
    responses.answers.insert(responses.answers.end(), values.begin(), values.end());
  };
  const auto levels = static_cast<Scalar>(graph.levels);
  switch (node.activation) {
    case Activation::lif_spikes:
      if (graph.ticks > most_steps) return responses;
      for (std::size_t t = graph.ticks; t-- > 0;) responses.steps.push_back(least_current<Scalar>(graph, node, t));
      add(std::vector<Scalar>(node.ticks, Scalar{0}));
      for (const Scalar step : responses.steps) add(answer(graph, node, step));
      break;
    case Activation::sign:
      responses.steps = {0, 1};
      add({-1, 0, 1});
      break;
    case Activation::step:
      responses.steps = {1};
      add({0, 1});
      break;
    case Activation::staircase:
      if (graph.levels > static_cast<double>(most_steps)) return responses;
      add({0});
      for (std::size_t level = 1; level <= static_cast<std::size_t>(graph.levels); ++level) {
        responses.steps.push_back(static_cast<Scalar>(level) / levels);
        add({responses.steps.back()});
      }
      break;
    default:
      return responses;
  }
  if (node.activation != Activation::lif_spikes) responses.kind = static_cast<unsigned>(node.activation);
  add(answer(graph, node, std::numeric_limits<Scalar>::quiet_NaN()));
  return responses;
}
template Responses<float> responses_of(const Graph&, std::size_t, Loss);
template Responses<double> responses_of(const Graph&, std::size_t, Loss);

}  // namespace dd::polystep
