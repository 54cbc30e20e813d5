// Range candidates of a row: all columns for one candidate after the other, sixteen sums whatever the vectors' width,
// so that levels with fused multiply-adds agree bit for bit.
#include "linalg/simd.hpp"
#include "quantize/range_candidates_isa.hpp"

namespace dd::quantize {
namespace {

using std::size_t;

constexpr size_t vectors = range_candidate_lanes / lanes<float>;

DD_INLINE float judge(const RangeCandidatesArguments& row, float factor) {
  const Float32s shift = broadcast(0x1.8p23f), range = broadcast(row.range * factor);
  const Float32s reciprocal = broadcast(1 / (row.range * factor));
  Float32s sums[vectors]{};
  for (size_t j = 0; j < row.columns; j += range_candidate_lanes) {
    DD_UNROLL for (size_t v = 0; v < vectors; ++v) {
      const size_t at = j + v * lanes<float>;
      const Float32s w = load(row.weights + at), scale = range * load(row.inverse + at);
      const Float32s step = (w * (reciprocal * load(row.divisor + at)) + shift) - shift;
      const Float32s error = w - scale * between(step, load(row.low + at), load(row.high + at));
      sums[v] = multiply_add(error * error, load(row.importance + at), sums[v]);
    }
  }
  float lane[range_candidate_lanes];
  DD_UNROLL for (size_t v = 0; v < vectors; ++v) store(lane + v * lanes<float>, sums[v]);
  float sum = 0;
  for (size_t l = 0; l < range_candidate_lanes; ++l) sum += lane[l];
  return sum;
}

}  // namespace
}  // namespace dd::quantize

DD_ISA_ENTRY(void, range_candidates_row)(const dd::quantize::RangeCandidatesArguments* row) {
  for (size_t c = 0; c < row->candidates; ++c) row->losses[c] = dd::quantize::judge(*row, row->factors[c]);
}
