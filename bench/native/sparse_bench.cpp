// Sparse Cholesky of normal equations against CHOLMOD, and LU of a wave that marches in time; both in turn in the same
// seconds, by the wall clock. One JSON object per case on standard output.
//
//   dd_bench_sparse [--sizes=64,128,256,512] [--threads=1] [--samples=5]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/isa.hpp"
#include "linalg/sparse/least_squares.hpp"
#include "linalg/sparse/lu.hpp"
#include "options.hpp"
#include "sparse_peer.hpp"
#include "tests/linalg/sparse/grids.hpp"

namespace dd::bench {
namespace {

using namespace linalg;

struct Options {
  std::vector<std::size_t> sizes{64, 128, 256, 512};
  std::size_t threads = 1;
  std::size_t samples = 5;
};

double percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1) + 0.5)];
}

struct Phases {
  std::vector<double> form, analyse, factor, solve, total;

  void add(double form_seconds, double analyse_seconds, double factor_seconds, double solve_seconds) {
    form.push_back(form_seconds);
    analyse.push_back(analyse_seconds);
    factor.push_back(factor_seconds);
    solve.push_back(solve_seconds);
    total.push_back(form_seconds + analyse_seconds + factor_seconds + solve_seconds);
  }
};

void print_head(const char* routine, std::size_t n, const Options& options, const std::vector<double>& seconds,
                double flops) {
  const double median = percentile(seconds, 0.5);
  std::printf(
      "{\"family\":\"sparse\",\"routine\":\"%s\",\"dtype\":\"float64\",\"sizes\":{\"m\":%zu,\"n\":%zu,\"k\":0},"
      "\"isa\":\"%s\",\"threads\":%zu,\"ours\":{\"p10Seconds\":%.6g,\"medianSeconds\":%.6g,\"gflops\":%.4g},"
      "\"samples\":%zu,\"peakPercent\":0,\"peers\":{",
      routine, n, n, isa_name(active_isa()), options.threads, percentile(seconds, 0.1), median, flops / median * 1e-9,
      seconds.size());
}

void print_phases(const char* name, const Phases& phases) {
  std::printf(",\"%s\":{\"form\":%.4g,\"analyse\":%.4g,\"factor\":%.4g,\"solve\":%.4g}", name,
              percentile(phases.form, 0.5), percentile(phases.analyse, 0.5), percentile(phases.factor, 0.5),
              percentile(phases.solve, 0.5));
}

/// From J to the solution, with nothing known before: what one step of a Gauss-Newton method costs at first.
void measure_cholesky(std::size_t cells, const Options& options) {
  const SparseMatrix j = test::poisson({cells, cells});
  GridLayout grid;
  grid.axes = 2;
  grid.fields.push_back({cells, cells, 1, 1});
  std::vector<double> right(j.pattern.rows);
  for (std::size_t i = 0; i < right.size(); ++i) right[i] = std::sin(0.1 * static_cast<double>(i));
  Phases ours, peer;
  double entries = 0, peer_entries = 0, flops = 0, difference = 0, residual = 0;
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    double start = wall_seconds();
    const auto lap = [&start] {
      const double now = wall_seconds(), seconds = now - start;
      start = now;
      return seconds;
    };
    NormalEquations normal(j.pattern, options.threads);
    normal.compute(j, {}, options.threads);
    const double form = lap();
    SparseCholesky cholesky(
        std::make_shared<const SparseCholeskyAnalysis>(normal.pattern(), nested_dissection(normal.pattern(), grid)));
    const double analyse = lap();
    RunControl control(options.threads);
    if (cholesky.factor(normal.values(), control).status != FactorStatus::factored) {
      throw std::runtime_error("the matrix could not be factored");
    }
    const double factor = lap();
    std::vector<double> x(j.pattern.columns);
    multiply_transposed(j, right, x);
    cholesky.solve(x);
    ours.add(form, analyse, factor, lap());
    entries = static_cast<double>(cholesky.analysis().factor_entries());
    flops = 2 * cholesky.analysis().flops();
    std::vector<double> check(right.size());
    multiply(j, x, check);
    for (std::size_t i = 0; i < check.size(); ++i) residual = std::max(residual, std::fabs(check[i] - right[i]));
#if DD_BENCH_CHOLMOD
    std::vector<double> b = right;
    const cholmod::Result result =
        cholmod::solve(j.pattern.rows, j.pattern.starts, {j.pattern.indices.data(), j.pattern.entries()},
                       {j.values.data(), j.values.size()}, b, static_cast<int>(options.threads));
    peer.add(result.seconds.form, result.seconds.analyse, result.seconds.factor, result.seconds.solve);
    peer_entries = result.factor_entries;
    for (std::size_t i = 0; i < x.size(); ++i) difference = std::max(difference, std::fabs(x[i] - b[i]));
#endif
  }
  print_head("poisson cholesky", cells, options, ours.total, flops);
  if (!peer.total.empty()) {
    std::printf("\"cholmod\":{\"medianSeconds\":%.6g,\"ratio\":%.4g}", percentile(peer.total, 0.5),
                percentile(peer.total, 0.5) / percentile(ours.total, 0.5));
  }
  std::printf("}");
  print_phases("phases", ours);
  if (!peer.total.empty()) print_phases("cholmodPhases", peer);
  std::printf(",\"factorEntries\":%.0f,\"cholmodFactorEntries\":%.0f,\"maxDifference\":%.3g,\"residual\":%.3g}\n",
              entries, peer_entries, difference, residual);
  std::fflush(stdout);
}

void measure_lu(std::size_t cells, const Options& options) {
  const SparseMatrix a = test::wave(cells, cells);
  std::vector<double> seconds, analyse;
  for (std::size_t sample = 0; sample < options.samples; ++sample) {
    double start = wall_seconds();
    SparseLu lu(a.pattern);
    analyse.push_back(wall_seconds() - start);
    RunControl control(1);
    if (lu.factor(a, control).status != FactorStatus::factored) throw std::runtime_error("the wave is singular");
    std::vector<double> b(a.pattern.rows, 1);
    lu.solve(b);
    seconds.push_back(wall_seconds() - start);
  }
  print_head("wave lu", cells, options, seconds, 2 * static_cast<double>(a.pattern.entries()));
  std::printf("},\"analyse\":%.4g}\n", percentile(analyse, 0.5));
  std::fflush(stdout);
}

void run(int count, char** arguments) {
  Options options;
  read_options(count, arguments, [&](const std::string& name, const std::string& value) {
    if (name == "--threads") {
      options.threads = std::stoul(value);
    } else if (name == "--samples") {
      options.samples = std::stoul(value);
    } else if (name == "--sizes") {
      options.sizes = numbers(value);
    } else {
      return false;
    }
    return true;
  });
  for (const std::size_t cells : options.sizes) measure_cholesky(cells, options);
  if (options.threads == 1) measure_lu(256, options);
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
