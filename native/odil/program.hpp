// What expressions are compiled to: a short list of instructions over rows of points. A row is either a register, or
// lies in an array the caller gave (an access costs no instruction), or is an output.
//
// Source: specs/odil-engine.md, section 1.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "odil/expression.hpp"

namespace dd::odil {

enum class Code : std::uint8_t {
  combine,  ///< c0 + sum_k c_k a_k, up to eight terms: any stencil with constant coefficients is one instruction
  multiply,
  divide,
  minimum,
  maximum,
  absolute,
  sign,
  select_less,
  exp,
  scaled_exp,  ///< exp(c0 + c a) of one term, exp(c0 + c a b) of two: a Gaussian in one pass
  log,
  sin,
  cos,
  tanh,
  sigmoid,
  sqrt,
  power,
  sum,  ///< adds up the row into sums[destination]
};

inline constexpr std::size_t max_terms = 8;
inline constexpr std::uint32_t no_constant = 0xFFFFFFFF;

/// d[p + destination_offset] = op(a_k[p + offset_k]) for p in [low, length + high).
struct Instruction {
  Code code = Code::combine;
  std::uint8_t terms = 0;
  std::uint16_t destination = 0;  ///< a slot; for `sum` the number of the sum
  std::int32_t low = 0;
  std::int32_t high = 0;
  std::int32_t destination_offset = 0;
  std::array<std::uint16_t, max_terms> operand{};  ///< slots
  std::array<std::int32_t, max_terms> offset{};    ///< elements
  std::array<std::uint32_t, max_terms>
      coefficient{};                     ///< places in the table, for `combine`; the first for `scaled_exp`
  std::uint32_t constant = no_constant;  ///< place of c0
};

/// A row that comes from outside.
struct External {
  enum class Kind : std::uint8_t { operand, index, uniform };
  Kind kind = Kind::operand;
  std::int32_t id = 0;   ///< operand or axis
  Shift shift{};         ///< of an access, the contiguous axis included only where rows are packed
  NodeId uniform = 0;    ///< for a uniform row
  std::int32_t low = 0;  ///< elements that are read before the first and after the last point
  std::int32_t high = 0;
};

enum class OutputKind : std::uint8_t { store, accumulate, sum };

struct Output {
  NodeId root = 0;
  OutputKind kind = OutputKind::store;
};

/// Slots: registers, then externals, then the outputs in their order.
struct Program {
  std::vector<Instruction> instructions;
  std::vector<External> externals;
  std::vector<Output> outputs;
  std::vector<NodeId> table;  ///< uniform expressions whose numbers the instructions refer to
  std::size_t registers = 0;
  std::int32_t low = 0;  ///< the longest extension of a row before its first point
  std::int32_t high = 0;
  std::size_t sums = 0;

  std::size_t external_slot(std::size_t number) const noexcept { return registers + number; }
  std::size_t output_slot(std::size_t number) const noexcept { return registers + externals.size() + number; }
  std::size_t slots() const noexcept { return registers + externals.size() + outputs.size(); }
};

enum class RowKind : std::uint8_t {
  flat,    ///< consecutive points: values at neighbouring points of the contiguous axis are computed once
  packed,  ///< any points, gathered: every point stands alone
};

/// Compiles expressions without where_index. `contiguous_axis`: the last axis of the points' shape. Cost: linear in the
/// nodes that the outputs need (hashing included).
Program lower(Graph& graph, const std::vector<Output>& outputs, RowKind rows, std::size_t contiguous_axis);

/// The instruction of an operation that has one; throws ERR_INTERNAL for the others.
Code code_of(Op op);

/// The table, then the uniform rows in their order.
std::vector<NodeId> uniform_roots(const Program& program);

}  // namespace dd::odil
