// Enumeration in the spirit of Kannan (STOC 1983) and Schnorr and Euchner (Math. Programming 66, 1994), with the
// maximum norm's own relaxation in place of a sphere.
#include "dmmv/exact.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "dmmv/bound.hpp"
#include "dmmv/chebyshev.hpp"
#include "dmmv/evaluate.hpp"
#include "dmmv/moves.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/lattice.hpp"

namespace dd::dmmv {
namespace {

constexpr double most_values = 0x1p22;  // of one coordinate at one node
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::size_t most_entries = std::size_t{1} << 26;
constexpr std::size_t most_cuts = 384;  // of one depth
constexpr double rounding = 1e-11;      // of sums of a few hundred terms of size one, with room to spare

/// All assignments that are better than a threshold by rows |z| <= 1: rho = sum_j columns_j coordinate_j + start.
struct UnitRows {
  std::size_t rows = 0, columns = 0;
  std::vector<double> matrix, start;
  std::vector<double> reach;  ///< bound on |coordinate_j| wherever every row is within one
  bool empty = false;         ///< some row cannot be met at all
};

class Enumeration {
 public:
  /// `threshold`: assignments with t <= threshold are looked for.
  Enumeration(const Problem& problem, std::span<const std::int32_t> base, double threshold, ExactResult& result,
              RunControl& control)
      : problem_(problem),
        base_(base.begin(), base.end()),
        threshold_(threshold),
        rows_(search_rows(problem)),
        result_(result),
        control_(control) {
    for (std::size_t j = 0; j < problem.variables(); ++j) {
      if (problem.levels().count(j) > 1) variables_.push_back(j);
    }
    integer_ = problem.levels().equally_spaced();
    const double begun = control.seconds();
    build();
    result.seconds.reduction += control.seconds() - begun;
  }

  /// True when it ended by itself; `found` then holds a better assignment, or nothing: there is none.
  bool run(std::vector<std::int32_t>& found) {
    found.clear();
    if (unit_.empty) return true;
    if (!usable_) return false;
    coordinates_.assign(unit_.columns, 0.0);
    residuals_.assign((unit_.columns + 1) * unit_.rows, 0.0);
    std::copy(unit_.start.begin(), unit_.start.end(),
              residuals_.begin() + static_cast<std::ptrdiff_t>(unit_.columns * unit_.rows));
    const bool ended = (unit_.columns > 0 && !is_open(unit_.columns)) || descend(unit_.columns);
    if (!found_.empty()) {
      found = found_;
      return true;
    }
    return ended;
  }

 private:
  /// Multipliers of a depth: |sum_(j >= depth) shares_j coordinate_j + start| <= limit wherever all rows are met.
  struct Cut {
    std::vector<double> shares;
    double start = 0, limit = 0;
  };

