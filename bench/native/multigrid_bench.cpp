// Multigrid on Poisson problems against sparse Cholesky of the normal equations, ours and CHOLMOD's (when found), and
// the multigrid decomposition of a field at the full size of the glioma case. Wall clock, competitors in turn. One JSON
// object per case on standard output.
//
//   dd_bench_multigrid [--sizes=64,128,...] [--direct=512] [--threads=1] [--samples=5]
//
// Poisson: setup and solution to 1e-10 from nothing, u = sin(pi (2 x)^2) sin(pi y) (odil.md, 6.1); `error` is the RMS
// distance to it. `direct`: the largest size that is given to the direct solver as well.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/isa.hpp"
#include "linalg/multigrid.hpp"
#include "linalg/sparse/least_squares.hpp"
#include "odil/decomposition.hpp"
#if DD_BENCH_CHOLMOD
#include "sparse_peer.hpp"
#endif
#include "options.hpp"
#include "tests/linalg/grid_operators.hpp"
#include "tests/linalg/sparse/grids.hpp"

namespace dd::bench {
namespace {

using namespace linalg;

struct Options {
  std::vector<std::size_t> sizes{64, 128, 256, 512, 1024, 2048, 4096};
  std::size_t direct = 512;
  std::size_t threads = 1;
  std::size_t samples = 5;
};

double percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1) + 0.5)];
}

void print_head(const char* routine, std::size_t m, std::size_t n, std::size_t k, const Options& options,
                const std::vector<double>& seconds, double bytes) {
  const double median = percentile(seconds, 0.5);
  std::printf(
      "{\"family\":\"multigrid\",\"routine\":\"%s\",\"dtype\":\"float64\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":%zu},"
      "\"isa\":\"%s\",\"threads\":%zu,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gigabytes\":%.4g},"
      "\"samples\":%zu,\"peakPercent\":0,\"peers\":{",
      routine, m, n, k, isa_name(active_isa()), options.threads, percentile(seconds, 0.1), median,
      bytes / median * 1e-9, seconds.size());
}

struct Poisson {
  std::vector<double> right_side, solution;
};

/// The equation is - h^2 u'' = - h^2 q.
Poisson oscillating(std::size_t cells) {
  constexpr double pi = std::numbers::pi, k = 2;
  Poisson problem;
  const double h = 1 / static_cast<double>(cells);
  for (std::size_t i = 0; i < cells; ++i) {
    const double x = (static_cast<double>(i) + 0.5) * h, angle = pi * k * k * x * x;
    const double second =
        (-4 * k * k * k * k * pi * pi * x * x - pi * pi) * std::sin(angle) + 2 * k * k * pi * std::cos(angle);
    for (std::size_t j = 0; j < cells; ++j) {
      const double y = (static_cast<double>(j) + 0.5) * h;
      problem.solution.push_back(std::sin(angle) * std::sin(pi * y));
      problem.right_side.push_back(-h * h * second * std::sin(pi * y));
    }
  }
  return problem;
}

double direct_seconds(std::size_t cells, std::size_t threads) {
  const SparseMatrix j = test::poisson({cells, cells});
  GridLayout grid;
  grid.axes = 2;
  grid.fields.push_back({cells, cells, 1, 1});
  std::vector<double> residual(j.pattern.rows, 1), d(j.pattern.columns);
  const double start = wall_seconds();
  SparseLeastSquares solver(j.pattern, &grid, threads);
  RunControl control(threads);
  if (solver.factor(j, {}, control).status != FactorStatus::factored) throw std::runtime_error("no factor");
  solver.solve(j, residual, d, 1, threads);
  return wall_seconds() - start;
}

#if DD_BENCH_CHOLMOD
double cholmod_seconds(std::size_t cells, std::size_t threads) {
  const SparseMatrix j = test::poisson({cells, cells});
  std::vector<double> b(j.pattern.rows, 1);
  return cholmod::solve(j.pattern.rows, j.pattern.starts, {j.pattern.indices.data(), j.pattern.entries()},
                        {j.values.data(), j.values.size()}, b, static_cast<int>(threads))
      .seconds.total();
}
#endif

