// Exceptions to records.
#include "addon/edge.hpp"

#include <new>
#include <string>

#include "core/error.hpp"

namespace dd::addon {

Napi::Object error_record(Napi::Env env, const std::exception_ptr& exception) {
  ErrorCode code = ErrorCode::internal;
  std::string argument;
  std::string message;
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    code = error.code();
    argument = error.argument();
    message = error.what();
  } catch (const std::bad_alloc&) {
    code = ErrorCode::out_of_memory;
    message = "not enough memory";
  } catch (const std::exception& error) {
    message = error.what();
  } catch (...) {
    message = "unknown native exception";
  }
  Napi::Object record = Napi::Object::New(env);
  record.Set("code", error_code_name(code));
  record.Set("argument", argument);
  record.Set("message", message);
  return record;
}

}  // namespace dd::addon
