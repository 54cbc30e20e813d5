// The linear relaxation by single exchange.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/infinity.hpp"
#include "core/philox.hpp"
#include "dmmv/basis_factors.hpp"
#include "dmmv/relaxation.hpp"

namespace dd::dmmv {
namespace {

/// min sum cost y over M y = (0, 1), y >= 0. Columns: (i, +1) = (h_i; 1) cost b_i; (i, -1) = (-h_i; 1) cost -b_i; box
/// columns +-(e_j; 0) cost rho_j. Its multipliers are (x, -t).
class Exchange {
 public:
  Exchange(const Problem& problem, const RunControl& control)
      : problem_(problem), scaled_(problem), m_(problem.rows()), n_(problem.variables()) {
    const auto rows = static_cast<double>(m_), columns = static_cast<double>(n_ + 1);
    control.require_memory(8 * columns * (rows + 2 * columns), "the dense linear relaxation");
    if (n_ > 0 && m_ > (std::size_t{1} << 31) / n_) {
      throw Error(ErrorCode::out_of_memory, "matrix", "`matrix` is too large for the dense linear relaxation");
    }
    h_.assign(m_ * n_, 0.0);
    for (std::size_t j = 0; j < n_; ++j) {
      if (scaled_.column_size[j] == 0) continue;
      double* column = h_.data() + j * m_;
      problem.matrix().for_each(
          j, [&](std::size_t i, double entry) { column[i] = problem.weights()[i] * entry / scaled_.column_size[j]; });
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
      for (std::size_t j = 0; j < n_; ++j) reach += scaled_.rho[j] * std::abs(h_[i + j * m_]);
      if (scaled_.upper[i] < infinity && scaled_.upper[i] + reach < best)
        best = scaled_.upper[i] + reach, member = 2 * i;
      if (scaled_.lower[i] > -infinity && -scaled_.lower[i] + reach < best)
        best = -scaled_.lower[i] + reach, member = 2 * i + 1;
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
      costs_[j] = scaled_.rho[j];
      members_[j] = 2 * m_ + 2 * j + (negative ? 1 : 0);
      basis_[j + n_ * size] = entry;
    }
    basis_[n_ + n_ * size] = 1;
    costs_[n_] = member % 2 == 0 ? scaled_.upper[row] : -scaled_.lower[row];
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
      const double up = scaled_.upper[i] - residual_[i] - level;
      const double down = residual_[i] - scaled_.lower[i] - level;
      if (up < best.reduced_cost) best = {up, scaled_.upper[i], 2 * i};
      if (down < best.reduced_cost) best = {down, -scaled_.lower[i], 2 * i + 1};
    }
    for (std::size_t j = 0; j < n_; ++j) {
      if (scaled_.rho[j] - multipliers[j] < best.reduced_cost)
        best = {scaled_.rho[j] - multipliers[j], scaled_.rho[j], 2 * m_ + 2 * j};
      if (scaled_.rho[j] + multipliers[j] < best.reduced_cost)
        best = {scaled_.rho[j] + multipliers[j], scaled_.rho[j], 2 * m_ + 2 * j + 1};
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
      result.point[j] = scaled_.original(problem_, j, multipliers[j]);
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
  const ScaledRelaxation scaled_;
  std::size_t m_, n_;
  std::vector<double> h_, residual_;
  std::vector<double> basis_, costs_, right_sign_;
  std::vector<std::size_t> members_;
};

}  // namespace

LinearRelaxation exchange_relaxation(const Problem& problem, std::uint64_t iteration_limit, const RunControl& control) {
  return Exchange(problem, control).run(iteration_limit, control);
}

}  // namespace dd::dmmv
