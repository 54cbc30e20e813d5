// Expressions without a point: evaluated once, in float64, whatever the precision of the fields.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "odil/expression.hpp"

namespace dd::odil {

/// A snapshot of the uniform expressions of some roots, ready to be evaluated again and again.
class Uniforms {
 public:
  Uniforms() = default;
  Uniforms(const Graph& graph, std::span<const NodeId> roots);

  /// One number per root. `pick` reads operand `id` at an absolute index (only called where a root holds a pick).
  void evaluate(std::span<const double> parameters, FunctionRef<double(std::int32_t id, const Shift& index)> pick,
                std::span<double> values) const;
  std::size_t size() const noexcept { return roots_.size(); }

 private:
  std::vector<Node> nodes_;  // children renumbered
  std::vector<std::uint32_t> roots_;
  std::vector<double> known_;  // their values, where no root depends on anything
};

/// Expressions over points hold no values at absolute places (problem.cpp sees to it).
inline constexpr auto no_picks = [](std::int32_t, const Shift&) { return std::numeric_limits<double>::quiet_NaN(); };

}  // namespace dd::odil
