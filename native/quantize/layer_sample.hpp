// Some rows of a layer that stand for all of them while BAQ decides how many levels each column gets. Internal.
#pragma once

#include <cstddef>
#include <optional>

#include "core/aligned_buffer.hpp"
#include "quantize/grid.hpp"
#include "quantize/layer_run.hpp"

namespace dd::quantize {

/// Layers of more rows than twice this are sampled.
inline constexpr std::size_t sampled_rows = 256;

struct RowSample {
  std::size_t rows = 0;
  AlignedBuffer<float> w;  ///< rows x columns in processing order
  CodedGrid grid;
};

/// The rows with the largest ranges, which lose most, and every so many of the others, scaled (with their ranges) such
/// that sums of squared errors over the sample estimate those over all rows. Nothing for layers of few rows, and where
/// a column has weights in none of the rows but in others. Cost: one pass over the weights at most.
std::optional<RowSample> sample_rows(const LayerRun& run, const CodedGrid& grid);

}  // namespace dd::quantize
