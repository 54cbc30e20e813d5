// Lattice reduction in the metric of the activations, and the moves that come of it.
#include "dmmv/rounding_moves.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/lattice.hpp"
#include "linalg/syrk.hpp"
#include "linalg/transpose.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t most_lattice_columns = 1024;

/// Lattice moves behind the unit moves; the reduced basis stays for nearest planes.
void add_lattice(std::span<const double> damped, RoundingMoves& moves, const RunControl& control) {
  const std::size_t n = moves.columns;
  std::vector<double> triangle(damped.begin(), damped.end());
  const auto view = MatrixView<double>::column_major(triangle.data(), n, n);
  if (linalg::cholesky<double>(view, linalg::Triangle::upper, control.threads()) != 0) {
    throw Error(ErrorCode::singular, "activations", "`activations` are not finite enough to be factored");
  }
  for (std::size_t j = 0; j < n; ++j)
    std::fill_n(triangle.begin() + static_cast<std::ptrdiff_t>(j * n + j + 1), n - j - 1, 0.0);
  linalg::LatticeReductionOptions options;
  options.deep_insertions = n <= 128;
  options.control = &control;
  linalg::ReducedBasis basis;
  try {
    basis = linalg::reduce_lattice(view, options);
  } catch (const Error& error) {
    // Columns of very different size have no reduced basis in 53 bits; unit moves remain.
    if (error.code() != ErrorCode::singular && error.code() != ErrorCode::not_converged) throw;
    return;
  }
  moves.lattice_swaps = basis.swaps;
  moves.triangle = std::move(basis.triangle);
  moves.transform.resize(n * n);
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t entries = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t amount = basis.transform[i + k * n];
      moves.transform[i + k * n] = static_cast<double>(amount);
      entries += amount != 0 ? 1 : 0;
    }
    // One entry is a unit move; a direction of more than 255 levels never fits.
    if (entries < 2) continue;
    const std::size_t before = moves.variables.size();
    bool fits = true;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t amount = basis.transform[i + k * n];
      if (amount == 0) continue;
      fits = fits && std::abs(amount) < 256;
      moves.variables.push_back(static_cast<std::int32_t>(i));
      moves.amounts.push_back(static_cast<std::int32_t>(amount));
    }
    if (fits) {
      moves.starts.push_back(moves.variables.size());
    } else {
      moves.variables.resize(before);
      moves.amounts.resize(before);
    }
  }
}

}  // namespace

RoundingMoves make_rounding_moves(MatrixView<const double> activations, std::span<const double> damped,
                                  RoundingMoveKinds kinds, bool with_gram, const RunControl& control) {
  RoundingMoves moves;
  moves.tokens = activations.rows;
  moves.columns = activations.columns;
  const std::size_t n = moves.columns;
  moves.starts.push_back(0);
  for (std::size_t j = 0; j < n; ++j) {
    moves.variables.push_back(static_cast<std::int32_t>(j));
    moves.amounts.push_back(1);
    moves.starts.push_back(j + 1);
  }
  const bool lattice =
      kinds == RoundingMoveKinds::lattice || (kinds == RoundingMoveKinds::automatic && n <= most_lattice_columns);
  if (lattice && n >= 2 && !control.should_stop()) add_lattice(damped, moves, control);
  moves.pairs = moves.starts.size() - 1;
  control.require_memory(4.0 * static_cast<double>(moves.tokens * moves.pairs) +
                             (with_gram ? 12.0 * static_cast<double>(moves.pairs * moves.pairs) : 0.0),
                         "the effects of moves on the activations");
  moves.effects = AlignedBuffer<float>(moves.tokens * moves.pairs);
  parallel_for(control.threads(), moves.pairs, 8, [&](std::size_t begin, std::size_t end) {
    std::vector<double> sum(moves.tokens);
    for (std::size_t p = begin; p < end; ++p) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::size_t k = moves.starts[p]; k < moves.starts[p + 1]; ++k) {
        const double* const column = &activations(0, static_cast<std::size_t>(moves.variables[k]));
        const double amount = moves.amounts[k];
        for (std::size_t t = 0; t < moves.tokens; ++t) sum[t] += amount * column[t];
      }
      float* const effect = moves.effects.data() + p * moves.tokens;
      for (std::size_t t = 0; t < moves.tokens; ++t) effect[t] = static_cast<float>(sum[t]);
    }
  });
  if (with_gram) {
    moves.gram.resize(moves.pairs * moves.pairs);
    const auto gram = MatrixView<double>::row_major(moves.gram.data(), moves.pairs, moves.pairs);
    linalg::syrk(1.0,
                 MatrixView<const float>::column_major(moves.effects.data(), moves.tokens, moves.pairs).transposed(),
                 0.0, gram, linalg::Triangle::lower, control.threads());
    linalg::mirror_triangle(linalg::Triangle::lower, gram, control.threads());
  }
  return moves;
}

}  // namespace dd::dmmv
