// The linear relaxation by single exchange, and the certificate check in doubled precision.
#include "dmmv/bound.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "dmmv/evaluate.hpp"

namespace dd::dmmv {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// An unevaluated sum high + low: twice the precision of a double.
struct Doubled {
  double high = 0, low = 0;

  void add(double value) {
    const double sum = high + value;
    const double part = sum - high;
    low += (high - (sum - part)) + (value - part);
    high = sum;
  }
  void add_product(double a, double b) {
    const double product = a * b;
    low += std::fma(a, b, -product);
    add(product);
  }
  double value() const { return high + low; }
};

/// What the interval widths alone imply: max_i -w_i (u_i - l_i) / 2.
double width_bound(const Problem& problem) {
  double bound = -infinity;
  for (std::size_t i = 0; i < problem.rows(); ++i) {
    const double width = problem.upper()[i] - problem.lower()[i];
    bound = std::max(bound, -0.5 * problem.weights()[i] * width * (1 + 0x1p-50));
  }
  return bound == 0 ? 0.0 : bound;
}

/// Dense LU with partial pivoting and product-form updates of a basis of columns.
class BasisFactors {
 public:
  explicit BasisFactors(std::size_t n) : n_(n), lu_(n * n), pivot_(n) {}

  /// Columns are read from `basis` (n x n, column-major). False when it is singular to working precision.
  bool factorise(const std::vector<double>& basis) {
    basis_ = &basis;
    lu_ = basis;
    etas_.clear();
    eta_rows_.clear();
    for (std::size_t k = 0; k < n_; ++k) {
      double* column = lu_.data() + k * n_;
      std::size_t pivot = k;
      for (std::size_t i = k + 1; i < n_; ++i) {
        if (std::abs(column[i]) > std::abs(column[pivot])) pivot = i;
      }
      if (!(std::abs(column[pivot]) > 1e-15)) return false;
      pivot_[k] = pivot;
      if (pivot != k) {
        for (std::size_t j = 0; j < n_; ++j) std::swap(lu_[k + j * n_], lu_[pivot + j * n_]);
      }
      const double inverse = 1 / column[k];
      for (std::size_t i = k + 1; i < n_; ++i) column[i] *= inverse;
      for (std::size_t j = k + 1; j < n_; ++j) {
        double* other = lu_.data() + j * n_;
        const double factor = other[k];
        if (factor == 0) continue;
        for (std::size_t i = k + 1; i < n_; ++i) other[i] -= factor * column[i];
      }
    }
    return true;
  }

  std::size_t updates() const { return eta_rows_.size(); }

  /// Column `row` of the basis has been replaced; `direction` = B^-1 (new column).
  void update(const std::vector<double>& direction, std::size_t row) {
    etas_.insert(etas_.end(), direction.begin(), direction.end());
    eta_rows_.push_back(row);
  }

  /// x <- B^-1 b, refined once.
  void solve(std::vector<double>& x) {
    right_ = x;
    solve_once(x);
    rest_ = right_;
    for (std::size_t j = 0; j < n_; ++j) {
      const double factor = x[j];
      const double* column = basis_->data() + j * n_;
      for (std::size_t i = 0; i < n_; ++i) rest_[i] -= factor * column[i];
    }
    solve_once(rest_);
    for (std::size_t i = 0; i < n_; ++i) x[i] += rest_[i];
  }

  /// x <- B^-T b, refined once.
  void solve_transposed(std::vector<double>& x) {
    right_ = x;
    solve_transposed_once(x);
    rest_.resize(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      const double* column = basis_->data() + j * n_;
      Doubled sum;
      sum.add(right_[j]);
      for (std::size_t i = 0; i < n_; ++i) sum.add_product(-column[i], x[i]);
      rest_[j] = sum.value();
    }
    solve_transposed_once(rest_);
    for (std::size_t i = 0; i < n_; ++i) x[i] += rest_[i];
  }

