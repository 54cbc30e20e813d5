// The one record that native code throws. The N-API edge turns it into a plain object { code, argument, message },
// and lib/runtime/errors.ts into the class the user catches; nothing else crosses the edge.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

namespace dd {

enum class ErrorCode {
  invalid_argument_type,
  invalid_argument_value,
  out_of_range,
  shape_mismatch,
  not_finite,
  not_converged,
  singular,
  out_of_memory,
  backend_unavailable,
  backend_failed,
  disposed,
  internal,
};

/// The JavaScript spelling, for example "ERR_SHAPE_MISMATCH".
const char* error_code_name(ErrorCode code) noexcept;

class Error final : public std::exception {
 public:
  /// `message` names the argument, what was expected and what came: "`lower` must be ..., got ...".
  Error(ErrorCode code, std::string argument, std::string message)
      : code_(code), argument_(std::move(argument)), message_(std::move(message)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& argument() const noexcept { return argument_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string argument_;
  std::string message_;
};

/// Throws the error of an argument: "`lower` must be ..., got ...", where `what` is the text behind the name.
[[noreturn]] inline void fail(ErrorCode code, const std::string& argument, const std::string& what) {
  throw Error(code, argument, "`" + argument + "` " + what);
}

inline void expect_size(const std::string& argument, std::size_t size, std::size_t expected) {
  if (size != expected) {
    fail(ErrorCode::shape_mismatch, argument,
         "must have length " + std::to_string(expected) + ", got " + std::to_string(size));
  }
}

}  // namespace dd