void measure_poisson(std::size_t cells, const Options& options) {
  const std::size_t count[] = {cells, cells};
  const StencilOperator<double> a =
      test::diffusion_cells<double>(make_grid(count), {1, 1}, test::Wall::value_quadratic);
  const Poisson problem = oscillating(cells);
  const std::size_t points = cells * cells;
  std::vector<double> total, setup, direct, cholmod, x(points);
  MultigridResult result;
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    StencilOperator<double> own = a.copy();
    const double start = wall_seconds();
    Multigrid<double> multigrid(std::move(own), "cc", {}, options.threads);
    setup.push_back(wall_seconds() - start);
    RunControl control(options.threads);
    result = multigrid.solve(problem.right_side, x, {.tolerance = 1e-10}, control);
    total.push_back(wall_seconds() - start);
    if (result.status != MultigridStatus::converged) throw std::runtime_error("multigrid did not converge");
    if (cells > options.direct) continue;
    direct.push_back(direct_seconds(cells, options.threads));
#if DD_BENCH_CHOLMOD
    cholmod.push_back(cholmod_seconds(cells, options.threads));
#endif
  }
  double square = 0;
  for (std::size_t i = 0; i < points; ++i) square += std::pow(x[i] - problem.solution[i], 2);
  // A cycle reads the operator three times; that is what the rate counts.
  const double bytes = static_cast<double>(result.cycles) * 3 * 7 * 8 * static_cast<double>(points) * 4 / 3;
  print_head("poisson", cells, cells, 0, options, total, bytes);
  if (!direct.empty()) {
    std::printf("\"sparse cholesky\":{\"medianSeconds\":%.6g,\"ratio\":%.4g}", percentile(direct, 0.5),
                percentile(direct, 0.5) / percentile(total, 0.5));
  }
  if (!cholmod.empty()) {
    std::printf(",\"cholmod\":{\"medianSeconds\":%.6g,\"ratio\":%.4g}", percentile(cholmod, 0.5),
                percentile(cholmod, 0.5) / percentile(total, 0.5));
  }
  std::printf("},\"setup\":%.4g,\"cycles\":%zu,\"error\":%.4g,\"nanosecondsPerCell\":%.4g}\n", percentile(setup, 0.5),
              result.cycles, std::sqrt(square / static_cast<double>(points)),
              percentile(total, 0.5) / static_cast<double>(points) * 1e9);
  std::fflush(stdout);
}

/// The glioma case: 192 rows of time, 48^3 cells, four levels.
template <class T>
void measure_decomposition(const Options& options) {
  const std::size_t cells[] = {192, 48, 48, 48};
  const odil::Decomposition decomposition(cells, "cccc", 4);
  AlignedBuffer<T> levels(decomposition.unknowns(), T(1)), field(decomposition.field_points());
  std::vector<double> forward, backward;
  for (std::size_t sample = 0; sample < options.samples + 1; ++sample) {
    double start = wall_seconds();
    decomposition.compose<T>(std::as_const(levels).span(), field.span(), options.threads);
    if (sample > 0) forward.push_back(wall_seconds() - start);
    start = wall_seconds();
    decomposition.compose_transposed<T>(std::as_const(field).span(), levels.span(), options.threads);
    if (sample > 0) backward.push_back(wall_seconds() - start);
    std::fill(levels.begin(), levels.end(), T(1));
  }
  const double bytes = 2 * sizeof(T) * static_cast<double>(decomposition.unknowns());
  for (const bool transposed : {false, true}) {
    print_head(transposed ? "decomposition transposed" : "decomposition", 192, 48 * 48, 48, options,
               transposed ? backward : forward, bytes);
    std::printf("},\"bytesPerElement\":%zu}\n", sizeof(T));
  }
  std::fflush(stdout);
}

void run(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--threads") {
      options.threads = std::stoul(value);
    } else if (name == "--samples") {
      options.samples = std::stoul(value);
    } else if (name == "--direct") {
      options.direct = std::stoul(value);
    } else if (name == "--sizes") {
      options.sizes = numbers(value);
    } else {
      return false;
    }
    return true;
  });
  for (const std::size_t cells : options.sizes) measure_poisson(cells, options);
  measure_decomposition<double>(options);
}

}  // namespace
}  // namespace dd::bench

int main(int count, char** arguments) {
  try {
    dd::bench::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
