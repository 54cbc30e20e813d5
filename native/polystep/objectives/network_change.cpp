// The walk that follows a change. A row's new value before the activation is the old one plus what changed: first the
// changed rows of its source times the old weights, in row order, then edited weights times the new source, in order of
// the parameters, then the bias. Scores that pick something are summed anew.
#include <algorithm>
#include <array>
#include <cstring>

#include "polystep/objectives/network_isa.hpp"
#include "polystep/objectives/network_nodes.hpp"
#include "polystep/objectives/network_pass.hpp"

namespace dd::polystep {

template <class Scalar>
ChangePass<Scalar>::ChangePass(const Graph& graph, const GroupLayout& layout)
    : graph_(graph), layout_(layout), changes_(graph.nodes.size()) {
  std::size_t most = 0;
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    NodeChange& change = changes_[i];
    const std::size_t pre = node.kind == NodeKind::dense ? node.units * node.pre_ticks : 1;
    change.pre = AlignedBuffer<Scalar>(pre * group_samples);
    change.post = AlignedBuffer<Scalar>(node.units * node.ticks * group_samples);
    change.difference = AlignedBuffer<Scalar>(node.units * node.ticks * group_samples);
    change.computed.reserve(node.units);
    change.changed.reserve(node.units);
    if (node.kind != NodeKind::gate && node.kind != NodeKind::select) continue;
    const Node& scores = graph.nodes[node.scores];
    most = std::max(most, std::max(scores.units, scores.inputs * scores.pre_ticks));
  }
  gathered_ = AlignedBuffer<Scalar>(most * group_samples);
}

template <class Scalar>
const Scalar* ChangePass<Scalar>::row(std::size_t node, std::size_t row, const GroupView<Scalar>& base) const {
  const std::size_t length = graph_.nodes[node].ticks * group_samples;
  const auto& changed = changes_[node].changed;
  const auto found = std::lower_bound(changed.begin(), changed.end(), row);
  if (found == changed.end() || *found != row) return base.post(node) + row * length;
  return changes_[node].post.data() + static_cast<std::size_t>(found - changed.begin()) * length;
}

/// `change.post` holds the row's new values behind those of `changed`: kept when they differ from the old ones.
template <class Scalar>
void ChangePass<Scalar>::keep_if_new(NodeChange& change, std::uint32_t row, const Scalar* old, std::size_t count) {
  const std::size_t at = change.changed.size() * count;
  const Scalar* const now = change.post.data() + at;
  if (std::memcmp(now, old, count * sizeof(Scalar)) == 0) return;
  change.changed.push_back(row);
  if (&change == &changes_.back()) return;  // nobody asks for the differences of the output
  Scalar* const difference = change.difference.data() + at;
  for (std::size_t i = 0; i < count; ++i) difference[i] = now[i] - old[i];
}

template <class Scalar>
void ChangePass<Scalar>::activate_rows(std::size_t index, const GroupView<Scalar>& base) {
  const Node& node = graph_.nodes[index];
  NodeChange& change = changes_[index];
  const std::size_t count = node.ticks * group_samples;
  // All at once, where spiking rows overlap; then those that stay as they were are closed up.
  apply_activation(graph_, node, change.pre.data(), change.post.data(), change.computed.size());
  for (std::size_t i = 0; i < change.computed.size(); ++i) {
    const std::size_t kept = change.changed.size();
    if (kept != i) std::copy_n(change.post.data() + i * count, count, change.post.data() + kept * count);
    keep_if_new(change, change.computed[i], base.post(index) + change.computed[i] * count, count);
  }
}

/// Where the row lies among the computed ones; a new one begins with its old values.
template <class Scalar>
std::size_t ChangePass<Scalar>::computed_row(std::size_t index, std::size_t row, const GroupView<Scalar>& base) {
  const std::size_t columns = graph_.nodes[index].pre_ticks * group_samples;
  NodeChange& change = changes_[index];
  const auto place = std::find(change.computed.begin(), change.computed.end(), row);
  const auto at = static_cast<std::size_t>(place - change.computed.begin());
  if (place == change.computed.end()) {
    change.computed.push_back(static_cast<std::uint32_t>(row));
    std::copy_n(base.pre(index) + row * columns, columns, change.pre.data() + at * columns);
  }
  return at;
}

