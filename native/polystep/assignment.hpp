// Assignment rules that look at one particle at a time: how much of it goes to which vertex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dd::polystep {

enum class Rule : std::uint8_t { softmax, tempered_softmax, greedy, top_k, linear, sample, sinkhorn, kl };

/// Whether a row's weights follow from its own costs alone.
constexpr bool is_row_rule(Rule rule) noexcept { return rule != Rule::sinkhorn && rule != Rule::kl; }

struct RowRule {
  Rule rule = Rule::softmax;
  double temperature = 1;  ///< epsilon, or tau of the tempered softmax; positive
  std::size_t k = 3;       ///< of top_k
};

/// Weights of one row of finite costs. They sum to 1, but for `linear`, where w_n = -(C_n - mean C) / (V epsilon).
/// softmax subtracts the row's minimum before it divides, so that the smallest temperatures give one-hot rows and never
/// NaN. greedy and top_k take the lowest indices among ties. `uniform` in (0, 1) chooses the vertex of `sample`.
/// Source: arXiv 2605.01928, section 4.
void row_weights(const RowRule& rule, std::span<const double> costs, double uniform, std::span<double> weights);

/// Puts all weight on the vertex that `uniform` falls to when weights that sum to 1 are laid end to end.
void draw_vertex(std::span<double> weights, double uniform) noexcept;

/// 1 / sum_n w_n^2 / V: 1 for a uniform row, 1 / V for a one-hot row.
double effective_sample_size(std::span<const double> weights) noexcept;

}  // namespace dd::polystep
