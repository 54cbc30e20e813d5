#include "odil/laplace.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/sparse/least_squares.hpp"
#include "linalg/sparse/selected_inverse.hpp"
#include "odil/direct_steps.hpp"

namespace dd::odil {
namespace {

constexpr std::uint32_t sample_purpose = 0x6C61706C;  // "lapl": draws nothing that another part of the package draws

/// Standard normal numbers by Box and Muller, those of sample `number`.
void draw(std::uint64_t seed, std::size_t number, std::span<double> into) {
  PhiloxStream stream(seed, static_cast<std::uint32_t>(number), sample_purpose);
  for (std::size_t k = 0; k < into.size(); k += 2) {
    const double radius = std::sqrt(-2 * std::log(1 - stream.next_uniform()));
    const double angle = 2 * std::numbers::pi * stream.next_uniform();
    into[k] = radius * std::cos(angle);
    if (k + 1 < into.size()) into[k + 1] = radius * std::sin(angle);
  }
}

/// J with each row over its block's sigma.
linalg::SparseMatrix scaled_jacobian(const Problem& problem, std::span<const double> unknowns,
                                     std::span<const double> sigmas, std::size_t threads) {
  linalg::SparseMatrix j = problem.pattern();
  problem.jacobian(unknowns, j, threads);
  const std::size_t bad = first_non_finite(std::span<const double>(j.values), threads);
  if (bad < j.values.size()) {
    const auto row = std::upper_bound(j.pattern.starts.begin(), j.pattern.starts.end(), bad) - j.pattern.starts.begin();
    const std::string name = problem.residual_name(static_cast<std::size_t>(row) - 1);
    throw Error(ErrorCode::not_finite, name, "a derivative of the residual " + name + " is not finite");
  }
  for (std::size_t b = 0; b < sigmas.size(); ++b) {
    const std::size_t end = j.pattern.starts[problem.block_offset(b + 1)];
    for (std::size_t k = j.pattern.starts[problem.block_offset(b)]; k < end; ++k) j.values[k] /= sigmas[b];
  }
  return j;
}

}  // namespace

LaplaceResult laplace(const Problem& problem, std::span<const double> unknowns, const LaplaceOptions& options,
                      RunControl& control) {
  const std::size_t n = problem.unknowns(), threads = control.threads();
  for (const BlockDescription& block : problem.description().blocks) {
    if (!block.raw) continue;
    throw Error(ErrorCode::invalid_argument_value, block.name,
                "`" + block.name + "` is raw: a logarithm of a probability is needed, as squares are");
  }
  const linalg::SparseMatrix j = scaled_jacobian(problem, unknowns, options.sigmas, threads);
  const auto layout = problem.description().parameters == 0 ? grid_layout(problem.description()) : std::nullopt;
  linalg::SparseLeastSquares least_squares(j.pattern, layout ? &*layout : nullptr, threads);
  control.require_memory(static_cast<double>(least_squares.analysis().factor_bytes(threads)), "the factor of H");
  const linalg::FactorResult factored = least_squares.factor(j, {}, control);
  LaplaceResult result;
  if (factored.status == linalg::FactorStatus::stopped) return {.stopped = true};
  if (factored.status != linalg::FactorStatus::factored) {
    const std::string name = problem.unknown_name(factored.unknown);
    throw Error(ErrorCode::singular, name,
                "the residuals do not determine " + name + " given the others: add a block that does, a prior");
  }
  const linalg::SparseCholesky& cholesky = least_squares.cholesky();
  std::vector<bool> unread(n, false);
  for (const linalg::Index unknown : cholesky.empty_unknowns()) unread[unknown] = true;
  result.log_determinant = cholesky.log_determinant();

  if (options.all_variances) {
    linalg::SelectedInverse inverse = selected_inverse(cholesky, {}, control);
    if (inverse.stopped) return {.stopped = true};
    result.variances = std::move(inverse.diagonal);
  }

  const std::size_t wanted = options.entries.size();
  result.covariance.assign(wanted * wanted, 0);
  parallel_for(threads, wanted, 1, [&](std::size_t begin, std::size_t end) {
    std::vector<double> column(n);
    for (std::size_t e = begin; e < end; ++e) {
      if (control.should_stop()) return;
      std::fill(column.begin(), column.end(), 0);
      column[options.entries[e]] = 1;
      cholesky.solve(std::span<double>(column));
      for (std::size_t f = 0; f < wanted; ++f) result.covariance[f * wanted + e] = column[options.entries[f]];
      if (unread[options.entries[e]]) result.covariance[e * wanted + e] = INFINITY;
    }
  });
  // Two solves agree on an entry to rounding; a covariance is symmetric to the bit.
  for (std::size_t e = 0; e < wanted; ++e) {
    for (std::size_t f = 0; f < e; ++f) result.covariance[f * wanted + e] = result.covariance[e * wanted + f];
  }

  result.samples.resize(options.samples * n);
  parallel_for(threads, options.samples, 1, [&](std::size_t begin, std::size_t end) {
    for (std::size_t s = begin; s < end; ++s) {
      if (control.should_stop()) return;
      const std::span<double> sample = std::span(result.samples).subspan(s * n, n);
      draw(options.seed, s, sample);
      cholesky.solve_factor_transposed(sample);
      for (std::size_t k = 0; k < n; ++k) sample[k] = unread[k] ? unknowns[k] : unknowns[k] + sample[k];
    }
  });
  if (control.should_stop()) return {.stopped = true};
  return result;
}

}  // namespace dd::odil
