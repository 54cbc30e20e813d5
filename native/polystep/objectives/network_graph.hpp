// Shape of a network as a list of nodes, inputs first: what hard models are made of (specs/polystep.md, section 12).
// One walk over the list evaluates any of them; another one follows a change through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dd::polystep {

/// Samples that are computed side by side, whatever the instruction set: sums do not depend on it.
inline constexpr std::size_t group_samples = 16;

enum class NodeKind : std::uint8_t {
  input,
  dense,   ///< activation(weights source + bias)
  gate,    ///< source times the logistic function of the weights of the largest score (the first of equals)
  select,  ///< the expert with the largest score (the first of equals)
  tree,    ///< the leaf that the source's decisions lead to: node i goes to 2i + 1, or to 2i + 2 where it is 1
};

enum class Activation : std::uint8_t {
  identity,
  relu,
  sign,       ///< 0 at 0
  staircase,  ///< floor(levels logistic(z)) / levels
  tanh,
  step,        ///< 1 above 0, else 0
  lif_spikes,  ///< leaky integrate and fire: a spike train
  lif_counts,  ///< the same, counted
};
inline constexpr std::size_t activations = 8;

enum class WeightKind : std::uint8_t {
  real,
  int8,     ///< 0.01 clip(round(w / 0.01), -128, 127), halves to even; the bias, too
  ternary,  ///< sign(w) where |w| >= 0.5, else 0; the bias stays real
  binary,   ///< sign(w), 0 at 0; the bias stays real
};
inline constexpr std::size_t weight_kinds = 4;

inline constexpr std::size_t no_offset = static_cast<std::size_t>(-1);

struct Node {
  NodeKind kind = NodeKind::input;
  std::size_t units = 0;
  std::size_t ticks = 1;             ///< values of a unit for one sample: more than 1 for spike trains
  std::size_t source = 0;            ///< dense, gate, tree
  std::size_t scores = 0;            ///< gate, select
  std::vector<std::size_t> experts;  ///< select
  // Dense.
  std::size_t inputs = 0;     ///< units of the source
  std::size_t pre_ticks = 1;  ///< before the activation
  std::size_t weights = 0;    ///< offset of units x inputs parameters; of the leaves of a tree
  std::size_t bias = no_offset;
  WeightKind weight_kind = WeightKind::real;
  Activation activation = Activation::identity;
  bool decides = false;   ///< scores of a gate or a selection: equal ones must stay equal, to the last bit
  std::size_t gates = 0;  ///< of a gate: where logistic(weights of its scores) lie among the effective weights
};

struct Graph {
  std::vector<Node> nodes;
  std::size_t parameters = 0;
  std::size_t effective = 0;  ///< effective weights: one per parameter, then those of the gates
  std::size_t ticks = 15;
  double beta = 0.95;
  double threshold = 1;
  double levels = 5;

  const Node& output() const noexcept { return nodes.back(); }
};

/// Throws when the nodes do not fit together; fills in inputs, ticks and pre_ticks.
void complete_graph(Graph& graph);

/// What the parameters stand for: quantised where their layer is, and the logistic function of what gates.
template <class Scalar>
void effective_weights(const Graph& graph, const Scalar* parameters, Scalar* effective);
template <class Scalar>
Scalar effective_weight(WeightKind kind, Scalar weight) noexcept;
template <class Scalar>
Scalar gate_of(Scalar weight) noexcept;

}  // namespace dd::polystep
