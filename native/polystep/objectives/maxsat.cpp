// Building of MAX-SAT instances: clauses as given become compressed lists, by clause and by variable.
#include "polystep/objectives/maxsat.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "core/thread_pool.hpp"
#include "polystep/objectives/maxsat_evaluator.hpp"

namespace dd::polystep {
namespace {

/// True literals of a clause are counted in 8 bits.
constexpr std::size_t longest_clause = 255;
/// Number of the Philox purpose of instances; streams 0 to 5 belong to the optimizer.
constexpr std::uint32_t instance_purpose = 16;

/// The largest power of two times which all weights together stay below 2^53, at most 1 when weights are integers.
double weight_scale(std::span<const double> weights) {
  double total = 0;
  bool integers = true;
  for (const double weight : weights) {
    total += weight;
    integers = integers && weight == std::floor(weight);
  }
  if (!(total < std::numeric_limits<double>::infinity())) {
    throw Error(ErrorCode::out_of_range, "weights", "`weights` must have a finite sum");
  }
  if (total == 0) return 1;
  int exponent = 0;
  std::frexp(total, &exponent);
  const int shift = std::clamp(52 - exponent, -1000, 1000);
  return integers && shift >= 0 ? 1.0 : std::ldexp(1.0, shift);
}

}  // namespace

MaxSat::MaxSat(const MaxSatDescription& description)
    : variables_(description.variables), given_clauses_(description.starts.size() - 1) {
  const double scale = description.weights.empty() ? 1.0 : weight_scale(description.weights);
  unit_ = 1 / scale;
  literals_.reserve(description.literals.size());
  starts_.reserve(given_clauses_ + 1);
  if (!description.weights.empty()) weights_.reserve(given_clauses_);
  std::vector<std::uint32_t> scratch;
  for (std::size_t c = 0; c < given_clauses_; ++c) {
    const auto begin = static_cast<std::size_t>(description.starts[c]);
    const auto end = static_cast<std::size_t>(description.starts[c + 1]);
    add_clause(description.literals.subspan(begin, end - begin),
               description.weights.empty() ? 1.0 : std::round(description.weights[c] * scale), scratch);
  }
  if (description.weights.empty()) weights_ = {};
  divisor_ =
      description.cost == MaxSatCost::count ? scale : static_cast<double>(std::max<std::int64_t>(1, total_weight_));
  index_occurrences();
}

void MaxSat::add_clause(std::span<const std::int32_t> given, double weight, std::vector<std::uint32_t>& scratch) {
  const auto units = static_cast<std::int64_t>(weight);
  total_weight_ += units;
  scratch.clear();
  for (const std::int32_t literal : given) {
    const std::int64_t number = literal < 0 ? -std::int64_t{literal} : literal;
    if (number == 0 || number > static_cast<std::int64_t>(variables_)) {
      throw Error(ErrorCode::out_of_range, "clauses",
                  "`clauses` must hold literals from 1 to " + std::to_string(variables_) + " or their negatives, got " +
                      std::to_string(literal));
    }
    scratch.push_back(static_cast<std::uint32_t>(2 * (number - 1) + (literal > 0 ? 1 : 0)));
  }
  std::sort(scratch.begin(), scratch.end());
  scratch.erase(std::unique(scratch.begin(), scratch.end()), scratch.end());
  for (std::size_t i = 1; i < scratch.size(); ++i) {
    if (scratch[i] / 2 == scratch[i - 1] / 2) return;  // a literal and its negative
  }
  if (scratch.empty()) {
    always_unsatisfied_ += units;
    return;
  }
  if (scratch.size() > longest_clause) {
    throw Error(ErrorCode::out_of_range, "clauses",
                "`clauses` must have at most 255 literals each, got " + std::to_string(scratch.size()));
  }
  if (literals_.size() + scratch.size() > std::numeric_limits<std::uint32_t>::max() / 2) {
    throw Error(ErrorCode::out_of_range, "clauses", "`clauses` must have at most 2^31 literals together");
  }
  literals_.insert(literals_.end(), scratch.begin(), scratch.end());
  starts_.push_back(static_cast<std::uint32_t>(literals_.size()));
  weights_.push_back(units);
}

void MaxSat::index_occurrences() {
  occurrence_starts_.assign(variables_ + 1, 0);
  neighbours_.assign(variables_, 0);
  for (const std::uint32_t literal : literals_) ++occurrence_starts_[literal / 2 + 1];
  for (std::size_t i = 0; i < variables_; ++i) occurrence_starts_[i + 1] += occurrence_starts_[i];
  occurrences_.resize(literals_.size());
  std::vector<std::uint32_t> next(occurrence_starts_.begin(), occurrence_starts_.end() - 1);
  for (std::size_t c = 0; c < clauses(); ++c) {
    const auto of_clause = literals(c);
    for (std::size_t i = 0; i < of_clause.size(); ++i) {
      const std::uint32_t literal = of_clause[i];
      occurrences_[next[literal / 2]++] = static_cast<std::uint32_t>(2 * c + (literal & 1u));
      for (std::size_t j = i + 1; j < of_clause.size(); ++j) {
        const std::uint32_t distance = of_clause[j] / 2 - literal / 2;
        if (distance > neighbour_reach) break;  // literals ascend
        neighbours_[literal / 2] = static_cast<std::uint16_t>(neighbours_[literal / 2] | (1u << (distance - 1)));
      }
    }
  }
}

std::size_t MaxSat::bytes() const noexcept {
  return (literals_.size() + starts_.size() + occurrences_.size() + occurrence_starts_.size()) * sizeof(std::uint32_t) +
         neighbours_.size() * sizeof(std::uint16_t) + weights_.size() * sizeof(std::int64_t);
}

std::unique_ptr<Evaluator<float>> MaxSat::float32_evaluator(std::uint64_t) const {
  return std::make_unique<MaxSatEvaluator<float>>(*this);
}
std::unique_ptr<Evaluator<double>> MaxSat::float64_evaluator(std::uint64_t) const {
  return std::make_unique<MaxSatEvaluator<double>>(*this);
}

void random_clauses(std::size_t variables, std::size_t literals_per_clause, std::uint64_t seed, std::size_t threads,
                    std::span<std::int32_t> literals) {
  const std::size_t k = literals_per_clause;
  parallel_for(threads, k == 0 ? 0 : literals.size() / k, 4096, [&](std::size_t begin, std::size_t end) {
    for (std::size_t c = begin; c < end; ++c) {
      PhiloxStream random(seed, static_cast<std::uint32_t>(c), instance_purpose);
      std::int32_t* const clause = literals.data() + c * k;
      for (std::size_t i = 0; i < k;) {
        const auto variable = static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(variables)) + 1);
        const bool taken = std::find(clause, clause + i, variable) != clause + i;
        if (!taken) clause[i++] = variable;
      }
      for (std::size_t i = 0; i < k; ++i) {
        if ((random.next_uint32() & 1u) != 0) clause[i] = -clause[i];
      }
    }
  });
}

}  // namespace dd::polystep
