// Native objectives of polystep for JavaScript: what the files of the objectives share.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "addon/arguments.hpp"
#include "addon/handle.hpp"
#include "core/thread_pool.hpp"
#include "polystep/objective.hpp"

namespace dd::addon {

/// Adds `polystepObjectives` to the exports. Handles are of dd::polystep::Objective (addon/handle.hpp).
void export_polystep_objectives(Napi::Object exports);
/// The part of that room for networks and policies.
void export_polystep_networks(Napi::Object room);

inline Napi::Value objective_handle(Napi::Env env, std::shared_ptr<const polystep::Objective> objective) {
  const std::size_t bytes = objective->bytes();
  return make_handle<polystep::Objective>(env, std::move(objective), bytes);
}

/// An objective that must be of one kind.
template <class Kind>
std::shared_ptr<const Kind> objective_of(const Napi::Value& value, const char* argument) {
  auto kind = std::dynamic_pointer_cast<const Kind>(object_of<polystep::Objective>(value, argument));
  if (kind == nullptr) throw_type(argument, "an objective of another kind");
  return kind;
}

/// 0 means as many as there are.
inline std::size_t threads_of(const Napi::Value& value) {
  const std::size_t threads = size(value, "threads");
  return threads == 0 ? ThreadPool::default_threads() : threads;
}

inline bool is_single(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array;
}

}  // namespace dd::addon
