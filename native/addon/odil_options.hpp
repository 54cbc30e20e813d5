// Reading what several calls of odil take alike.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "odil/block_weights.hpp"

namespace dd::addon {

inline bool is_float32(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
}

inline odil::Normalization normalization_of(const Napi::Value& value) {
  return text(value, "normalization") == "sum" ? odil::Normalization::sum : odil::Normalization::mean;
}

/// Members `weights` and `halfLives` of the options: empty, or one number for each block.
inline odil::BlockWeights block_weights_of(const Napi::Object& options, std::size_t blocks) {
  const auto initial = typed_array<double>(options.Get("weights"), "weights");
  if (initial.empty()) return {};
  const auto half_lives = typed_array<double>(options.Get("halfLives"), "halfLives", blocks);
  odil::BlockWeights weights;
  for (std::size_t b = 0; b < blocks; ++b) weights.push_back({initial[b], half_lives[b]});
  return weights;
}

/// The weights at an iteration, as a Float64Array.
inline Napi::Value weights_at(Napi::Env env, const odil::BlockWeights& weights, std::uint64_t iteration) {
  std::vector<double> now;
  for (const odil::BlockWeight& weight : weights) now.push_back(weight.at(iteration));
  return copy_to_typed_array<double>(env, now);
}

}  // namespace dd::addon
