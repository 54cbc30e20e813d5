#include "polystep/baselines/perturbations.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/philox.hpp"
#include "core/thread_pool.hpp"
#include "polystep/normals_isa.hpp"
#include "polystep/rotation.hpp"

namespace dd::polystep {
namespace {

/// Numbers that one thread writes at a time: whole blocks of four normals and of 128 signs.
constexpr std::size_t tile_numbers = 1024;
/// The same of tensors with a rank, whose B is made anew for every tile.
constexpr std::size_t product_numbers = 65536;
constexpr std::size_t block_numbers = 128;

std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

Perturbations::Perturbations(std::uint64_t seed, Noise noise, std::vector<PerturbedTensor> tensors)
    : seed_(seed), noise_(noise), tensors_(std::move(tensors)) {
  std::size_t draws = 0;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    const auto [rows, columns, rank] = tensors_[t];
    draws_.push_back(draws);
    const std::size_t width = rank == 0 ? 1 : columns;
    const std::size_t items = rank == 0 ? rows * columns : rows;
    const std::size_t together = rank == 0 ? tile_numbers : std::max<std::size_t>(1, product_numbers / columns);
    for (std::size_t first = 0; first < items; first += together) {
      const std::size_t count = std::min(together, items - first);
      tiles_.push_back({t, first, count, dimension_ + first * width, count * width});
    }
    dimension_ += rows * columns;
    draws += round_up(rank == 0 ? rows * columns : rank * (rows + columns), block_numbers);
  }
}

/// Numbers of a direction's own sequence from `first`, the first one of a block of four, on.
void Perturbations::draw(std::size_t index, std::uint64_t step, std::size_t first, std::span<double> out) const {
  const Normals arguments{seed_,
                          static_cast<std::uint32_t>(index),
                          static_cast<std::uint32_t>(step),
                          static_cast<std::uint32_t>(RandomStream::perturbations),
                          static_cast<std::uint32_t>(first / 4),
                          out.size(),
                          out.data()};
  polystep_normals(&arguments);
}

/// Numbers first ... first + count - 1 of that sequence, into the front of `scratch`.
void Perturbations::normals(std::size_t index, std::uint64_t step, std::size_t first, std::size_t count,
                            std::vector<double>& scratch) const {
  const std::size_t skipped = first % 4;
  scratch.resize(skipped + count);
  draw(index, step, first - skipped, scratch);
  scratch.erase(scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(skipped));
}

void Perturbations::write_tile(const Tile& tile, std::size_t index, std::uint64_t step, double* out,
                               std::vector<double>& scratch) const {
  const auto [rows, columns, rank] = tensors_[tile.tensor];
  const std::size_t begin = draws_[tile.tensor];
  const auto candidate = static_cast<std::uint32_t>(index), at = static_cast<std::uint32_t>(step);
  if (rank == 0 && noise_ == Noise::normal) return draw(index, step, begin + tile.first, {out, tile.count});
  if (rank == 0) {
    for (std::size_t i = 0; i < tile.count; i += block_numbers) {
      const PhiloxCounter bits =
          philox4x32({static_cast<std::uint32_t>((begin + tile.first + i) / block_numbers), candidate, at,
                      static_cast<std::uint32_t>(RandomStream::perturbations)},
                     {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
      for (std::size_t j = 0; j < std::min(block_numbers, tile.count - i); ++j) {
        out[i + j] = (bits[j / 32] >> (j % 32) & 1u) != 0 ? 1 : -1;
      }
    }
    return;
  }
  std::vector<double> left;
  normals(index, step, begin + tile.first * rank, tile.count * rank, left);
  normals(index, step, begin + rows * rank, columns * rank, scratch);
  const double scale = 1 / std::sqrt(static_cast<double>(rank));
  for (std::size_t i = 0; i < tile.count; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < rank; ++k) sum += left[i * rank + k] * scratch[j * rank + k];
      out[i * columns + j] = scale * sum;
    }
  }
}

void Perturbations::write(std::size_t index, std::uint64_t step, std::span<double> out) const {
  std::vector<double> scratch;
  for (const Tile& tile : tiles_) write_tile(tile, index, step, out.data() + tile.coordinate, scratch);
}

std::size_t Perturbations::numbers() const noexcept {
  std::size_t total = 0;
  for (const PerturbedTensor& tensor : tensors_) total += tensor.numbers();
  return total;
}

void Perturbations::write_factors(std::size_t index, std::uint64_t step, std::span<double> out) const {
  std::size_t at = 0;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    const auto [rows, columns, rank] = tensors_[t];
    const std::span<double> own = out.subspan(at, tensors_[t].numbers());
    draw(index, step, draws_[t], own);
    const double scale = rank == 0 ? 1 : 1 / std::sqrt(static_cast<double>(rank));
    for (std::size_t i = 0; i < rows * rank; ++i) own[i] *= scale;
    at += own.size();
  }
}

void Perturbations::combine(std::span<const double> weights, std::uint64_t step, std::span<double> out,
                            std::size_t threads) const {
  parallel_for(threads, tiles_.size(), 1, [&](std::size_t first, std::size_t end) {
    std::vector<double> direction, scratch;
    for (std::size_t t = first; t < end; ++t) {
      const Tile& tile = tiles_[t];
      direction.resize(tile.size);
      double* const to = out.data() + tile.coordinate;
      std::fill_n(to, tile.size, 0.0);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] == 0) continue;
        write_tile(tile, i, step, direction.data(), scratch);
        for (std::size_t j = 0; j < tile.size; ++j) to[j] += weights[i] * direction[j];
      }
    }
  });
}

}  // namespace dd::polystep
