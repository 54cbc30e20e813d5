#include "quantize/rco_block.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"

namespace dd::quantize {
namespace {

constexpr double largest_total = 0x1p53;

void start_logits(RcoBlock& block, const RcoOptions& given) {
  const std::size_t options = block.options;
  const std::size_t cells = block.groups.size() * options;
  block.alpha.assign(cells, 0);
  block.first.assign(cells, 0);
  block.second.assign(cells, 0);
  block.gradient.assign(cells, 0);
  block.normal.assign(cells, 0);
  block.z.assign(cells, 0);
  for (std::size_t i = 0; i < block.groups.size(); ++i) {
    double* const alpha = block.alpha.data() + i * options;
    if (given.start == RcoStart::logits) {
      std::copy_n(given.logits.data() + block.groups[i] * options, options, alpha);
    } else if (given.start == RcoStart::sensitivity) {
      const double* const proxy = given.proxy.data() + block.groups[i] * options;
      std::vector<double> sorted(proxy, proxy + options);
      std::sort(sorted.begin(), sorted.end());
      // Without the floor the reference option, whose distortion is 0, would start almost certain.
      const double floor = std::max(sorted[std::min<std::size_t>(1, options - 1)], 1e-300);
      double mean = 0;
      for (std::size_t k = 0; k < options; ++k) {
        alpha[k] = -std::log(std::max(proxy[k], floor));
        mean += alpha[k] / static_cast<double>(options);
      }
      for (std::size_t k = 0; k < options; ++k) alpha[k] -= mean;
    }
  }
  if (block.geometry) block.geometry->retract(block.alpha, block.real_budget);
}

}  // namespace

std::vector<RcoBlock> make_rco_blocks(const RcoProblem& problem, const RcoOptions& given) {
  const std::size_t options = problem.costs.size();
  std::vector<RcoBlock> blocks(problem.budgets.size());
  for (std::size_t i = 0; i < problem.weights.size(); ++i) {
    blocks[problem.blocks.empty() ? 0 : static_cast<std::size_t>(problem.blocks[i])].groups.push_back(i);
  }
  const double unit = problem.resolution > 0 ? problem.resolution : 1;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    RcoBlock& block = blocks[b];
    block.real_budget = problem.budgets[b];
    if (block.groups.empty()) {
      throw Error(ErrorCode::invalid_argument_value, "blocks", "block " + std::to_string(b) + " has no groups");
    }
    double low = 0, high = 0;
    for (const std::size_t i : block.groups) {
      low += problem.weights[i] * problem.costs.front();
      high += problem.weights[i] * problem.costs.back();
      for (const double cost : problem.costs) {
        const double exact = problem.weights[i] * cost * unit, whole = std::nearbyint(exact);
        if (problem.resolution <= 0 && whole != exact) {
          throw Error(ErrorCode::invalid_argument_value, "weights",
                      "`weights` times `costs` must be whole numbers, got " + std::to_string(exact) +
                          "; otherwise say by `resolution` how many units a cost of 1 has");
        }
        if (!(whole < largest_total)) throw Error(ErrorCode::out_of_range, "weights", "`weights` are too large");
        block.costs.push_back(static_cast<std::int64_t>(whole));
      }
    }
    if (block.real_budget < low || block.real_budget > high) {
      throw Error(ErrorCode::out_of_range, "budget",
                  "`budget` must lie between " + std::to_string(low) + " and " + std::to_string(high) + ", got " +
                      std::to_string(block.real_budget));
    }
    block.budget = static_cast<std::int64_t>(
        std::min(std::floor(block.real_budget * unit + 1e-9 * std::max(1.0, std::abs(block.real_budget * unit))),
                 largest_total));
    std::int64_t least = 0;  // rounding to units must not make the cheapest assignment too dear
    for (std::size_t i = 0; i < block.groups.size(); ++i) least += block.costs[i * options];
    block.budget = std::max(block.budget, least);
    if (block.real_budget > low && block.real_budget < high) {
      std::vector<double> weights;
      for (const std::size_t i : block.groups) weights.push_back(problem.weights[i]);
      block.geometry.emplace(weights, problem.costs);
    }
    block.options = options;
    start_logits(block, given);
  }
  return blocks;
}

double RcoBlock::log_probability(std::size_t i, std::size_t k) const {
  const double* const logits = alpha.data() + i * options;
  const double largest = *std::max_element(logits, logits + options);
  double sum = 0;
  for (std::size_t l = 0; l < options; ++l) sum += std::exp(logits[l] - largest);
  return std::log(std::max(std::exp(logits[k] - largest) / sum, 1e-10));
}

void RcoBlock::descend(const RcoOptions& given, std::size_t step) {
  const double time = static_cast<double>(step + 1);
  const double first_bias = 1 - std::pow(given.first_decay, time);
  const double second_bias = 1 - std::pow(given.second_decay, time);
  if (geometry) {
    geometry->normal(alpha, normal);
    RcoGeometry::project(gradient, normal);
    for (std::size_t c = 0; c < alpha.size(); ++c) {
      const double g = gradient[c];
      first[c] = given.first_decay * first[c] + (1 - given.first_decay) * g;
      second[c] = given.second_decay * second[c] + (1 - given.second_decay) * g * g;
      alpha[c] -= given.learning_rate * (first[c] / first_bias) / (std::sqrt(second[c] / second_bias) + given.epsilon);
    }
    geometry->retract(alpha, real_budget);
    geometry->normal(alpha, normal);
    RcoGeometry::project(first, normal);
  }
  std::fill(gradient.begin(), gradient.end(), 0.0);
}

}  // namespace dd::quantize