/// Adds edit `first` and those after it that belong to the same row; returns the next one.
template <class Scalar>
std::size_t ChangePass<Scalar>::add_edits(std::size_t index, std::span<const ParameterEdit<Scalar>> edits,
                                          std::size_t first, const GroupView<Scalar>& base, Scalar* target) const {
  const Node& node = graph_.nodes[index];
  const std::size_t columns = node.pre_ticks * group_samples;
  const ParameterEdit<Scalar>& edit = edits[first];
  if (edit.place.column == no_offset) {
    for (std::size_t c = 0; c < columns; ++c) target[c] += edit.difference;
    return first + 1;
  }
  constexpr std::size_t most = 16;
  std::array<Scalar, most> weights;
  std::array<std::uint32_t, most> rows;
  const bool same_source = changes_[node.source].changed.empty();
  std::size_t count = 0;
  while (count < most && first + count < edits.size()) {
    const ParameterPlace& place = edits[first + count].place;
    if (place.node != index || place.row != edit.place.row || place.column == no_offset) break;
    weights[count] = edits[first + count].difference;
    rows[count] = static_cast<std::uint32_t>(place.column);
    ++count;
    if (!same_source) break;  // each row lies somewhere else
  }
  DenseRows<Scalar> sum{};
  sum.rows = 1;
  sum.columns = columns;
  sum.terms = count;
  sum.weights = weights.data();
  sum.inputs = same_source ? base.post(node.source) : row(node.source, edit.place.column, base);
  sum.input_rows = same_source ? rows.data() : nullptr;
  sum.start = target;
  sum.out = target;
  dense_rows(sum);
  return first + count;
}

template <class Scalar>
void ChangePass<Scalar>::run_dense(std::size_t index, const Scalar* effective,
                                   std::span<const ParameterEdit<Scalar>> edits, const GroupView<Scalar>& base) {
  const Node& node = graph_.nodes[index];
  NodeChange& change = changes_[index];
  const NodeChange& source = changes_[node.source];
  const std::size_t columns = node.pre_ticks * group_samples;
  const bool all = !source.changed.empty();
  if (all) {
    for (std::size_t r = 0; r < node.units; ++r) change.computed.push_back(static_cast<std::uint32_t>(r));
    DenseRows<Scalar> rows{};
    rows.rows = node.units;
    rows.columns = columns;
    rows.weights = effective + node.weights;
    rows.weight_stride = node.inputs;
    rows.out = change.pre.data();
    if (node.decides) {
      // Anew from the whole source: scores of a sample without a live unit are all equal, and the first one wins.
      gather_rows(node.source, base);
      rows.terms = node.inputs;
      rows.inputs = gathered_.data();
      rows.bias = node.bias == no_offset ? nullptr : effective + node.bias;
    } else {
      rows.terms = source.changed.size();
      rows.weight_columns = source.changed.data();
      rows.inputs = source.difference.data();
      rows.start = base.pre(index);
    }
    dense_rows(rows);
  }
  for (std::size_t i = 0; i < edits.size();) {
    if (edits[i].place.node != index) {
      ++i;
      continue;
    }
    const std::size_t row_number = edits[i].place.row;
    Scalar* const target = change.pre.data() + (all ? row_number : computed_row(index, row_number, base)) * columns;
    i = add_edits(index, edits, i, base, target);
  }
  if (!all && change.computed.size() > 1) {
    // In row order, because rows are looked up by bisection; packed values follow.
    for (std::size_t i = 1; i < change.computed.size(); ++i) {
      for (std::size_t j = i; j > 0 && change.computed[j - 1] > change.computed[j]; --j) {
        std::swap(change.computed[j - 1], change.computed[j]);
        std::swap_ranges(change.pre.data() + (j - 1) * columns, change.pre.data() + j * columns,
                         change.pre.data() + j * columns);
      }
    }
  }
  activate_rows(index, base);
}

