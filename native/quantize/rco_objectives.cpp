// Losses that native code knows: a table, and a table with quadratic interactions.
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "quantize/rco.hpp"

namespace dd::quantize {
namespace {

/// sum_i e_i + e^T Q e with e_i = D_{i, choice_i}. Values near the last fully evaluated assignment are updated from it.
class TableObjective final : public RcoObjective {
 public:
  TableObjective(std::span<const double> table, std::span<const double> interactions, std::size_t groups,
                 std::size_t options)
      : groups_(groups), options_(options), table_(table.begin(), table.end()) {
    if (table.size() != groups * options) {
      throw Error(ErrorCode::shape_mismatch, "objective.table",
                  "`objective.table` must have " + std::to_string(groups) + " x " + std::to_string(options) +
                      " numbers, got " + std::to_string(table.size()));
    }
    if (!interactions.empty() && interactions.size() != groups * groups) {
      throw Error(ErrorCode::shape_mismatch, "objective.interactions",
                  "`objective.interactions` must have " + std::to_string(groups) + " x " + std::to_string(groups) +
                      " numbers, got " + std::to_string(interactions.size()));
    }
    for (const double value : table) require_finite(value, "objective.table");
    for (const double value : interactions) require_finite(value, "objective.interactions");
    // Only the symmetric part matters: e^T Q e = e^T S e / 2 with S = Q + Q^T.
    symmetric_.resize(interactions.size());
    for (std::size_t i = 0; i < (interactions.empty() ? 0 : groups); ++i) {
      for (std::size_t j = 0; j < groups; ++j) {
        symmetric_[i * groups + j] = interactions[i * groups + j] + interactions[j * groups + i];
      }
    }
  }

  double evaluate(std::span<const std::int32_t> choices, std::span<double> gradient) override {
    base_.assign(choices.begin(), choices.end());
    base_value_ = 0;
    slope_.assign(groups_, 1);
    std::vector<double> e(groups_);
    for (std::size_t i = 0; i < groups_; ++i) e[i] = entry(i, choices[i]);
    for (std::size_t i = 0; i < groups_; ++i) {
      double product = 0;
      if (!symmetric_.empty()) {
        for (std::size_t j = 0; j < groups_; ++j) product += symmetric_[i * groups_ + j] * e[j];
      }
      slope_[i] = 1 + product;
      base_value_ += e[i] * (1 + product / 2);
    }
    for (std::size_t c = 0; c < gradient.size(); ++c) gradient[c] = table_[c] * slope_[c / options_];
    return base_value_;
  }

  double value(std::span<const std::int32_t> choices) override {
    std::size_t changed[most_changes];
    std::size_t count = 0;
    if (base_.empty()) return evaluate(choices, {});
    for (std::size_t i = 0; i < groups_; ++i) {
      if (choices[i] == base_[i]) continue;
      if (count == most_changes) return evaluate(choices, {});
      changed[count++] = i;
    }
    double value = base_value_;
    for (std::size_t a = 0; a < count; ++a) {
      const std::size_t i = changed[a];
      const double d = entry(i, choices[i]) - entry(i, base_[i]);
      value += d * slope_[i];
      for (std::size_t b = 0; b < count && !symmetric_.empty(); ++b) {
        const std::size_t j = changed[b];
        value += d * symmetric_[i * groups_ + j] * (entry(j, choices[j]) - entry(j, base_[j])) / 2;
      }
    }
    return value;
  }

 private:
  static constexpr std::size_t most_changes = 2;

  static void require_finite(double value, const char* name) {
    if (!std::isfinite(value)) {
      throw Error(ErrorCode::not_finite, name, std::string("`") + name + "` must be finite");
    }
  }
  double entry(std::size_t i, std::int32_t k) const { return table_[i * options_ + static_cast<std::size_t>(k)]; }

  std::size_t groups_, options_;
  std::vector<double> table_, symmetric_;
  std::vector<std::int32_t> base_;
  double base_value_ = 0;
  std::vector<double> slope_;  ///< d value / d e at the base
};

}  // namespace

std::unique_ptr<RcoObjective> table_objective(std::span<const double> table, std::span<const double> interactions,
                                              std::size_t groups, std::size_t options) {
  return std::make_unique<TableObjective>(table, interactions, groups, options);
}

}  // namespace dd::quantize