 private:
  void solve_once(std::vector<double>& x) const {
    for (std::size_t k = 0; k < n_; ++k) std::swap(x[k], x[pivot_[k]]);
    for (std::size_t k = 0; k < n_; ++k) {
      const double factor = x[k];
      if (factor == 0) continue;
      const double* column = lu_.data() + k * n_;
      for (std::size_t i = k + 1; i < n_; ++i) x[i] -= factor * column[i];
    }
    for (std::size_t k = n_; k-- > 0;) {
      const double* column = lu_.data() + k * n_;
      x[k] /= column[k];
      const double factor = x[k];
      for (std::size_t i = 0; i < k; ++i) x[i] -= factor * column[i];
    }
    for (std::size_t e = 0; e < eta_rows_.size(); ++e) {
      const double* eta = etas_.data() + e * n_;
      const std::size_t row = eta_rows_[e];
      const double value = x[row] / eta[row];
      for (std::size_t i = 0; i < n_; ++i) x[i] -= value * eta[i];
      x[row] = value;
    }
  }

  void solve_transposed_once(std::vector<double>& x) const {
    for (std::size_t e = eta_rows_.size(); e-- > 0;) {
      const double* eta = etas_.data() + e * n_;
      const std::size_t row = eta_rows_[e];
      double sum = x[row];
      for (std::size_t i = 0; i < n_; ++i) {
        if (i != row) sum -= eta[i] * x[i];
      }
      x[row] = sum / eta[row];
    }
    for (std::size_t k = 0; k < n_; ++k) {
      const double* column = lu_.data() + k * n_;
      double sum = x[k];
      for (std::size_t i = 0; i < k; ++i) sum -= column[i] * x[i];
      x[k] = sum / column[k];
    }
    for (std::size_t k = n_; k-- > 0;) {
      const double* column = lu_.data() + k * n_;
      double sum = x[k];
      for (std::size_t i = k + 1; i < n_; ++i) sum -= column[i] * x[i];
      x[k] = sum;
    }
    for (std::size_t k = n_; k-- > 0;) std::swap(x[k], x[pivot_[k]]);
  }

  std::size_t n_;
  const std::vector<double>* basis_ = nullptr;
  std::vector<double> lu_;
  std::vector<std::size_t> pivot_;
  std::vector<double> etas_;
  std::vector<std::size_t> eta_rows_;
  std::vector<double> right_, rest_;
};

/// Variables that cannot move any activity by more than this do not count as movable.
constexpr double least_reach = 0x1p-960;

/// min sum cost y over M y = (0, 1), y >= 0. Columns: (i, +1) = (h_i; 1) cost b_i; (i, -1) = (-h_i; 1) cost -b_i; box
/// columns +-(e_j; 0) cost rho_j. Its multipliers are (x, -t).
class Exchange {
 public:
  explicit Exchange(const Problem& problem) : problem_(problem), m_(problem.rows()), n_(problem.variables()) {
    if (n_ > 0 && m_ > (std::size_t{1} << 31) / n_) {
      throw Error(ErrorCode::out_of_memory, "matrix", "`matrix` is too large for the dense linear relaxation");
    }
    h_.assign(m_ * n_, 0.0);
    middle_.resize(n_);
    column_scale_.assign(n_, 0.0);
    rho_.assign(n_, 1.0);
    shift_.assign(m_, 0.0);
    for (std::size_t j = 0; j < n_; ++j) {
      const double low = problem.levels().minimum(j);
      const double high = problem.levels().maximum(j);
      middle_[j] = 0.5 * low + 0.5 * high;
      double* column = h_.data() + j * m_;
      double largest = 0;
      problem.matrix().for_each(j, [&](std::size_t i, double entry) {
        shift_[i] += problem.weights()[i] * entry * middle_[j];
        column[i] = problem.weights()[i] * entry;
        largest = std::max(largest, std::abs(column[i]));
      });
      const double half = 0.5 * high - 0.5 * low;
      // A reach that vanishes in float64 is none: its reciprocal would overflow. The bound stays proven, because the
      // multipliers are checked on the matrix itself.
      if (half * largest < least_reach || largest < least_reach) {
        std::fill(column, column + m_, 0.0);
        continue;
      }
      // x_j = middle + z_j / largest with |z_j| <= rho_j: every column of h has largest entry 1.
      for (std::size_t i = 0; i < m_; ++i) column[i] /= largest;
      column_scale_[j] = 1 / largest;
      rho_[j] = half * largest;
    }
    scale_ = 0;
    for (std::size_t j = 0; j < n_; ++j) {
      if (column_scale_[j] > 0) scale_ = std::max(scale_, rho_[j]);
    }
    double largest_side = 0;
    for (std::size_t i = 0; i < m_; ++i) {
      for (const double side : {problem.lower()[i], problem.upper()[i]}) {
        if (std::isfinite(side)) {
          largest_side = std::max(largest_side, std::abs(problem.weights()[i] * side - shift_[i]));
        }
      }
    }
    scale_ = std::max(scale_, largest_side * 0x1p-500);
    if (scale_ == 0) scale_ = 1;
    // Everything in units of the largest reach of a single variable.
    for (std::size_t j = 0; j < n_; ++j) {
      if (column_scale_[j] > 0) rho_[j] /= scale_;
    }
    upper_.resize(m_);
    lower_.resize(m_);
    for (std::size_t i = 0; i < m_; ++i) {
      upper_[i] = (problem.weights()[i] * problem.upper()[i] - shift_[i]) / scale_;
      lower_[i] = (problem.weights()[i] * problem.lower()[i] - shift_[i]) / scale_;
    }
  }

