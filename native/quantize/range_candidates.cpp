// Range candidates: rows as tasks around the kernel.
#include "quantize/range_candidates.hpp"

#include <algorithm>

#include "core/aligned_buffer.hpp"
#include "core/thread_pool.hpp"
#include "quantize/grid.hpp"
#include "quantize/range_candidates_isa.hpp"

namespace dd::quantize {

void range_candidates(MatrixView<const float> w, std::span<const float> range, std::span<const float> ratio,
                      std::span<const std::uint32_t> levels, std::span<const float> importance,
                      std::span<const float> factors, std::span<float> losses, std::size_t threads) {
  const std::size_t columns = w.columns;
  const std::size_t padded = (columns + range_candidate_lanes - 1) / range_candidate_lanes * range_candidate_lanes;
  AlignedBuffer<float> weight(padded, 0.0f), inverse(padded, 0.0f), divisor(padded, 0.0f);
  for (std::size_t j = 0; j < columns; ++j) {
    weight[j] = importance[j];
    divisor[j] = static_cast<float>(levels[j] - 1);
    inverse[j] = levels[j] <= 1 ? 0.0f : 1 / divisor[j];
  }
  const auto kernel = range_candidates_row.at(active_isa());
  parallel_for(threads, w.rows, 16, [&](std::size_t begin, std::size_t end) {
    AlignedBuffer<float> row(padded, 0.0f), low(padded, 0.0f), high(padded, 0.0f);
    for (std::size_t i = begin; i < end; ++i) {
      std::copy_n(&w(i, 0), columns, row.data());
      for (std::size_t j = 0; j < columns; ++j) {
        const float zero = round_code(ratio[i] * divisor[j]);
        low[j] = -zero;
        high[j] = divisor[j] - zero;
      }
      const RangeCandidatesArguments arguments{padded,
                                               factors.size(),
                                               row.data(),
                                               weight.data(),
                                               inverse.data(),
                                               divisor.data(),
                                               low.data(),
                                               high.data(),
                                               range[i],
                                               factors.data(),
                                               losses.data() + i * factors.size()};
      kernel(&arguments);
    }
  });
}

}  // namespace dd::quantize
