#include "polystep/sinkhorn.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/thread_pool.hpp"

namespace dd::polystep {
namespace {

constexpr std::size_t row_tile = 256;
constexpr double smallest_mass = 1e-30;

std::vector<double> logarithms(std::span<const double> masses) {
  std::vector<double> result(masses.size());
  std::transform(masses.begin(), masses.end(), result.begin(),
                 [](double mass) { return std::log(std::max(mass, smallest_mass)); });
  return result;
}

double max_abs(std::span<const double> values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

/// A problem with what one iteration computes.
class Scaling {
 public:
  Scaling(std::span<const double> costs, std::span<const double> a, std::span<const double> b, double epsilon,
          std::size_t threads)
      : costs_(costs),
        a_(a),
        b_(b),
        log_a_(logarithms(a)),
        log_b_(logarithms(b)),
        epsilon_(epsilon),
        threads_(threads) {
    const double most = 1e300 * epsilon;  // beyond it costs over epsilon would be infinite, and their differences NaN
    if (std::none_of(costs.begin(), costs.end(), [&](double cost) { return cost > most; })) return;
    capped_.assign(costs.begin(), costs.end());
    for (double& cost : capped_) cost = std::min(cost, most);
    costs_ = capped_;
  }

  std::size_t rows() const { return a_.size(); }
  std::size_t columns() const { return b_.size(); }
  double epsilon() const { return epsilon_; }

  /// f <- (1 - omega) f + omega eps (log a - LSE_j((g_j - C_ij) / eps)).
  void update_f(std::vector<double>& f, std::span<const double> g, double omega) const {
    const std::size_t V = columns();
    parallel_for(threads_, rows(), row_tile, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        const double* const row = costs_.data() + i * V;
        double largest = -std::numeric_limits<double>::infinity();
        for (std::size_t j = 0; j < V; ++j) largest = std::max(largest, (g[j] - row[j]) / epsilon_);
        double sum = 0;
        for (std::size_t j = 0; j < V; ++j) sum += std::exp((g[j] - row[j]) / epsilon_ - largest);
        const double next = epsilon_ * (log_a_[i] - (largest + std::log(sum)));
        f[i] = omega == 1 ? next : (1 - omega) * f[i] + omega * next;
      }
    });
  }

