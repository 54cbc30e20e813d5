// Galerkin products along one axis at a time: three shifts along an axis stay three, so an operator never has more than
// 3^axes of them.
#include "linalg/coarsening.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/thread_pool.hpp"

namespace dd::linalg {
namespace {

// An axis whose coupling is below this share of the strongest is not coarsened: red-black relaxation alone would leave
// errors along it behind.
constexpr double weak_coupling = 0.4;
constexpr std::size_t least_cells = 4, least_nodes = 5;

/// Mean over all points of |sum over k of c_k s_k^2| along each axis: a diffusion coefficient over h^2.
template <class T>
std::array<double, max_grid_axes> couplings(const StencilOperator<T>& a) {
  std::array<double, max_grid_axes> result{};
  const std::size_t points = a.grid().points();
  for (std::size_t axis = 0; axis < a.grid().axes; ++axis) {
    std::vector<std::span<const T>> terms;
    for (std::size_t k = 0; k < a.shifts().size(); ++k) {
      if (a.shifts()[k][axis] != 0) terms.push_back(a.coefficients(k));
    }
    // A few thousand points tell as much as all.
    const std::size_t step = std::max<std::size_t>(1, points / 8191) | 1;
    double total = 0;
    for (std::size_t i = 0; i < points; i += step) {
      double sum = 0;
      for (const std::span<const T>& term : terms) sum += static_cast<double>(term[i]);
      total += std::abs(sum);
    }
    result[axis] = total;
  }
  return result;
}

/// Sums of coefficients over the points with index `index` along an axis: all of them, and those with step +1 or -1.
struct FaceSums {
  double all = 0, forward = 0, backward = 0, off_diagonal = 0;
};

template <class T>
FaceSums face_sums(const StencilOperator<T>& a, std::size_t axis, std::size_t index) {
  FaceSums sums;
  const auto strides = a.grid().strides();
  const std::size_t run = strides[axis], period = run * a.grid().count[axis];
  for (std::size_t k = 0; k < a.shifts().size(); ++k) {
    const GridShift& shift = a.shifts()[k];
    double total = 0, absolute = 0;
    for (std::size_t outer = 0; outer < a.grid().points(); outer += period) {
      const T* const from = a.coefficients(k).data() + outer + index * run;
      for (std::size_t r = 0; r < run; ++r) {
        total += static_cast<double>(from[r]);
        absolute += std::abs(static_cast<double>(from[r]));
      }
    }
    sums.all += total;
    if (shift[axis] > 0) sums.forward += total;
    if (shift[axis] < 0) sums.backward += total;
    if (shift != GridShift{}) sums.off_diagonal += absolute;
  }
  return sums;
}

/// What an error outside a wall is, as a multiple of the error in the cell at the wall: -1 where the wall holds the
/// value, 1 where it holds the slope. Rows inside sum up to what is no coupling; what the row at the wall has beyond
/// that is the missing neighbour's.
template <class T>
double mirror_factor(const StencilOperator<T>& a, std::size_t axis, bool upper) {
  const std::size_t last = a.grid().count[axis] - 1;
  const FaceSums edge = face_sums(a, axis, upper ? last : 0);
  const FaceSums inner = face_sums(a, axis, upper ? last - 1 : 1);
  const double neighbour = upper ? edge.backward : edge.forward;
  const double factor = 1 + (edge.all - inner.all) / neighbour;
  return std::isfinite(factor) ? std::clamp(factor, -1.0, 1.0) : 1;
}

std::uint32_t index(std::size_t i) { return static_cast<std::uint32_t>(i); }

struct AxisLevel {
  AxisGeometry geometry;
  AxisTransfer prolongation, restriction;
};

/// Pairs of cells, the last three together where their number is odd; errors linear between the pairs' centres.
AxisLevel coarsen_cells(const AxisGeometry& fine, bool periodic, double lower_factor, double upper_factor) {
  const std::size_t count = fine.position.size(), coarse = count / 2;
  AxisGeometry geometry = fine;
  geometry.position.assign(coarse, 0);
  std::vector<AxisEntry> restrict(count), prolong(count);
  const auto group = [&](std::size_t i) { return std::min(i / 2, coarse - 1); };
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t members = group(i) + 1 == coarse ? count - 2 * (coarse - 1) : 2;
    restrict[i] = {index(group(i)), index(group(i)), 1.0 / static_cast<double>(members), 0};
    geometry.position[group(i)] += fine.position[i] / static_cast<double>(members);
  }
  const double period = fine.upper - fine.lower;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t own = group(i);
    const double at = fine.position[i], centre = geometry.position[own];
    if (at == centre) {
      prolong[i] = {index(own), index(own), 1, 0};
      continue;
    }
    const bool up = at > centre;
    if (!periodic && (up ? own + 1 == coarse : own == 0)) {
      const double wall = up ? fine.upper - centre : centre - fine.lower;
      const double factor = up ? upper_factor : lower_factor;
      prolong[i] = {index(own), index(own), 1 - (1 - factor) / 2 * std::abs(at - centre) / wall, 0};
      continue;
    }
    const std::size_t other = up ? (own + 1) % coarse : (own + coarse - 1) % coarse;
    double distance = std::abs(geometry.position[other] - centre);
    if (up ? own + 1 == coarse : own == 0) distance = period - distance;
    const double weight = std::abs(at - centre) / distance;
    prolong[i] = {index(own), index(other), 1 - weight, weight};
  }
  return {std::move(geometry), {coarse, std::move(prolong)}, {coarse, std::move(restrict)}};
}