template <class Scalar>
void ChangePass<Scalar>::gather_rows(std::size_t node, const GroupView<Scalar>& base) {
  const std::size_t length = graph_.nodes[node].ticks * group_samples;
  for (std::size_t r = 0; r < graph_.nodes[node].units; ++r) {
    std::copy_n(row(node, r, base), length, gathered_.data() + r * length);
  }
}

template <class Scalar>
void ChangePass<Scalar>::run_gate(std::size_t index, const Scalar* effective,
                                  std::span<const ParameterEdit<Scalar>> edits, const GroupView<Scalar>& base) {
  const Node& node = graph_.nodes[index];
  NodeChange& change = changes_[index];
  const auto gates = [&](const ParameterEdit<Scalar>& edit) {
    return edit.place.node == node.scores && edit.place.column != no_offset;
  };
  const bool gates_changed = std::any_of(edits.begin(), edits.end(), gates);
  change.scores_changed = !changes_[node.scores].changed.empty();
  if (!change.scores_changed && !gates_changed && changes_[node.source].changed.empty()) return;
  if (change.scores_changed) {
    gather_rows(node.scores, base);
    first_largest(graph_.nodes[node.scores].units, gathered_.data(), change.pre.data());
  }
  const Scalar* const chosen = change.scores_changed ? change.pre.data() : base.pre(index);
  for (std::size_t r = 0; r < node.units; ++r) {
    const auto gate = [&](std::size_t score) {
      for (const ParameterEdit<Scalar>& edit : edits) {
        if (gates(edit) && edit.place.row == score && edit.place.column == r) return gate_of(edit.value);
      }
      return effective[node.gates + score * node.units + r];
    };
    gate_row(row(node.source, r, base), chosen, gate, change.post.data() + change.changed.size() * group_samples);
    keep_if_new(change, static_cast<std::uint32_t>(r), base.post(index) + r * group_samples, group_samples);
  }
}

template <class Scalar>
void ChangePass<Scalar>::run_select(std::size_t index, const GroupView<Scalar>& base) {
  const Node& node = graph_.nodes[index];
  NodeChange& change = changes_[index];
  change.scores_changed = !changes_[node.scores].changed.empty();
  const bool experts_changed = std::any_of(node.experts.begin(), node.experts.end(),
                                           [&](std::size_t expert) { return !changes_[expert].changed.empty(); });
  if (!change.scores_changed && !experts_changed) return;
  if (change.scores_changed) {
    gather_rows(node.scores, base);
    first_largest(graph_.nodes[node.scores].units, gathered_.data(), change.pre.data());
  }
  const Scalar* const chosen = change.scores_changed ? change.pre.data() : base.pre(index);
  for (std::size_t r = 0; r < node.units; ++r) {
    select_row(
        node, chosen, [&](std::size_t expert) { return row(expert, r, base); },
        change.post.data() + change.changed.size() * group_samples);
    keep_if_new(change, static_cast<std::uint32_t>(r), base.post(index) + r * group_samples, group_samples);
  }
}

template <class Scalar>
void ChangePass<Scalar>::run_tree(std::size_t index, const Scalar* effective,
                                  std::span<const ParameterEdit<Scalar>> edits, const GroupView<Scalar>& base) {
  const Node& node = graph_.nodes[index];
  NodeChange& change = changes_[index];
  const auto own = [&](const ParameterEdit<Scalar>& edit) { return edit.place.node == index; };
  const bool leaves_changed = std::any_of(edits.begin(), edits.end(), own);
  if (changes_[node.source].changed.empty() && !leaves_changed) return;
  const std::size_t decisions = graph_.nodes[node.source].units;
  for (std::size_t lane = 0; lane < group_samples; ++lane) {
    std::size_t at = 0;
    while (at < decisions) at = 2 * at + (row(node.source, at, base)[lane] > 0 ? 2 : 1);
    const std::size_t leaf = at - decisions;
    Scalar value = effective[node.weights + leaf];
    for (const ParameterEdit<Scalar>& edit : edits) {
      if (own(edit) && edit.place.row == leaf) value = edit.value;
    }
    change.post[lane] = value;
  }
  keep_if_new(change, 0, base.post(index), group_samples);
}