  /// g <- (1 - omega) g + omega alpha eps (log b - LSE_i((f_i - C_ij) / eps)); tiles of rows are joined in order.
  void update_g(std::span<const double> f, std::vector<double>& g, double omega, double alpha = 1) const {
    const std::size_t V = columns(), tiles = (rows() + row_tile - 1) / row_tile;
    std::vector<double> largest(tiles * V, -std::numeric_limits<double>::infinity()), sums(tiles * V, 0.0);
    parallel_for(threads_, rows(), row_tile, [&](std::size_t begin, std::size_t end) {
      double* const top = largest.data() + begin / row_tile * V;
      double* const sum = sums.data() + begin / row_tile * V;
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = 0; j < V; ++j) top[j] = std::max(top[j], (f[i] - costs_[i * V + j]) / epsilon_);
      }
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = 0; j < V; ++j) sum[j] += std::exp((f[i] - costs_[i * V + j]) / epsilon_ - top[j]);
      }
    });
    for (std::size_t j = 0; j < V; ++j) {
      double top = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::size_t t = 0; t < tiles; ++t) top = std::max(top, largest[t * V + j]);
      for (std::size_t t = 0; t < tiles; ++t) sum += sums[t * V + j] * std::exp(largest[t * V + j] - top);
      const double next = alpha * epsilon_ * (log_b_[j] - (top + std::log(sum)));
      g[j] = omega == 1 ? next : (1 - omega) * g[j] + omega * next;
    }
  }

  std::vector<double> plan(std::span<const double> f, std::span<const double> g) const {
    static const double most = std::log(std::numeric_limits<double>::max()) - 1;
    const std::size_t V = columns();
    std::vector<double> result(rows() * V);
    parallel_for(threads_, rows(), row_tile, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = 0; j < V; ++j) {
          result[i * V + j] = std::exp(std::min((f[i] + g[j] - costs_[i * V + j]) / epsilon_, most));
        }
      }
    });
    return result;
  }

  /// The plan of an f that is best for g: rows sum to a however large costs are against epsilon.
  std::vector<double> row_exact_plan(std::span<const double> g) const {
    const std::size_t V = columns();
    std::vector<double> result(rows() * V);
    parallel_for(threads_, rows(), row_tile, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        double* const row = result.data() + i * V;
        double largest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (std::size_t j = 0; j < V; ++j) largest = std::max(largest, (g[j] - costs_[i * V + j]) / epsilon_);
        for (std::size_t j = 0; j < V; ++j) sum += row[j] = std::exp((g[j] - costs_[i * V + j]) / epsilon_ - largest);
        for (std::size_t j = 0; j < V; ++j) row[j] *= a_[i] / sum;
      }
    });
    return result;
  }

  std::vector<double> column_sums(std::span<const double> plan) const {
    const std::size_t V = columns(), tiles = (rows() + row_tile - 1) / row_tile;
    std::vector<double> partial(tiles * V, 0.0), sums(V, 0.0);
    parallel_for(threads_, rows(), row_tile, [&](std::size_t begin, std::size_t end) {
      double* const sum = partial.data() + begin / row_tile * V;
      for (std::size_t i = begin; i < end; ++i) {
        for (std::size_t j = 0; j < V; ++j) sum[j] += plan[i * V + j];
      }
    });
    for (std::size_t t = 0; t < tiles; ++t) {
      for (std::size_t j = 0; j < V; ++j) sums[j] += partial[t * V + j];
    }
    return sums;
  }

  double marginal_error(std::span<const double> plan) const {
    const std::size_t V = columns();
    double error = 0;
    for (std::size_t i = 0; i < rows(); ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < V; ++j) sum += plan[i * V + j];
      error = std::max(error, std::abs(sum - a_[i]));
    }
    const std::vector<double> sums = column_sums(plan);
    for (std::size_t j = 0; j < V; ++j) error = std::max(error, std::abs(sums[j] - b_[j]));
    return error;
  }

  /// <f, a> + <g, b> - eps sum T.
  double dual_objective(std::span<const double> f, std::span<const double> g, std::span<const double> plan) const {
    double value = 0, mass = 0;
    for (std::size_t i = 0; i < rows(); ++i) value += f[i] * a_[i];
    for (std::size_t j = 0; j < columns(); ++j) value += g[j] * b_[j];
    for (const double entry : plan) mass += entry;
    return value - epsilon_ * mass;
  }

  double linear_objective(std::span<const double> plan) const {
    double value = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) value += plan[i] * costs_[i];
    return value;
  }

  double kl_violation(std::span<const double> plan) const {
    const std::vector<double> sums = column_sums(plan);
    double value = 0;
    for (std::size_t j = 0; j < sums.size(); ++j) {
      const double mass = std::max(b_[j], smallest_mass);
      if (sums[j] > 0) value += sums[j] * std::log(sums[j] / mass);
      value += mass - sums[j];
    }
    return value;
  }

 private:
  std::span<const double> costs_, a_, b_;
  std::vector<double> capped_, log_a_, log_b_;
  double epsilon_;
  std::size_t threads_;
};

/// Duals of another temperature made fit for this one; any failure leaves zeros.
void warm_start(const SinkhornOptions& options, double largest_cost, std::vector<double>& f, std::vector<double>& g) {
  if (options.start_f.size() != f.size() || options.start_g.size() != g.size()) return;
  const double ratio = options.start_epsilon > 0 ? options.epsilon / options.start_epsilon : 1;
  const double limit = 10 * largest_cost;
  const auto take = [&](std::span<const double> from, std::vector<double>& to) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      const double dual = from[i] * ratio;
      to[i] = std::isfinite(dual) ? std::clamp(dual, -limit, limit) : 0;
    }
  };
  take(options.start_f, f);
  take(options.start_g, g);
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  const double shift = (mean(g) - mean(f)) / 2;  // the only change of both that leaves the plan alone
  for (double& value : f) value += shift;
  for (double& value : g) value -= shift;
}

