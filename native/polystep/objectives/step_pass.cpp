#include "polystep/objectives/step_pass.hpp"

#include <algorithm>

#include "polystep/objectives/network_isa.hpp"
#include "polystep/objectives/network_nodes.hpp"
#include "polystep/objectives/steps_isa.hpp"

namespace dd::polystep {
namespace {

/// Scores are summed anew by whoever picks by them, and their weights may be gates besides.
bool is_linear(const Graph& graph, std::size_t node) {
  const Node& own = graph.nodes[node];
  if (own.kind != NodeKind::dense || own.weight_kind != WeightKind::real || own.decides) return false;
  return std::none_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& other) {
    return (other.kind == NodeKind::gate || other.kind == NodeKind::select) && other.scores == node;
  });
}

}  // namespace

std::size_t linear_node(const Graph& graph, std::size_t first, std::size_t parameters) noexcept {
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.kind != NodeKind::dense || node.weights != first || node.units * node.inputs != parameters) continue;
    return is_linear(graph, i) ? i : 0;
  }
  return 0;
}

bool follows_products(const Graph& graph, std::span<const StepTensor> tensors) noexcept {
  for (std::size_t i = 1; i < graph.nodes.size(); ++i) {
    if (!is_linear(graph, i)) return false;
  }
  std::size_t first = 0, weights = 0;
  for (const StepTensor& tensor : tensors) {
    if (tensor.rank > 0) {
      const std::size_t node = linear_node(graph, first, tensor.parameters());
      if (node == 0 || graph.nodes[node].units != tensor.rows) return false;
      ++weights;
    } else {
      const bool bias = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
        return node.kind == NodeKind::dense && node.bias == first && node.units == tensor.parameters();
      });
      if (!bias) return false;
    }
    first += tensor.parameters();
  }
  return first == graph.parameters && weights + 1 == graph.nodes.size();
}

/// The sparse kind, without the entries that meet inputs of zeros only.
template <class Scalar>
void StepPass<Scalar>::sparse_directions(const Node& node, const Directions<Scalar>& directions, const Scalar* inputs,
                                         const std::uint8_t* lit, Scalar* out) {
  starts_.assign(1, 0);
  entry_rows_.clear();
  entry_columns_.clear();
  values_.clear();
  for (std::size_t j = 0; j < directions.count; ++j) {
    for (std::size_t e = directions.starts[j]; e < directions.starts[j + 1]; ++e) {
      const auto column = static_cast<std::uint32_t>(directions.places[e] % node.inputs);
      if (lit != nullptr && lit[column] == 0) continue;
      entry_rows_.push_back(static_cast<std::uint32_t>(directions.places[e] / node.inputs));
      entry_columns_.push_back(column);
      values_.push_back(directions.values[e]);
    }
    starts_.push_back(static_cast<std::uint32_t>(values_.size()));
  }
  sparse_rows(SparseRows<Scalar>{directions.count, node.units, node.pre_ticks * group_samples, starts_.data(),
                                 entry_rows_.data(), entry_columns_.data(), values_.data(), inputs, out});
}

template <class Scalar>
void StepPass<Scalar>::combine(std::size_t index, const Directions<Scalar>& directions,
                               MatrixView<const Scalar> coefficients, const GroupView<Scalar>& base,
                               const std::uint8_t* lit) {
  const Node& node = graph_.nodes[index];
  const std::size_t columns = node.pre_ticks * group_samples, count = directions.count;
  stride_ = node.units * columns;
  // The base's own rows are the first direction, with coefficients of one.
  along_.resize((count + 1) * stride_);
  std::copy_n(base.pre(index), stride_, along_.data());
  const Scalar* const inputs = base.post(node.source);
  if (directions.dense.empty()) {
    sparse_directions(node, directions, inputs, node.source == 0 ? lit : nullptr, along_.data() + stride_);
  } else {
    DenseRows<Scalar> rows{};
    rows.rows = node.units;
    rows.columns = columns;
    rows.terms = node.inputs;
    rows.weight_stride = node.inputs;
    rows.inputs = inputs;
    for (std::size_t j = 0; j < count; ++j) {
      rows.weights = directions.dense.data() + j * directions.parameters;
      rows.out = along_.data() + (j + 1) * stride_;
      dense_rows(rows);
    }
  }
  weights_.resize(coefficients.rows * (count + 1));
  for (std::size_t i = 0; i < coefficients.rows; ++i) {
    weights_[i * (count + 1)] = 1;
    for (std::size_t j = 0; j < count; ++j) weights_[i * (count + 1) + 1 + j] = coefficients(i, j);
  }
  rows_.resize(coefficients.rows * stride_);
  DenseRows<Scalar> sum{};
  sum.rows = coefficients.rows;
  sum.columns = stride_;
  sum.terms = count + 1;
  sum.weights = weights_.data();
  sum.weight_stride = count + 1;
  sum.inputs = along_.data();
  sum.out = rows_.data();
  dense_rows(sum);
}