  LinearRelaxation run(std::uint64_t limit, const RunControl& control) {
    const std::size_t size = n_ + 1;
    BasisFactors factors(size);
    start();
    std::vector<double> multipliers(size), direction(size), values(size), right(size), entering(size);
    residual_.resize(m_);
    LinearRelaxation result;
    PhiloxStream random(0x6578, 1);
    // A right-hand side moved by 1e-11 keeps ties (zero basic multipliers) apart, so the method cannot cycle.
    right[n_] = 1;
    for (std::size_t j = 0; j < n_; ++j) right[j] = right_sign_[j] * 1e-11 * (0.5 + random.next_uniform());
    const std::size_t interval = std::clamp<std::size_t>(size / 8, 1, 40);
    std::size_t stalled = 0;
    double best_value = infinity;
    bool fresh = false;
    for (;; ++result.iterations) {
      if (!fresh && (result.iterations == 0 || factors.updates() >= interval)) {
        if (!factors.factorise(basis_)) break;
        fresh = true;
      } else if (factors.updates() > 0) {
        fresh = false;
      }
      values = right;
      factors.solve(values);
      multipliers = costs_;
      factors.solve_transposed(multipliers);
      double value = 0;
      for (std::size_t k = 0; k < size; ++k) value += costs_[k] * values[k];
      if (value < best_value - 1e-13 * std::abs(best_value)) {
        best_value = value;
        stalled = 0;
      } else if (++stalled > 20 * size + 1000) {
        break;
      }
      const Candidate candidate = price(multipliers);
      double reach = 1;
      for (std::size_t j = 0; j < n_; ++j) reach = std::max(reach, std::abs(multipliers[j]));
      const double tolerance = 1e-10 * std::abs(multipliers[n_]) + 1e-15 * reach;
      if (candidate.reduced_cost >= -tolerance) {
        if (factors.updates() == 0) {
          result.converged = true;
          break;
        }
        if (!factors.factorise(basis_)) break;  // confirm with fresh factors
        fresh = true;
        continue;
      }
      if (result.iterations >= limit || (result.iterations % 16 == 15 && control.should_stop())) break;
      load_column(candidate, entering);
      direction = entering;
      factors.solve(direction);
      const std::size_t leaving = ratio_test(values, direction);
      if (leaving == size) break;  // unbounded: cannot happen but by rounding
      std::copy(entering.begin(), entering.end(), basis_.begin() + static_cast<std::ptrdiff_t>(leaving * size));
      members_[leaving] = candidate.member;
      costs_[leaving] = candidate.cost;
      factors.update(direction, leaving);
    }
    finish(factors, multipliers, result);
    return result;
  }

 private:
  /// member: 2 i + (side is lower) for row i; 2 m + 2 j + (negative) for box column j.
  struct Candidate {
    double reduced_cost = 0, cost = 0;
    std::size_t member = 0;
  };

