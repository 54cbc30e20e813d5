// Derivatives of one residual block, row of time by row of time: what marching forwards and backwards multiplies with.
//
// Coefficients that are the same in all rows of a stretch of time are kept once. The others are kept for every row
// while they are small, and evaluated again whenever a march comes by where they are not.
// Source: specs/odil-engine.md, sections 2.4, 3.3 and 4.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

/// Elements before and after a row of coefficients that hold 0, so that transposed products may look beyond its ends.
template <class T>
constexpr std::size_t row_guard(std::size_t reach) noexcept {
  return (reach + 64 + 15) / 16 * 16;
}

/// The derivatives of one block compiled row by row, without values.
class RowProgram {
 public:
  /// d F_i / d u at the row of the state `time` later and `offset` points further on.
  struct Term {
    std::int32_t time = 0;
    std::ptrdiff_t offset = 0;
    bool varies = false;    ///< from row to row of its stretch
    std::size_t place = 0;  ///< among those that vary, or among those that do not
  };
  /// A point whose neighbour lies around the end of a periodic axis.
  struct Wrapped {
    std::size_t term = 0;
    std::size_t point = 0, column = 0;
  };
  /// Rows [begin, end) of the block, which all have the same expressions.
  struct Stretch {
    std::int32_t begin = 0, end = 0;
    std::vector<Term> terms;
    std::vector<std::int32_t> parameters;
    std::vector<Wrapped> wrapped;
    std::size_t constant = 0, varying = 0;  ///< how many terms
    std::size_t hoisted = 0;  ///< rows that residuals and varying terms read, the same for all rows of time
    Pass constant_pass, hoisted_pass, varying_pass, residual_pass, parameter_pass;
  };

  /// `block` must have as many points in a row as field 0.
  RowProgram(Graph& graph, const Problem& problem, std::size_t block);

  const GridBlock& block() const noexcept { return *block_; }
  std::span<const Stretch> stretches() const noexcept { return stretches_; }
  std::size_t stretch_of(std::int32_t row) const noexcept;
  std::size_t points() const noexcept { return points_; }
  /// The largest distance of a neighbour.
  std::size_t reach() const noexcept { return reach_; }
  /// Every residual depends on the state at its own point alone.
  bool is_pointwise() const noexcept { return pointwise_; }

 private:
  const GridBlock* block_;
  std::size_t points_ = 0, reach_ = 0;
  bool pointwise_ = true;
  std::vector<Stretch> stretches_;
};

/// The derivatives at one row.
template <class T>
struct RowView {
  struct Band {
    std::int32_t time;
    std::ptrdiff_t offset;
    const T* coefficient;  ///< of the row's first point
  };
  struct Entry {
    std::int32_t time;
    std::uint32_t point, column;
    T coefficient;
  };
  std::vector<Band> bands;
  std::vector<Entry> wrapped;
};

template <class T>
class RowCoefficients {
 public:
  /// `keep`: bytes that rows which vary may take together.
  RowCoefficients(const RowProgram& program, std::size_t keep);

  /// Takes the derivatives at a state, which must stay as it is where rows are evaluated again.
  void linearise(const PointSources<T>& sources, std::size_t threads);

  /// Valid until the next call.
  const RowView<T>& row(std::int32_t row, std::size_t threads);
  /// The residuals of a row at other fields than those of `linearise`, with the same parameters.
  void residuals(const PointSources<T>& sources, std::int32_t row, T* to, std::size_t threads) const;

  /// d F / d parameter for the row, in the order of its stretch's parameters: `points` numbers each.
  void parameters(std::int32_t row, std::span<T* const> columns, std::size_t threads) const;

  const RowProgram& program() const noexcept { return program_; }
  std::size_t guard() const noexcept { return guard_; }
  /// Numbers the rows whose own derivatives (time `own`) are the same: rows of one stretch in which none of them varies
  /// share a number.
  bool same_matrix(std::int32_t a, std::int32_t b, std::int32_t own) const noexcept;

 private:
  void evaluate(const Pass& pass, std::span<const T* const> operands, std::span<const double> parameters,
                std::int32_t row, std::size_t count, T* to, std::size_t threads) const;
  std::vector<const T*> with_hoisted(const PointSources<T>& sources, std::size_t stretch) const;
  void take_wrapped(const RowProgram::Stretch& stretch, bool varying, T* rows, std::vector<T>& values) const;
  void view(const RowProgram::Stretch& stretch, const T* constant, const T* varying,
            std::span<const T> constant_wrapped, std::span<const T> varying_wrapped);

  const RowProgram& program_;
  std::size_t guard_, stride_;
  bool keeps_ = false;
  PointSources<T> sources_;
  std::vector<AlignedBuffer<T>> constant_, hoisted_;  // by stretch
  std::vector<std::vector<T>> constant_wrapped_;      // by stretch
  AlignedBuffer<T> varying_;                          // all rows, or one
  std::vector<std::vector<T>> varying_wrapped_;       // likewise
  std::vector<std::size_t> first_varying_;            // by stretch: number of its first varying row
  RowView<T> view_;
};

}  // namespace dd::odil
