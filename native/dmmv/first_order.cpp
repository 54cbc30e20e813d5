// The linear relaxation by restarted primal-dual hybrid gradient, for problems too large for a basis.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/infinity.hpp"
#include "core/philox.hpp"
#include "core/thread_pool.hpp"
#include "dmmv/relaxation.hpp"

namespace dd::dmmv {
namespace {

constexpr std::uint64_t check_every = 40;
constexpr int power_steps = 30;
constexpr double step_margin = 1.1;
constexpr std::size_t rows_a_piece = 1024, columns_a_piece = 64;
// Restarts: at once when the gap has fallen to this, or when it has fallen somewhat and rises again, or when a part of
// all steps has gone by without one (the constants of PDLP).
constexpr double sufficient = 0.2, necessary = 0.8, artificial = 0.36;

/// z (n) and a distribution over the upper sides (first m) and lower sides (last m) of the rows.
struct Iterate {
  std::vector<double> z, y;
};

class FirstOrder {
 public:
  FirstOrder(const Problem& problem, const RunControl& control)
      : problem_(problem),
        control_(control),
        scaled_(problem),
        m_(problem.rows()),
        n_(problem.variables()),
        column_step_(n_, 0.0),
        row_step_(m_, 0.0),
        activity_(m_),
        weighted_(m_),
        reduced_(n_) {
    std::vector<double> sums(m_, 0.0);
    for (std::size_t j = 0; j < n_; ++j) {
      if (scaled_.column_size[j] == 0) continue;
      double sum = 0;
      problem.matrix().for_each(j, [&](std::size_t i, double entry) {
        const double size = std::abs(problem.weights()[i] * entry) / scaled_.column_size[j];
        sums[i] += size;
        sum += size * ((scaled_.upper[i] < infinity ? 1 : 0) + (scaled_.lower[i] > -infinity ? 1 : 0));
      });
      column_step_[j] = 1 / sum;
    }
    // A row that nothing moves needs a finite step; a smaller one than its sum allows is always safe.
    const double floor = std::max(1e-3 * *std::max_element(sums.begin(), sums.end()), 1e-300);
    for (std::size_t i = 0; i < m_; ++i) row_step_[i] = 1 / std::max(sums[i], floor);
    lengthen_steps();
  }

  LinearRelaxation run(std::uint64_t limit, double tolerance) {
    Iterate now{std::vector<double>(n_, 0.0), std::vector<double>(2 * m_, 0.0)};
    std::size_t sides = 0;
    for (std::size_t k = 0; k < 2 * m_; ++k) sides += is_finite(k) ? 1 : 0;
    for (std::size_t k = 0; k < 2 * m_; ++k) now.y[k] = is_finite(k) ? 1 / static_cast<double>(sides) : 0.0;
    Iterate sum{std::vector<double>(n_, 0.0), std::vector<double>(2 * m_, 0.0)};
    Iterate restarted = now;
    std::vector<double> leading(n_);
    double weight = first_weight(), last_gap = infinity;
    double restart_gap = offer(now);
    const double trivial = width_bound(problem_) / scaled_.scale, first_value = best_value_;
    std::uint64_t inner = 0;
    LinearRelaxation result;
    for (; result.iterations < limit && !control_.should_stop(); ++result.iterations) {
      transposed(now.y);
      for (std::size_t j = 0; j < n_; ++j) {
        const double z = std::clamp(now.z[j] - column_step_[j] / weight * reduced_[j], -scaled_.rho[j], scaled_.rho[j]);
        leading[j] = 2 * z - now.z[j];
        now.z[j] = z;
        sum.z[j] += z;
      }
      product(leading);
      for (std::size_t i = 0; i < m_; ++i) {
        const double step = weight * row_step_[i];
        if (is_finite(i)) now.y[i] += step * (activity_[i] - scaled_.upper[i]);
        if (is_finite(m_ + i)) now.y[m_ + i] += step * (scaled_.lower[i] - activity_[i]);
      }
      project(now.y);
      for (std::size_t k = 0; k < 2 * m_; ++k) sum.y[k] += now.y[k];
      if (++inner % check_every != 0) continue;

      Iterate average = sum;
      for (double& value : average.z) value /= static_cast<double>(inner);
      for (double& value : average.y) value /= static_cast<double>(inner);
      const double now_gap = offer(now), average_gap = offer(average);
      if (best_value_ - best_bound_ <= tolerance * std::max(std::abs(best_value_), std::abs(best_bound_)) ||
          best_value_ - trivial <= tolerance * (first_value - trivial)) {
        result.converged = true;
        break;
      }
      const double gap = std::min(now_gap, average_gap);
      const bool restart = gap <= sufficient * restart_gap || (gap <= necessary * restart_gap && gap > last_gap) ||
                           static_cast<double>(inner) >= artificial * static_cast<double>(result.iterations);
      last_gap = gap;
      if (!restart) continue;
      if (average_gap < now_gap) now = std::move(average);
      weight = balanced(weight, now, restarted);
      restarted = now;
      restart_gap = gap;
      last_gap = infinity;
      inner = 0;
      std::fill(sum.z.begin(), sum.z.end(), 0.0);
      std::fill(sum.y.begin(), sum.y.end(), 0.0);
    }
    finish(result);
    return result;
  }

