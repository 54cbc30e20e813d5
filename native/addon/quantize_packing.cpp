// Reads arguments of packing and of packed weights, calls them, converts results.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "addon/arguments.hpp"
#include "addon/edge.hpp"
#include "addon/handle.hpp"
#include "addon/quantize.hpp"
#include "quantize/packed_weights.hpp"
#include "quantize/packing.hpp"

namespace dd::addon {
namespace {

using quantize::WordOrder;

bool is_wide(const Napi::Value& codes) {
  return codes.IsTypedArray() && codes.As<Napi::TypedArray>().TypedArrayType() == napi_uint16_array;
}

/// Calls `use` with the codes, whichever of the two types they have.
template <class Use>
void with_codes(const Napi::Value& codes, Use use) {
  if (is_wide(codes)) {
    use(std::span<const std::uint16_t>(typed_array<std::uint16_t>(codes, "codes")));
  } else {
    use(std::span<const std::uint8_t>(typed_array<std::uint8_t>(codes, "codes")));
  }
}

/// A new array of codes of the narrowest type for `levels` levels, filled by `fill`.
template <class Fill>
Napi::Value make_codes(Napi::Env env, std::size_t count, std::uint32_t levels, Fill fill) {
  if (levels <= 256) {
    auto codes = Napi::Uint8Array::New(env, count);
    fill(std::span<std::uint8_t>(codes.Data(), count));
    return codes;
  }
  auto codes = Napi::Uint16Array::New(env, count);
  fill(std::span<std::uint16_t>(codes.Data(), count));
  return codes;
}

unsigned narrow(const Napi::Value& value, const char* argument) {
  const std::size_t number = size(value, argument);
  return number > 0xffffffffu ? 0xffffffffu : static_cast<unsigned>(number);
}

/// Arguments 1 to 3 of every function here: rows, columns, and bits or levels.
struct Shape {
  std::size_t rows, columns;
  unsigned width;

  Shape(const Napi::CallbackInfo& info, const char* width_name)
      : rows(size(info[1], "rows")), columns(size(info[2], "columns")), width(narrow(info[3], width_name)) {}
};

WordOrder word_order(const Napi::Value& transposed) {
  if (!transposed.IsBoolean()) throw_type("transposed", "true or false");
  return transposed.As<Napi::Boolean>() ? WordOrder::word : WordOrder::row;
}

Napi::Value pack_bits(const Napi::CallbackInfo& info) {
  const Shape shape(info, "bits");
  const std::size_t count = quantize::bit_stream_bytes(shape.rows, shape.columns, shape.width);
  auto bytes = Napi::Uint8Array::New(info.Env(), count);
  with_codes(info[0], [&](auto codes) {
    quantize::pack_bit_stream(codes, shape.rows, shape.columns, shape.width, {bytes.Data(), count});
  });
  return bytes;
}

Napi::Value unpack_bits(const Napi::CallbackInfo& info) {
  const Shape shape(info, "bits");
  const auto bytes =
      typed_array<std::uint8_t>(info[0], "bytes", quantize::bit_stream_bytes(shape.rows, shape.columns, shape.width));
  return make_codes(info.Env(), shape.rows * shape.columns, 1u << shape.width, [&](auto codes) {
    quantize::unpack_bit_stream(std::span<const std::uint8_t>(bytes), shape.rows, shape.columns, shape.width, codes);
  });
}

Napi::Value pack_words(const Napi::CallbackInfo& info) {
  const Shape shape(info, "bits");
  const WordOrder order = word_order(info[4]);
  const std::size_t count = quantize::bit_block_words(shape.rows, shape.columns, shape.width);
  auto words = Napi::Uint32Array::New(info.Env(), count);
  with_codes(info[0], [&](auto codes) {
    quantize::pack_bit_blocks(codes, shape.rows, shape.columns, shape.width, order, {words.Data(), count});
  });
  return words;
}

Napi::Value unpack_words(const Napi::CallbackInfo& info) {
  const Shape shape(info, "bits");
  const WordOrder order = word_order(info[4]);
  const auto words =
      typed_array<std::uint32_t>(info[0], "words", quantize::bit_block_words(shape.rows, shape.columns, shape.width));
  return make_codes(info.Env(), shape.rows * shape.columns, 1u << shape.width, [&](auto codes) {
    quantize::unpack_bit_blocks(std::span<const std::uint32_t>(words), shape.rows, shape.columns, shape.width, order,
                                codes);
  });
}

Napi::Value pack_radix(const Napi::CallbackInfo& info) {
  const Shape shape(info, "levels");
  const std::size_t count = quantize::radix_words(shape.rows, shape.columns, shape.width);
  auto words = Napi::BigUint64Array::New(info.Env(), count);
  with_codes(info[0], [&](auto codes) {
    quantize::pack_radix(codes, shape.rows, shape.columns, shape.width, {words.Data(), count});
  });
  return words;
}

Napi::Value unpack_radix(const Napi::CallbackInfo& info) {
  const Shape shape(info, "levels");
  const auto words =
      typed_array<std::uint64_t>(info[0], "words", quantize::radix_words(shape.rows, shape.columns, shape.width));
  return make_codes(info.Env(), shape.rows * shape.columns, shape.width, [&](auto codes) {
    quantize::unpack_radix(std::span<const std::uint64_t>(words), shape.rows, shape.columns, shape.width, codes);
  });
}

Napi::Value radix_codes_per_word(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(quantize::radix_codes_per_word(narrow(info[0], "levels"))));
}

using quantize::GridForm;
using quantize::PackedWeights;

/// ({ rows, columns, codes, levels, grid }, threads) -> handle; the grid in one of the three forms of
/// lib/quantize/coded-weights.ts.
Napi::Value create_packed(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info[0], "weights");
  const Napi::Object grid = object(options.Get("grid"), "grid");
  const std::string kind = text(grid.Get("kind"), "grid.kind");
  quantize::CodedWeights weights;
  weights.rows = size(options.Get("rows"), "rows");
  weights.columns = size(options.Get("columns"), "columns");
  with_codes(options.Get("codes"), [&](auto codes) { weights.codes = codes; });
  weights.levels = typed_array<std::uint32_t>(options.Get("levels"), "levels");
  if (kind == "range") {
    weights.form = GridForm::range;
    weights.first = typed_array<float>(grid.Get("range"), "grid.range");
    weights.second = typed_array<float>(grid.Get("ratio"), "grid.ratio");
  } else {
    const bool ternary = kind == "ternary";
    weights.form = ternary ? GridForm::ternary : GridForm::scale;
    weights.first = typed_array<float>(grid.Get(ternary ? "low" : "scale"), ternary ? "grid.low" : "grid.scale");
    weights.second = typed_array<float>(grid.Get(ternary ? "high" : "zero"), ternary ? "grid.high" : "grid.zero");
  }
  if (!grid.Get("groups").IsUndefined()) {
    weights.groups = size(grid.Get("groups"), "grid.groups");
    weights.group = typed_array<std::int32_t>(grid.Get("groupOfColumn"), "grid.groupOfColumn", weights.columns);
  }
  auto packed = std::make_shared<const PackedWeights>(PackedWeights::create(weights, size(info[1], "threads")));
  const std::size_t bytes = packed->bytes();
  return make_handle<PackedWeights>(info.Env(), std::move(packed), bytes);
}