template <class Scalar>
void ChangePass<Scalar>::clear() {
  for (NodeChange& change : changes_) {
    change.computed.clear();
    change.changed.clear();
    change.scores_changed = false;
  }
}

template <class Scalar>
void ChangePass<Scalar>::run_node(std::size_t index, const Scalar* effective,
                                  std::span<const ParameterEdit<Scalar>> edits, const GroupView<Scalar>& base) {
  switch (graph_.nodes[index].kind) {
    case NodeKind::dense:
      return run_dense(index, effective, edits, base);
    case NodeKind::gate:
      return run_gate(index, effective, edits, base);
    case NodeKind::select:
      return run_select(index, base);
    case NodeKind::tree:
      return run_tree(index, effective, edits, base);
    case NodeKind::input:
      return;
  }
}

template <class Scalar>
bool ChangePass<Scalar>::run(const Scalar* effective, std::span<const ParameterEdit<Scalar>> edits,
                             const GroupView<Scalar>& base) {
  clear();
  for (std::size_t i = 1; i < graph_.nodes.size(); ++i) run_node(i, effective, edits, base);
  return !changes_.back().changed.empty();
}

template <class Scalar>
bool ChangePass<Scalar>::run_answer(std::size_t node, std::size_t row, const Scalar* post, const Scalar* effective,
                                    const GroupView<Scalar>& base) {
  clear();
  const std::size_t count = graph_.nodes[node].ticks * group_samples;
  std::copy_n(post, count, changes_[node].post.data());
  keep_if_new(changes_[node], static_cast<std::uint32_t>(row), base.post(node) + row * count, count);
  if (changes_[node].changed.empty()) return false;
  for (std::size_t i = node + 1; i < graph_.nodes.size(); ++i) run_node(i, effective, {}, base);
  return !changes_.back().changed.empty();
}

template <class Scalar>
bool ChangePass<Scalar>::run_rows(std::size_t node, const Scalar* pre, const Scalar* effective,
                                  const GroupView<Scalar>& base) {
  clear();
  NodeChange& change = changes_[node];
  const std::size_t units = graph_.nodes[node].units;
  for (std::size_t r = 0; r < units; ++r) change.computed.push_back(static_cast<std::uint32_t>(r));
  std::copy_n(pre, units * graph_.nodes[node].pre_ticks * group_samples, change.pre.data());
  activate_rows(node, base);
  if (change.changed.empty()) return false;
  for (std::size_t i = node + 1; i < graph_.nodes.size(); ++i) run_node(i, effective, {}, base);
  return !changes_.back().changed.empty();
}

template <class Scalar>
void ChangePass<Scalar>::output(const GroupView<Scalar>& base, Scalar* out) const {
  const std::size_t last = graph_.nodes.size() - 1;
  std::copy_n(base.post(last), graph_.output().units * group_samples, out);
  const auto& changed = changes_[last].changed;
  for (std::size_t i = 0; i < changed.size(); ++i) {
    std::copy_n(changes_[last].post.data() + i * group_samples, group_samples, out + changed[i] * group_samples);
  }
}

template <class Scalar>
void ChangePass<Scalar>::commit(Scalar* state) const {
  for (std::size_t n = 1; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    const NodeChange& change = changes_[n];
    const std::size_t pre = node.pre_ticks * group_samples, post = node.ticks * group_samples;
    for (std::size_t i = 0; i < change.computed.size(); ++i) {
      std::copy_n(change.pre.data() + i * pre, pre, state + layout_.pre[n] + change.computed[i] * pre);
    }
    if (change.scores_changed) std::copy_n(change.pre.data(), group_samples, state + layout_.pre[n]);
    for (std::size_t i = 0; i < change.changed.size(); ++i) {
      std::copy_n(change.post.data() + i * post, post, state + layout_.post[n] + change.changed[i] * post);
    }
  }
}

template class ChangePass<float>;
template class ChangePass<double>;

}  // namespace dd::polystep
