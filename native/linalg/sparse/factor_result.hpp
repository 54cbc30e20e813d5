// What every factorisation of this room answers.
#pragma once

#include "linalg/sparse/matrix.hpp"

namespace dd::linalg {

enum class FactorStatus : unsigned char {
  factored,
  stopped,                // by the control: cancelled or out of time
  not_positive_definite,  // Cholesky: a pivot is not positive or not finite
  singular,               // LU: no entry of a column can be a pivot
};

struct FactorResult {
  FactorStatus status = FactorStatus::factored;
  /// The unknown (column) whose pivot failed; no_index otherwise.
  Index unknown = no_index;
};

}  // namespace dd::linalg
