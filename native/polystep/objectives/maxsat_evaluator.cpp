// Scores MAX-SAT candidates: whole points by a bit per point, replacements by the clauses of the flipped variables.
#include "polystep/objectives/maxsat_evaluator.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "core/thread_pool.hpp"

namespace dd::polystep {
namespace {

/// Clauses that one task counts.
constexpr std::size_t clause_grain = std::size_t{1} << 15;

template <class Scalar>
bool is_true(Scalar value) noexcept {
  return value > Scalar{0};
}

}  // namespace

MaxSatState::MaxSatState(const MaxSat& problem)
    : problem_(problem), assignment_(problem.variables(), 0), counts_(problem.clauses() + maxsat_count_padding, 0) {}

void MaxSatState::recount(std::size_t threads) {
  unsatisfied_.store(problem_.always_unsatisfied(), std::memory_order_relaxed);
  parallel_for(threads, problem_.clauses(), clause_grain, [&](std::size_t begin, std::size_t end) {
    std::int64_t unsatisfied = 0;
    for (std::size_t c = begin; c < end; ++c) {
      unsigned count = 0;
      for (const std::uint32_t literal : problem_.literals(c)) {
        count += (literal & 1u) == assignment_[literal >> 1] ? 1u : 0u;
      }
      counts_[c] = static_cast<std::uint8_t>(count);
      if (count == 0) unsatisfied += problem_.weight(c);
    }
    add(unsatisfied);
  });
}

void MaxSatState::deltas(std::span<const std::uint32_t> variables, std::int64_t* out) const noexcept {
  const MaxSatDelta arguments{
      problem_.occurrence_starts(), problem_.occurrence_data(), counts_.data(),   problem_.weights(),
      assignment_.data(),           variables.data(),           variables.size(), out};
  maxsat_delta(&arguments);
}

std::int64_t MaxSatState::joint_delta(std::span<const std::uint32_t> variables) const {
  // Every occurrence as 2 clause + (literal is true), sorted: runs of one clause tell its new count.
  std::vector<std::uint32_t> changes;
  for (const std::uint32_t variable : variables) {
    const std::uint32_t inverted = assignment_[variable] != 0 ? 0u : 1u;
    for (const std::uint32_t entry : problem_.occurrences(variable)) changes.push_back(entry ^ inverted);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t delta = 0;
  for (std::size_t i = 0; i < changes.size();) {
    const std::uint32_t clause = changes[i] >> 1;
    int count = counts_[clause];
    const bool was = count == 0;
    for (; i < changes.size() && changes[i] >> 1 == clause; ++i) count += (changes[i] & 1u) != 0 ? -1 : 1;
    if (was != (count == 0)) delta += was ? -problem_.weight(clause) : problem_.weight(clause);
  }
  return delta;
}

std::int64_t MaxSatState::flip(std::uint32_t variable) noexcept {
  const std::uint32_t inverted = assignment_[variable] != 0 ? 0u : 1u;
  std::int64_t delta = 0;
  for (const std::uint32_t entry : problem_.occurrences(variable)) {
    const std::uint32_t clause = entry >> 1, truth = (entry & 1u) ^ inverted, count = counts_[clause];
    counts_[clause] = static_cast<std::uint8_t>(truth != 0 ? count - 1 : count + 1);
    if (count == truth) delta += truth != 0 ? problem_.weight(clause) : -problem_.weight(clause);
  }
  assignment_[variable] ^= 1u;
  return delta;
}

template <class Scalar>
void count_unsatisfied(const MaxSat& problem, MatrixView<const Scalar> points, std::span<std::int64_t> unsatisfied) {
  std::vector<std::uint64_t> truth(2 * problem.variables());  // of the negated and of the plain literal
  for (std::size_t first = 0; first < points.rows; first += 64) {
    const std::size_t count = std::min<std::size_t>(64, points.rows - first);
    const std::uint64_t all = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    for (std::size_t i = 0; i < problem.variables(); ++i) {
      std::uint64_t bits = 0;
      for (std::size_t p = 0; p < count; ++p) bits |= std::uint64_t{is_true(points(first + p, i))} << p;
      truth[2 * i] = ~bits;
      truth[2 * i + 1] = bits;
    }
    std::array<std::int64_t, 64> sums{};
    sums.fill(problem.always_unsatisfied());
    const std::uint32_t* const literals = problem.literal_data();
    const std::uint32_t* const starts = problem.literal_starts();
    for (std::size_t c = 0; c < problem.clauses(); ++c) {
      std::uint64_t satisfied = 0;
      for (std::uint32_t i = starts[c]; i < starts[c + 1]; ++i) satisfied |= truth[literals[i]];
      const std::int64_t weight = problem.weight(c);
      for (std::uint64_t rest = ~satisfied & all; rest != 0; rest &= rest - 1) {
        sums[static_cast<std::size_t>(std::countr_zero(rest))] += weight;
      }
    }
    std::copy_n(sums.begin(), count, unsatisfied.begin() + static_cast<std::ptrdiff_t>(first));
  }
}
template void count_unsatisfied(const MaxSat&, MatrixView<const float>, std::span<std::int64_t>);
template void count_unsatisfied(const MaxSat&, MatrixView<const double>, std::span<std::int64_t>);

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate(MatrixView<const Scalar> points, std::span<double> values) const {
  std::vector<std::int64_t> unsatisfied(points.rows);
  count_unsatisfied(problem_, points, std::span(unsatisfied));
  for (std::size_t i = 0; i < points.rows; ++i) values[i] = problem_.loss(unsatisfied[i]);
}

template <class Scalar>
double MaxSatEvaluator<Scalar>::set_base(std::span<const Scalar> base, std::size_t threads) {
  const std::span<std::uint8_t> assignment = state_.assignment();
  for (std::size_t i = 0; i < assignment.size(); ++i) assignment[i] = is_true(base[i]) ? 1 : 0;
  state_.recount(threads);
  side_by_side_ = false;
  return base_loss();
}

/// What up to 64 rows flip, as bits of up to 64 columns.
template <class Scalar>
struct MaxSatEvaluator<Scalar>::Rows {
  std::array<std::uint64_t, 64> flips;
  std::uint64_t any = 0;
};

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_rows(std::size_t first, MatrixView<const Scalar> replacements,
                                            std::span<double> values) const {
  const std::size_t width = replacements.columns;
  Rows rows;
  for (std::size_t r = 0; r < replacements.rows; ++r) {
    std::uint64_t flips = 0;
    for (std::size_t j = 0; j < width; ++j) {
      const unsigned truth = is_true(replacements(r, j)) ? 1 : 0;
      flips |= std::uint64_t{truth ^ state_.assignment()[first + j]} << j;
    }
    rows.flips[r] = flips;
    rows.any |= flips;
  }
  const std::int64_t base = reference();
  if (rows.any == 0) {
    std::fill_n(values.begin(), replacements.rows, problem_.loss(base));
    return;
  }
  std::array<std::uint32_t, 64> variables;
  std::array<std::int64_t, 64> single;
  std::array<std::uint64_t, 64> meets;  // of the i-th of `variables`: later columns that share a clause with it
  std::size_t count = 0;
  for (std::uint64_t rest = rows.any; rest != 0; rest &= rest - 1) {
    const auto j = static_cast<std::size_t>(std::countr_zero(rest));
    variables[count] = static_cast<std::uint32_t>(first + j);
    std::uint64_t near = problem_.neighbours(first + j);
    near |= ~std::uint64_t{0} << MaxSat::neighbour_reach;  // farther ones are not known: perhaps
    meets[count] = j == 63 ? 0 : near << (j + 1);
    ++count;
  }
  state_.deltas({variables.data(), count}, single.data());
  std::array<std::uint32_t, 64> together;
  for (std::size_t r = 0; r < replacements.rows; ++r) {
    const std::uint64_t flips = rows.flips[r];
    std::int64_t delta = 0;
    bool meet = false;
    std::size_t flipped = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if ((flips >> (variables[i] - first) & 1u) == 0) continue;
      delta += single[i];
      meet = meet || (meets[i] & flips) != 0;
      together[flipped++] = variables[i];
    }
    values[r] = problem_.loss(base + (meet ? state_.joint_delta({together.data(), flipped}) : delta));
  }
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_wide(std::size_t first, MatrixView<const Scalar> replacements,
                                            std::span<double> values) const {
  const std::int64_t base = reference();
  std::vector<std::uint32_t> flipped;
  for (std::size_t r = 0; r < replacements.rows; ++r) {
    flipped.clear();
    for (std::size_t j = 0; j < replacements.columns; ++j) {
      const unsigned truth = is_true(replacements(r, j)) ? 1 : 0;
      if (truth != state_.assignment()[first + j]) flipped.push_back(static_cast<std::uint32_t>(first + j));
    }
    values[r] = problem_.loss(base + state_.joint_delta(flipped));
  }
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_replacements(std::size_t first, MatrixView<const Scalar> replacements,
                                                    std::span<double> values) const {
  const std::size_t width = std::min(replacements.columns, problem_.variables() - first);
  const auto part = replacements.block(0, 0, replacements.rows, width);
  if (width > 64) {
    evaluate_wide(first, part, values);
    return;
  }
  for (std::size_t r = 0; r < part.rows; r += 64) {
    const std::size_t rows = std::min<std::size_t>(64, part.rows - r);
    evaluate_rows(first, part.block(r, 0, rows, width), values.subspan(r, rows));
  }
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::replace(std::size_t first, std::span<const Scalar> values) {
  const std::size_t width = std::min(values.size(), problem_.variables() - first);
  std::int64_t change = 0;
  for (std::size_t j = 0; j < width; ++j) {
    const auto variable = static_cast<std::uint32_t>(first + j);
    if (is_true(values[j]) != (state_.assignment()[variable] != 0)) change += state_.flip(variable);
  }
  if (change != 0) state_.add(change);
}

template <class Scalar>
std::vector<std::vector<std::uint32_t>> MaxSatEvaluator<Scalar>::blocks_by_colour(std::size_t width) const {
  // Greedy, block after block: every clause remembers its colours as bits, so a block asks its own clauses only. Blocks
  // that find all 64 colours taken wait for the next round, with 64 colours more.
  std::vector<std::vector<std::uint32_t>> groups;
  const std::size_t blocks = (problem_.variables() + width - 1) / width;
  std::vector<std::uint32_t> left(blocks), later;
  for (std::size_t b = 0; b < blocks; ++b) left[b] = static_cast<std::uint32_t>(b);
  LargeVector<std::uint64_t> taken;
  const std::uint32_t* const starts = problem_.occurrence_starts();
  const std::uint32_t* const occurrences = problem_.occurrence_data();
  while (!left.empty()) {
    const std::size_t offset = groups.size();
    taken.assign(problem_.clauses(), 0);
    later.clear();
    for (const std::uint32_t block : left) {
      const std::size_t begin = block * width, end = std::min(begin + width, problem_.variables());
      std::uint64_t used = 0;
      for (std::uint32_t i = starts[begin]; i < starts[end]; ++i) used |= taken[occurrences[i] >> 1];
      if (used == ~std::uint64_t{0}) {
        later.push_back(block);
        continue;
      }
      const auto colour = static_cast<std::size_t>(std::countr_one(used));
      for (std::uint32_t i = starts[begin]; i < starts[end]; ++i) {
        taken[occurrences[i] >> 1] |= std::uint64_t{1} << colour;
      }
      if (groups.size() <= offset + colour) groups.resize(offset + colour + 1);
      groups[offset + colour].push_back(block);
    }
    left.swap(later);
  }
  return groups;
}

template class MaxSatEvaluator<float>;
template class MaxSatEvaluator<double>;

}  // namespace dd::polystep
