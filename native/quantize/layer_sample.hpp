// Some rows of a layer that stand for all of them while BAQ decides how many levels each column gets. Internal.
#pragma once

#include <cstddef>
#include <optional>

#include "core/aligned_buffer.hpp"
#include "quantize/grid.hpp"
#include "quantize/layer_run.hpp"

namespace dd::quantize {

/// Layers of more than 512 rows and at least so many columns are sampled: an eighth of their rows, but 256 at least.
/// With fewer columns a pass takes no time worth saving.
inline constexpr std::size_t least_sampled_rows = 256, least_sampled_columns = 512;

struct RowSample {
  std::size_t rows = 0;
  AlignedBuffer<float> w;  ///< rows x columns in processing order
  CodedGrid grid;
};

/// The rows with the largest ranges, which lose most, and every so many of the others, scaled (with their ranges) such
/// that sums of squared errors over the sample estimate those over all rows. Nothing for small layers.
std::optional<RowSample> sample_rows(const LayerRun& run, const CodedGrid& grid);

}  // namespace dd::quantize
