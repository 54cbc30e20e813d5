#include "polystep/assignment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace dd::polystep {
namespace {

void softmax(std::span<const double> costs, double temperature, std::span<double> weights) {
  const double least = *std::min_element(costs.begin(), costs.end());
  double sum = 0;
  for (std::size_t n = 0; n < costs.size(); ++n) sum += weights[n] = std::exp(-((costs[n] - least) / temperature));
  for (double& weight : weights) weight /= sum;
}

void lowest(std::span<const double> costs, std::size_t k, std::span<double> weights) {
  const std::size_t count = std::min(k, costs.size());
  std::vector<std::size_t> order(costs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return costs[a] < costs[b] || (costs[a] == costs[b] && a < b); });
  std::fill(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < count; ++i) weights[order[i]] = 1 / static_cast<double>(count);
}

}  // namespace

void row_weights(const RowRule& rule, std::span<const double> costs, double uniform, std::span<double> weights) {
  const std::size_t vertices = costs.size();
  switch (rule.rule) {
    case Rule::greedy:
      std::fill(weights.begin(), weights.end(), 0.0);
      weights[static_cast<std::size_t>(std::min_element(costs.begin(), costs.end()) - costs.begin())] = 1;
      return;
    case Rule::top_k:
      return lowest(costs, rule.k, weights);
    case Rule::linear: {
      double mean = 0;
      for (const double cost : costs) mean += cost;
      mean /= static_cast<double>(vertices);
      const double scale = -1 / (static_cast<double>(vertices) * rule.temperature);
      for (std::size_t n = 0; n < vertices; ++n) weights[n] = scale * (costs[n] - mean);
      return;
    }
    case Rule::sample:
      softmax(costs, rule.temperature, weights);
      draw_vertex(weights, uniform);
      return;
    default:
      return softmax(costs, rule.temperature, weights);
  }
}

void draw_vertex(std::span<double> weights, double uniform) noexcept {
  const std::size_t vertices = weights.size();
  std::size_t chosen = vertices - 1;
  double sum = 0;
  for (std::size_t n = 0; n < vertices; ++n) {
    sum += weights[n];
    if (uniform < sum) {
      chosen = n;
      break;
    }
  }
  while (weights[chosen] == 0 && chosen > 0) --chosen;
  std::fill(weights.begin(), weights.end(), 0.0);
  weights[chosen] = 1;
}

double effective_sample_size(std::span<const double> weights) noexcept {
  double squares = 0;
  for (const double weight : weights) squares += weight * weight;
  return squares > 0 ? 1 / (squares * static_cast<double>(weights.size())) : 1;
}

}  // namespace dd::polystep
