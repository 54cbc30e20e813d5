// One residual block on a grid with all that is compiled for it: values, products with its Jacobian and with the
// transpose, and its coefficient arrays. Derivatives are compiled when they are first asked for.
//
// Source: specs/odil-engine.md, sections 2.3 and 2.4.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "odil/pass.hpp"
#include "odil/transposed_block.hpp"

namespace dd::odil {

/// What expressions read at one state: fields, then arrays; parameters in float64.
template <class T>
struct PointSources {
  std::vector<const T*> operands;
  std::vector<double> parameters;
};

/// One array of coefficients: d F_i / d field[i + shift].
struct Coefficient {
  std::size_t field = 0;
  Shift shift{};
  bool operator==(const Coefficient&) const = default;
};

/// The derivatives of one region's expression, as expressions; those that are 0 are left out.
struct RegionDerivatives {
  std::vector<std::pair<Coefficient, NodeId>> fields;
  std::vector<std::pair<std::int32_t, NodeId>> parameters;
};

class GridBlock {
 public:
  /// `domain`: fields (the first `fields` operands) and arrays. Throws as make_regions does.
  GridBlock(Graph& graph, const Domain& domain, std::size_t fields, std::size_t parameters, const Shape& shape,
            NodeId root, const std::string& name);

  const Shape& shape() const noexcept { return shape_; }
  std::span<const Region> regions() const noexcept { return regions_; }
  bool depends_on_unknowns() const noexcept { return !fields_read_.empty() || !parameters_read_.empty(); }
  /// Parameters that occur in it, ascending.
  std::span<const std::int32_t> parameters() const noexcept { return parameters_read_; }

  template <class T>
  void evaluate(const PointSources<T>& sources, T* residuals, std::size_t threads) const;
  /// The same; then(number, begin, end) follows each piece of the residuals while it is in the cache (Pass::pieces).
  template <class T>
  void evaluate(const PointSources<T>& sources, T* residuals, std::size_t threads, AfterPiece then) const;
  /// The residuals of rows [first, last) of the first axis, written from `residuals` on.
  template <class T>
  void evaluate_rows(const PointSources<T>& sources, std::int32_t first, std::int32_t last, T* residuals,
                     std::size_t threads) const;
  template <class T>
  void evaluate_row(const PointSources<T>& sources, std::int32_t row, T* residuals, std::size_t threads) const {
    evaluate_rows<T>(sources, row, row + 1, residuals, threads);
  }

  const std::string& name() const noexcept { return name_; }
  RegionDerivatives derivatives(Graph& graph, std::size_t region) const;

  /// targets[f] += (d F / d field f)^T w, parameter_sums[p] += (d F / d p)^T w.
  template <class T>
  void add_transposed(const PointSources<T>& sources, std::span<const T> weights, std::span<T* const> targets,
                      std::span<double> parameter_sums, std::size_t threads) const;
  /// The same with weights that are scratch: they hold the same numbers afterwards. Fresh targets, all fields, are set.
  template <class T>
  void transposed(const PointSources<T>& sources, std::span<T> weights, std::span<T* const> targets,
                  std::span<double> parameter_sums, Targets state, std::size_t threads) const;
  void compile_transposed(Graph& graph);
  bool has_transposed() const noexcept { return transposed_.has_value(); }

  /// result = J v for the direction given field by field.
  template <class T>
  void product(const PointSources<T>& sources, std::span<const T* const> direction,
               std::span<const double> parameter_direction, T* result, std::size_t threads) const;
  void compile_product(Graph& graph);
  bool has_product() const noexcept { return tangent_.has_value(); }

  /// Coefficient arrays: of fields, in the order of `coefficients()`, then one per entry of `parameters()`. Points
  /// where the expression does not read that neighbour hold 0.
  template <class T>
  void evaluate_coefficients(const PointSources<T>& sources, std::span<T* const> arrays, std::size_t threads) const;
  void compile_coefficients(Graph& graph);
  bool has_coefficients() const noexcept { return coefficient_pass_.has_value(); }
  /// Once they are compiled: whether no coefficient depends on an unknown, so that J is the same at all states.
  bool linear() const noexcept { return linear_; }
  std::span<const Coefficient> coefficients() const noexcept { return coefficients_; }
  /// Which coefficients region number `region` has, as positions in `coefficients()`.
  std::span<const std::size_t> region_coefficients(std::size_t region) const noexcept {
    return region_coefficients_[region];
  }

  std::string listing() const;

 private:
  Domain domain_;  // fields, arrays, directions of the fields, weights
  std::size_t fields_, arrays_, parameters_;
  Shape shape_;
  std::string name_;
  std::vector<Region> regions_;  // the largest first
  std::vector<std::int32_t> fields_read_, parameters_read_;

  Pass residual_;
  std::optional<TransposedBlock> transposed_;
  std::optional<Pass> tangent_;
  std::optional<Pass> coefficient_pass_;
  std::vector<Coefficient> coefficients_;
  bool linear_ = true;
  std::vector<std::vector<std::size_t>> region_coefficients_;
};

}  // namespace dd::odil