  void build() {
    const LevelSets& levels = problem_.levels();
    const std::size_t n = variables_.size(), m = rows_.hard + n;
    if (n > 0 && m > most_entries / n) {
      throw Error(ErrorCode::out_of_memory, "problem", "`problem` is too large to be solved exactly");
    }
    unit_.rows = m;
    unit_.columns = n;
    std::vector<double> matrix(m * n, 0.0), column(rows_.stride);
    std::vector<double> residual(rows_.stride), below(rows_.hard), above(rows_.hard);
    search_residual(problem_, rows_, base_, residual);
    // What the boxes allow each row to be: the side a one-sided row does not have.
    for (std::size_t i = 0; i < rows_.hard; ++i) below[i] = above[i] = residual[i];
    for (std::size_t k = 0; k < n; ++k) {
      const std::size_t j = variables_[k];
      search_column(problem_, rows_, j, column);
      const double down = levels.minimum(j) - levels.value(j, base_[j]),
                   up = levels.maximum(j) - levels.value(j, base_[j]);
      for (std::size_t i = 0; i < rows_.hard; ++i) {
        below[i] += std::min(column[i] * down, column[i] * up);
        above[i] += std::max(column[i] * down, column[i] * up);
        matrix[i + k * m] = column[i] * (integer_ ? levels.step(j) : 1.0);
      }
      matrix[rows_.hard + k + k * m] = 1;
    }
    unit_.start.assign(m, 0.0);
    std::vector<double> scale(m, 0.0);
    for (std::size_t i = 0; i < m; ++i) {
      double low = 0, high = 0, at = 0;
      if (i < rows_.hard) {
        // Sides that no assignment reaches are drawn in to a little outside of what is reached: not close, for a row
        // without room would be scaled beyond all measure.
        const double slack = 0.25 * (above[i] - below[i]);
        at = residual[i];
        low = std::max(-((rows_.pure ? 0.0 : rows_.lower[i]) + threshold_), below[i] - slack);
        high = std::min((rows_.pure ? 0.0 : rows_.upper[i]) + threshold_, above[i] + slack);
      } else {
        const std::size_t j = variables_[i - rows_.hard];
        // Half a level of room: integers, or levels, within are the same.
        const double room = integer_ ? 0.25 : 1e-6 * (levels.maximum(j) - levels.minimum(j));
        at = integer_ ? base_[j] : levels.value(j, base_[j]);
        low = (integer_ ? 0.0 : levels.minimum(j)) - room;
        high = (integer_ ? levels.count(j) - 1.0 : levels.maximum(j)) + room;
      }
      if (high < low) {
        unit_.empty = true;
        return;
      }
      if (high == low) {
        // A row without room that may still be met: a little room, which makes the search look at more, never less.
        const double little = 1e-12 * std::max(std::abs(low), 1e-300);
        low -= little;
        high += little;
      }
      scale[i] = 2 / (high - low);
      unit_.start[i] = (at - (0.5 * low + 0.5 * high)) * scale[i];
    }
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < m; ++i) matrix[i + k * m] *= scale[i];
    }
    if (n == 0) {
      usable_ = true;
      return;
    }
    reduce(matrix);
    usable_ = bound_coordinates();
    if (!usable_) return;
    cuts_.resize(n + 1);
    inside_.assign(n + 1, false);
    for (std::size_t k = 1; k <= n; ++k) {
      references_.push_back(std::make_unique<ChebyshevReference>(unit_.matrix.data(), m, k));
      usable_ = usable_ && references_.back()->usable();
    }
  }