/// min |M alpha - r|^2 + lam |alpha|^2 through the normal equations, lam relative to |M|_F^2; columns: depth x size.
std::vector<double> regularised_least_squares(const std::vector<std::vector<double>>& columns,
                                              std::span<const double> r) {
  const std::size_t m = columns.size();
  std::vector<double> normal(m * (m + 1));
  double trace = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      for (std::size_t k = 0; k < r.size(); ++k) normal[i * (m + 1) + j] += columns[i][k] * columns[j][k];
    }
    for (std::size_t k = 0; k < r.size(); ++k) normal[i * (m + 1) + m] += columns[i][k] * r[k];
    trace += normal[i * (m + 1) + i];
  }
  for (std::size_t i = 0; i < m; ++i) normal[i * (m + 1) + i] += 1e-8 * trace;
  for (std::size_t i = 0; i < m; ++i) {  // positive definite: no pivoting
    for (std::size_t k = i + 1; k < m; ++k) {
      const double factor = normal[k * (m + 1) + i] / normal[i * (m + 1) + i];
      for (std::size_t j = i; j <= m; ++j) normal[k * (m + 1) + j] -= factor * normal[i * (m + 1) + j];
    }
  }
  std::vector<double> alpha(m);
  for (std::size_t i = m; i-- > 0;) {
    double value = normal[i * (m + 1) + m];
    for (std::size_t j = i + 1; j < m; ++j) value -= normal[i * (m + 1) + j] * alpha[j];
    alpha[i] = value / normal[i * (m + 1) + i];
  }
  return alpha;
}

/// Anderson acceleration of the iteration x -> G(x), x = (f, g).
class Anderson {
 public:
  explicit Anderson(std::size_t depth) : depth_(depth) {}

  bool on() const { return depth_ > 0; }
  void restart() {
    points_.clear();
    residuals_.clear();
  }
  /// The accelerated point after x -> image, empty where there is none to trust.
  std::vector<double> propose(std::vector<double> x, const std::vector<double>& image) {
    std::vector<double> residual(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) residual[i] = image[i] - x[i];
    points_.push_back(std::move(x));
    residuals_.push_back(residual);
    if (points_.size() > depth_ + 1) {
      points_.erase(points_.begin());
      residuals_.erase(residuals_.begin());
    }
    if (points_.size() < 2) return {};
    std::vector<std::vector<double>> steps, changes;
    for (std::size_t k = 0; k + 1 < points_.size(); ++k) {
      std::vector<double> step(residual.size()), change(residual.size());
      for (std::size_t i = 0; i < residual.size(); ++i) {
        step[i] = points_[k + 1][i] - points_[k][i];
        change[i] = residuals_[k + 1][i] - residuals_[k][i];
      }
      steps.push_back(std::move(step));
      changes.push_back(std::move(change));
    }
    const std::vector<double> alpha = regularised_least_squares(changes, residual);
    if (!all_finite(alpha) || !(max_abs(alpha) < 1e3)) return {};
    std::vector<double> point = image;
    for (std::size_t k = 0; k < alpha.size(); ++k) {
      for (std::size_t i = 0; i < point.size(); ++i) point[i] -= alpha[k] * (steps[k][i] + changes[k][i]);
    }
    return all_finite(point) ? point : std::vector<double>{};
  }

 private:
  std::size_t depth_;
  std::vector<std::vector<double>> points_, residuals_;
};

std::vector<double> joined(const std::vector<double>& f, const std::vector<double>& g) {
  std::vector<double> both = f;
  both.insert(both.end(), g.begin(), g.end());
  return both;
}

}  // namespace

