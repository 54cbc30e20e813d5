// How a run of steps speaks with the outside: why it was stopped, and how far it is.
#pragma once

#include <cstdint>
#include <span>

#include "core/run_control.hpp"
#include "polystep/engine_options.hpp"

namespace dd::polystep {

/// Of a control that says to stop.
inline RunStop stop_of(const RunControl& control) {
  return control.stop_reason() == StopReason::cancelled ? RunStop::cancelled : RunStop::time_limit;
}

template <class Scalar>
void report_step(RunControl& control, std::uint64_t step, double best_value, std::span<const Scalar> best) {
  if (!control.wants_progress()) return;
  control.report({.phase = "steps", .iterations = step, .objective = best_value, .best = std::as_bytes(best)});
}

}  // namespace dd::polystep
