// The search for good assignments: starts, move dictionary, weighted target search, p-norm annealing, elite pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

enum class Engine : std::uint8_t {
  automatic,       ///< annealing joins the target search where all variables have two levels
  target_search,   ///< weighted target search (specs/dmmv.md 6.3)
  norm_annealing,  ///< p-norm annealing (6.4)
  both,            ///< every other chain anneals, where annealing is possible at all
};

/// Which integer directions the search may step along; a sum of the values below.
enum class Moves : std::uint8_t {
  automatic = 0,  ///< unit; lattice where levels are equally spaced, 2 <= n <= 256 and most have more than 4 levels
  unit = 1,       ///< one variable, one level up or down (for unequally spaced levels the only kind)
  pair = 2,       ///< two variables, one level each
  lattice = 4,    ///< rows of the LLL transform and their short sums
  /// Not steps of a walk: from where one ends, t is lowered by levels of single variables and by one rising while
  /// another falls (swap_descent.hpp), and walks that lead to a record go on there. Never automatic: it hardly ever
  /// changed a measured result. Only where the problem has no soft rows.
  swap = 8,
};
constexpr Moves operator|(Moves a, Moves b) noexcept {
  return static_cast<Moves>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Moves set, Moves one) noexcept {
  return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(one)) != 0;
}

enum class BoundRequest : std::uint8_t {
  automatic,  ///< lower_bound where it is cheap (m n <= 4e5 and n <= 256)
  yes,        ///< with a time limit, a quarter of it at most where entries are searched
  no,         ///< no bound in the result (the relaxation may still serve as a start)
};

enum class SolveStatus : std::uint8_t {
  optimal,     ///< the objective meets a proven bound, or everything is fixed
  target,      ///< `target` was reached
  stagnation,  ///< no limit was given and the stopping rule below ended the run
  iteration_limit,
  time_limit,
  cancelled,
};
/// "optimal", "target", "stagnation", "iterations", "time", "cancelled".
const char* solve_status_name(SolveStatus status) noexcept;

struct SolveOptions {
  std::span<const std::int32_t> initial;  ///< level indices to start from; empty: made by the solver
  std::span<const double> continuous;     ///< a continuous point to round and to aim at; empty: the relaxation's
  Engine engine = Engine::automatic;
  Moves moves = Moves::automatic;
  /// How far below the best value the target lies, relatively; 0: 1e-4, or 0.05 for n >= 128.
  double eta = 0;
  double decay = 0.9;      ///< forgetting of row weights, (0, 1]
  std::uint32_t tabu = 2;  ///< steps (tabu ... 2 tabu) for which the reverse of a move is barred
  std::uint64_t seed = 1;
  double target = -std::numeric_limits<double>::infinity();  ///< stop at an objective <= this
  /// Total steps of all chains, 0: none. With neither this nor a time limit the run ends by stagnation: when
  /// max(200 000, 5 000 n) steps (at most 2e11 row evaluations of work), and at least as many as had led to the best
  /// value, have brought nothing better. Enumeration, starts and sampled starts are not counted.
  std::uint64_t iteration_limit = 0;
  BoundRequest bound = BoundRequest::automatic;
  /// Nothing with ||W (A x - c)||_2 above (1 + l2_guard) times that of the start is returned, c being the middles of
  /// the rows (of one-sided rows their side); negative: no guard. The start is `initial`, or else the rounded
  /// continuous point. Target search only, without swaps; not with soft rows.
  double l2_guard = -1;
};

struct Improvement {
  double objective = 0;
  std::uint64_t iterations = 0;
  double seconds = 0;
};

struct SolveResult {
  std::vector<std::int32_t> indices;
  double objective = 0;     ///< recomputed from scratch
  double soft_penalty = 0;  ///< of the soft rows, 0 without them
  /// -infinity where there is no useful bound.
  double lower_bound = -std::numeric_limits<double>::infinity();
  double gap = std::numeric_limits<double>::infinity();  ///< objective - lower_bound
  std::vector<double> multipliers;  ///< the certificate of lower_bound, m entries; empty where it has none
  std::vector<double> continuous;   ///< the relaxation's point; empty when it was not solved
  double continuous_objective = std::numeric_limits<double>::quiet_NaN();  ///< t(continuous)
  SolveStatus status = SolveStatus::stagnation;
  std::uint64_t iterations = 0;   ///< steps (target search) and proposals (annealing)
  std::uint64_t evaluations = 0;  ///< moves looked at
  struct {
    double relaxation = 0, reduction = 0, starts = 0, search = 0;
  } seconds;
  std::vector<Improvement> trace;  ///< every new best value, in order
};

/// Looks for x with a small t(x). With soft rows: among assignments with t <= target the one of least soft penalty,
/// else the one of least t (then `target` must be given: it is the noise level, and does not end the run).
///
/// Given seed, options and an iteration limit (or none of the limits) the result is the same for any number of threads
/// and any machine; a time limit or a cancellation cuts the same sequence somewhere, and what was best by then is
/// returned. `control` reports progress with the best level indices (int32) as bytes.
///
/// Throws dd::Error: shape_mismatch, out_of_range (`initial`), not_finite (`continuous`), invalid_argument_value (eta,
/// decay, target NaN, lattice or pair moves with unequal levels), out_of_memory (sparse problem too large to densify).
/// Memory: 8 m bytes for each pair of moves, shared by the threads; large sparse problems are searched by their entries
/// instead (sparse_solve.hpp), unless pair, lattice or swap moves or annealing are asked for. Source: specs/dmmv.md
/// section 6.
SolveResult solve(const Problem& problem, const SolveOptions& options, RunControl& control);

}  // namespace dd::dmmv
