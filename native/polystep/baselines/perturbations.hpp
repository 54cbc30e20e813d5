// Random directions of the size of a candidate, made from counters whenever they are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polystep/candidate_steps.hpp"

namespace dd::polystep {

/// `normal`: standard normal numbers. `sign`: -1 or 1, each with probability 1/2.
enum class Noise : std::uint8_t { normal, sign };

/// Consecutive coordinates that are perturbed together, row-major. rank 0: independent numbers. rank r > 0: A B^T /
/// sqrt(r) with standard normal A (rows x r) and B (columns x r), so that every entry has variance 1.
using PerturbedTensor = StepTensor;

class Perturbations {
 public:
  /// tensors: sizes add up to the dimension; ranks above 0 need normal noise.
  Perturbations(std::uint64_t seed, Noise noise, std::vector<PerturbedTensor> tensors);
  /// Independent numbers only.
  Perturbations(std::uint64_t seed, Noise noise, std::size_t dimension)
      : Perturbations(seed, noise, std::vector<PerturbedTensor>{{dimension, 1, 0}}) {}

  std::size_t dimension() const noexcept { return dimension_; }
  std::span<const PerturbedTensor> tensors() const noexcept { return tensors_; }
  /// Numbers of all tensors, as candidate_steps.hpp counts them.
  std::size_t numbers() const noexcept;
  /// The same direction as `write`, in factors: A / sqrt(r), then B, of each tensor with a rank. Normal noise only.
  void write_factors(std::size_t index, std::uint64_t step, std::span<double> out) const;
  /// Direction `index` of `step` (dimension numbers).
  void write(std::size_t index, std::uint64_t step, std::span<double> out) const;
  /// out = sum_i weights[i] times direction i. Sums run over i in order, whatever the threads.
  void combine(std::span<const double> weights, std::uint64_t step, std::span<double> out, std::size_t threads) const;

 private:
  /// A piece of a tensor that one thread writes: `count` rows of a tensor with a rank, else `count` numbers.
  struct Tile {
    std::size_t tensor = 0, first = 0, count = 0, coordinate = 0, size = 0;
  };

  void write_tile(const Tile& tile, std::size_t index, std::uint64_t step, double* out,
                  std::vector<double>& scratch) const;
  void draw(std::size_t index, std::uint64_t step, std::size_t first, std::span<double> out) const;
  void normals(std::size_t index, std::uint64_t step, std::size_t first, std::size_t count,
               std::vector<double>& scratch) const;

  std::uint64_t seed_;
  Noise noise_;
  std::vector<PerturbedTensor> tensors_;
  std::vector<std::size_t> draws_;  // where a tensor's random numbers begin
  std::vector<Tile> tiles_;
  std::size_t dimension_ = 0;
};

}  // namespace dd::polystep
