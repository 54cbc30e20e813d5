#include "polystep/objectives/maxsat_evaluator.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace dd::polystep {
namespace {

/// More clauses than that do not fit the cache of one processor anyway, and a copy a lane would only take room.
constexpr std::size_t most_own_clauses = std::size_t{1} << 20;

template <class Scalar>
bool is_true(Scalar value) noexcept {
  return value > Scalar{0};
}

}  // namespace

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
  bool changed = !counted_;
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    const std::uint8_t truth = is_true(base[i]) ? 1 : 0;
    changed |= truth != assignment[i];
    assignment[i] = truth;
  }
  if (changed) {
    state_.recount(threads);
  } else {  // a sweep has left its own counts behind
    state_.publish(1);
    state_.catch_up(0);
  }
  counted_ = true;
  side_by_side_ = false;
  return base_loss();
}

/// What each row flips, as bits of up to 64 columns, and what any of them does.
template <class Scalar>
std::uint64_t MaxSatEvaluator<Scalar>::find_flips(std::size_t first, MatrixView<const Scalar> replacements,
                                                  std::uint64_t* flips) const {
  std::uint64_t any = 0;
  for (std::size_t r = 0; r < replacements.rows; ++r) {
    std::uint64_t own = 0;
    for (std::size_t j = 0; j < replacements.columns; ++j) {
      const unsigned truth = is_true(replacements(r, j)) ? 1 : 0;
      own |= std::uint64_t{truth ^ state_.assignment()[first + j]} << j;
    }
    flips[r] = own;
    any |= own;
  }
  return any;
}

/// What the rows of a block flip.
template <class Scalar>
struct MaxSatEvaluator<Scalar>::Flips {
  std::size_t first;                         ///< coordinate of the block
  std::span<const std::uint32_t> variables;  ///< that any row flips
  const std::int64_t* single;                ///< the changes of each of them alone
  const std::uint64_t* rows;                 ///< of each row, columns as bits
  std::size_t lane;
};