 private:
  bool is_finite(std::size_t side) const noexcept {
    return side < m_ ? scaled_.upper[side] < infinity : scaled_.lower[side - m_] > -infinity;
  }

  /// activity_ <- h z.
  void product(const std::vector<double>& z) {
    std::fill(activity_.begin(), activity_.end(), 0.0);
    const Matrix& matrix = problem_.matrix();
    const auto factor = [&](std::size_t j) { return scaled_.column_size[j] > 0 ? z[j] / scaled_.column_size[j] : 0.0; };
    if (matrix.is_sparse()) {
      for (std::size_t j = 0; j < n_; ++j) {
        const double f = factor(j);
        if (f != 0) matrix.for_each(j, [&](std::size_t i, double entry) { activity_[i] += f * entry; });
      }
    } else {
      parallel_for(control_.threads(), m_, rows_a_piece, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = 0; j < n_; ++j) {
          const double f = factor(j);
          const double* column = matrix.column(j).data();
          for (std::size_t i = begin; i < end; ++i) activity_[i] += f * column[i];
        }
      });
    }
    for (std::size_t i = 0; i < m_; ++i) activity_[i] *= problem_.weights()[i];
  }

  /// reduced_ <- h^T (upper part of y - lower part).
  void transposed(const std::vector<double>& y) {
    for (std::size_t i = 0; i < m_; ++i) weighted_[i] = problem_.weights()[i] * (y[i] - y[m_ + i]);
    parallel_for(control_.threads(), n_, columns_a_piece, [&](std::size_t begin, std::size_t end) {
      for (std::size_t j = begin; j < end; ++j) {
        double parts[4] = {};
        std::size_t turn = 0;
        problem_.matrix().for_each(j, [&](std::size_t i, double entry) { parts[turn++ % 4] += entry * weighted_[i]; });
        const double size = scaled_.column_size[j];
        reduced_[j] = size > 0 ? ((parts[0] + parts[1]) + (parts[2] + parts[3])) / size : 0.0;
      }
    });
  }

  /// The nearest distribution in the metric of the row steps: max(y - lambda step, 0), lambda by Newton's method, which
  /// ends after finitely many steps because every one takes sides out (Michelot, JOTA 50(1), 1986, with weights).
  void project(std::vector<double>& y) const {
    double lambda = -infinity;
    for (;;) {
      double total = -1, steps = 0;
      for (std::size_t k = 0; k < 2 * m_; ++k) {
        const double step = row_step_[k < m_ ? k : k - m_];
        if (!is_finite(k) || y[k] <= lambda * step) continue;
        total += y[k];
        steps += step;
      }
      const double next = total / steps;
      if (!(next > lambda) || steps == 0) break;
      lambda = next;
    }
    for (std::size_t k = 0; k < 2 * m_; ++k) {
      y[k] = is_finite(k) ? std::max(y[k] - lambda * row_step_[k < m_ ? k : k - m_], 0.0) : 0.0;
    }
  }

  /// The duality gap; the best point and the best multipliers are kept.
  double offer(const Iterate& iterate) {
    product(iterate.z);
    double value = -infinity, bound = 0;
    for (std::size_t i = 0; i < m_; ++i) {
      value = std::max({value, activity_[i] - scaled_.upper[i], scaled_.lower[i] - activity_[i]});
      if (is_finite(i)) bound -= iterate.y[i] * scaled_.upper[i];
      if (is_finite(m_ + i)) bound += iterate.y[m_ + i] * scaled_.lower[i];
    }
    transposed(iterate.y);
    for (std::size_t j = 0; j < n_; ++j) bound -= scaled_.rho[j] * std::abs(reduced_[j]);
    if (value < best_value_) {
      best_value_ = value;
      best_z_ = iterate.z;
    }
    if (bound > best_bound_) {
      best_bound_ = bound;
      best_y_ = iterate.y;
    }
    return value - bound;
  }

