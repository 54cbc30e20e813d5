// A step length that fulfils the strong Wolfe conditions.
// Source: Nocedal and Wright, Numerical Optimization (2nd edition), algorithms 3.5 and 3.6; the rule for the last
// digits is the approximate Wolfe condition of Hager and Zhang (SIAM J. Optim. 16, 2005), without letting the value
// rise.
#pragma once

#include <cstddef>

#include "core/function_ref.hpp"

namespace dd::odil {

/// Value and slope along the line at one step length; an infinite value where the objective is not finite.
struct LinePoint {
  double step = 0, value = 0, slope = 0;
};

struct LineSearchOptions {
  double decrease = 1e-4;  ///< c1
  double curvature = 0.9;  ///< c2
  std::size_t evaluations = 50;
};

enum class LineSearchStatus : unsigned char { found, failed, not_finite };

struct LineSearchResult {
  LineSearchStatus status = LineSearchStatus::failed;
  LinePoint point;  ///< the last one evaluated when found
};

/// `start` has step 0 and a negative slope. `evaluate` is called with increasing knowledge, at most
/// options.evaluations times; when the result is `found`, its last call was at the step that is returned. `not_finite`
/// when no step gave a finite value.
LineSearchResult search_line(const LinePoint& start, double first_step, const LineSearchOptions& options,
                             FunctionRef<LinePoint(double step)> evaluate);

}  // namespace dd::odil
