// Algebraic reconstruction, the baselines of discrete tomography: SIRT, and DART on top of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/problem.hpp"

namespace dd::dmmv {

struct SirtOptions {
  std::size_t iterations = 200;
  double lower = 0, upper = 1;  ///< the box of all values
};

/// x <- clip(x + C A^T R (b - A x)), R and C being inverse sums of rows and columns (0 where the sum is 0), from
/// `start` (empty: the middle of the box). Stops early when `control` says so. The same bits for any number of threads.
/// Throws dd::Error as Problem::create does for the matrix, shape_mismatch, not_finite, invalid_argument_value.
/// Cost: two passes over the entries an iteration. Source: Gilbert, J. Theor. Biol. 36 (1972); van der Sluis, van der
/// Vorst, Linear Algebra Appl. 130 (1990).
std::vector<double> sirt(const SparseColumns& matrix, std::span<const double> b, std::span<const double> start,
                         const SirtOptions& options, const RunControl& control);

struct DartOptions {
  std::size_t size = 0;  ///< images are size x size
  std::size_t sirt_iterations = 200, iterations = 100, steps = 10;
  double free_part = 0.15;  ///< of the pixels away from edges that are reconstructed again all the same
  double smoothing = 0.5;   ///< weight of the mean of the eight neighbours in a free pixel after every iteration
  std::uint64_t seed = 0;
};

/// DART: grey levels are guessed pixel by pixel, those inside a segment are kept, edges and some others are
/// reconstructed again by `steps` steps of SIRT with the kept ones fixed. Returns level indices. `levels` ascending.
/// Source: Batenburg, Sijbers, IEEE Trans. Image Processing 20(9), 2011.
std::vector<std::int32_t> dart(const SparseColumns& matrix, std::span<const double> b, std::span<const double> levels,
                               const DartOptions& options, const RunControl& control);

}  // namespace dd::dmmv