/// Every second node, and the last; the restriction is half the transpose of the interpolation, except that equations
/// at a fixed end are taken as they are.
AxisLevel coarsen_nodes(const AxisGeometry& fine) {
  const std::size_t count = fine.position.size(), coarse = count / 2 + 1;
  const auto source = [&](std::size_t j) { return std::min(2 * j, count - 1); };
  AxisGeometry geometry = fine;
  geometry.position.resize(coarse);
  for (std::size_t j = 0; j < coarse; ++j) geometry.position[j] = fine.position[source(j)];
  std::vector<AxisEntry> restrict(count), prolong(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t left = i + 1 == count ? coarse - 1 : i / 2;
    if (source(left) == i) {
      prolong[i] = {index(left), index(left), 1, 0};
      restrict[i] = {index(left), index(left), 0.5, 0};
      continue;
    }
    const double weight =
        (fine.position[i] - geometry.position[left]) / (geometry.position[left + 1] - geometry.position[left]);
    prolong[i] = {index(left), index(left + 1), 1 - weight, weight};
    restrict[i] = {index(left), index(left + 1), (1 - weight) / 2, weight / 2};
    if (fine.fixed_lower && left == 0) restrict[i].first_weight = 0;
    if (fine.fixed_upper && left + 2 == coarse) restrict[i].second_weight = 0;
  }
  return {std::move(geometry), {coarse, std::move(prolong)}, {coarse, std::move(restrict)}};
}

struct Weight {
  std::size_t point;
  double value;
};

std::vector<Weight> weights_of(const AxisEntry& entry) {
  std::vector<Weight> result;
  if (entry.first_weight != 0) result.push_back({entry.first, entry.first_weight});
  if (entry.second_weight != 0) result.push_back({entry.second, entry.second_weight});
  return result;
}

/// R A P along one axis.
template <class T>
StencilOperator<T> galerkin_axis(const StencilOperator<T>& a, std::size_t axis, const AxisTransfer& prolongation,
                                 const AxisTransfer& restriction, std::size_t threads) {
  PointGrid grid = a.grid();
  const std::size_t fine = grid.count[axis], coarse = prolongation.coarse();
  grid.count[axis] = coarse;
  const bool periodic = grid.periodic[axis];
  // A product of coarse row j: coefficients of fine row i with shift k, times `weight`, go to the shift `to`.
  struct Product {
    std::size_t j, i, k, to;
    T weight;
  };
  std::vector<GridShift> shifts;
  std::vector<Product> products;
  for (std::size_t k = 0; k < a.shifts().size(); ++k) {
    const std::int32_t step = a.shifts()[k][axis];
    for (std::size_t i = 0; i < fine; ++i) {
      std::ptrdiff_t column = static_cast<std::ptrdiff_t>(i) + step;
      if (column < 0 || column >= static_cast<std::ptrdiff_t>(fine)) {
        if (!periodic) continue;
        column += column < 0 ? static_cast<std::ptrdiff_t>(fine) : -static_cast<std::ptrdiff_t>(fine);
      }
      for (const Weight& row : weights_of(restriction.entries()[i])) {
        for (const Weight& out : weights_of(prolongation.entries()[static_cast<std::size_t>(column)])) {
          auto difference = static_cast<std::int32_t>(out.point) - static_cast<std::int32_t>(row.point);
          const auto last = static_cast<std::int32_t>(coarse) - 1;
          if (periodic && coarse > 2 && std::abs(difference) == last) difference = difference > 0 ? -1 : 1;
          if (periodic && coarse == 2) difference = std::abs(difference);  // both ways lead to the same point
          GridShift shift = a.shifts()[k];
          shift[axis] = difference;
          std::size_t to = static_cast<std::size_t>(std::find(shifts.begin(), shifts.end(), shift) - shifts.begin());
          if (to == shifts.size()) shifts.push_back(shift);
          products.push_back({row.point, i, k, to, static_cast<T>(row.value * out.value)});
        }
      }
    }
  }
  std::stable_sort(products.begin(), products.end(),
                   [](const Product& x, const Product& y) { return std::tie(x.j, x.to) < std::tie(y.j, y.to); });
  StencilOperator<T> result(grid, shifts);
  const std::size_t run = a.grid().strides()[axis], outer = a.grid().points() / (fine * run);
  constexpr std::size_t columns = 2048;  // of a run in one piece: what a coarse row is made of stays in the cache
  const std::size_t pieces = (run + columns - 1) / columns;
  // Along the contiguous axis the products go point by point. Where a row has the coefficients of the row before it, as
  // most have if they do not vary, its products are the same too.
  const auto as_before = [&](std::size_t o) {
    for (std::size_t k = 0; k < a.shifts().size(); ++k) {
      const T* const row = a.coefficients(k).data() + o * fine;
      if (!std::equal(row, row + fine, row - fine)) return false;
    }
    return true;
  };
  std::vector<T*> targets;
  for (std::size_t k = 0; k < shifts.size(); ++k) targets.push_back(result.coefficients(k).data());
  parallel_for(threads, outer * pieces, 1 + 16384 / (fine * std::min(run, columns)),
               [&](std::size_t begin, std::size_t end) {
                 for (std::size_t piece = begin; piece < end; ++piece) {
                   const std::size_t o = piece / pieces, first = piece % pieces * columns,
                                     count = std::min(columns, run - first);
                   if (run == 1 && o > begin && as_before(o)) {
                     for (T* const target : targets) {
                       std::copy_n(target + (o - 1) * coarse, coarse, target + o * coarse);
                     }
                     continue;
                   }
                   for (const Product& product : products) {
                     const T* const from = a.coefficients(product.k).data() + (o * fine + product.i) * run + first;
                     T* const to = targets[product.to] + (o * coarse + product.j) * run + first;
                     for (std::size_t r = 0; r < count; ++r) to[r] += product.weight * from[r];
                   }
                 }
               });
  return result;
}

}  // namespace