  /// Coordinates of a reduced basis where variables step by integers; else the variables, largest columns last.
  void reduce(const std::vector<double>& matrix) {
    const std::size_t n = unit_.columns, m = unit_.rows;
    transform_.assign(n * n, 0);
    unit_.matrix = matrix;
    if (integer_ && n > 1) {
      linalg::LatticeReductionOptions options;
      options.block_size = n > 2 ? std::min<std::size_t>(n, 20) : 0;
      options.control = &control_;
      try {
        const linalg::ReducedBasis basis =
            linalg::reduce_lattice(MatrixView<const double>::column_major(matrix.data(), m, n), options);
        transform_ = basis.transform;
        for (std::size_t k = 0; k < n; ++k) {
          double* const out = unit_.matrix.data() + k * m;
          std::fill(out, out + m, 0.0);
          for (std::size_t j = 0; j < n; ++j) {
            const auto amount = static_cast<double>(transform_[j + k * n]);
            for (std::size_t i = 0; i < m && amount != 0; ++i) out[i] += amount * matrix[i + j * m];
          }
        }
        return;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::singular && error.code() != ErrorCode::not_converged) throw;
      }
    }
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t k = 0; k < n; ++k) {
      double largest = 0;
      for (std::size_t i = 0; i < rows_.hard; ++i) largest = std::max(largest, std::abs(matrix[i + k * m]));
      const double span = integer_
                              ? problem_.levels().count(variables_[k]) - 1.0
                              : problem_.levels().maximum(variables_[k]) - problem_.levels().minimum(variables_[k]);
      order.emplace_back(largest * span, k);
    }
    std::sort(order.begin(), order.end());
    for (std::size_t k = 0; k < n; ++k) {
      transform_[order[k].second + k * n] = 1;
      std::copy_n(matrix.begin() + static_cast<std::ptrdiff_t>(order[k].second * m), m,
                  unit_.matrix.begin() + static_cast<std::ptrdiff_t>(k * m));
    }
  }

  /// |coordinate| <= |B^+| (1 + |start|), twice for its rounding.
  bool bound_coordinates() {
    const std::size_t n = unit_.columns, m = unit_.rows;
    std::vector<double> gram(n * n, 0.0), inverse(n * m);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        for (std::size_t i = 0; i < m; ++i) gram[a + b * n] += unit_.matrix[i + a * m] * unit_.matrix[i + b * m];
      }
    }
    const auto view = MatrixView<double>::column_major(gram.data(), n, n);
    if (linalg::cholesky<double>(view) != 0) return false;
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t a = 0; a < n; ++a) inverse[a + i * n] = unit_.matrix[i + a * m];
    }
    if (linalg::cholesky_solve<double>(view, MatrixView<double>::column_major(inverse.data(), n, m)) != 0) return false;
    unit_.reach.assign(n, 0.0);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t a = 0; a < n; ++a) {
        unit_.reach[a] += 2 * std::abs(inverse[a + i * n]) * (1 + std::abs(unit_.start[i]));
      }
    }
    return true;
  }

  /// The interval that the cuts of depth `free` leave to coordinate `free`, those behind it being fixed.
  void narrow(std::size_t free, double& low, double& high) {
    for (const Cut& cut : cuts_[free]) {
      double rest = cut.start;
      for (std::size_t j = free + 1; j < unit_.columns; ++j) rest += cut.shares[j] * coordinates_[j];
      const double share = cut.shares[free];
      const double tiny = 1e-14;
      if (std::abs(share) <= tiny) {
        if (std::abs(rest) > cut.limit + tiny * unit_.reach[free]) low = infinity;
        continue;
      }
      const double a = (-cut.limit - rest) / share, b = (cut.limit - rest) / share;
      low = std::max(low, std::min(a, b) - 1e-9);
      high = std::min(high, std::max(a, b) + 1e-9);
    }
  }

  bool excluded_by_cuts(std::size_t free) {
    std::vector<Cut>& cuts = cuts_[free];
    for (std::size_t k = 0; k < cuts.size(); ++k) {
      double sum = cuts[k].start;
      for (std::size_t j = free; j < unit_.columns; ++j) sum += cuts[k].shares[j] * coordinates_[j];
      if (std::abs(sum) <= cuts[k].limit) continue;
      if (k > 0) std::swap(cuts[k], cuts[k / 2]);  // what excludes often comes early
      return true;
    }
    return false;
  }

  void add_cut(std::size_t free) {
    Cut cut;
    cut.shares.assign(unit_.columns, 0.0);
    double magnitude = 0;
    references_[free - 1]->for_multipliers([&](std::size_t i, double y) {
      cut.start += y * unit_.start[i];
      magnitude += std::abs(y) * std::abs(unit_.start[i]);
      for (std::size_t j = 0; j < unit_.columns; ++j) cut.shares[j] += y * unit_.matrix[i + j * unit_.rows];
    });
    // What the free coordinates may still contribute, because y is orthogonal to them but for rounding.
    cut.limit = 1 + rounding * (1 + magnitude);
    for (std::size_t j = 0; j < unit_.columns; ++j) {
      if (j < free) {
        cut.limit += (std::abs(cut.shares[j]) + 1e-15) * unit_.reach[j];
      } else {
        cut.limit += 1e-15 * std::abs(cut.shares[j]) * unit_.reach[j];
      }
    }
    ++result_.cuts;
    std::vector<Cut>& cuts = cuts_[free];
    if (cuts.size() < most_cuts) {
      cuts.push_back(std::move(cut));
    } else {
      // The last ones are those that exclude least.
      cuts[most_cuts - 1 - result_.cuts % (most_cuts / 4)] = std::move(cut);
    }
  }

  /// Whether the first `free` coordinates can be completed by real numbers; `point` has them when they can.
  bool is_open(std::size_t free) {
    if (excluded_by_cuts(free)) return false;
    ChebyshevReference& reference = *references_[free - 1];
    ++result_.relaxations;
    const std::span<const double> r(residuals_.data() + free * unit_.rows, unit_.rows);
    const ChebyshevReference::Answer answer = reference.ask(r, 1e-7);
    inside_[free] = answer == ChebyshevReference::Answer::inside;
    if (answer != ChebyshevReference::Answer::outside) return true;
    add_cut(free);
    return !excluded_by_cuts(free);
  }

  /// Fixes coordinate `free - 1` to every value it may have. False when `control` stopped it or something was found.
  bool descend(std::size_t free) {
    ++result_.nodes;
    if (result_.nodes % 64 == 0) {
      if (control_.should_stop()) return false;
      report();
    }
    if (free == 0) return !accept();
    const std::size_t k = free - 1;
    const double centre = references_[k]->point()[k];  // of the question that found this node open
    double low = -unit_.reach[k], high = unit_.reach[k];
    if (k > 0) narrow(k, low, high);
    if (k == 0) rows_interval(low, high);
    if (!(low <= high)) return true;
    if (integer_ && high - low > most_values) return false;  // trying them all would not end
    // Nearest first. What is allowed is an interval; where the centre is known to lie in it, a side ends with the first
    // value that is excluded.
    const bool inside = inside_[free];
    std::vector<double> values = candidates(k, low, high);
    std::sort(values.begin(), values.end(), [&](double a, double b) {
      const double x = std::abs(a - centre), y = std::abs(b - centre);
      return x != y ? x < y : a < b;
    });
    double least = -infinity, most = infinity;
    for (const double value : values) {
      if (value <= least || value >= most) continue;
      coordinates_[k] = value;
      const double* const before = residuals_.data() + free * unit_.rows;
      double* const after = residuals_.data() + k * unit_.rows;
      const double* const column = unit_.matrix.data() + k * unit_.rows;
      for (std::size_t i = 0; i < unit_.rows; ++i) after[i] = before[i] + value * column[i];
      if (k > 0 && !is_open(k)) {
        if (inside) (value < centre ? least : most) = value;
        continue;
      }
      if (!descend(k)) return false;
    }
    return true;
  }

  void report() {
    if (!control_.wants_progress()) return;
    Progress progress;
    progress.phase = "proof";
    progress.iterations = result_.nodes;
    progress.objective = result_.objective;
    progress.lower_bound = result_.lower_bound;
    progress.best = std::as_bytes(std::span<const std::int32_t>(base_));
    control_.report(progress);
  }

  /// The interval that the rows leave to the first coordinate, all others being fixed.
  void rows_interval(double& low, double& high) const {
    for (std::size_t i = 0; i < unit_.rows; ++i) {
      const double share = unit_.matrix[i], rest = residuals_[unit_.rows + i];
      if (std::abs(share) <= 1e-14) continue;
      const double a = (-1 - rest) / share, b = (1 - rest) / share;
      low = std::max(low, std::min(a, b) - 1e-9);
      high = std::min(high, std::max(a, b) + 1e-9);
    }
  }

  std::vector<double> candidates(std::size_t k, double low, double high) const {
    std::vector<double> values;
    if (integer_) {
      const auto first = static_cast<std::int64_t>(std::ceil(low)), last = static_cast<std::int64_t>(std::floor(high));
      for (std::int64_t value = first; value <= last; ++value) values.push_back(static_cast<double>(value));
      return values;
    }
    // Coordinates are distances from the base value of one variable.
    std::size_t j = 0;
    while (transform_[j + k * unit_.columns] == 0) ++j;
    const LevelSets& levels = problem_.levels();
    const std::size_t variable = variables_[j];
    for (std::int32_t q = 0; q < levels.count(variable); ++q) {
      const double value = levels.value(variable, q) - levels.value(variable, base_[variable]);
      if (value >= low && value <= high) values.push_back(value);
    }
    return values;
  }

  /// True when the coordinates are an assignment within the threshold.
  bool accept() {
    std::vector<std::int32_t> indices = base_;
    const std::size_t n = unit_.columns;
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t variable = variables_[j];
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) sum += static_cast<double>(transform_[j + k * n]) * coordinates_[k];
      if (integer_) {
        const double index = base_[variable] + sum;
        if (index < 0 || index >= problem_.levels().count(variable)) return false;
        indices[variable] = static_cast<std::int32_t>(index);
      } else {
        indices[variable] =
            problem_.levels().nearest(variable, problem_.levels().value(variable, base_[variable]) + sum);
      }
    }
    // Strictly better, too: where the best value is zero, a relative gap is none.
    const double value = objective(problem_, indices);
    if (value > threshold_ || value >= result_.objective) return false;
    found_ = std::move(indices);
    return true;
  }

  const Problem& problem_;
  std::vector<std::int32_t> base_, found_;
  double threshold_;
  SearchRows rows_;
  ExactResult& result_;
  RunControl& control_;
  std::vector<std::size_t> variables_;
  bool integer_ = false, usable_ = false;
  UnitRows unit_;
  std::vector<std::int64_t> transform_;
  std::vector<std::unique_ptr<ChebyshevReference>> references_;  ///< [k - 1]: k coordinates are free
  std::vector<std::vector<Cut>> cuts_;                           ///< [k]: k coordinates are free
  std::vector<bool> inside_;  ///< [k]: whether the last question of this depth had a point for an answer
  std::vector<double> coordinates_, residuals_;
};

}  // namespace

