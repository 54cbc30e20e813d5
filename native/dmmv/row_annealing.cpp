// One run: exponents double while the temperature falls; the worst tokens are gathered anew as the row changes.
#include "dmmv/row_annealing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "dmmv/power_sum.hpp"

namespace dd::dmmv {
namespace {

constexpr std::uint64_t moves_between_sums = 1024;
constexpr std::uint64_t screen_every = 64;  // accepted moves after which the worst tokens are others
constexpr std::uint64_t annealing_poll_entries = 2'000'000;

}  // namespace

bool move_fits(const RoundingMoves& moves, const RoundingRow& row, std::span<const std::int32_t> codes,
               std::size_t pair, int sign) noexcept {
  for (std::size_t k = moves.starts[pair]; k < moves.starts[pair + 1]; ++k) {
    const auto j = static_cast<std::size_t>(moves.variables[k]);
    if (!row.fixed.empty() && row.fixed[j] != 0) return false;
    const std::int32_t code = codes[j] + sign * moves.amounts[k];
    if (code < 0 || code >= row.levels) return false;
  }
  return true;
}

void rounding_residual(MatrixView<const double> activations, const RoundingRow& row,
                       std::span<const std::int32_t> codes, std::span<double> out) {
  std::fill(out.begin(), out.end(), 0.0);
  for (std::size_t j = 0; j < activations.columns; ++j) {
    if (!row.fixed.empty() && row.fixed[j] != 0) continue;
    const double distance = row.base[j] + codes[j];
    if (distance == 0) continue;
    const double* const column = &activations(0, j);
    for (std::size_t t = 0; t < out.size(); ++t) out[t] += distance * column[t];
  }
}

RowAnnealing::RowAnnealing(MatrixView<const double> activations, const RoundingMoves& moves)
    : activations_(activations),
      moves_(moves),
      top_(moves.tokens <= 512 ? 0 : std::max<std::size_t>(128, moves.tokens / 16 / 32 * 32)),
      residual_(moves.tokens),
      top_residual_(top_),
      top_effects_(top_ * moves.pairs),
      zero_(moves.tokens, 0.0f),
      exact_(moves.tokens),
      order_(moves.tokens) {}

void RowAnnealing::recompute(const RoundingRow& row) {
  rounding_residual(activations_, row, codes_, exact_);
  square_ = 0;
  for (std::size_t t = 0; t < exact_.size(); ++t) {
    residual_[t] = static_cast<float>(exact_[t]);
    square_ += exact_[t] * exact_[t];
  }
  if (!follows_square_) return;
  inner_.resize(moves_.pairs);
  for (std::size_t p = 0; p < moves_.pairs; ++p) {
    const float* const effect = moves_.effects.data() + p * moves_.tokens;
    double sum = 0;
    for (std::size_t t = 0; t < moves_.tokens; ++t) sum += exact_[t] * static_cast<double>(effect[t]);
    inner_[p] = sum;
  }
}

/// Gathers the rows of the effects that belong to the largest residuals.
void RowAnnealing::screen() {
  accepted_since_screen_ = 0;
  if (top_ == 0) return;
  std::iota(order_.begin(), order_.end(), 0u);
  std::nth_element(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(top_), order_.end(),
                   [&](std::uint32_t a, std::uint32_t b) {
                     const float x = std::abs(residual_[a]), y = std::abs(residual_[b]);
                     return x != y ? x > y : a < b;
                   });
  std::sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(top_));
  for (std::size_t k = 0; k < top_; ++k) top_residual_[k] = residual_[order_[k]];
  for (std::size_t p = 0; p < moves_.pairs; ++p) {
    const float* const from = moves_.effects.data() + p * moves_.tokens;
    float* const to = top_effects_.data() + p * top_;
    for (std::size_t k = 0; k < top_; ++k) to[k] = from[order_[k]];
  }
}

float RowAnnealing::power_sum(const float* residual, const float* effect, std::size_t rows, float sign,
                              float& largest) const {
  PowerSum arguments{residual, effect, rows, sign, scale_, floor_, doublings_, 0, 0};
  power_sum_float32(&arguments);
  largest = arguments.largest;
  return arguments.sum;
}

double RowAnnealing::value(float largest, double square) const {
  return static_cast<double>(largest) + objective_.l2_weight * std::sqrt(std::max(square, 0.0));
}

void RowAnnealing::begin_stage() {
  float largest = 0;
  scale_ = 1;
  (void)power_sum(residual_.data(), zero_.data(), moves_.tokens, 0, largest);
  reference_ = std::max(largest, 1e-30f);
  scale_ = 1 / reference_;
  power_ = static_cast<double>(1u << doublings_);
  floor_ = std::exp2(-120.0f / static_cast<float>(1u << doublings_));
  sum_ = power_sum(residual_.data(), zero_.data(), moves_.tokens, 0, largest_);
}