template <class T>
GridGeometry finest_geometry(const StencilOperator<T>& a, std::span<const char> location) {
  GridGeometry geometry;
  for (std::size_t axis = 0; axis < a.grid().axes; ++axis) {
    const std::size_t count = a.grid().count[axis];
    AxisGeometry& one = geometry[axis];
    // Nodes of a ring have no ends: they are paired like cells.
    one.nodes = location[axis] == 'n' && !a.grid().periodic[axis];
    for (std::size_t i = 0; i < count; ++i) one.position.push_back(static_cast<double>(i) + 0.5);
    one.upper = static_cast<double>(count);
    one.fixed_lower = one.nodes && face_sums(a, axis, 0).off_diagonal == 0;
    one.fixed_upper = one.nodes && face_sums(a, axis, count - 1).off_diagonal == 0;
  }
  return geometry;
}

template <class T>
std::optional<CoarseLevel<T>> coarsen(const StencilOperator<T>& a, const GridGeometry& geometry, std::size_t threads) {
  const PointGrid& grid = a.grid();
  const auto strength = couplings(a);
  std::array<bool, max_grid_axes> possible{};
  double strongest = 0;
  for (std::size_t axis = 0; axis < grid.axes; ++axis) {
    possible[axis] = grid.count[axis] >= (geometry[axis].nodes ? least_nodes : least_cells);
    if (possible[axis]) strongest = std::max(strongest, strength[axis]);
  }
  std::vector<AxisTransfer> prolongations, restrictions;
  StencilOperator<T> now;
  const StencilOperator<T>* from = &a;
  GridGeometry next = geometry;
  for (std::size_t axis = 0; axis < grid.axes; ++axis) {
    if (!possible[axis] || strength[axis] < weak_coupling * strongest || strongest == 0) {
      prolongations.push_back(AxisTransfer::identity(grid.count[axis]));
      restrictions.push_back(AxisTransfer::identity(grid.count[axis]));
      continue;
    }
    const bool walls = !grid.periodic[axis] && !geometry[axis].nodes;
    AxisLevel level = geometry[axis].nodes ? coarsen_nodes(geometry[axis])
                                           : coarsen_cells(geometry[axis], grid.periodic[axis],
                                                           walls ? mirror_factor(a, axis, false) : 0,
                                                           walls ? mirror_factor(a, axis, true) : 0);
    now = galerkin_axis(*from, axis, level.prolongation, level.restriction, threads);
    from = &now;
    next[axis] = std::move(level.geometry);
    prolongations.push_back(std::move(level.prolongation));
    restrictions.push_back(std::move(level.restriction));
  }
  if (from == &a) return std::nullopt;
  return CoarseLevel<T>{std::move(now), std::move(next), GridTransfer(std::move(prolongations)),
                        GridTransfer(std::move(restrictions))};
}

template GridGeometry finest_geometry(const StencilOperator<float>&, std::span<const char>);
template GridGeometry finest_geometry(const StencilOperator<double>&, std::span<const char>);
template std::optional<CoarseLevel<float>> coarsen(const StencilOperator<float>&, const GridGeometry&, std::size_t);
template std::optional<CoarseLevel<double>> coarsen(const StencilOperator<double>&, const GridGeometry&, std::size_t);

}  // namespace dd::linalg
