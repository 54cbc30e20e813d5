// What the plain side of knapsack and RCO asks of the kernels compiled once per ISA level.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::quantize {

/// Per group, at logits alpha + shift c: mean_i = w_i E[c], variance_i = w_i Var[c]; where `normal` is not null, the
/// gradient of the mean in the logits.
struct RcoMomentsArguments {
  std::size_t groups, options;
  const double* alpha;
  const double* weights;
  const double* costs;
  double shift;
  double* mean;
  double* variance;
  double* normal;
};

/// The straight-through gradient: with s_i = softmax(z_i / tau), out_ik += s_ik (g_ik - sum_l s_il g_il) scale / tau.
struct RcoGradientArguments {
  std::size_t groups, options;
  const double* z;
  const double* gradient;
  double tau, scale;
  double* out;
};

/// Entries [begin, end) of a knapsack row: next_b = min_k previous_{b - cost_k} + value_k over the k with cost_k <= b,
/// infinity without any; pointers_b (where not null) is the k, the lowest on ties, 0 when nothing is finite.
struct KnapsackRowArguments {
  std::size_t options;
  const double* values;
  const std::int64_t* costs;
  const double* previous;
  double* next;
  std::uint8_t* pointers;
  std::size_t begin, end;
};

DD_ISA_KERNEL(rco_moments, void(const RcoMomentsArguments*));
DD_ISA_KERNEL(rco_gradient, void(const RcoGradientArguments*));
DD_ISA_KERNEL(knapsack_row, void(const KnapsackRowArguments*));

}  // namespace dd::quantize
