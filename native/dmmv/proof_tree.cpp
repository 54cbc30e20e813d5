#include "dmmv/proof_tree.hpp"

#include <algorithm>
#include <cmath>

#include "core/infinity.hpp"
#include "dmmv/evaluate.hpp"

namespace dd::dmmv {
namespace {

constexpr double most_values = 0x1p22;  // of one coordinate at one node

/// The rows, timed.
UnitRows timed_rows(const Problem& problem, std::span<const std::int32_t> base, double threshold, ExactResult& result,
                    const RunControl& control) {
  const double begun = control.seconds();
  UnitRows unit = unit_rows(problem, search_rows(problem), base, threshold, control);
  result.seconds.reduction += control.seconds() - begun;
  return unit;
}

}  // namespace

ProofTree::ProofTree(const Problem& problem, std::span<const std::int32_t> base, double threshold, ExactResult& result,
                     RunControl& control)
    : problem_(problem),
      base_(base.begin(), base.end()),
      threshold_(threshold),
      result_(result),
      control_(control),
      unit_(timed_rows(problem, base, threshold, result, control)),
      cuts_(unit_, result.cuts),
      usable_(unit_.usable),
      inside_(unit_.columns + 1, false) {
  for (std::size_t k = 1; usable_ && k <= unit_.columns; ++k) {
    references_.push_back(std::make_unique<ChebyshevReference>(unit_.matrix.data(), unit_.rows, k));
    usable_ = references_.back()->usable();
  }
}

bool ProofTree::run(std::vector<std::int32_t>& found) {
  found.clear();
  if (unit_.empty) return true;
  if (!usable_) return false;
  coordinates_.assign(unit_.columns, 0.0);
  residuals_.assign((unit_.columns + 1) * unit_.rows, 0.0);
  std::copy(unit_.start.begin(), unit_.start.end(),
            residuals_.begin() + static_cast<std::ptrdiff_t>(unit_.columns * unit_.rows));
  const bool ended = (unit_.columns > 0 && !is_open(unit_.columns)) || descend(unit_.columns);
  if (!found_.empty()) {
    found = found_;
    return true;
  }
  return ended;
}

/// Whether the first `free` coordinates can be completed by real numbers; `point` has them when they can.
bool ProofTree::is_open(std::size_t free) {
  if (cuts_.excludes(free, coordinates_)) return false;
  ChebyshevReference& reference = *references_[free - 1];
  ++result_.relaxations;
  const std::span<const double> r(residuals_.data() + free * unit_.rows, unit_.rows);
  const ChebyshevReference::Answer answer = reference.ask(r, 1e-7);
  inside_[free] = answer == ChebyshevReference::Answer::inside;
  if (answer != ChebyshevReference::Answer::outside) return true;
  cuts_.add(free, reference);
  return !cuts_.excludes(free, coordinates_);
}

/// Fixes coordinate `free - 1` to every value it may have. False when `control` stopped it or something was found.
bool ProofTree::descend(std::size_t free) {
  ++result_.nodes;
  if (result_.nodes % 64 == 0) {
    if (control_.should_stop()) return false;
    report();
  }
  if (free == 0) return !accept();
  const std::size_t k = free - 1;
  const double centre = references_[k]->point()[k];  // of the question that found this node open
  double low = -unit_.reach[k], high = unit_.reach[k];
  if (k > 0) cuts_.narrow(k, coordinates_, low, high);
  if (k == 0) rows_interval(low, high);
  if (!(low <= high)) return true;
  if (unit_.integer && high - low > most_values) return false;  // trying them all would not end
  // Nearest first. What is allowed is an interval; where the centre is known to lie in it, a side ends with the first
  // value that is excluded.
  const bool inside = inside_[free];
  std::vector<double> values = candidates(k, low, high);
  std::sort(values.begin(), values.end(), [&](double a, double b) {
    const double x = std::abs(a - centre), y = std::abs(b - centre);
    return x != y ? x < y : a < b;
  });
  double least = -infinity, most = infinity;
  for (const double value : values) {
    if (value <= least || value >= most) continue;
    coordinates_[k] = value;
    const double* const before = residuals_.data() + free * unit_.rows;
    double* const after = residuals_.data() + k * unit_.rows;
    const double* const column = unit_.matrix.data() + k * unit_.rows;
    for (std::size_t i = 0; i < unit_.rows; ++i) after[i] = before[i] + value * column[i];
    if (k > 0 && !is_open(k)) {
      if (inside) (value < centre ? least : most) = value;
      continue;
    }
    if (!descend(k)) return false;
  }
  return true;
}

void ProofTree::report() {
  if (!control_.wants_progress()) return;
  Progress progress;
  progress.phase = "proof";
  progress.iterations = result_.nodes;
  progress.objective = result_.objective;
  progress.lower_bound = result_.lower_bound;
  progress.best = std::as_bytes(std::span<const std::int32_t>(base_));
  control_.report(progress);
}

/// The interval that the rows leave to the first coordinate, all others being fixed.
void ProofTree::rows_interval(double& low, double& high) const {
  for (std::size_t i = 0; i < unit_.rows; ++i) {
    const double share = unit_.matrix[i], rest = residuals_[unit_.rows + i];
    if (std::abs(share) <= 1e-14) continue;
    const double a = (-1 - rest) / share, b = (1 - rest) / share;
    low = std::max(low, std::min(a, b) - 1e-9);
    high = std::min(high, std::max(a, b) + 1e-9);
  }
}

std::vector<double> ProofTree::candidates(std::size_t k, double low, double high) const {
  std::vector<double> values;
  if (unit_.integer) {
    const auto first = static_cast<std::int64_t>(std::ceil(low)), last = static_cast<std::int64_t>(std::floor(high));
    for (std::int64_t value = first; value <= last; ++value) values.push_back(static_cast<double>(value));
    return values;
  }
  // Coordinates are distances from the base value of one variable.
  std::size_t j = 0;
  while (unit_.transform[j + k * unit_.columns] == 0) ++j;
  const LevelSets& levels = problem_.levels();
  const std::size_t variable = unit_.variables[j];
  for (std::int32_t q = 0; q < levels.count(variable); ++q) {
    const double value = levels.value(variable, q) - levels.value(variable, base_[variable]);
    if (value >= low && value <= high) values.push_back(value);
  }
  return values;
}

/// True when the coordinates are an assignment within the threshold.
bool ProofTree::accept() {
  std::vector<std::int32_t> indices = base_;
  const std::size_t n = unit_.columns;
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t variable = unit_.variables[j];
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) sum += static_cast<double>(unit_.transform[j + k * n]) * coordinates_[k];
    if (unit_.integer) {
      const double index = base_[variable] + sum;
      if (index < 0 || index >= problem_.levels().count(variable)) return false;
      indices[variable] = static_cast<std::int32_t>(index);
    } else {
      indices[variable] = problem_.levels().nearest(variable, problem_.levels().value(variable, base_[variable]) + sum);
    }
  }
  // Strictly better, too: where the best value is zero, a relative gap is none.
  const double value = objective(problem_, indices);
  if (value > threshold_ || value >= result_.objective) return false;
  found_ = std::move(indices);
  return true;
}

}  // namespace dd::dmmv
