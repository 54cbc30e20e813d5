// The strip kernel of GPTQ (specs/linalg.md, section 8). Inside a block of 128 columns the corrections go 8, 32, 128
// columns deep: 8 in registers, the rest by the register tile of dense linear algebra, where E is the packed left
// operand as it stands. Behind the block one product does it all.
//
// Every element sees one order of operations whatever the tile: for each earlier block a chain of multiply-adds from
// zero, subtracted once; for the earlier columns of its own block a chain on the element itself. So all fused levels
// give the same bits.
#include "linalg/pack.hpp"
#include "quantize/gptq_isa.hpp"

namespace dd::quantize {
namespace {

using std::ptrdiff_t;
using std::size_t;

constexpr size_t strip = tile_rows<float>;
constexpr size_t group = 32;
// 8 must be whole tiles, so that strips have no edges.
constexpr int update_columns = gptq_base_columns % tile_columns == 0 ? tile_columns : 4;
constexpr int base = gptq_base_columns;

typedef std::int32_t Int32s __attribute__((vector_size(vector_bytes)));

DD_INLINE Float32s smaller(Float32s a, Float32s b) { return a < b ? a : b; }
DD_INLINE Float32s larger(Float32s a, Float32s b) { return a > b ? a : b; }

/// Half to even for |value| <= 2^22; larger values are clamped to a million, which no code reaches.
DD_INLINE Float32s round_clamped(Float32s value) {
  const Float32s limit = broadcast(1e6f), shift = broadcast(0x1.8p23f);
  return (smaller(larger(value, -limit), limit) + shift) - shift;
}

template <int Columns>
DD_INLINE Accumulators<float, tile_vectors, Columns> load_columns(const float* from) {
  Accumulators<float, tile_vectors, Columns> x;
  DD_UNROLL for (int j = 0; j < Columns; ++j) {
    DD_UNROLL for (int v = 0; v < tile_vectors; ++v) x.value[v][j] = load(from + j * strip + v * lanes<float>);
  }
  return x;
}

/// Sum of the lanes by halves.
DD_INLINE float sum_of_lanes(Float32s value) {
  float part[lanes<float>];
  store(part, value);
  DD_UNROLL for (int width = lanes<float> / 2; width > 0; width /= 2) {
    DD_UNROLL for (int i = 0; i < width; ++i) part[i] += part[i + width];
  }
  return part[0];
}

/// Columns [first, first + 8) in registers.
template <bool FromRange>
DD_INLINE void quantise_base(const GptqStripArguments& block, size_t first) {
  float* const weights = block.weights + first * strip;
  float* const errors = block.errors + first * strip;
  std::uint32_t* const codes = block.codes + first / 4 * strip;
  const float* factor = block.factor + first * gptq_block_columns + first;
  const GptqColumns column{block.column.grid + first, block.column.largest_code + first,
                           FromRange ? block.column.divisor + first : nullptr};
  auto x = load_columns<base>(weights);
  DD_UNROLL for (int j = 0; j < base; ++j) {
    const float* grid = block.grids + size_t{2} * strip * column.grid[j];
    const Float32s largest = broadcast(column.largest_code[j]), pivot = broadcast(factor[j]);
    Float32s square{};
    Float32s e[tile_vectors];
    DD_UNROLL for (int v = 0; v < tile_vectors; ++v) {
      Float32s scale = load(grid + v * lanes<float>), zero = load(grid + strip + v * lanes<float>);
      if constexpr (FromRange) {
        scale = scale / broadcast(column.divisor[j]);
        zero = round_clamped(zero * largest);
      }
      const Float32s code = smaller(larger(round_clamped(x.value[v][j] / scale) + zero, Float32s{}), largest);
      const Float32s value = scale * (code - zero);
      e[v] = (x.value[v][j] - value) / pivot;
      store(weights + j * strip + v * lanes<float>, value);
      store(errors + j * strip + v * lanes<float>, e[v]);
      square = multiply_add(e[v], e[v], square);
      std::uint32_t* word = codes + j / 4 * strip + v * lanes<float>;
      const Int32s bits = __builtin_convertvector(code, Int32s) << (j % 4 * 8);
      store(word, j % 4 == 0 ? bits : bits | load_as<Int32s>(word));
    }
    if (block.squares != nullptr) block.squares[first + static_cast<size_t>(j)] = sum_of_lanes(square);
    DD_UNROLL for (int k = 0; k < base; ++k) {
      if (k <= j) continue;
      const Float32s u = broadcast(factor[k]);
      DD_UNROLL for (int v = 0; v < tile_vectors; ++v) { x.value[v][k] = negated_multiply_add(e[v], u, x.value[v][k]); }
    }
    factor += gptq_block_columns;
  }
}

/// Columns [first + depth, end) of the block get the errors of columns [first, first + depth).
__attribute__((noinline)) void correct(const GptqStripArguments& block, size_t first, size_t depth, size_t end) {
  const float* errors = block.errors + first * strip;
  const float* factor = block.factor + first * gptq_block_columns;
  for (size_t j = first + depth; j < end; j += update_columns) {
    float* const columns = block.weights + j * strip;
    auto rest = load_columns<update_columns>(columns);
    subtract<false>(depth, errors, static_cast<ptrdiff_t>(strip), factor + j,
                    static_cast<ptrdiff_t>(gptq_block_columns), Tail<float>(0), rest);
    DD_UNROLL for (int c = 0; c < update_columns; ++c) {
      DD_UNROLL for (int v = 0; v < tile_vectors; ++v) {
        store(columns + c * strip + v * lanes<float>, rest.value[v][c]);
      }
    }
  }
}

template <bool FromRange>
__attribute__((noinline)) void quantise_strip(const GptqStripArguments& block) {
  for (size_t first = 0; first < block.columns; first += group) {
    const size_t end = block.columns - first < group ? block.columns : first + group;
    for (size_t j = first; j < end; j += base) {
      quantise_base<FromRange>(block, j);
      correct(block, j, base, end);
    }
    correct(block, first, end - first, block.columns);
  }
}

constexpr size_t floats_per_line = 64 / sizeof(float);

/// One tile of the update. All lines of the next tile are asked for: strips lie in the order in which they are read,
/// but a tile is over before the hardware has seen the stream.
DD_INLINE void update_tile(size_t depth, const float* errors, const float* factor, float* columns, const float* next) {
  DD_UNROLL for (size_t line = 0; line < update_columns * strip; line += floats_per_line) {
    __builtin_prefetch(next + line, 1);
  }
  Accumulators<float, tile_vectors, update_columns> sum;
  sum.clear();
  accumulate<false>(depth, errors, static_cast<ptrdiff_t>(strip), factor, update_columns, 1, Tail<float>(0), sum);
  DD_UNROLL for (int c = 0; c < update_columns; ++c) {
    DD_UNROLL for (int v = 0; v < tile_vectors; ++v) {
      float* const at = columns + c * strip + v * lanes<float>;
      store(at, load(static_cast<const float*>(at)) - sum.value[v][c]);
    }
  }
}

void update(const GptqUpdateArguments& product) {
  for (size_t s = 0; s < product.strips; ++s) {
    const float* errors = product.errors + s * product.errors_stride;
    float* const weights = product.weights + s * product.weights_stride;
    for (size_t j = 0; j < product.columns; j += update_columns) {
      float* const columns = weights + j * strip;
      const bool last = j + update_columns >= product.columns;
      const float* next = !last                    ? columns + update_columns * strip
                          : s + 1 < product.strips ? weights + product.weights_stride
                                                   : columns;
      update_tile(product.depth, errors, product.factor + j * product.depth, columns, next);
    }
  }
}

void pack_factor(const GptqPackArguments& pack) {
  for (size_t j = 0; j < pack.columns; j += update_columns) {
    float* const panel = pack.to + j * pack.depth;
    const size_t left = j < pack.valid ? pack.valid - j : 0;
    for (size_t p = 0; p < pack.depth; ++p) {
      const float* from = pack.u + p * pack.stride + j;
      float* const to = panel + p * update_columns;
      if (left >= update_columns) {
        __builtin_memcpy(to, from, update_columns * sizeof(float));
      } else {
        for (size_t c = 0; c < update_columns; ++c) to[c] = c < left ? from[c] : 0.0f;
      }
    }
  }
}

bool load_strip(const GptqLoadArguments& copy) {
  // A piece of 128 columns of a strip stays in the first-level cache while four rows at a time go through it.
  constexpr size_t piece = gptq_block_columns;
  Float32s strange{};  // x - x is 0, or NaN where x is not finite
  for (size_t first = 0; first < copy.columns; first += piece) {
    const size_t columns = copy.columns - first < piece ? copy.columns - first : piece;
    float* const to = copy.strip + first * strip;
    transpose_block(copy.rows, columns, copy.from + first, static_cast<ptrdiff_t>(copy.stride), to,
                    static_cast<ptrdiff_t>(strip));
    for (size_t i = copy.rows; i < strip; ++i) {
      for (size_t j = 0; j < columns; ++j) to[j * strip + i] = 0;
    }
    for (size_t e = 0; e < columns * strip; e += lanes<float>) {
      const Float32s x = load(static_cast<const float*>(to + e));
      strange += x - x;
    }
  }
  return sum_of_lanes(strange) == 0;
}

/// Four rows at a time along the columns: destination rows a power of two apart share one set of the cache.
void store_strip(const GptqStoreArguments& copy) {
  constexpr size_t side = transpose_side<float>;
  size_t i = 0;
  for (; i + side <= copy.rows; i += side) {
    float* const to = copy.to + i * copy.stride;
    size_t j = 0;
    for (; j + side <= copy.columns; j += side) {
      transpose_square(copy.strip + j * strip + i, static_cast<ptrdiff_t>(strip), to + j,
                       static_cast<ptrdiff_t>(copy.stride));
    }
    for (; j < copy.columns; ++j) {
      for (size_t r = 0; r < side; ++r) to[r * copy.stride + j] = copy.strip[j * strip + i + r];
    }
  }
  for (; i < copy.rows; ++i) {
    for (size_t j = 0; j < copy.columns; ++j) copy.to[i * copy.stride + j] = copy.strip[j * strip + i];
  }
}

}  // namespace
}  // namespace dd::quantize

DD_ISA_ENTRY(std::size_t, gptq_strip_rows)() { return dd::quantize::strip; }
DD_ISA_ENTRY(void, gptq_strip)(const dd::quantize::GptqStripArguments* block) {
  if (block->column.divisor != nullptr) {
    dd::quantize::quantise_strip<true>(*block);
  } else {
    dd::quantize::quantise_strip<false>(*block);
  }
}
DD_ISA_ENTRY(void, gptq_update)(const dd::quantize::GptqUpdateArguments* product) { dd::quantize::update(*product); }
DD_ISA_ENTRY(void, gptq_pack_factor)(const dd::quantize::GptqPackArguments* pack) { dd::quantize::pack_factor(*pack); }
DD_ISA_ENTRY(bool, gptq_load_strip)(const dd::quantize::GptqLoadArguments* copy) {
  return dd::quantize::load_strip(*copy);
}
DD_ISA_ENTRY(void, gptq_store_strip)(const dd::quantize::GptqStoreArguments* copy) { dd::quantize::store_strip(*copy); }
