// Operators on grids and multigrid: products against the definition, sweeps against a plain Gauss-Seidel, transposes,
// convergence on every kind of wall and grid, threads, bad input.
#include "linalg/multigrid.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "core/error.hpp"
#include "tests/linalg/grid_operators.hpp"

namespace {

using namespace dd;
using namespace dd::linalg;
using namespace dd::test;

PointGrid grid_of(std::vector<std::size_t> count, std::vector<bool> periodic = {}) {
  std::array<bool, 4> flags{};
  for (std::size_t axis = 0; axis < periodic.size(); ++axis) flags[axis] = periodic[axis];
  return make_grid(count, std::span<const bool>(flags.data(), periodic.empty() ? 0 : count.size()));
}

std::size_t column_of(const PointGrid& grid, std::size_t i, const GridShift& shift) {
  const auto strides = grid.strides();
  std::size_t column = 0;
  for (std::size_t axis = 0; axis < grid.axes; ++axis) {
    const auto count = static_cast<std::ptrdiff_t>(grid.count[axis]);
    const auto at = static_cast<std::ptrdiff_t>(i / strides[axis] % grid.count[axis]);
    column += static_cast<std::size_t>((at + shift[axis] + count) % count) * strides[axis];
  }
  return column;
}

struct OddGrid {
  std::vector<std::size_t> count;
  std::vector<bool> periodic;
};
const OddGrid odd_grids[] = {{{1}, {}},
                             {{2}, {true}},
                             {{7}, {true}},
                             {{40}, {}},
                             {{5, 9}, {}},
                             {{6, 33}, {true, true}},
                             {{7, 21}, {true, true}},
                             {{1, 20}, {}},
                             {{20, 1}, {}},
                             {{3, 2, 17}, {}},
                             {{5, 4, 7}, {true, false, true}},
                             {{4, 3, 5, 6}, {false, true, false, false}},
                             {{90, 33}, {}}};

double poisson_cycles(const StencilOperator<double>& a, const std::string& location, MultigridOptions options = {}) {
  Multigrid<double> multigrid(a.copy(), location, options);
  const std::size_t points = a.grid().points();
  const std::vector<double> b = random_vector<double>(points, 1);
  std::vector<double> x(points, 0.0);
  RunControl control(1);
  const MultigridResult result = multigrid.solve(b, x, {.tolerance = 1e-10, .max_cycles = 60}, control);
  CAPTURE(result.residual);
  CHECK(result.status == MultigridStatus::converged);
  std::vector<double> again(points);
  a.multiply(x, again, 1);
  for (std::size_t i = 0; i < points; ++i) again[i] -= b[i];
  CHECK(std::sqrt(inner(again, again) / inner(b, b)) <= 1.001e-10);
  const auto& history = result.history;
  const double factor = std::pow(history.back() / history.front(), 1.0 / static_cast<double>(result.cycles));
  return factor;
}

}  // namespace

