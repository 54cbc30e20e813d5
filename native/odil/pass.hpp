// A pass: expressions over all points of a block, compiled region by region, and their results written, added or summed
// up. Residuals, coefficient arrays and transposed products are passes with different outputs.
//
// Source: specs/odil-engine.md, sections 1.4 and 1.5.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/function_ref.hpp"
#include "odil/compiled_program.hpp"
#include "odil/regions.hpp"

namespace dd::odil {

/// The outputs of one region.
struct RegionOutputs {
  Box box;
  std::vector<Output> outputs;
  std::vector<Target> targets;  ///< one per output
};

/// The arrays of one run. Operands are read, targets are written; an array may not be both, except that what is added
/// to is also read.
template <class T>
struct Arrays {
  std::span<const T* const> operands;
  std::span<T* const> targets;
  std::span<const double> parameters;
  std::span<double> sums;  ///< added to
};

/// Called with the number of a piece and its points [begin, end).
using AfterPiece = FunctionRef<void(std::size_t number, std::size_t begin, std::size_t end)>;

struct ProgramStatistics {
  std::size_t instructions = 0, registers = 0, externals = 0, points = 0;
  bool flat = false;
};

class Pass {
 public:
  Pass() = default;
  /// `shape`: of the block's points. Outputs that store do so at their own points, in arrays of that shape.
  Pass(Graph& graph, const Domain& domain, const Shape& shape, std::vector<RegionOutputs> regions);

  /// Evaluates every region at every point. Cost: proportional to points and instructions; the same bits for any
  /// number of threads. A pass whose outputs add to arrays runs on one thread.
  template <class T>
  void run(const Arrays<T>& arrays, std::size_t threads) const;

  /// The same; `then` follows each piece of the points, on the thread that has just computed it.
  template <class T>
  void run(const Arrays<T>& arrays, std::size_t threads, AfterPiece then) const;
  /// Where the pieces of a shape's points begin, and where the last one ends: runs go piece by piece, each through all
  /// regions while it is in the cache.
  static std::vector<std::size_t> pieces(const Shape& shape);

  /// The same at the points whose index along the first axis lies in [first, last): equations that are solved row by
  /// row of time. Touches nothing outside these rows of the targets.
  template <class T>
  void run_rows(const Arrays<T>& arrays, std::int32_t first, std::int32_t last, std::size_t threads) const;

  std::vector<ProgramStatistics> statistics() const;

 private:
  struct Compiled {
    Box box;
    std::size_t flattened = 0;  // how many of the last axes are run through as one; 0 means gathered
    bool adds = false;
    bool linear = false;  // of gathered points: computed where they are
    CompiledProgram rows;
    std::vector<MovingRow> moving;             // of points in rows
    std::vector<Place> sources, destinations;  // of gathered points: one per external and per target
  };
  friend struct PassRunner;

  Shape shape_;
  std::vector<Compiled> regions_;  // those with more flattened axes first: what they spoil is mended later
  bool adds_ = false;
  std::size_t uniforms_ = 0;  // of all regions
};

/// A program over consecutive points [begin, end) of a shape, whatever region they belong to. What it reads and writes
/// lies in memory as the shape does, repeated arrays excepted (common_run). Rows of repeated arrays are also read
/// around their ends, as far as the shifts reach.
class FlatPass {
 public:
  FlatPass() = default;
  FlatPass(Graph& graph, const Domain& domain, const Shape& shape, const std::vector<Output>& outputs,
           std::vector<Target> targets);

  /// How many points of `shape` one after the other have their neighbours in `operand` one after the other; 0 where
  /// that is too few to be worth it.
  static std::size_t common_run(const Shape& shape, const Shape& operand) noexcept;

  /// Outputs that add are put together in a fixed order: chunks whose targets may overlap do not run at the same time.
  template <class T>
  void run(const Arrays<T>& arrays, std::size_t begin, std::size_t end, std::size_t threads) const;

  ProgramStatistics statistics() const;

 private:
  Shape shape_;
  CompiledProgram rows_;
  std::vector<MovingRow> moving_;
  std::size_t longest_ = 1;  // a run of points ends at its multiples
  std::size_t reach_ = 0;    // how far from its own point an output adds, in elements
};

}  // namespace dd::odil
