// Native objects that JavaScript holds: an External around a shared pointer. `dispose` lets go at once, the finalizer
// is the net; jobs that still compute keep their own share.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace dd::addon {

/// Room for one native object and what V8 was told of its size; released exactly once.
template <class Object>
struct Handle {
  std::shared_ptr<const Object> object;
  std::int64_t bytes = 0;

  void release(Napi::Env env) {
    if (object == nullptr) return;
    object.reset();
    Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(bytes, 0));
  }
};

template <class Object>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<const Object> object, std::size_t bytes) {
  auto handle = std::make_unique<Handle<Object>>(Handle<Object>{std::move(object), static_cast<std::int64_t>(bytes)});
  Napi::MemoryManagement::AdjustExternalMemory(env, handle->bytes);
  Napi::Value external =
      Napi::External<Handle<Object>>::New(env, handle.get(), [](Napi::Env owner, Handle<Object>* data) {
        data->release(owner);
        delete data;  // NOLINT(cppcoreguidelines-owning-memory): the External owned it
      });
  static_cast<void>(handle.release());
  return external;
}

template <class Object>
Handle<Object>& handle_of(const Napi::Value& value, std::string_view argument) {
  if (!value.IsExternal()) {
    throw Error(ErrorCode::invalid_argument_type, std::string(argument),
                "`" + std::string(argument) + "` must be a handle of this package");
  }
  return *value.As<Napi::External<Handle<Object>>>().Data();
}

/// The object of a handle that has not been disposed.
template <class Object>
std::shared_ptr<const Object> object_of(const Napi::Value& value, std::string_view argument) {
  const std::shared_ptr<const Object>& object = handle_of<Object>(value, argument).object;
  if (object == nullptr) {
    throw Error(ErrorCode::disposed, std::string(argument), "`" + std::string(argument) + "` has been disposed");
  }
  return object;
}

}  // namespace dd::addon