void RowAnnealing::propose(const RoundingRow& row) {
  const std::uint32_t word = random_.next_below(static_cast<std::uint32_t>(2 * moves_.pairs));
  const std::size_t pair = word / 2;
  int sign = word % 2 == 0 ? 1 : -1;
  ++proposals_;
  if (!move_fits(moves_, row, codes_, pair, sign)) {
    sign = -sign;
    if (!move_fits(moves_, row, codes_, pair, sign)) return;
  }
  // The random number first: what may be accepted is then a bound on the sum, and a part of the sum can reject.
  const double factor = std::pow(1 - random_.next_uniform(), -temperature_);
  double square = square_, limit = static_cast<double>(sum_) * std::pow(factor, power_);
  if (follows_square_) {
    square += 2 * sign * inner_[pair] + moves_.gram[pair * (moves_.pairs + 1)];
    if (square > objective_.l2_limit * objective_.l2_limit && square > square_) return;
    if (objective_.l2_weight > 0) {
      const double norm = static_cast<double>(reference_) * std::pow(static_cast<double>(sum_), 1 / power_);
      const double rest = (norm + objective_.l2_weight * std::sqrt(std::max(square_, 0.0))) * factor -
                          objective_.l2_weight * std::sqrt(std::max(square, 0.0));
      if (!(rest > 0)) return;
      limit = std::pow(rest / static_cast<double>(reference_), power_);
    }
  }
  float largest = 0;
  const auto step = static_cast<float>(sign);
  if (top_ > 0 && static_cast<double>(power_sum(top_residual_.data(), top_effects_.data() + pair * top_, top_, step,
                                                largest)) > limit) {
    return;
  }
  const float sum =
      power_sum(residual_.data(), moves_.effects.data() + pair * moves_.tokens, moves_.tokens, step, largest);
  if (static_cast<double>(sum) > limit) return;
  accept(pair, sign, sum, largest, square);
}

void RowAnnealing::accept(std::size_t pair, int sign, float sum, float largest, double square) {
  const auto step = static_cast<float>(sign);
  const float* const effect = moves_.effects.data() + pair * moves_.tokens;
  for (std::size_t t = 0; t < moves_.tokens; ++t) residual_[t] += step * effect[t];
  const float* const top_effect = top_effects_.data() + pair * top_;
  for (std::size_t k = 0; k < top_; ++k) top_residual_[k] += step * top_effect[k];
  for (std::size_t k = moves_.starts[pair]; k < moves_.starts[pair + 1]; ++k) {
    codes_[static_cast<std::size_t>(moves_.variables[k])] += sign * moves_.amounts[k];
  }
  if (follows_square_) {
    const double* const row = moves_.gram.data() + pair * moves_.pairs;
    for (std::size_t p = 0; p < moves_.pairs; ++p) inner_[p] += sign * row[p];
  }
  sum_ = sum;
  largest_ = largest;
  square_ = square;
  ++accepted_;
  ++accepted_since_screen_;
  const double now = value(largest, square);
  if (now < best_value_ * (1 - 1e-6)) {
    best_value_ = now;
    best_ = codes_;
  }
}

void RowAnnealing::run(const RoundingRow& row, const RowObjective& objective, const RowSchedule& schedule,
                       PhiloxStream random, const RunControl& control, std::span<std::int32_t> codes) {
  codes_.assign(codes.begin(), codes.end());
  best_ = codes_;
  random_ = random;
  objective_ = objective;
  follows_square_ = !moves_.gram.empty();
  recompute(row);
  doublings_ = schedule.first_doublings;
  begin_stage();
  best_value_ = value(largest_, square_);
  const std::uint64_t poll =
      std::max<std::uint64_t>(1, annealing_poll_entries / std::max<std::size_t>(1, moves_.tokens));
  const auto total = static_cast<double>(schedule.sweeps);
  const std::uint32_t stages = schedule.last_doublings - schedule.first_doublings + 1;
  bool stopped = largest_ == 0;
  for (std::uint64_t sweep = 0; sweep < schedule.sweeps && !stopped; ++sweep) {
    const double progress = static_cast<double>(sweep) / total;
    doublings_ = schedule.first_doublings + static_cast<std::uint32_t>(progress * stages);
    temperature_ =
        schedule.first_temperature * std::pow(schedule.last_temperature / schedule.first_temperature, progress);
    if (accepted_ >= moves_between_sums) {
      accepted_ = 0;
      recompute(row);
    }
    if (sweep == 0 || accepted_since_screen_ >= screen_every) screen();
    begin_stage();
    for (std::size_t k = 0; k < moves_.pairs && !stopped; ++k) {
      if (k % poll == 0) stopped = control.should_stop();
      propose(row);
    }
  }
  std::copy(best_.begin(), best_.end(), codes.begin());
}

}  // namespace dd::dmmv
