// A discrete loss: residual blocks on grids and scalar residuals over fields and parameters, their values, their sum of
// squares, and everything that derivatives are asked for: gradient, products with the Jacobian, the Jacobian itself.
//
// Unknowns are packed: fields row-major in their order, then the parameters. Residuals likewise: blocks in their order.
// Source: specs/odil.md, sections 1 and 2; specs/odil-engine.md, sections 1 and 2.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/aligned_buffer.hpp"
#include "core/function_ref.hpp"
#include "linalg/sparse/matrix.hpp"
#include "odil/grid_block.hpp"
#include "odil/program_source.hpp"
#include "odil/scalar_block.hpp"

namespace dd::odil {

/// The sum of an expression over all points of `shape`: a number that scalar blocks read. In the graph total k is the
/// parameter whose number is k plus that of the parameters.
struct TotalDescription {
  Shape shape;
  NodeId root = 0;
};

/// One residual block. A grid block has one root and a value per point of `shape`; a scalar block has a value per root,
/// and its roots are expressions of parameters, picks and totals.
struct BlockDescription {
  std::string name;
  bool scalar = false;
  bool raw = false;  ///< contributes its mean instead of the mean of its squares
  Shape shape;
  std::vector<NodeId> roots;

  std::size_t residuals() const noexcept { return scalar ? roots.size() : shape.points(); }
};

struct ProblemDescription {
  Graph graph;
  std::vector<std::string> axis_names;
  std::array<bool, max_axes> periodic{};
  std::vector<Operand> fields;
  std::vector<Operand> arrays;
  std::size_t parameters = 0;
  std::vector<TotalDescription> totals;
  std::vector<BlockDescription> blocks;
};

enum class Normalization : std::uint8_t {
  mean,  ///< sum over blocks of the mean of squares
  sum,   ///< sum of all squares
};

/// Over the residuals of one block.
struct BlockSums {
  double plain = 0;
  double squares = 0;
};

class Problem {
 public:
  /// Checks and compiles. Throws Error naming what is wrong: accesses outside (see make_regions), fields or arrays that
  /// do not exist, scalar blocks that need a point, blocks without any unknown.
  explicit Problem(ProblemDescription description);
  ~Problem();
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  std::size_t unknowns() const noexcept { return grid_unknowns_ + description_.parameters; }
  std::size_t grid_unknowns() const noexcept { return grid_unknowns_; }
  std::size_t residuals() const noexcept { return residuals_; }
  const ProblemDescription& description() const noexcept { return description_; }
  std::size_t field_offset(std::size_t field) const noexcept { return field_offsets_[field]; }
  std::size_t block_offset(std::size_t block) const noexcept { return block_offsets_[block]; }

  /// Null for the blocks of the other kind.
  const GridBlock* grid_block(std::size_t block) const noexcept { return grid_blocks_[block].get(); }
  const ScalarBlock* scalar_block(std::size_t block) const noexcept { return scalar_blocks_[block].get(); }
  const Domain& domain() const noexcept { return domain_; }
  /// What blocks read: fields row-major in their order, and parameters.
  template <class T>
  PointSources<T> sources(std::span<const T> fields, std::span<const double> parameters) const;
  /// Derives and compiles more from the problem's expressions; one thread at a time.
  void with_graph(FunctionRef<void(Graph&)> compile) const;

  /// The values of constant array `number`; must be set before anything is evaluated.
  void set_array(std::size_t number, std::span<const double> values);

  /// residuals[block_offset(b) + i] = F_b,i(z). Cost: one pass over the fields per block.
  template <class T>
  void evaluate(std::span<const T> unknowns, std::span<T> residuals, std::size_t threads) const;

  /// What the sums of each block are multiplied with in the loss: 1/n_b or 1, times the square of its weight (raw
  /// blocks: its weight). `weights` is empty or has one for each block.
  std::vector<double> scales(Normalization normalization, std::span<const double> weights = {}) const;

  /// Sum over blocks of scale_b sum_i F^2 (raw blocks: scale_b sum_i F).
  template <class T>
  double loss(std::span<const T> residuals, std::span<const double> scales, std::size_t threads) const;
  template <class T>
  double loss(std::span<const T> residuals, Normalization normalization, std::size_t threads) const {
    return loss<T>(residuals, scales(normalization), threads);
  }
  /// The sums that `loss` scales, to the bit, without keeping all residuals.
  template <class T>
  std::vector<BlockSums> block_sums(std::span<const T> unknowns, std::size_t threads) const;
  double block_scale(std::size_t block, Normalization normalization) const noexcept;

