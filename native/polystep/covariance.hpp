// Variances of single coordinates, learned from where steps went: the diagonal part of CMA-ES. Step sizes are not among
// what is learned: with soft assignment their cumulation grows without bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

struct CovarianceConstants {
  double effective_size = 1;         ///< mu
  double path_rate = 0;              ///< c_sigma
  double rank_one_path_rate = 0;     ///< c_c
  double rank_one = 0, rank_mu = 0;  ///< c_1, c_mu
  double damping = 0;                ///< d_sigma: for comparison only
  double expected_norm = 0;          ///< of n standard normal numbers
};

/// effective_size 0: max(1, min(n / 4, 5 sqrt(n))). Source: Hansen, arXiv 1604.00772, with the cumulation of arXiv
/// 2605.01928's program.
CovarianceConstants covariance_constants(std::size_t n, double effective_size);

/// path <- (1 - rate) path + sqrt(rate (2 - rate) mu) displacement; a stalled path takes no displacement.
void evolve_path(std::span<double> path, std::span<const double> displacement, double rate, double effective_size,
                 bool stalled) noexcept;

/// Whether the norm of a path has run ahead of its expectation after `generation` + 1 updates.
bool path_stalled(double norm, double expected, std::size_t n, double rate, std::uint64_t generation) noexcept;

/// C <- old C + c_1 path^2 + c_mu rank_mu, within [1e-6, 1e6].
void adapt_variances(std::span<double> variances, std::span<const double> path, std::span<const double> rank_mu,
                     const CovarianceConstants& constants, bool stalled) noexcept;

/// Variances of the coordinates of a run, and all that is remembered to learn them.
struct DiagonalCovariance {
  explicit DiagonalCovariance(std::size_t n = 0) : variances(n, 1.0), path(n, 0.0), rank_one_path(n, 0.0) {}

  /// displacements, squares: of a step in units of its radius' share of one coordinate: where the iterate went, and the
  /// weighted mean of the squares of where it could have gone. Afterwards the variances have the geometric mean 1:
  /// shapes are learned, sizes remain those of the radii.
  void update(std::span<const double> displacements, std::span<const double> squares);
  /// What led here is over.
  void forget_paths() noexcept;

  std::vector<double> variances, path, rank_one_path;
  double mean_norm = 0;  ///< running mean of the path's norm: soft steps never reach that of normal numbers
  std::uint64_t generation = 0;
};

}  // namespace dd::polystep