template <class Scalar>
void StepPass<Scalar>::find_places(std::span<const StepTensor> tensors) {
  if (!places_.empty()) return;
  places_.resize(graph_.nodes.size());
  std::size_t first = 0, number = 0;
  for (const StepTensor& tensor : tensors) {
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      Place& place = places_[i];
      if (tensor.rank > 0 && node.weights == first) {
        place.weights = number;
        place.rank = tensor.rank;
      } else if (tensor.rank == 0 && node.bias == first) {
        place.bias = number;
        place.has_bias = true;
      }
    }
    first += tensor.parameters();
    number += tensor.numbers();
  }
}

template <class Scalar>
void StepPass<Scalar>::add_bias(std::size_t index, const Scalar* numbers, Scalar factor, Scalar* rows) const {
  const Node& node = graph_.nodes[index];
  if (!places_[index].has_bias) return;
  const std::size_t columns = node.pre_ticks * group_samples;
  for (std::size_t r = 0; r < node.units; ++r) {
    const Scalar own = factor * numbers[places_[index].bias + r];
    for (std::size_t c = 0; c < columns; ++c) rows[r * columns + c] += own;
  }
}

template <class Scalar>
void StepPass<Scalar>::begin_products(const ProductSteps<Scalar>& steps, const GroupView<Scalar>& base) {
  find_places(steps.tensors);
  const std::size_t count = steps.factors.size();
  std::size_t size = 0;
  for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    if (node.source != 0) continue;
    places_[i].rows_at = size;
    size += count * node.units * node.pre_ticks * group_samples;
  }
  rows_.resize(size);
  for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    const Place& place = places_[i];
    if (node.source != 0) continue;
    lefts_.clear();
    rights_.clear();
    for (const Scalar* const numbers : steps.numbers) {
      lefts_.push_back(numbers + place.weights);
      rights_.push_back(numbers + place.weights + node.units * place.rank);
    }
    const std::size_t columns = node.pre_ticks * group_samples;
    product_rows(ProductRows<Scalar>{count, node.units, columns, node.inputs, place.rank, steps.factors.data(),
                                     lefts_.data(), rights_.data(), base.input(), base.pre(i),
                                     rows_.data() + place.rows_at});
  }
}

template <class Scalar>
void StepPass<Scalar>::finish_products(const ProductSteps<Scalar>& steps, std::size_t candidate,
                                       const Scalar* effective, const GroupView<Scalar>& base, Scalar* state) {
  const Scalar* const numbers = steps.numbers[candidate];
  const Scalar factor = steps.factors[candidate];
  const GroupView<Scalar> view(layout_, base.input(), state);
  for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    const Place& place = places_[i];
    const std::size_t columns = node.pre_ticks * group_samples, size = node.units * columns;
    Scalar* const pre = state + layout_.pre[i];
    if (node.source == 0) {
      std::copy_n(rows_.data() + place.rows_at + candidate * size, size, pre);
    } else {
      plain_.resize(size);
      DenseRows<Scalar> rows{};
      rows.rows = node.units;
      rows.columns = columns;
      rows.terms = node.inputs;
      rows.weights = effective + node.weights;
      rows.weight_stride = node.inputs;
      rows.inputs = view.post(node.source);
      rows.bias = node.bias == no_offset ? nullptr : effective + node.bias;
      rows.out = plain_.data();
      dense_rows(rows);
      const Scalar* const left = numbers + place.weights;
      const Scalar* const right = left + node.units * place.rank;
      product_rows(ProductRows<Scalar>{1, node.units, columns, node.inputs, place.rank, &factor, &left, &right,
                                       view.post(node.source), plain_.data(), pre});
    }
    add_bias(i, numbers, factor, pre);
    apply_activation(graph_, node, pre, state + layout_.post[i], node.units);
  }
}

template class StepPass<float>;
template class StepPass<double>;

}  // namespace dd::polystep
