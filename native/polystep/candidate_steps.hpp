// Candidates as what they add to a base, where that is far less than a point: combinations of a few directions in one
// tensor, and products of thin matrices in every tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::polystep {

/// Directions in the parameters first ... first + parameters - 1. `dense` is count x parameters; where it is empty,
/// direction j adds values[e] to the parameter first + places[e] for starts[j] <= e < starts[j + 1].
template <class Scalar>
struct Directions {
  std::size_t first = 0, parameters = 0, count = 0;
  std::span<const Scalar> dense;
  std::span<const std::uint32_t> starts, places;
  std::span<const Scalar> values;
};

/// Consecutive parameters, row-major: rank r > 0 has products of rows x r and columns x r numbers, rank 0 numbers of
/// its own.
struct StepTensor {
  std::size_t rows = 0, columns = 1, rank = 0;

  std::size_t parameters() const noexcept { return rows * columns; }
  /// Numbers that a step of it takes: the left factor, then the right one.
  std::size_t numbers() const noexcept { return rank == 0 ? rows * columns : rank * (rows + columns); }
};

/// Steps of candidates through all tensors: candidate n adds factors[n] left right^T to every tensor with a rank, else
/// factors[n] times its numbers. numbers[n]: those of all tensors in order.
template <class Scalar>
struct ProductSteps {
  std::span<const StepTensor> tensors;
  std::span<const Scalar> factors;
  std::span<const Scalar* const> numbers;
};

}  // namespace dd::polystep
