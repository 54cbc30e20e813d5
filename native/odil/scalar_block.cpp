#include "odil/scalar_block.hpp"

#include "core/error.hpp"

namespace dd::odil {

ScalarBlock::ScalarBlock(Graph& graph, const Domain& domain, std::size_t fields, std::span<const NodeId> roots,
                         const std::string& name)
    : operands_(domain.operands), values_(graph, roots) {
  std::vector<NodeId> derivatives;
  for (std::size_t r = 0; r < roots.size(); ++r) {
    if (!graph.is_uniform(roots[r])) {
      throw Error(ErrorCode::invalid_argument_value, name,
                  "`" + name + "` is a list of numbers, so it must be made of parameters and of single values of " +
                      "fields (pick), got an expression that depends on the point");
    }
    std::vector<NodeId> leaves;
    const std::vector<bool> needed = reachable(graph, roots.subspan(r, 1));
    for (NodeId id = 0; id < needed.size(); ++id) {
      if (!needed[id]) continue;
      const Node& node = graph[id];
      if (node.op == Op::pick) {
        const Operand& operand = operands_[static_cast<std::size_t>(node.id)];
        for (std::size_t axis = 0; axis < operand.shape.axes; ++axis) {
          if (node.shift[axis] >= 0 && node.shift[axis] < operand.shape.count[axis]) continue;
          throw Error(ErrorCode::out_of_range, name,
                      "`" + name + "` picks index " + std::to_string(node.shift[axis]) + " of `" + operand.name +
                          "` along axis " + domain.axis_names[axis] + ", which has " +
                          std::to_string(operand.shape.count[axis]) + " points");
        }
      }
      const bool value = node.op == Op::pick && static_cast<std::size_t>(node.id) < fields;
      if (value || node.op == Op::parameter) leaves.push_back(id);
    }
    for (const Adjoint& adjoint : reverse(graph, roots[r], graph.constant(1), leaves)) {
      const Node& leaf = graph[adjoint.leaf];
      const auto number = static_cast<std::size_t>(leaf.id);
      const bool parameter = leaf.op == Op::parameter;
      pattern_.push_back({r, parameter, number, parameter ? 0 : resolve(operands_[number].shape, leaf.shift, Shift{})});
      derivatives.push_back(adjoint.value);
    }
  }
  derivatives_ = Uniforms(graph, derivatives);
}

template <class T>
void ScalarBlock::evaluate(const Uniforms& uniforms, std::span<const T* const> operands,
                           std::span<const double> parameters, std::span<double> values) const {
  uniforms.evaluate(
      parameters,
      [&](std::int32_t id, const Shift& index) {
        const auto operand = static_cast<std::size_t>(id);
        return static_cast<double>(operands[operand][resolve(operands_[operand].shape, index, Shift{})]);
      },
      values);
}

template <class T>
void ScalarBlock::evaluate(std::span<const T* const> operands, std::span<const double> parameters,
                           std::span<double> residuals) const {
  evaluate<T>(values_, operands, parameters, residuals);
}
template void ScalarBlock::evaluate(std::span<const float* const>, std::span<const double>, std::span<double>) const;
template void ScalarBlock::evaluate(std::span<const double* const>, std::span<const double>, std::span<double>) const;

template <class T>
void ScalarBlock::evaluate_derivatives(std::span<const T* const> operands, std::span<const double> parameters,
                                       std::span<double> values) const {
  evaluate<T>(derivatives_, operands, parameters, values);
}
template void ScalarBlock::evaluate_derivatives(std::span<const float* const>, std::span<const double>,
                                                std::span<double>) const;
template void ScalarBlock::evaluate_derivatives(std::span<const double* const>, std::span<const double>,
                                                std::span<double>) const;

}  // namespace dd::odil
