// Spelling of the error codes at the JavaScript side of the edge.
#include "core/error.hpp"

namespace dd {

const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument_type:
      return "ERR_INVALID_ARG_TYPE";
    case ErrorCode::invalid_argument_value:
      return "ERR_INVALID_ARG_VALUE";
    case ErrorCode::out_of_range:
      return "ERR_OUT_OF_RANGE";
    case ErrorCode::shape_mismatch:
      return "ERR_SHAPE_MISMATCH";
    case ErrorCode::not_finite:
      return "ERR_NOT_FINITE";
    case ErrorCode::not_converged:
      return "ERR_NOT_CONVERGED";
    case ErrorCode::singular:
      return "ERR_SINGULAR";
    case ErrorCode::out_of_memory:
      return "ERR_OUT_OF_MEMORY";
    case ErrorCode::backend_unavailable:
      return "ERR_BACKEND_UNAVAILABLE";
    case ErrorCode::backend_failed:
      return "ERR_BACKEND_FAILED";
    case ErrorCode::disposed:
      return "ERR_DISPOSED";
    case ErrorCode::internal:
      return "ERR_INTERNAL";
  }
  return "ERR_INTERNAL";
}

}  // namespace dd
