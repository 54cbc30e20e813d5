// Loops over the formulas, nothing clever.
#include "odil/field_reference.hpp"

#include <cmath>

namespace dd::odil::reference {
namespace {

std::size_t coarse_points(char location, std::size_t cells) { return location == 'n' ? cells + 1 : cells; }
std::size_t fine_points(char location, std::size_t cells) {
  return location == '.' ? cells : coarse_points(location, 2 * cells);
}

/// Calls body(multi-index, flat index) for all points of a grid, row-major.
template <class Body>
void for_points(const std::vector<std::size_t>& count, Body body) {
  std::size_t points = 1;
  for (const std::size_t n : count) points *= n;
  std::vector<std::size_t> at(count.size());
  for (std::size_t flat = 0; flat < points; ++flat) {
    std::size_t rest = flat;
    for (std::size_t axis = count.size(); axis-- > 0; rest /= count[axis]) at[axis] = rest % count[axis];
    body(at, flat);
  }
}

/// Calls entry(fine, coarse, weight) for every term of the interpolation, straight from the formula: each fine point
/// is a mean over one or two neighbours along each axis, and a neighbour outside is 2 (nearest) - (mirrored), nearest
/// and mirrored being taken in all axes at once.
template <class Entry>
void for_entries(std::span<const std::size_t> cells, std::string_view location, Entry entry) {
  const std::size_t axes = cells.size();
  std::vector<std::size_t> coarse(axes), fine(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    coarse[axis] = coarse_points(location[axis], cells[axis]);
    fine[axis] = fine_points(location[axis], cells[axis]);
  }
  for_points(fine, [&](const std::vector<std::size_t>& at, std::size_t flat) {
    for (unsigned choice = 0; choice < 1u << axes; ++choice) {
      double weight = 1;
      std::size_t nearest = 0, mirrored = 0;
      for (std::size_t axis = 0; axis < axes; ++axis) {
        const bool second = (choice >> axis & 1) != 0;
        const auto half = static_cast<std::ptrdiff_t>(at[axis] / 2),
                   last = static_cast<std::ptrdiff_t>(coarse[axis]) - 1;
        const bool odd = at[axis] % 2 != 0;
        std::ptrdiff_t point = half;
        if (location[axis] == '.') {
          point = static_cast<std::ptrdiff_t>(at[axis]);
          weight *= second ? 0 : 1;
        } else if (location[axis] == 'n') {
          point = second && odd ? half + 1 : half;
          weight *= odd ? 0.5 : second ? 0 : 1;
        } else {
          point = second ? (odd ? half + 1 : half - 1) : half;
          weight *= second ? 0.25 : 0.75;
        }
        const std::ptrdiff_t near = point < 0 ? 0 : point > last ? last : point;
        const std::ptrdiff_t mirror = point < 0 ? 1 : point > last ? last - 1 : point;
        nearest = nearest * coarse[axis] + static_cast<std::size_t>(near);
        mirrored = mirrored * coarse[axis] + static_cast<std::size_t>(mirror);
      }
      if (weight == 0) continue;
      entry(flat, nearest, 2 * weight);
      entry(flat, mirrored, -weight);
    }
  });
}

std::size_t product_of(std::span<const std::size_t> cells, std::string_view location,
                       std::size_t (*points)(char, std::size_t)) {
  std::size_t result = 1;
  for (std::size_t axis = 0; axis < cells.size(); ++axis) result *= points(location[axis], cells[axis]);
  return result;
}

}  // namespace

std::vector<double> interpolate(std::span<const std::size_t> cells, std::string_view location,
                                std::span<const double> coarse) {
  std::vector<double> fine(product_of(cells, location, fine_points), 0.0);
  for_entries(cells, location, [&](std::size_t i, std::size_t j, double weight) { fine[i] += weight * coarse[j]; });
  return fine;
}

std::vector<double> interpolate_transposed(std::span<const std::size_t> cells, std::string_view location,
                                           std::span<const double> fine) {
  std::vector<double> coarse(product_of(cells, location, coarse_points), 0.0);
  for_entries(cells, location, [&](std::size_t i, std::size_t j, double weight) { coarse[j] += weight * fine[i]; });
  return coarse;
}

void adam(std::span<const double> gradient, std::span<double> x, std::span<double> first_moment,
          std::span<double> second_moment, std::size_t step, double rate, double beta1, double beta2, double epsilon) {
  const double t = static_cast<double>(step);
  const double alpha = rate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
  for (std::size_t i = 0; i < x.size(); ++i) {
    first_moment[i] += (gradient[i] - first_moment[i]) * (1 - beta1);
    second_moment[i] += (gradient[i] * gradient[i] - second_moment[i]) * (1 - beta2);
    x[i] -= alpha * first_moment[i] / (std::sqrt(second_moment[i]) + epsilon);
  }
}

}  // namespace dd::odil::reference
