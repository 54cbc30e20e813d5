// Loopless Gray walk over all assignments.
#include "dmmv/enumeration.hpp"

#include <algorithm>
#include <limits>

#include "dmmv/residual_form.hpp"

namespace dd::dmmv {
namespace {

constexpr std::uint64_t most_row_activities = 8'000'000;
constexpr std::uint64_t steps_between_recomputations = 1024;

double largest_violation(const Problem& problem, const std::vector<double>& activity) noexcept {
  double worst = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < activity.size(); ++i) {
    const double violation =
        problem.weights()[i] * std::max(activity[i] - problem.upper()[i], problem.lower()[i] - activity[i]);
    worst = std::max(worst, violation);
  }
  return worst;
}

}  // namespace

bool is_enumerable(const Problem& problem) noexcept {
  std::uint64_t work = problem.rows();
  for (std::size_t j = 0; j < problem.variables() && work <= most_row_activities; ++j) {
    work *= static_cast<std::uint64_t>(problem.levels().count(j));  // both below 2^32
  }
  return work <= most_row_activities;
}

Enumeration enumerate(const Problem& problem, const RunControl& control) {
  const LevelSets& levels = problem.levels();
  std::vector<std::size_t> free;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    if (levels.count(j) > 1) free.push_back(j);
  }
  Enumeration result;
  std::vector<std::int32_t> current(problem.variables(), 0);
  std::vector<int> direction(free.size(), 1);
  std::vector<std::size_t> focus(free.size() + 1);
  for (std::size_t k = 0; k < focus.size(); ++k) focus[k] = k;
  std::vector<double> activity = activities(problem.matrix(), levels, current);
  double least = std::numeric_limits<double>::infinity();
  for (;;) {
    const double value = largest_violation(problem, activity);
    ++result.assignments;
    if (value < least || result.indices.empty()) {
      least = value;
      result.indices = current;
    }
    const std::size_t k = focus[0];
    focus[0] = 0;
    if (k == free.size()) {
      result.complete = true;
      return result;
    }
    const std::size_t j = free[k];
    const double before = levels.value(j, current[j]);
    current[j] += direction[k];
    const double change = levels.value(j, current[j]) - before;
    if (current[j] == 0 || current[j] == levels.count(j) - 1) {
      direction[k] = -direction[k];
      focus[k] = focus[k + 1];
      focus[k + 1] = k + 1;
    }
    if (result.assignments % steps_between_recomputations == 0) {
      if (control.should_stop()) return result;
      activity = activities(problem.matrix(), levels, current);
    } else {
      problem.matrix().for_each(j, [&](std::size_t row, double entry) { activity[row] += change * entry; });
    }
  }
}

}  // namespace dd::dmmv