  void start() {
    const std::size_t size = n_ + 1;
    std::size_t member = 0;
    double best = infinity;
    for (std::size_t i = 0; i < m_; ++i) {
      double reach = 0;
      for (std::size_t j = 0; j < n_; ++j) reach += rho_[j] * std::abs(h_[i + j * m_]);
      if (upper_[i] < infinity && upper_[i] + reach < best) best = upper_[i] + reach, member = 2 * i;
      if (lower_[i] > -infinity && -lower_[i] + reach < best) best = -lower_[i] + reach, member = 2 * i + 1;
    }
    basis_.assign(size * size, 0.0);
    costs_.assign(size, 0.0);
    members_.assign(size, 0);
    right_sign_.assign(n_, 1.0);
    const std::size_t row = member / 2;
    const double sign = member % 2 == 0 ? 1 : -1;
    for (std::size_t j = 0; j < n_; ++j) {
      const double entry = sign * h_[row + j * m_];
      const bool negative = entry > 0;  // the box column must balance the entry
      basis_[j + j * size] = negative ? -1 : 1;
      right_sign_[j] = negative ? -1 : 1;
      costs_[j] = rho_[j];
      members_[j] = 2 * m_ + 2 * j + (negative ? 1 : 0);
      basis_[j + n_ * size] = entry;
    }
    basis_[n_ + n_ * size] = 1;
    costs_[n_] = member % 2 == 0 ? upper_[row] : -lower_[row];
    members_[n_] = member;
  }

  Candidate price(const std::vector<double>& multipliers) {
    std::fill(residual_.begin(), residual_.end(), 0.0);
    for (std::size_t j = 0; j < n_; ++j) {
      const double factor = multipliers[j];
      const double* column = h_.data() + j * m_;
      if (factor == 0) continue;
      for (std::size_t i = 0; i < m_; ++i) residual_[i] += factor * column[i];
    }
    const double level = multipliers[n_];
    Candidate best;
    best.reduced_cost = infinity;
    for (std::size_t i = 0; i < m_; ++i) {
      const double up = upper_[i] - residual_[i] - level;
      const double down = residual_[i] - lower_[i] - level;
      if (up < best.reduced_cost) best = {up, upper_[i], 2 * i};
      if (down < best.reduced_cost) best = {down, -lower_[i], 2 * i + 1};
    }
    for (std::size_t j = 0; j < n_; ++j) {
      if (rho_[j] - multipliers[j] < best.reduced_cost) best = {rho_[j] - multipliers[j], rho_[j], 2 * m_ + 2 * j};
      if (rho_[j] + multipliers[j] < best.reduced_cost) best = {rho_[j] + multipliers[j], rho_[j], 2 * m_ + 2 * j + 1};
    }
    return best;
  }

  void load_column(const Candidate& candidate, std::vector<double>& column) const {
    std::fill(column.begin(), column.end(), 0.0);
    const double sign = candidate.member % 2 == 0 ? 1 : -1;
    if (candidate.member >= 2 * m_) {
      column[(candidate.member - 2 * m_) / 2] = sign;
      return;
    }
    const std::size_t row = candidate.member / 2;
    for (std::size_t j = 0; j < n_; ++j) column[j] = sign * h_[row + j * m_];
    column[n_] = 1;
  }

  /// Two passes (Harris): of the members that may leave within a tolerance, the one with the largest pivot.
  static std::size_t ratio_test(const std::vector<double>& values, const std::vector<double>& direction) {
    double largest = 0;
    for (const double d : direction) largest = std::max(largest, std::abs(d));
    const double small = 1e-11 * std::max(1.0, largest);
    double step = infinity;
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (direction[k] > small) step = std::min(step, (std::max(values[k], 0.0) + 1e-14) / direction[k]);
    }
    std::size_t leaving = values.size();
    double pivot = 0;
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (direction[k] > small && std::max(values[k], 0.0) <= step * direction[k] && direction[k] > pivot) {
        pivot = direction[k];
        leaving = k;
      }
    }
    return leaving;
  }

  void finish(BasisFactors& factors, std::vector<double>& multipliers, LinearRelaxation& result) {
    const std::size_t size = n_ + 1;
    result.point.resize(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      const double low = problem_.levels().minimum(j);
      const double high = problem_.levels().maximum(j);
      result.point[j] = std::clamp(middle_[j] + multipliers[j] * column_scale_[j] * scale_, low, high);
    }
    std::vector<double> y(m_, 0.0);
    if (factors.factorise(basis_)) {
      std::vector<double> values(size, 0.0);
      values[n_] = 1;
      factors.solve(values);
      double sum = 0;
      for (std::size_t k = 0; k < size; ++k) {
        if (members_[k] < 2 * m_) sum += std::max(values[k], 0.0);
      }
      for (std::size_t k = 0; k < size && sum > 0; ++k) {
        if (members_[k] >= 2 * m_ || !(values[k] > 0)) continue;
        y[members_[k] / 2] += (members_[k] % 2 == 0 ? values[k] : -values[k]) / sum;
      }
    }
    double norm = 0;
    for (const double value : y) norm += std::abs(value);
    if (norm > 0) {
      for (double& value : y) value /= norm;
      result.bound = check_certificate(problem_, y);
    }
    result.multipliers = std::move(y);
  }

  const Problem& problem_;
  std::size_t m_, n_;
  std::vector<double> h_, middle_, column_scale_, rho_, shift_, upper_, lower_, residual_;
  double scale_ = 1;
  std::vector<double> basis_, costs_, right_sign_;
  std::vector<std::size_t> members_;
};

