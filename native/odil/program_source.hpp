// Compiled programs as CUDA C++ text: straight-line code, one local variable per instruction, the same order and the
// same roundings as the interpreters'. For compilers (nvcc, NVRTC, or a host compiler behind a few macros) that keep in
// registers what an interpreter moves through memory.
//
// Source: specs/odil-engine.md, section 5.
#pragma once

#include <span>
#include <string>

#include "odil/regions.hpp"

namespace dd::odil {

enum class SourcePrecision : std::uint8_t { float64, float32 };

/// A name for C: letters, digits and underscores of the given one.
std::string identifier(std::string name);

/// What the kernels of a problem need in front of them.
std::string source_preamble();

/// One kernel per region, `<name>_region<k>`, that sets residual[i] at the points of the region, one thread each.
/// Arguments: every operand up to `operands` in its order, the parameters in float64, the residuals of the block.
std::string grid_block_source(Graph& graph, const Domain& domain, std::size_t operands, const Shape& shape,
                              std::span<const Region> regions, const std::string& name, SourcePrecision precision);

/// One kernel, `<name>`, for a single thread: residual[r] is root r. Arguments as above.
std::string scalar_block_source(const Graph& graph, const Domain& domain, std::size_t operands,
                                std::span<const NodeId> roots, const std::string& name, SourcePrecision precision);

}  // namespace dd::odil