void enumerate_from(const Problem& problem, std::span<const std::int32_t> incumbent, double gap, ExactResult& result,
                    RunControl& control) {
  result.indices.assign(incumbent.begin(), incumbent.end());
  result.objective = objective(problem, result.indices);
  while (!result.proven && !control.should_stop()) {
    const double threshold = result.objective - gap * std::abs(result.objective);
    std::vector<std::int32_t> better;
    Enumeration enumeration(problem, result.indices, threshold, result, control);
    if (!enumeration.run(better)) return;
    if (better.empty()) {
      result.proven = true;
      result.lower_bound = std::max(result.lower_bound, threshold);
    } else {
      result.indices = std::move(better);
      result.objective = objective(problem, result.indices);
    }
  }
}

ExactResult solve_exact(const Problem& problem, const ExactOptions& options, RunControl& control) {
  if (!(options.gap >= 0 && options.gap < 1)) {
    throw Error(ErrorCode::invalid_argument_value, "gap",
                "`gap` must be at least 0 and below 1, got " + std::to_string(options.gap));
  }
  ExactResult result;
  const double begun = control.seconds();
  SolveOptions search;
  search.initial = options.initial;
  search.seed = options.seed;
  search.iteration_limit = options.search_iterations;
  search.bound = BoundRequest::yes;
  RunControl part(control, control.time_limit_seconds() / 10);
  const SolveResult found = solve(problem, search, part);
  result.indices = found.indices;
  result.objective = found.objective;
  result.lower_bound = found.lower_bound;
  result.multipliers = found.multipliers;
  result.seconds.search = control.seconds() - begun;
  result.proven = found.status == SolveStatus::optimal;
  const double proving = control.seconds();
  if (!result.proven) {
    const std::vector<std::int32_t> incumbent = result.indices;
    enumerate_from(problem, incumbent, options.gap, result, control);
  }
  result.seconds.proof = control.seconds() - proving;
  result.lower_bound = std::min(result.lower_bound, result.objective);
  using Status = ExactResult::Status;
  if (!result.proven) result.status = control.cancelled() ? Status::cancelled : Status::time_limit;
  return result;
}

}  // namespace dd::dmmv