double continuous_objective(const Problem& problem, std::span<const double> point) {
  std::vector<double> sums(problem.rows(), 0.0);
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    problem.matrix().for_each(j, [&](std::size_t i, double entry) { sums[i] += entry * point[j]; });
  }
  double largest = -infinity;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    largest =
        std::max(largest, problem.weights()[i] * std::max(sums[i] - problem.upper()[i], problem.lower()[i] - sums[i]));
  }
  return largest;
}

}  // namespace

LinearRelaxation linear_relaxation(const Problem& problem, const LinearRelaxationOptions& options,
                                   const RunControl& control) {
  const std::uint64_t limit =
      options.iteration_limit > 0 ? options.iteration_limit : 50 * (problem.variables() + 10) + 2000;
  LinearRelaxation result = Exchange(problem).run(limit, control);
  result.objective = continuous_objective(problem, result.point);
  const double trivial = width_bound(problem);
  result.useful = result.bound > trivial;
  result.bound = std::max(result.bound, trivial);
  return result;
}

double check_certificate(const Problem& problem, std::span<const double> y) {
  const std::size_t rows = problem.rows();
  if (y.size() != rows) {
    throw Error(ErrorCode::shape_mismatch, "multipliers",
                "`multipliers` must have length " + std::to_string(rows) + " (one entry per row), got " +
                    std::to_string(y.size()));
  }
  double norm = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string name = "multipliers[" + std::to_string(i) + "]";
    if (!std::isfinite(y[i])) throw Error(ErrorCode::not_finite, name, "`" + name + "` must be finite");
    if ((y[i] > 0 && problem.upper()[i] == infinity) || (y[i] < 0 && problem.lower()[i] == -infinity)) {
      throw Error(ErrorCode::invalid_argument_value, name,
                  "`" + name + "` leans on the infinite side of its row, got " + std::to_string(y[i]));
    }
    norm += std::abs(y[i]);
  }
  if (norm > 1 + 1e-9) {
    throw Error(ErrorCode::invalid_argument_value, "multipliers",
                "`multipliers` must have absolute sum <= 1, got " + std::to_string(norm));
  }

  // z = y w as rounded is taken as exact: it stands for multipliers within one rounding of y, whose sum is accounted
  // for at the end.
  std::vector<double> z(rows);
  for (std::size_t i = 0; i < rows; ++i) z[i] = y[i] * problem.weights()[i];
  Doubled total;
  double magnitude = 0;
  for (std::size_t j = 0; j < problem.variables(); ++j) {
    Doubled c;
    double column_magnitude = 0;
    problem.matrix().for_each(j, [&](std::size_t i, double entry) {
      if (z[i] == 0) return;
      c.add_product(z[i], entry);
      column_magnitude += std::abs(z[i] * entry);
    });
    const double low = problem.levels().minimum(j);
    const double high = problem.levels().maximum(j);
    const double end = c.value() > 0 ? low : high;
    total.add_product(c.high, end);
    total.add_product(c.low, end);
    magnitude += column_magnitude * std::max(std::abs(low), std::abs(high));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    if (z[i] == 0) continue;
    const double side = z[i] > 0 ? problem.upper()[i] : problem.lower()[i];
    total.add_product(-z[i], side);
    magnitude += std::abs(z[i] * side);
  }
  const double value = total.value();
  if (magnitude == 0) return 0.0;
  const auto terms = static_cast<double>(rows + problem.variables());
  const double allowance = terms * 0x1p-52 * std::abs(value) + terms * terms * 0x1p-102 * magnitude;
  return (norm > 1 ? value / norm : value) - allowance;
}

}  // namespace dd::dmmv
