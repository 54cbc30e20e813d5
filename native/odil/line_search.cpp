// Bracketing, then zooming in with cubic steps that stay away from the ends.
#include "odil/line_search.hpp"

#include <algorithm>
#include <cmath>

namespace dd::odil {
namespace {

/// Minimiser of the cubic through two points with their slopes; the middle where there is none worth taking.
double cubic_step(const LinePoint& a, const LinePoint& b) {
  const double low = std::min(a.step, b.step), high = std::max(a.step, b.step), middle = (low + high) / 2;
  if (!std::isfinite(a.value) || !std::isfinite(b.value)) return middle;
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return middle;
  const double d2 = std::copysign(std::sqrt(square), b.step - a.step);
  const double step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
  const double margin = 0.1 * (high - low);
  if (!std::isfinite(step)) return middle;
  return std::clamp(step, low + margin, high - margin);
}

class Search {
 public:
  Search(const LinePoint& start, const LineSearchOptions& options, FunctionRef<LinePoint(double)> evaluate)
      : start_(start), options_(options), evaluate_(evaluate) {}

  LineSearchResult bracket(double step) {
    LinePoint before = start_;
    while (left()) {
      const LinePoint point = at(step);
      if (good(point)) return {LineSearchStatus::found, point};
      if (!falls(point) || (before.step > 0 && point.value >= before.value)) return zoom(before, point);
      if (point.slope >= 0) return zoom(point, before);
      before = point;
      step *= 2;
    }
    return failed();
  }

 private:
  bool left() const { return used_ < options_.evaluations; }
  LinePoint at(double step) {
    ++used_;
    const LinePoint point = evaluate_(step);
    any_finite_ = any_finite_ || std::isfinite(point.value);
    return point;
  }
  bool falls(const LinePoint& p) const { return p.value <= start_.value + options_.decrease * p.step * start_.slope; }
  bool good(const LinePoint& p) const {
    if (!std::isfinite(p.value)) return false;
    if (falls(p) && std::abs(p.slope) <= -options_.curvature * start_.slope) return true;
    // Where the decrease drowns in rounding, the slopes still tell.
    return p.value <= start_.value && p.slope <= (2 * options_.decrease - 1) * start_.slope &&
           p.slope >= options_.curvature * start_.slope;
  }
  LineSearchResult failed() const {
    return {any_finite_ ? LineSearchStatus::failed : LineSearchStatus::not_finite, start_};
  }
  /// `low` has the lower value and a slope towards `high`.
  LineSearchResult zoom(LinePoint low, LinePoint high) {
    while (left()) {
      const double step = cubic_step(low, high);
      if (step == low.step || step == high.step) break;
      const LinePoint point = at(step);
      if (good(point)) return {LineSearchStatus::found, point};
      if (!falls(point) || point.value >= low.value) {
        high = point;
      } else {
        if (point.slope * (high.step - low.step) >= 0) high = low;
        low = point;
      }
    }
    // A lower value is worth having even if its slope is not flat enough.
    if (low.step > 0 && left()) {
      const LinePoint point = at(low.step);
      if (point.value < start_.value) return {LineSearchStatus::found, point};
    }
    return failed();
  }

  LinePoint start_;
  LineSearchOptions options_;
  FunctionRef<LinePoint(double)> evaluate_;
  std::size_t used_ = 0;
  bool any_finite_ = false;
};

}  // namespace

LineSearchResult search_line(const LinePoint& start, double first_step, const LineSearchOptions& options,
                             FunctionRef<LinePoint(double step)> evaluate) {
  return Search(start, options, evaluate).bracket(first_step);
}

}  // namespace dd::odil
