#include "quantize/rco_check.hpp"

#include <cmath>
#include <string>

#include "core/error.hpp"

namespace dd::quantize {

void check_length(std::size_t length, std::size_t expected, const char* name) {
  if (length != expected) {
    throw Error(ErrorCode::shape_mismatch, name,
                std::string("`") + name + "` must have " + std::to_string(expected) + " elements, got " +
                    std::to_string(length));
  }
}

void check_finite(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw Error(ErrorCode::not_finite, name,
                  std::string("`") + name + "` must be finite, but is not at position " + std::to_string(i));
    }
  }
}

void check_rco(const RcoProblem& problem, const RcoOptions& options) {
  const std::size_t cells = problem.weights.size() * problem.costs.size();
  if (problem.weights.empty()) throw Error(ErrorCode::shape_mismatch, "weights", "`weights` must not be empty");
  if (problem.costs.empty()) throw Error(ErrorCode::shape_mismatch, "costs", "`costs` must not be empty");
  if (problem.budgets.empty()) throw Error(ErrorCode::shape_mismatch, "budget", "`budget` must not be empty");
  check_finite(problem.weights, "weights");
  check_finite(problem.costs, "costs");
  check_finite(problem.budgets, "budget");
  for (const double weight : problem.weights) {
    if (!(weight > 0)) throw Error(ErrorCode::out_of_range, "weights", "`weights` must be greater than 0");
  }
  if (problem.costs.front() < 0) throw Error(ErrorCode::out_of_range, "costs", "`costs` must not be negative");
  for (std::size_t k = 1; k < problem.costs.size(); ++k) {
    if (!(problem.costs[k] > problem.costs[k - 1])) {
      throw Error(ErrorCode::invalid_argument_value, "costs", "`costs` must increase strictly");
    }
  }
  if (!problem.blocks.empty()) check_length(problem.blocks.size(), problem.weights.size(), "blocks");
  for (const std::int32_t block : problem.blocks) {
    if (block < 0 || static_cast<std::size_t>(block) >= problem.budgets.size()) {
      throw Error(ErrorCode::out_of_range, "blocks",
                  "`blocks` must be below the number of budgets, " + std::to_string(problem.budgets.size()) + ", got " +
                      std::to_string(block));
    }
  }
  if (!options.proxy.empty()) check_length(options.proxy.size(), cells, "proxy");
  check_finite(options.proxy, "proxy");
  if (options.start == RcoStart::logits || !options.logits.empty()) {
    check_length(options.logits.size(), cells, "logits");
  }
  check_finite(options.logits, "logits");
  if (options.start == RcoStart::sensitivity && options.proxy.empty()) {
    throw Error(ErrorCode::invalid_argument_value, "start", "`start` 'sensitivity' needs `proxy`");
  }
  if (!options.uniforms.empty())
    check_length(options.uniforms.size(), options.steps * options.samples * cells, "uniforms");
  for (const double u : options.uniforms) {
    if (!(u > 0 && u < 1)) throw Error(ErrorCode::out_of_range, "uniforms", "`uniforms` must lie in (0, 1)");
  }
  const auto positive = [](double value, const char* name) {
    if (!(value > 0 && std::isfinite(value))) {
      throw Error(ErrorCode::out_of_range, name, std::string("`") + name + "` must be finite and greater than 0");
    }
  };
  positive(options.learning_rate, "learningRate");
  positive(options.tau_first, "tau");
  positive(options.tau_last, "tau");
  if (options.steps > 0 && options.samples == 0) {
    throw Error(ErrorCode::out_of_range, "samples", "`samples` must be at least 1");
  }
}

}  // namespace dd::quantize