  /// gradient = d loss / d unknowns, and the loss. `residuals` is scratch of that length. Frozen terms have no
  /// derivative, so where there are some this is not the slope of the loss (odil.md, section 1.3).
  template <class T>
  double gradient(std::span<const T> unknowns, std::span<T> residuals, std::span<T> gradient,
                  std::span<const double> scales, std::size_t threads) const;
  template <class T>
  double gradient(std::span<const T> unknowns, std::span<T> residuals, std::span<T> gradient,
                  Normalization normalization, std::size_t threads) const {
    return this->gradient<T>(unknowns, residuals, gradient, scales(normalization), threads);
  }

  /// result += J(z)^T w.
  template <class T>
  void add_transposed_product(std::span<const T> unknowns, std::span<const T> weights, std::span<T> result,
                              std::size_t threads) const;

  /// result = J(z) v.
  template <class T>
  void product(std::span<const T> unknowns, std::span<const T> direction, std::span<T> result,
               std::size_t threads) const;

  /// What blocks read at one state.
  template <class T>
  PointSources<T> sources(std::span<const T> unknowns) const;
  /// A grid block whose coefficients are compiled.
  const GridBlock& with_coefficients(std::size_t block) const;

  /// The pattern of J, with zeros: the same for all z.
  linalg::SparseMatrix pattern() const;
  /// Fills `matrix.values`.
  void jacobian(std::span<const double> unknowns, linalg::SparseMatrix& matrix, std::size_t threads) const;

  /// A readable listing of block `number`: regions, instructions, registers, rows read.
  std::string listing(std::size_t number) const;

  /// Block `number` as CUDA C++ (program_source.hpp). Kernels are called block<number>_<name>; operands are the fields,
  /// then the arrays.
  std::string source(std::size_t number, SourcePrecision precision) const;
  /// What a caller of the kernels must know, as a comment.
  std::string source_header() const;

  /// "block u[3][4]": where in the blocks residual number `index` is.
  std::string residual_name(std::size_t index) const;
  /// "u[3][4]", or "parameter 2": which unknown number `index` is.
  std::string unknown_name(std::size_t index) const;

 private:
  template <class T>
  const T* array_data(std::size_t number) const;
  template <class T>
  std::vector<T*> field_targets(std::span<T> unknowns) const;
  /// The parameters at one state, then the totals.
  template <class T>
  std::vector<double> scalars(const PointSources<T>& at, std::size_t threads) const;
  /// Where row `entry.root` of a scalar block has its derivative; not for totals.
  std::size_t column_of(const ScalarDerivative& entry) const noexcept {
    return entry.parameter ? grid_unknowns_ + entry.number : field_offsets_[entry.number] + entry.flat;
  }
  bool is_total(const ScalarDerivative& entry) const noexcept {
    return entry.parameter && entry.number >= description_.parameters;
  }
  const GridBlock& with_coefficients(GridBlock& block) const;
  const GridBlock& with_transposed(GridBlock& block) const;
  template <class T>
  void finish_transposed(const PointSources<T>& at, std::span<const double> numbers, std::span<const T> weights,
                         std::span<T* const> targets, std::span<double> sums, std::size_t threads) const;
  GridBlock& total_of(const ScalarDerivative& entry) const noexcept {
    return *totals_[entry.number - description_.parameters];
  }

  mutable ProblemDescription description_;  // the graph grows when derivatives are compiled, under mutex_
  Domain domain_;
  std::size_t grid_unknowns_ = 0, residuals_ = 0;
  std::vector<std::size_t> field_offsets_, block_offsets_;
  std::vector<AlignedBuffer<double>> arrays_float64_;
  mutable std::vector<AlignedBuffer<float>> arrays_float32_;  // under mutex_
  std::vector<std::unique_ptr<GridBlock>> grid_blocks_;       ///< null for scalar blocks
  std::vector<std::unique_ptr<ScalarBlock>> scalar_blocks_;   ///< null for grid blocks
  std::vector<std::unique_ptr<GridBlock>> totals_;            ///< what is added up
  mutable std::mutex mutex_;
};

}  // namespace dd::odil
