#include "odil/solve_status.hpp"

namespace dd::odil {

const char* solve_status_name(SolveStatus status) noexcept {
  switch (status) {
    case SolveStatus::gradient:
      return "gradient";
    case SolveStatus::step:
      return "step";
    case SolveStatus::loss:
      return "loss";
    case SolveStatus::max_iterations:
      return "max-iterations";
    case SolveStatus::stalled:
      return "stalled";
    case SolveStatus::not_finite:
      return "not-finite";
    case SolveStatus::cancelled:
      return "cancelled";
    case SolveStatus::time_limit:
      return "time";
  }
  return "";
}

}  // namespace dd::odil
