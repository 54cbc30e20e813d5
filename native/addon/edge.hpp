// The edge between C++ exceptions and JavaScript: every exported function goes through `exported`, which turns whatever
// is thrown into one plain object { code, argument, message }. Classes are made in TypeScript, because errors made
// natively belong to another realm inside test runners and vm contexts.
#pragma once

#include <napi.h>

#include <exception>

namespace dd::addon {

/// The record of the exception being handled (call inside a catch block); `std::bad_alloc` becomes ERR_OUT_OF_MEMORY.
Napi::Object error_record(Napi::Env env, const std::exception_ptr& exception);

template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
Napi::Value exported(const Napi::CallbackInfo& info) {
  try {
    return Function(info);
  } catch (const Napi::Error&) {
    throw;  // a JavaScript exception that passed through: already a JavaScript value
  } catch (...) {
    napi_throw(info.Env(), error_record(info.Env(), std::current_exception()));
    return info.Env().Undefined();
  }
}

template <Napi::Value (*Function)(const Napi::CallbackInfo&)>
void export_function(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<exported<Function>>(exports.Env(), name));
}

}  // namespace dd::addon
