// What nodes do to rows of a group: shared by the walk through everything and the one that follows a change.
#pragma once

#include <cstddef>

#include "polystep/objectives/network_graph.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {

/// `rows` rows before the activation -> after it.
template <class Scalar>
void apply_activation(const Graph& graph, const Node& node, const Scalar* pre, Scalar* post, std::size_t rows) {
  if (node.activation == Activation::lif_spikes || node.activation == Activation::lif_counts) {
    lif_rows(LifRows<Scalar>{rows, graph.ticks, node.pre_ticks, static_cast<Scalar>(graph.beta),
                             static_cast<Scalar>(graph.threshold), node.activation == Activation::lif_counts, pre,
                             post});
  } else {
    activate(Activate<Scalar>{static_cast<unsigned>(node.activation), static_cast<Scalar>(graph.levels), pre, post,
                              rows * group_samples});
  }
}

/// Number of the first largest score of each sample.
template <class Scalar>
void first_largest(std::size_t units, const Scalar* scores, Scalar* chosen) {
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    std::size_t best = 0;
    for (std::size_t r = 1; r < units; ++r) {
      if (scores[r * group_samples + lane] > scores[best * group_samples + lane]) best = r;
    }
    chosen[lane] = static_cast<Scalar>(best);
  }
}

/// One row of values times the gates of the chosen scores; gate(score) is the row's gate.
template <class Scalar, class Gate>
void gate_row(const Scalar* values, const Scalar* chosen, Gate gate, Scalar* out) {
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    out[lane] = values[lane] * gate(static_cast<std::size_t>(chosen[lane]));
  }
}

/// One row of what the chosen experts say; row_of(node) is their row.
template <class Scalar, class RowOf>
void select_row(const Node& node, const Scalar* chosen, RowOf row_of, Scalar* out) {
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    out[lane] = row_of(node.experts[static_cast<std::size_t>(chosen[lane])])[lane];
  }
}

/// From the root to a leaf by the decisions, rows of 0 and 1.
template <class Scalar>
void walk_tree(std::size_t decisions, const Scalar* rows, const Scalar* leaves, Scalar* out) {
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    std::size_t node = 0;
    while (node < decisions) node = 2 * node + (rows[node * group_samples + lane] > 0 ? 2 : 1);
    out[lane] = leaves[node - decisions];
  }
}

}  // namespace dd::polystep