template <class Scalar>
void MaxSatEvaluator<Scalar>::add_flips(const Flips& flips, std::span<double> values) const {
  const std::span<const std::uint32_t> variables = flips.variables;
  const std::int64_t base = reference();
  std::array<std::uint64_t, 64> meets;  // of the i-th variable: later columns that share a clause with it
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::size_t j = variables[i] - flips.first;
    std::uint64_t near = problem_.neighbours(variables[i]);
    near |= ~std::uint64_t{0} << MaxSat::neighbour_reach;  // farther ones are not known: perhaps
    meets[i] = j == 63 ? 0 : near << (j + 1);
  }
  std::array<std::uint32_t, 64> together;
  for (std::size_t r = 0; r < values.size(); ++r) {
    std::int64_t delta = 0;
    bool meet = false;
    std::size_t flipped = 0;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if ((flips.rows[r] >> (variables[i] - flips.first) & 1u) == 0) continue;
      delta += flips.single[i];
      meet = meet || (meets[i] & flips.rows[r]) != 0;
      together[flipped++] = variables[i];
    }
    values[r] = problem_.loss(base + (meet ? state_.joint_delta({together.data(), flipped}, flips.lane) : delta));
  }
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_rows(std::size_t first, MatrixView<const Scalar> replacements,
                                            std::span<double> values) const {
  std::array<std::uint64_t, 64> flips;
  std::array<std::uint32_t, 64> variables;
  std::array<std::int64_t, 64> single;
  std::size_t count = 0;
  for (std::uint64_t rest = find_flips(first, replacements, flips.data()); rest != 0; rest &= rest - 1) {
    variables[count++] = static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(std::countr_zero(rest));
  }
  const std::span<const std::uint32_t> flipped(variables.data(), count);
  state_.deltas(flipped, single.data(), 0);
  add_flips({first, flipped, single.data(), flips.data(), 0}, values.first(replacements.rows));
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_blocks(const RowSet& blocks, MatrixView<const Scalar> replacements,
                                              std::span<double> values, std::size_t lane) const {
  const std::size_t width = replacements.columns;
  if (width > 64) return Evaluator<Scalar>::evaluate_blocks(blocks, replacements, values, lane);
  if (width == 2) return evaluate_pairs(blocks, replacements, values, own(lane));
  // The clauses of all blocks at once: their counts are far apart in memory, and many of them are on their way
  // together.
  const std::size_t each = replacements.rows / std::max<std::size_t>(1, blocks.count);
  std::vector<std::uint64_t> flips(replacements.rows);
  std::vector<std::uint32_t> variables;
  std::vector<std::size_t> ends(blocks.count);
  variables.reserve(blocks.count * width);
  for (std::size_t i = 0; i < blocks.count; ++i) {
    const std::size_t first = blocks[i] * width, columns = std::min(width, problem_.variables() - first);
    std::uint64_t rest = find_flips(first, replacements.block(i * each, 0, each, columns), flips.data() + i * each);
    for (; rest != 0; rest &= rest - 1) {
      variables.push_back(static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(std::countr_zero(rest)));
    }
    ends[i] = variables.size();
  }
  std::vector<std::int64_t> single(variables.size());
  state_.deltas(variables, single.data(), own(lane));
  for (std::size_t i = 0, begin = 0; i < blocks.count; begin = ends[i++]) {
    const std::span<const std::uint32_t> flipped = std::span(variables).subspan(begin, ends[i] - begin);
    add_flips({blocks[i] * width, flipped, single.data() + begin, flips.data() + i * each, own(lane)},
              values.subspan(i * each, each));
  }
}

/// Blocks of two variables: a row flips neither, one, the other or both, and each of these has one loss.
template <class Scalar>
void MaxSatEvaluator<Scalar>::evaluate_pairs(const RowSet& blocks, MatrixView<const Scalar> replacements,
                                             std::span<double> values, std::size_t lane) const {
  const std::size_t each = replacements.rows / std::max<std::size_t>(1, blocks.count);
  std::vector<std::uint8_t> flips(replacements.rows);  // of each row: 1, 2 or 3 for the first, the second or both
  std::vector<std::uint32_t> variables(2 * blocks.count);
  std::vector<std::uint8_t> kinds(blocks.count);  // bit k: some row of the block flips as k says
  std::size_t count = 0;
  for (std::size_t i = 0; i < blocks.count; ++i) {
    const std::size_t first = 2 * blocks[i];
    const bool whole = first + 1 < problem_.variables();
    const unsigned a = state_.assignment()[first], b = whole ? state_.assignment()[first + 1] : 0;
    unsigned kind = 0;
    for (std::size_t r = i * each; r < (i + 1) * each; ++r) {
      const Scalar* const row = replacements.data + r * replacements.row_stride;
      const unsigned truth_a = is_true(row[0]) ? 1 : 0;
      const unsigned truth_b = whole && is_true(row[replacements.column_stride]) ? 1 : 0;
      const unsigned flip = (truth_a ^ a) + 2 * (truth_b ^ b);
      flips[r] = static_cast<std::uint8_t>(flip);
      kind |= 1u << flip;
    }
    kinds[i] = static_cast<std::uint8_t>(kind);
    if ((kind & 0b1010u) != 0) variables[count++] = static_cast<std::uint32_t>(first);
    if ((kind & 0b1100u) != 0) variables[count++] = static_cast<std::uint32_t>(first + 1);
  }
  std::vector<std::int64_t> single(count);
  state_.deltas({variables.data(), count}, single.data(), lane);
  const std::int64_t base = reference();
  const double unchanged = problem_.loss(base);
  for (std::size_t i = 0, at = 0; i < blocks.count; ++i) {
    const unsigned kind = kinds[i];
    std::array<double, 4> corners{unchanged, unchanged, unchanged, unchanged};
    if (kind > 1) {
      const auto first = static_cast<std::uint32_t>(2 * blocks[i]);
      const std::int64_t a = (kind & 0b1010u) != 0 ? single[at++] : 0, b = (kind & 0b1100u) != 0 ? single[at++] : 0;
      corners[1] = problem_.loss(base + a);
      corners[2] = problem_.loss(base + b);
      const bool meet = (kind & 0b1000u) != 0 && (problem_.neighbours(first) & 1u) != 0;
      corners[3] = problem_.loss(base + a + b + (meet ? state_.pair_correction(first, first + 1, lane) : 0));
    }
    for (std::size_t r = i * each; r < (i + 1) * each; ++r) values[r] = corners[flips[r]];
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
    values[r] = problem_.loss(base + state_.joint_delta(flipped, 0));
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
void MaxSatEvaluator<Scalar>::replace_block(std::size_t first, std::span<const Scalar> values, std::size_t lane) {
  const std::size_t width = std::min(values.size(), problem_.variables() - first);
  std::int64_t change = 0;
  for (std::size_t j = 0; j < width; ++j) {
    const auto variable = static_cast<std::uint32_t>(first + j);
    if (is_true(values[j]) != (state_.assignment()[variable] != 0)) change += state_.flip(variable, own(lane));
  }
  if (change != 0) state_.add(change);
}

template <class Scalar>
void MaxSatEvaluator<Scalar>::begin_colour(std::size_t lanes) {
  state_.publish(problem_.clauses() <= most_own_clauses ? lanes : 1);
  side_by_side_ = true;
  reference_ = state_.unsatisfied();
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
