// One walk through a network for a group of 16 samples, and the walk that follows a change of a few parameters: only
// rows that change are computed, and a group where nothing changes any more is left at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "polystep/objectives/network_graph.hpp"

namespace dd::polystep {

/// Where a group's values lie in one buffer: of each node, units x ticks x 16, before and after the activation.
struct GroupLayout {
  explicit GroupLayout(const Graph& graph);

  std::vector<std::size_t> pre;   ///< dense nodes; for gates and selections the one row of chosen scores
  std::vector<std::size_t> post;  ///< all but the inputs
  std::size_t size = 0;
};

/// What one parameter's change means to the network.
struct ParameterPlace {
  std::size_t node;
  std::size_t row;
  std::size_t column;  ///< no_offset: the bias
  WeightKind kind;     ///< as which it is quantised
};
ParameterPlace place_of(const Graph& graph, std::size_t parameter);

template <class Scalar>
struct ParameterEdit {
  std::size_t parameter;
  ParameterPlace place;
  Scalar value;       ///< the effective one from now on
  Scalar difference;  ///< to the one before
};

/// The values after a node's activation, of the whole group.
template <class Scalar>
class GroupView {
 public:
  GroupView(const GroupLayout& layout, const Scalar* input, const Scalar* state) noexcept
      : layout_(layout), input_(input), state_(state) {}
  const Scalar* post(std::size_t node) const noexcept { return node == 0 ? input_ : state_ + layout_.post[node]; }
  const Scalar* pre(std::size_t node) const noexcept { return state_ + layout_.pre[node]; }
  const Scalar* input() const noexcept { return input_; }

 private:
  const GroupLayout& layout_;
  const Scalar* input_;
  const Scalar* state_;
};

/// Computes all nodes of a group: `input` is units x 16, `state` gets layout.size values.
template <class Scalar>
void forward_group(const Graph& graph, const GroupLayout& layout, const Scalar* effective, const Scalar* input,
                   Scalar* state);

/// The rows of each node that a change reaches, for one group at a time.
template <class Scalar>
class ChangePass {
 public:
  ChangePass(const Graph& graph, const GroupLayout& layout);

  /// Follows `edits` from the state of `base`. `effective` are the weights before the edits. False: the output stays.
  bool run(const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits, const GroupView<Scalar>& base);
  /// As `run`, when row `row` of node `node` has the values `post` (ticks x 16) and no parameter is another one.
  bool run_answer(std::size_t node, std::size_t row, const Scalar* post, const Scalar* effective,
                  const GroupView<Scalar>& base);
  /// As `run`, when all rows of node `node` before its activation are `pre` and what follows has its own parameters.
  bool run_rows(std::size_t node, const Scalar* pre, const Scalar* effective, const GroupView<Scalar>& base);
  /// After `run`: the output's rows, changed or not, units x 16.
  void output(const GroupView<Scalar>& base, Scalar* out) const;
  /// After `run`: makes the change part of `state`.
  void commit(Scalar* state) const;

 private:
  struct NodeChange {
    std::vector<std::uint32_t> computed;  // rows with new values before the activation
    std::vector<std::uint32_t> changed;   // rows with new values after it
    AlignedBuffer<Scalar> pre;            // of `computed`, packed
    AlignedBuffer<Scalar> post;           // of `changed`, packed
    AlignedBuffer<Scalar> difference;     // of `changed`, packed: new - old
    bool scores_changed = false;          // gate, select: `pre` holds the new row
  };

  void clear();
  void run_node(std::size_t index, const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits,
                const GroupView<Scalar>& base);
  void run_dense(std::size_t index, const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits,
                 const GroupView<Scalar>& base);
  std::size_t computed_row(std::size_t index, std::size_t row, const GroupView<Scalar>& base);
  std::size_t add_edits(std::size_t index, std::span<const ParameterEdit<Scalar>> edits, std::size_t first,
                        const GroupView<Scalar>& base, Scalar* target) const;
  void activate_rows(std::size_t index, const GroupView<Scalar>& base);
  void run_gate(std::size_t index, const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits,
                const GroupView<Scalar>& base);
  void run_select(std::size_t index, const GroupView<Scalar>& base);
  void run_tree(std::size_t index, const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits,
                const GroupView<Scalar>& base);
  const Scalar* row(std::size_t node, std::size_t row, const GroupView<Scalar>& base) const;
  void keep_if_new(NodeChange& change, std::uint32_t row, const Scalar* old, std::size_t count);
  void gather_rows(std::size_t node, const GroupView<Scalar>& base);

  const Graph& graph_;
  const GroupLayout& layout_;
  std::vector<NodeChange> changes_;
  AlignedBuffer<Scalar> gathered_;
};

}  // namespace dd::polystep