TransportPlan sinkhorn(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                       const SinkhornOptions& options, RunControl& control) {
  const Scaling scaling(costs, a, b, options.epsilon, control.threads());
  TransportPlan result;
  result.f.assign(a.size(), 0.0);
  result.g.assign(b.size(), 0.0);
  warm_start(options, max_abs(costs), result.f, result.g);
  std::vector<double>&f = result.f, &g = result.g;
  double omega = options.omega, previous_error = 0, previous_size = 0;
  std::size_t growing = 0;
  Anderson anderson(options.anderson_depth);
  result.converged = options.threshold <= 0;
  while (result.iterations < options.max_iterations && !control.should_stop()) {
    const bool accelerate = anderson.on() && result.iterations > 0 && result.iterations % options.check_every == 0;
    std::vector<double> before;
    if (accelerate) before = joined(f, g);
    scaling.update_f(f, g, omega);
    scaling.update_g(f, g, omega);
    ++result.iterations;
    if (accelerate) {
      const std::vector<double> plain = joined(f, g), proposed = anderson.propose(before, plain);
      if (!proposed.empty()) {
        const auto value = [&](std::span<const double> duals) {
          const auto left = duals.first(f.size()), right = duals.subspan(f.size());
          return scaling.dual_objective(left, right, scaling.plan(left, right));
        };
        if (value(proposed) >= std::max(value(plain), value(before)) - 1e-6) {
          std::copy_n(proposed.begin(), f.size(), f.begin());
          std::copy_n(proposed.begin() + static_cast<std::ptrdiff_t>(f.size()), g.size(), g.begin());
        }
      }
    }
    if (result.iterations % options.check_every != 0) continue;
    if (!all_finite(f) || !all_finite(g)) {
      std::fill(f.begin(), f.end(), 0.0);
      std::fill(g.begin(), g.end(), 0.0);
      result.converged = false;
      break;
    }
    const double error = scaling.marginal_error(scaling.plan(f, g));
    if (options.threshold > 0 && error < options.threshold) {
      result.converged = true;
      break;
    }
    if (omega > 1.5) {
      const double size = max_abs(f) + max_abs(g);
      growing = previous_size > 0 && size > 1.05 * previous_size ? growing + 1 : 0;
      previous_size = size;
      if (growing >= 3) omega = 1;
    }
    if (options.adaptive_omega && omega == 1 && previous_error > 0) {
      const double rate = std::min(error / previous_error, 0.99);
      const double root = std::pow(rate, 1 / static_cast<double>(options.check_every));
      const double next = std::clamp(2 / (1 + std::sqrt(1 - root)), 1.0, 1.95);
      if (next != omega) anderson.restart();
      omega = next;
    }
    previous_error = error;
  }
  result.plan = scaling.plan(f, g);
  result.error = scaling.marginal_error(result.plan);
  result.objective = scaling.dual_objective(f, g, result.plan);
  result.kl_violation = scaling.kl_violation(result.plan);
  result.omega = omega;
  return result;
}

TransportPlan kl_relaxed(std::span<const double> costs, std::span<const double> a, std::span<const double> b,
                         double lambda, const SinkhornOptions& options, RunControl& control) {
  const Scaling scaling(costs, a, b, options.epsilon, control.threads());
  TransportPlan result;
  result.f.assign(a.size(), 0.0);
  result.g.assign(b.size(), 0.0);
  std::vector<double>&f = result.f, &g = result.g;
  const double alpha = std::isinf(lambda) ? 1 : lambda / (lambda + options.epsilon);
  if (lambda == 0) {
    result.iterations = 1;
    result.converged = true;
  } else {
    while (result.iterations < options.max_iterations && !result.converged && !control.should_stop()) {
      const std::vector<double> old_f = f, old_g = g;
      scaling.update_f(f, g, 1);
      scaling.update_g(f, g, 1, alpha);
      ++result.iterations;
      double change = 0;
      for (std::size_t i = 0; i < f.size(); ++i) change = std::max(change, std::abs(f[i] - old_f[i]));
      for (std::size_t j = 0; j < g.size(); ++j) change = std::max(change, std::abs(g[j] - old_g[j]));
      result.converged = change < options.threshold;
    }
    if (options.threshold <= 0) result.converged = result.iterations == options.max_iterations;
  }
  scaling.update_f(f, g, 1);  // row sums are exact whatever the columns' state
  result.plan = scaling.row_exact_plan(g);
  result.error = scaling.marginal_error(result.plan);
  result.objective = scaling.linear_objective(result.plan);
  result.kl_violation = scaling.kl_violation(result.plan);
  return result;
}

}  // namespace dd::polystep
