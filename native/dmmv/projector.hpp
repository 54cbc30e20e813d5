// Line integrals of pixel images as sparse columns (Joseph, IEEE TMI 1(3), 1982).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::dmmv {

/// Parallel beams through a size x size image. Pixel (i, j) counts from the top left corner and lies at
/// x = j - (size - 1) / 2, y = (size - 1) / 2 - i; ray (a, k) is x cos + y sin = k - (detectors - 1) / 2.
struct ParallelBeams {
  std::size_t size = 0;
  std::size_t detectors = 0;
  std::span<const double> angles;  ///< radians, any
};

struct SparseColumnsData {
  std::size_t rows = 0, columns = 0;
  std::vector<std::int32_t> column_pointers, row_indices;
  std::vector<double> values;
};

/// Row a detectors + k holds ray (a, k), column i size + j pixel (i, j); rows that miss the image are empty.
/// Where |cos| >= |sin| a ray meets every image row once and its value there is interpolated between two pixels over
/// |cos|, else every column over |sin|. Throws out_of_range when a side or the number of rays passes 2^31 - 1, or there
/// may be 2^31 entries or more, and out_of_memory when `memory_bytes` would not do: before any allocation.
/// Cost: 2 size entries a ray.
SparseColumnsData joseph_projector(const ParallelBeams& beams, double memory_bytes);

}  // namespace dd::dmmv
