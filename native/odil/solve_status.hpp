// Why a minimisation ended, whatever the method.
#pragma once

#include <cstdint>

#include "core/run_control.hpp"

namespace dd::odil {

enum class SolveStatus : std::uint8_t {
  gradient,  ///< the gradient is as small as asked
  step,      ///< steps no longer change the unknowns
  loss,      ///< the loss no longer falls
  max_iterations,
  stalled,     ///< no step lowers the loss: often as far as rounding lets it go
  not_finite,  ///< NaN or infinity on the way; the state is the last one without
  cancelled,
  time_limit,
};

/// The JavaScript spelling, for example "max-iterations".
const char* solve_status_name(SolveStatus status) noexcept;

inline SolveStatus status_of(StopReason reason) noexcept {
  return reason == StopReason::time_limit ? SolveStatus::time_limit : SolveStatus::cancelled;
}

}  // namespace dd::odil