Napi::Value dispose_packed(const Napi::CallbackInfo& info) {
  handle_of<PackedWeights>(info[0], "weights").release(info.Env());
  return info.Env().Undefined();
}

Napi::Value packed_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(object_of<PackedWeights>(info[0], "weights")->bytes()));
}

/// (handle, x, tokens, threads) -> tokens x rows.
Napi::Value multiply_packed(const Napi::CallbackInfo& info) {
  const auto packed = object_of<PackedWeights>(info[0], "weights");
  const std::size_t tokens = size(info[2], "tokens");
  const auto x = typed_array<float>(info[1], "x", tokens * packed->columns());
  auto y = Napi::Float32Array::New(info.Env(), tokens * packed->rows());
  packed->multiply(x, tokens, {y.Data(), y.ElementLength()}, size(info[3], "threads"));
  return y;
}

Napi::Value dequantize_packed(const Napi::CallbackInfo& info) {
  const auto packed = object_of<PackedWeights>(info[0], "weights");
  auto values = Napi::Float32Array::New(info.Env(), packed->rows() * packed->columns());
  packed->dequantize({values.Data(), values.ElementLength()}, size(info[1], "threads"));
  return values;
}

}  // namespace

void export_quantize_packing(Napi::Object room) {
  export_function<pack_bits>(room, "packBits");
  export_function<unpack_bits>(room, "unpackBits");
  export_function<pack_words>(room, "packWords");
  export_function<unpack_words>(room, "unpackWords");
  export_function<pack_radix>(room, "packRadix");
  export_function<unpack_radix>(room, "unpackRadix");
  export_function<radix_codes_per_word>(room, "radixCodesPerWord");
  export_function<create_packed>(room, "createPacked");
  export_function<dispose_packed>(room, "disposePacked");
  export_function<packed_bytes>(room, "packedBytes");
  export_function<multiply_packed>(room, "multiplyPacked");
  export_function<dequantize_packed>(room, "dequantizePacked");
}

}  // namespace dd::addon
