// Everything in a loss that is no equation of the evolution: its derivatives D by the state and S by the parameters,
// as the solver in control space uses them: D^T D v, and parameters eliminated through fields D^T S.
//
// Where every residual depends on the state at its own point alone, D^T D is a diagonal.
// Source: specs/odil-engine.md, sections 3.1 to 3.3.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "odil/march.hpp"

namespace dd::odil {

/// A field that may be 0 outside a range of rows, in which case only these are kept.
template <class T>
struct RowRangeField {
  std::size_t first_row = 0, rows = 0;
  StateVector<T> values;
};

/// What eliminates the parameters, p of them.
template <class T>
struct Elimination {
  std::vector<double> normal;            ///< S^T S, p x p
  std::vector<double> slope;             ///< S^T r, p
  std::vector<RowRangeField<T>> fields;  ///< D^T S, one field per parameter
};

template <class T>
class DataOperator {
 public:
  /// Blocks are scaled by `scales` (squared weights). `reach`: of the equations, for fields that marches read.
  DataOperator(const Problem& problem, const Evolution& evolution, std::vector<double> scales, std::size_t reach);

  /// The rows of the state that are read at all: D is 0 in the others.
  std::size_t first_row() const noexcept { return first_row_; }
  std::size_t rows() const noexcept { return rows_; }

  /// Takes derivatives at a state and eliminates parameters: `sensitivities[k]` is d state / d parameter k in the rows
  /// that are read, without rows where the equations do not depend on it, and is used up; `factors[k]` scales direct
  /// derivatives by parameter k. gradient = D^T r with r the residuals at the state.
  void linearise(const PointSources<T>& sources, std::span<const double> factors,
                 std::vector<RowRangeField<T>> sensitivities, std::span<T> gradient, Elimination<T>& elimination,
                 std::size_t threads);

  /// D^T D works point by point, on a state in place.
  bool in_place() const noexcept { return banded_.empty() && !sums_; }
  /// result = D^T D state; `result` may be `state` where it works in place.
  void multiply_normal(const T* state, T* result, std::size_t threads);

  /// Elements beyond both ends of a state that are read and multiplied with 0, here or by the equations.
  std::size_t reach() const noexcept { return reach_; }

 private:
  struct Block {
    std::size_t number = 0;
    std::unique_ptr<RowProgram> program;
    std::unique_ptr<RowCoefficients<T>> coefficients;
  };
  struct ScalarRow {
    std::vector<std::pair<std::size_t, double>> state;   // place, derivative
    std::vector<std::pair<std::size_t, double>> direct;  // parameter, derivative
    double residual = 0;
    double scale = 0;
  };
  void find_rows();
  void prepare_fields(std::vector<RowRangeField<T>>& sensitivities, Elimination<T>& elimination) const;
  void add_scalar_blocks(const PointSources<T>& sources, std::span<const double> factors,
                         const std::vector<RowRangeField<T>>& sensitivities, std::vector<std::vector<double>>& products,
                         Elimination<T>& elimination);
  void add_band_blocks(const PointSources<T>& sources, std::span<const double> factors,
                       const std::vector<RowRangeField<T>>& sensitivities, std::span<T> gradient,
                       Elimination<T>& elimination, std::size_t threads);
  void add_pointwise_blocks(const PointSources<T>& sources, std::span<const double> factors,
                            std::vector<RowRangeField<T>>& sensitivities, std::span<T> gradient,
                            Elimination<T>& elimination, std::size_t threads);
  bool is_data(const Block& block, std::size_t row) const noexcept;
  static void multiply(const RowView<T>& bands, std::int32_t row, std::size_t points, const T* state, T* out);
  static void add_transposed(const RowView<T>& bands, std::int32_t row, std::size_t points, const T* in, T* state);

  const Problem& problem_;
  const Evolution& evolution_;
  std::vector<double> scales_;
  std::vector<Block> pointwise_, banded_;
  std::vector<std::size_t> scalar_;
  std::vector<ScalarRow> scalar_rows_;
  std::size_t reach_ = 0;
  std::size_t first_row_ = 0, rows_ = 0;
  bool sums_ = false;                                             // a number depends on the state
  AlignedBuffer<T> diagonal_;                                     // of the rows that are read
  std::vector<std::pair<std::size_t, std::size_t>> direct_rows_;  // by parameter: rows [first, last) with a derivative
};

}  // namespace dd::odil
