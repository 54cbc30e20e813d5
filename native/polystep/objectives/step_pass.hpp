// What a group of samples sees of candidates that are a base plus a step: the layer that the step changes, for all
// candidates at once, without their weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/matrix_view.hpp"
#include "polystep/candidate_steps.hpp"
#include "polystep/objectives/network_pass.hpp"

namespace dd::polystep {

/// The dense node whose real weights are exactly these parameters and decide nothing else; 0: none.
std::size_t linear_node(const Graph& graph, std::size_t first, std::size_t parameters) noexcept;

/// Whether steps through these tensors can be followed: a graph of dense layers with real weights, whose weights and
/// biases are tensors of their own.
bool follows_products(const Graph& graph, std::span<const StepTensor> tensors) noexcept;

template <class Scalar>
class StepPass {
 public:
  StepPass(const Graph& graph, const GroupLayout& layout) : graph_(graph), layout_(layout) {}

  /// The rows of `node` before its activation for each candidate, base plus sum_j coefficients(i, j) direction j.
  /// lit: null, or which rows of the inputs are not all zero.
  void combine(std::size_t node, const Directions<Scalar>& directions, MatrixView<const Scalar> coefficients,
               const GroupView<Scalar>& base, const std::uint8_t* lit);
  /// After `combine`: rows x pre_ticks x 16 of candidate i.
  const Scalar* rows(std::size_t candidate) const noexcept { return rows_.data() + candidate * stride_; }

  /// Layers next to the inputs for all candidates of `steps`.
  void begin_products(const ProductSteps<Scalar>& steps, const GroupView<Scalar>& base);
  /// After `begin_products`: all values of candidate i into `state`, as forward_group writes them.
  void finish_products(const ProductSteps<Scalar>& steps, std::size_t candidate, const Scalar* effective,
                       const GroupView<Scalar>& base, Scalar* state);

 private:
  struct Place {
    std::size_t weights = 0, bias = 0;  ///< where a node's numbers begin among a candidate's
    std::size_t rank = 0;
    bool has_bias = false;
    std::size_t rows_at = 0;  ///< of a node next to the inputs: where its candidates' rows begin
  };

  void sparse_directions(const Node& node, const Directions<Scalar>& directions, const Scalar* inputs,
                         const std::uint8_t* lit, Scalar* out);
  void find_places(std::span<const StepTensor> tensors);
  void add_bias(std::size_t node, const Scalar* numbers, Scalar factor, Scalar* rows) const;

  const Graph& graph_;
  const GroupLayout& layout_;
  std::vector<Place> places_;
  std::size_t stride_ = 0;
  LargeVector<Scalar> rows_, along_, weights_, plain_;
  std::vector<std::uint32_t> starts_, entry_rows_, entry_columns_;
  std::vector<Scalar> values_;
  std::vector<const Scalar*> lefts_, rights_;
};

extern template class StepPass<float>;
extern template class StepPass<double>;

}  // namespace dd::polystep
