// Reading JavaScript arguments. lib/runtime/validate.ts has already said what is wrong in the user's words; the checks
// here keep memory safe whoever calls, and throw the same record.
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/isa.hpp"

namespace dd::addon {

[[noreturn]] inline void throw_type(std::string_view argument, std::string_view expected) {
  throw Error(ErrorCode::invalid_argument_type, std::string(argument),
              "`" + std::string(argument) + "` must be " + std::string(expected));
}

template <class Element>
struct TypedArrayTraits;
template <>
struct TypedArrayTraits<double> {
  static constexpr napi_typedarray_type type = napi_float64_array;
  static constexpr const char* name = "a Float64Array";
};
template <>
struct TypedArrayTraits<float> {
  static constexpr napi_typedarray_type type = napi_float32_array;
  static constexpr const char* name = "a Float32Array";
};
template <>
struct TypedArrayTraits<std::int32_t> {
  static constexpr napi_typedarray_type type = napi_int32_array;
  static constexpr const char* name = "an Int32Array";
};
template <>
struct TypedArrayTraits<std::uint8_t> {
  static constexpr napi_typedarray_type type = napi_uint8_array;
  static constexpr const char* name = "a Uint8Array";
};
template <>
struct TypedArrayTraits<std::uint16_t> {
  static constexpr napi_typedarray_type type = napi_uint16_array;
  static constexpr const char* name = "a Uint16Array";
};
template <>
struct TypedArrayTraits<std::uint32_t> {
  static constexpr napi_typedarray_type type = napi_uint32_array;
  static constexpr const char* name = "a Uint32Array";
};
template <>
struct TypedArrayTraits<std::uint64_t> {
  static constexpr napi_typedarray_type type = napi_biguint64_array;
  static constexpr const char* name = "a BigUint64Array";
};

/// Takes the memory of a typed array away: it has no elements afterwards.
inline void detach_typed_array(const Napi::Value& value) {
  napi_detach_arraybuffer(value.Env(), value.As<Napi::TypedArray>().ArrayBuffer());
}

/// The elements of a typed array, not copied: valid while JavaScript keeps it and only on the JavaScript thread, unless
/// the caller holds a reference. Works for arrays on a SharedArrayBuffer, which is why `.ArrayBuffer()` is not asked
/// for.
template <class Element>
std::span<Element> typed_array(const Napi::Value& value, std::string_view argument) {
  if (!value.IsTypedArray()) throw_type(argument, TypedArrayTraits<Element>::name);
  napi_typedarray_type type{};
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != TypedArrayTraits<Element>::type) {
    throw_type(argument, TypedArrayTraits<Element>::name);
  }
  return {static_cast<Element*>(data), length};
}

template <class Element>
std::span<Element> typed_array(const Napi::Value& value, std::string_view argument, std::size_t expected_length) {
  const std::span<Element> elements = typed_array<Element>(value, argument);
  if (elements.size() != expected_length) {
    throw Error(ErrorCode::shape_mismatch, std::string(argument),
                "`" + std::string(argument) + "` must be " + TypedArrayTraits<Element>::name + " of length " +
                    std::to_string(expected_length) + ", got length " + std::to_string(elements.size()));
  }
  return elements;
}

template <class Element>
Napi::Value copy_to_typed_array(Napi::Env env, std::span<const Element> elements) {
  auto array = Napi::TypedArrayOf<Element>::New(env, elements.size());
  std::copy(elements.begin(), elements.end(), array.Data());
  return array;
}

inline double number(const Napi::Value& value, std::string_view argument) {
  if (!value.IsNumber()) throw_type(argument, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

/// A count or an index: an integer in [0, 2^53].
inline std::size_t size(const Napi::Value& value, std::string_view argument) {
  const double number_value = number(value, argument);
  if (!(number_value >= 0 && number_value <= 0x1p53) ||
      number_value != static_cast<double>(static_cast<std::uint64_t>(number_value))) {
    throw_type(argument, "a non-negative integer");
  }
  return static_cast<std::size_t>(number_value);
}

inline std::string text(const Napi::Value& value, std::string_view argument) {
  if (!value.IsString()) throw_type(argument, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object(const Napi::Value& value, std::string_view argument) {
  if (!value.IsObject()) throw_type(argument, "an object");
  return value.As<Napi::Object>();
}

/// An available instruction-set level by its name.
inline IsaLevel isa_level(const Napi::Value& value) {
  const std::string name = text(value, "isa");
  for (const IsaLevel level : available_isa_levels()) {
    if (name == isa_name(level)) return level;
  }
  throw Error(ErrorCode::invalid_argument_value, "isa", "`isa` must be an available level, got \"" + name + "\"");
}

}  // namespace dd::addon
