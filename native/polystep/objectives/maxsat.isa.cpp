// Changes of MAX-SAT flips on the CPU. A literal's truth after sign and assignment is a bit t; the clause matters when
// its count of true literals equals t: 1 and true means broken, 0 and false means made. So both cases are one
// comparison and no branch. Time is the random access of the counts: 8 or 16 are in flight at once where there are
// gathers (a gather reads 4 bytes for one, hence the padding); the loop over 13 occurrences is one step with 16 lanes.
#include "polystep/objectives/maxsat_isa.hpp"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace dd::polystep {
namespace {

using std::size_t;
using std::uint32_t;

[[maybe_unused]] inline std::int64_t plain(const MaxSatDelta& a, uint32_t begin, uint32_t end, uint32_t inverted) {
  std::int64_t delta = 0;
  for (uint32_t i = begin; i < end; ++i) {
    const uint32_t truth = (a.occurrences[i] & 1u) ^ inverted;
    const std::int64_t sign = truth != 0 ? 1 : -1;
    delta += a.counts[a.occurrences[i] >> 1] == truth ? sign : 0;
  }
  return delta;
}

inline std::int64_t weighted(const MaxSatDelta& a, uint32_t begin, uint32_t end, uint32_t inverted) {
  std::int64_t delta = 0;
  for (uint32_t i = begin; i < end; ++i) {
    const uint32_t truth = (a.occurrences[i] & 1u) ^ inverted, clause = a.occurrences[i] >> 1;
    const std::int64_t weight = truth != 0 ? a.weights[clause] : -a.weights[clause];
    delta += a.counts[clause] == truth ? weight : 0;
  }
  return delta;
}

#if defined(__AVX512F__)
inline std::int64_t unit(const MaxSatDelta& a, uint32_t begin, uint32_t end, uint32_t inverted) {
  const __m512i one = _mm512_set1_epi32(1), byte = _mm512_set1_epi32(255);
  const __m512i flip = _mm512_set1_epi32(static_cast<int>(inverted));
  int delta = 0;
  for (uint32_t i = begin; i < end; i += 16) {
    const __mmask16 lanes = end - i >= 16 ? __mmask16(0xffff) : static_cast<__mmask16>((1u << (end - i)) - 1u);
    const __m512i entry = _mm512_maskz_loadu_epi32(lanes, a.occurrences + i);
    const __m512i truth = _mm512_xor_si512(_mm512_and_si512(entry, one), flip);
    const __m512i clause = _mm512_maskz_srli_epi32(lanes, entry, 1);
    const __m512i count =
        _mm512_and_si512(_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes, clause, a.counts, 1), byte);
    const __mmask16 hit = _mm512_mask_cmpeq_epi32_mask(lanes, count, truth);
    const __mmask16 made = _mm512_mask_testn_epi32_mask(hit, truth, one);
    delta += __builtin_popcount(hit) - 2 * __builtin_popcount(made);
  }
  return delta;
}
#elif defined(__AVX2__)
inline std::int64_t unit(const MaxSatDelta& a, uint32_t begin, uint32_t end, uint32_t inverted) {
  const __m256i one = _mm256_set1_epi32(1), byte = _mm256_set1_epi32(255);
  const __m256i flip = _mm256_set1_epi32(static_cast<int>(inverted));
  int delta = 0;
  uint32_t i = begin;
  for (; end - i >= 8; i += 8) {
    __m256i entry;
    __builtin_memcpy(&entry, a.occurrences + i, sizeof entry);
    const __m256i truth = _mm256_xor_si256(_mm256_and_si256(entry, one), flip);
    const __m256i count = _mm256_and_si256(
        _mm256_i32gather_epi32(reinterpret_cast<const int*>(a.counts), _mm256_srli_epi32(entry, 1), 1), byte);
    const __m256i hit = _mm256_cmpeq_epi32(count, truth);
    const __m256i broken = _mm256_and_si256(hit, _mm256_cmpeq_epi32(truth, one));
    delta += 2 * __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps((__m256)broken))) -
             __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps((__m256)hit)));
  }
  return delta + plain(a, i, end, inverted);
}
#else
inline std::int64_t unit(const MaxSatDelta& a, uint32_t begin, uint32_t end, uint32_t inverted) {
  return plain(a, begin, end, inverted);
}
#endif

}  // namespace

DD_ISA_ENTRY(void, maxsat_delta)(const MaxSatDelta* arguments) {
  const MaxSatDelta& a = *arguments;
  // Occurrences of a large problem come from far away, and blocks of a colour are no neighbours there.
  constexpr size_t ahead = 12;
  constexpr uint32_t line = 16;
  for (size_t i = 0; i < a.count; ++i) {
    if (i + ahead < a.count) {
      const uint32_t* const coming = a.occurrences + a.starts[a.variables[i + ahead]];
      __builtin_prefetch(coming);
      __builtin_prefetch(coming + line - 1);
    }
    const uint32_t variable = a.variables[i], inverted = a.assignment[variable] != 0 ? 0u : 1u;
    const uint32_t begin = a.starts[variable], end = a.starts[variable + 1];
    a.out[i] = a.weights == nullptr ? unit(a, begin, end, inverted) : weighted(a, begin, end, inverted);
  }
}

}  // namespace dd::polystep
