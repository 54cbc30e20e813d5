// Residuals that belong to no grid: expressions of parameters and of field values at chosen points.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "odil/derivative.hpp"
#include "odil/regions.hpp"
#include "odil/uniform.hpp"

namespace dd::odil {

/// d root / d one unknown: a field's value at a point, or a parameter.
struct ScalarDerivative {
  std::size_t root = 0;
  bool parameter = false;
  std::size_t number = 0;  ///< field or parameter
  std::size_t flat = 0;    ///< flat index in the field
};

class ScalarBlock {
 public:
  /// Throws Error(invalid_argument_value, name) for a root that needs a point, Error(out_of_range, name) for a pick
  /// outside its field.
  ScalarBlock(Graph& graph, const Domain& domain, std::size_t fields, std::span<const NodeId> roots,
              const std::string& name);

  std::size_t residuals() const noexcept { return values_.size(); }
  /// Entries of the Jacobian, row by row; the same for all states.
  std::span<const ScalarDerivative> derivatives() const noexcept { return pattern_; }

  template <class T>
  void evaluate(std::span<const T* const> operands, std::span<const double> parameters,
                std::span<double> residuals) const;
  /// One number per entry of `derivatives()`.
  template <class T>
  void evaluate_derivatives(std::span<const T* const> operands, std::span<const double> parameters,
                            std::span<double> values) const;

 private:
  template <class T>
  void evaluate(const Uniforms& uniforms, std::span<const T* const> operands, std::span<const double> parameters,
                std::span<double> values) const;

  std::vector<Operand> operands_;
  Uniforms values_, derivatives_;
  std::vector<ScalarDerivative> pattern_;
};

}  // namespace dd::odil
