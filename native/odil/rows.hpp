// Expressions as rows: sums flattened to linear combinations, values that differ by a shift along the contiguous axis
// shared. What lies between expressions and programs (lowering.cpp).
//
// Source: specs/odil-engine.md, sections 1.2 and 1.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "odil/program.hpp"

namespace dd::odil {

/// A row, moved along the contiguous axis.
struct Reference {
  std::uint32_t row = 0;
  std::int32_t offset = 0;
  bool operator==(const Reference&) const = default;
  bool operator<(const Reference& other) const { return row != other.row ? row < other.row : offset < other.offset; }
};

/// A row before registers are known.
struct Row {
  bool external = false;
  External source;  // of an external row
  Code code = Code::combine;
  std::vector<Reference> operands;
  std::vector<NodeId> coefficients;
  NodeId constant = 0;
  auto key() const {
    return std::tie(external, source.kind, source.id, source.shift, source.uniform, code, operands, coefficients,
                    constant);
  }
  bool operator<(const Row& other) const { return key() < other.key(); }
};

/// What an output is made of.
struct Final {
  Row row;
  std::size_t output = 0;
  std::size_t sum = 0;  ///< number of the sum, where it is one
};

struct Rows {
  std::vector<Row> rows;  ///< each after those that it reads
  std::vector<Final> finals;
  std::size_t sums = 0;
};

Rows make_rows(Graph& graph, const std::vector<Output>& outputs, RowKind kind, std::size_t contiguous_axis);

}  // namespace dd::odil