TEST_SUITE("linalg/multigrid") {
  TEST_CASE_TEMPLATE("products and transposes of operators against their definition", T, double, float) {
    for (const OddGrid& one : odd_grids) {
      const PointGrid grid = grid_of(one.count, one.periodic);
      CAPTURE(grid.points());
      std::vector<GridShift> shifts = box(grid.axes);
      GridShift far{};
      far[grid.axes - 1] = 2;
      if (grid.axes > 1) far[0] = -2;
      shifts.push_back(far);
      StencilOperator<T> a = random_operator<T>(grid, shifts, 10);
      CHECK_NOTHROW(a.check("a"));
      const std::vector<T> x = random_vector<T>(grid.points(), 1), y = random_vector<T>(grid.points(), 2);
      std::vector<T> ax(grid.points()), aty(grid.points());
      a.multiply(x, ax, 1);
      std::vector<double> truth(grid.points(), 0.0);
      for (std::size_t k = 0; k < a.shifts().size(); ++k) {
        for (std::size_t i = 0; i < grid.points(); ++i) {
          truth[i] +=
              static_cast<double>(a.coefficients(k)[i]) * static_cast<double>(x[column_of(grid, i, a.shifts()[k])]);
        }
      }
      double largest = 0;
      for (std::size_t i = 0; i < truth.size(); ++i) {
        largest = std::max(largest, std::abs(truth[i] - static_cast<double>(ax[i])));
      }
      CHECK(largest < (sizeof(T) == 8 ? 1e-12 : 1e-4));
      a.transposed().multiply(y, aty, 1);
      CHECK(inner(ax, y) == doctest::Approx(inner(x, aty)).epsilon(sizeof(T) == 8 ? 1e-11 : 1e-3));
      std::vector<T> threaded(grid.points());
      a.multiply(x, threaded, 7);
      CHECK(threaded == ax);
    }
  }

  TEST_CASE_TEMPLATE("rows whose coefficients do not vary give the same bits without reading them", T, double, float) {
    for (const OddGrid& odd : odd_grids) {
      const PointGrid grid = grid_of(odd.count, odd.periodic);
      for (const auto& shifts : {star(grid.axes), box(grid.axes)}) {
        StencilOperator<T> a = random_operator<T>(grid, shifts, 3);
        const std::size_t length = grid.row();
        for (std::size_t k = 0; k < a.shifts().size(); ++k) {  // rows 0, 2, ... all but their ends
          for (std::size_t i = 0; i < grid.points(); ++i) {
            const std::size_t row = i / length, at = i % length;
            if (row % 2 == 0 && at > 1 && at + 1 < length) a.coefficients(k)[i] = a.coefficients(k)[i - 1];
          }
        }
        StencilOperator<T> known = a.copy();
        known.find_uniform_rows(2);
        if (length > 3) CHECK(known.uniform_row(0));
        if (length > 4 && grid.points() > length) CHECK_FALSE(known.uniform_row(1));
        const std::vector<T> b = random_vector<T>(grid.points(), 1), x = random_vector<T>(grid.points(), 2);
        std::vector<T> plain(grid.points()), quick(grid.points());
        a.residual(b, x, plain, 1);
        known.residual(b, x, quick, 1);
        CHECK(plain == quick);
        plain = quick = x;
        const ColouredSweep<T> sweep(a);
        sweep.sweep(a, b, plain, false, 1);
        sweep.sweep(known, b, quick, false, 2);
        CHECK(plain == quick);
        known.coefficients(0)[0] = T(2);
        CHECK_FALSE(known.uniform_row(0));
      }
    }
  }

  TEST_CASE("a coarse operator is the product with both transfers, where rows repeat and where they do not") {
    for (const bool varying : {false, true}) {
      const PointGrid grid = grid_of({21, 34});
      StencilOperator<double> a = diffusion_cells<double>(grid, {1, 1.5}, Wall::value_quadratic);
      if (varying) {
        for (std::size_t i = 5 * 34; i < 9 * 34; ++i) a.coefficients(0)[i] += static_cast<double>(i % 7);
      }
      const auto level = coarsen(a, finest_geometry(a, std::array{'c', 'c'}), 1);
      REQUIRE(level);
      const std::size_t points = level->a.grid().points();
      const std::vector<double> x = random_vector<double>(points, 4);
      std::vector<double> fine(grid.points()), image(grid.points()), expected(points), found(points);
      level->prolongation.to_fine<double>(x, 1, {}, fine, 1);
      a.multiply(fine, image, 1);
      level->restriction.to_coarse<double>(image, 1, expected, 1);
      level->a.multiply(x, found, 1);
      for (std::size_t i = 0; i < points; ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    }
  }

  TEST_CASE("a sweep is Gauss-Seidel in the order of the colours, for any threads and directions") {
    for (const bool compact : {false, true}) {
      for (const OddGrid& one : odd_grids) {
        const PointGrid grid = grid_of(one.count, one.periodic);
        CAPTURE(grid.points());
        const auto a = random_operator<double>(grid, compact ? box(grid.axes) : star(grid.axes), 20);
        const ColouredSweep<double> sweep(a);
        const std::vector<double> b = random_vector<double>(grid.points(), 3);
        const std::vector<double> start = random_vector<double>(grid.points(), 4);
        for (const bool backward : {false, true}) {
          std::vector<double> x = start, plain = start;
          sweep.sweep(a, b, x, backward, 1);
          std::map<std::size_t, std::vector<std::size_t>> order;
          const auto strides = grid.strides();
          for (std::size_t i = 0; i < grid.points(); ++i) {
            std::array<std::size_t, 4> at{};
            for (std::size_t axis = 0; axis < grid.axes; ++axis) at[axis] = i / strides[axis] % grid.count[axis];
            const std::size_t colour = sweep.colour(at);
            REQUIRE(colour < sweep.colours());
            order[backward ? sweep.colours() - colour : colour].push_back(i);
          }
          for (const auto& [colour, points] : order) {
            for (const std::size_t i : points) {
              double sum = b[i], diagonal = 0;
              for (std::size_t k = 0; k < a.shifts().size(); ++k) {
                const std::size_t j = column_of(grid, i, a.shifts()[k]);
                if (a.shifts()[k] == GridShift{}) {
                  diagonal = a.coefficients(k)[i];
                } else {
                  sum -= a.coefficients(k)[i] * plain[j];
                }
              }
              plain[i] = sum / diagonal;
            }
          }
          double largest = 0;
          for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - plain[i]));
          CHECK(largest < 1e-12);
          for (const std::size_t threads : {2, 7}) {
            std::vector<double> threaded = start;
            sweep.sweep(a, b, threaded, backward, threads);
            CHECK(threaded == x);
          }
        }
      }
    }
  }

  TEST_CASE("threads change no bit of a sweep that is long enough to be shared") {
    for (const bool compact : {false, true}) {
      const PointGrid grid = grid_of({400, 300});
      const auto a = random_operator<double>(grid, compact ? box(2) : star(2), 20);
      const ColouredSweep<double> sweep(a);
      const std::vector<double> b = random_vector<double>(grid.points(), 3);
      std::vector<double> one(grid.points(), 0.0), many(grid.points(), 0.0);
      for (const bool backward : {false, true}) {
        sweep.sweep(a, b, one, backward, 1);
        sweep.sweep(a, b, many, backward, 3);
        CHECK(one == many);
      }
    }
  }

  TEST_CASE("walls of every kind, cells and nodes, even and odd, one to four axes") {
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({64, 64}), {1, 1}, Wall::value_quadratic), "cc") < 0.25);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({256, 256}), {1, 1}, Wall::value_quadratic), "cc") < 0.25);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({101, 77}), {1, 1}, Wall::value), "cc") < 0.3);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({96, 96}), {1, 1}, Wall::slope, 1e-3), "cc") < 0.3);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({64, 63}, {true, true}), {1, 1}, Wall::slope, 1e-3), "cc") <
          0.3);
    CHECK(poisson_cycles(diffusion_nodes<double>(grid_of({129, 129}), {1, 1}), "nn") < 0.25);
    CHECK(poisson_cycles(diffusion_nodes<double>(grid_of({100, 90}), {1, 1}), "nn") < 0.3);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({32, 32, 32}), {1, 1, 1}, Wall::value_quadratic), "ccc") <
          0.35);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({12, 10, 14, 9}), {1, 1, 1, 1}, Wall::value), "cccc") < 0.45);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({1000}), {1}, Wall::value), "c") < 1e-8);
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({65, 64, 33}, {false, true, false}), {1, 1, 1}, Wall::value),
                         "ccc") < 0.35);
  }

  TEST_CASE("anisotropy along either axis is met by coarsening the strong one") {
    for (const double ratio : {3.0, 10.0, 1000.0}) {
      CHECK(poisson_cycles(diffusion_cells<double>(grid_of({96, 128}), {1, ratio}, Wall::value), "cc") < 0.35);
      CHECK(poisson_cycles(diffusion_cells<double>(grid_of({96, 128}), {ratio, 1}, Wall::value), "cc") < 0.35);
    }
    CHECK(poisson_cycles(diffusion_cells<double>(grid_of({24, 48, 32}), {1, 100, 10}, Wall::value), "ccc") < 0.4);
  }

  TEST_CASE("F cycles and more sweeps are at least as good") {
    const auto a = diffusion_cells<double>(grid_of({128, 128}), {1, 1}, Wall::value_quadratic);
    const double v = poisson_cycles(a, "cc");
    CHECK(poisson_cycles(a, "cc", {.cycle = MultigridCycle::f}) < v + 0.02);
    CHECK(poisson_cycles(a, "cc", {.pre_sweeps = 2, .post_sweeps = 1}) < v);
  }

  TEST_CASE_TEMPLATE("the transposed cycle is the transpose of the cycle", T, double, float) {
    for (const MultigridCycle cycle : {MultigridCycle::v, MultigridCycle::f}) {
      for (const OddGrid& one :
           {OddGrid{{45, 70}, {}}, OddGrid{{33, 40}, {true, false}}, OddGrid{{20, 13, 18}, {}}, OddGrid{{300}, {}}}) {
        const PointGrid grid = grid_of(one.count, one.periodic);
        const auto a = random_operator<T>(grid, star(grid.axes), 30);
        Multigrid<T> multigrid(a.copy(), std::string(grid.axes, 'c'),
                               {.cycle = cycle, .pre_sweeps = 2, .post_sweeps = 1});
        const std::vector<T> x = random_vector<T>(grid.points(), 1), y = random_vector<T>(grid.points(), 2);
        std::vector<T> mx(grid.points()), mty(grid.points()), again(grid.points());
        multigrid.apply(x, mx, 1);
        multigrid.apply_transposed(y, mty, 1);
        CHECK(inner(mx, y) == doctest::Approx(inner(x, mty)).epsilon(sizeof(T) == 8 ? 1e-11 : 1e-3));
        multigrid.apply(x, again, 7);
        CHECK(again == mx);
        multigrid.apply_transposed(y, again, 7);
        CHECK(again == mty);
      }
    }
  }

  TEST_CASE("statuses") {
    const auto a = diffusion_cells<double>(grid_of({64, 64}), {1, 1}, Wall::value);
    Multigrid<double> multigrid(a.copy(), "cc");
    std::vector<double> b = random_vector<double>(4096, 1), x(4096, 0.0);
    RunControl control(1);
    CHECK(multigrid.solve(b, x, {.tolerance = 1e-10, .max_cycles = 2}, control).status == MultigridStatus::max_cycles);
    CHECK(multigrid.solve(b, x, {.tolerance = 0}, control).status == MultigridStatus::stalled);  // at rounding
    control.cancel();
    x.assign(4096, 0.0);
    CHECK(multigrid.solve(b, x, {}, control).status == MultigridStatus::stopped);
    RunControl other(1);
    CHECK(multigrid.solve(b, x, {.max_cycles = 50, .full = false}, other).status == MultigridStatus::converged);
    x[5] = NAN;
    CHECK(multigrid.solve(b, x, {.full = false}, other).status == MultigridStatus::not_finite);
    b.assign(4096, 0.0);
    CHECK(multigrid.solve(b, x, {}, other).status == MultigridStatus::converged);
    CHECK(inner(x, x) == 0);
  }

  TEST_CASE("bad input") {
    const auto code = [](auto&& call) {
      try {
        call();
      } catch (const Error& error) {
        return error.code();
      }
      return ErrorCode::internal;
    };
    const PointGrid grid = grid_of({40, 30});
    const auto good = diffusion_cells<double>(grid, {1, 1}, Wall::value);
    CHECK(code([&] { Multigrid<double>(good.copy(), "c"); }) == ErrorCode::shape_mismatch);
    CHECK(code([&] { Multigrid<double>(good.copy(), "cx"); }) == ErrorCode::invalid_argument_value);
    CHECK(code([&] { Multigrid<double>(good.copy(), "cc", {.pre_sweeps = 0, .post_sweeps = 0}); }) ==
          ErrorCode::out_of_range);
    auto broken = diffusion_cells<double>(grid, {1, 1}, Wall::value);
    broken.coefficients(0)[17] = 0;
    CHECK(code([&] { Multigrid<double>(broken.copy(), "cc"); }) == ErrorCode::singular);
    broken.coefficients(0)[17] = NAN;
    CHECK(code([&] { Multigrid<double>(broken.copy(), "cc"); }) == ErrorCode::not_finite);
    broken.coefficients(0)[17] = 1;
    broken.coefficients(1)[3] = 1;  // leaves the grid
    CHECK(code([&] { Multigrid<double>(broken.copy(), "cc"); }) == ErrorCode::invalid_argument_value);
    CHECK(code([&] {
            Multigrid<double>(StencilOperator<double>(grid, {{}, {2, 0}}), "cc");
          }) == ErrorCode::out_of_range);
    CHECK(code([&] { StencilOperator<double>(grid, {{}, {}}); }) == ErrorCode::invalid_argument_value);
    CHECK(code([&] { StencilOperator<double>(grid, {{40, 0}}); }) == ErrorCode::out_of_range);
    CHECK(code([&] { StencilOperator<double>(grid, {{0, 0, 1}}); }) == ErrorCode::out_of_range);
    CHECK(code([&] { make_grid(std::vector<std::size_t>{}); }) == ErrorCode::out_of_range);
    CHECK(code([&] { make_grid(std::vector<std::size_t>{3, 0}); }) == ErrorCode::out_of_range);
    Multigrid<double> multigrid(good.copy(), "cc");
    std::vector<double> b(1200, 1.0), x(1199);
    RunControl control(1);
    CHECK(code([&] { multigrid.solve(b, x, {}, control); }) == ErrorCode::shape_mismatch);
    x.resize(1200);
    b[7] = INFINITY;
    CHECK(code([&] { multigrid.solve(b, x, {}, control); }) == ErrorCode::not_finite);
  }
}