  /// Steps from sums are safe for signs that all agree; for others they may be longer by the norm of the scaled matrix,
  /// which is estimated by power steps and taken somewhat larger.
  void lengthen_steps() {
    PhiloxStream random(0x7064, 1);
    std::vector<double> z(n_), y(2 * m_, 0.0);
    for (double& value : z) value = 2 * random.next_uniform() - 1;
    double norm = 0;
    for (int step = 0; step < power_steps && !control_.should_stop(); ++step) {
      double length = 0;
      for (std::size_t j = 0; j < n_; ++j) length += column_step_[j] > 0 ? z[j] * z[j] / column_step_[j] : 0.0;
      length = std::sqrt(length);
      if (!(length > 0)) return;
      for (double& value : z) value /= length;
      product(z);
      norm = 0;
      for (std::size_t i = 0; i < m_; ++i) {
        const double change = row_step_[i] * activity_[i];
        y[i] = is_finite(i) ? change : 0.0;
        y[m_ + i] = is_finite(m_ + i) ? -change : 0.0;
        norm += activity_[i] * (y[i] - y[m_ + i]);
      }
      transposed(y);
      for (std::size_t j = 0; j < n_; ++j) z[j] = column_step_[j] * reduced_[j];
    }
    const double longer = 1 / (step_margin * std::sqrt(norm));
    if (!(longer > 1)) return;
    for (double& step : column_step_) step *= longer;
    for (double& step : row_step_) step *= longer;
  }

  /// As if z went across its box and y from nothing to as many equal parts as a vertex of the relaxation has.
  double first_weight() const {
    double columns = 0, rows = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      if (column_step_[j] > 0) columns += scaled_.rho[j] * scaled_.rho[j] / column_step_[j];
    }
    for (const double step : row_step_) rows += 1 / step;
    rows /= static_cast<double>(m_) * static_cast<double>(std::min(m_, n_ + 1));
    return columns > 0 ? std::sqrt(rows / columns) : 1.0;
  }

  /// The weight of the row steps: as far as both sides have moved in their own metrics, smoothed.
  double balanced(double weight, const Iterate& now, const Iterate& before) const {
    double columns = 0, rows = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      if (column_step_[j] > 0) columns += (now.z[j] - before.z[j]) * (now.z[j] - before.z[j]) / column_step_[j];
    }
    for (std::size_t k = 0; k < 2 * m_; ++k) {
      rows += (now.y[k] - before.y[k]) * (now.y[k] - before.y[k]) / row_step_[k < m_ ? k : k - m_];
    }
    return columns > 0 && rows > 0 ? std::sqrt(std::sqrt(rows / columns) * weight) : weight;
  }

  void finish(LinearRelaxation& result) const {
    for (std::size_t j = 0; j < n_; ++j) result.point.push_back(scaled_.original(problem_, j, best_z_[j]));
    result.multipliers.resize(m_);
    double norm = 0;
    for (std::size_t i = 0; i < m_; ++i) {
      result.multipliers[i] = best_y_[i] - best_y_[m_ + i];
      norm += std::abs(result.multipliers[i]);
    }
    if (norm == 0) return;  // both sides of every row balance: nothing is proven
    for (double& value : result.multipliers) value /= norm;
    result.bound = check_certificate(problem_, result.multipliers);
  }

  const Problem& problem_;
  const RunControl& control_;
  const ScaledRelaxation scaled_;
  std::size_t m_, n_;
  std::vector<double> column_step_, row_step_, activity_, weighted_, reduced_;
  std::vector<double> best_z_, best_y_;
  double best_value_ = infinity, best_bound_ = -infinity;
};

}  // namespace

LinearRelaxation first_order_relaxation(const Problem& problem, std::uint64_t iteration_limit, double tolerance,
                                        const RunControl& control) {
  return FirstOrder(problem, control).run(iteration_limit, tolerance);
}

}  // namespace dd::dmmv
