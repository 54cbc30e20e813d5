// The tables of all rooms in one: what tests, `doctor` and the benchmarks walk.
#pragma once

#include <span>

#include "core/block_launcher.hpp"
#include "core/kernel_registry.hpp"

namespace dd {

/// Every registered kernel, room by room.
std::span<const KernelEntry> all_kernels();

/// Every block kernel of block_kernels.hpp, as device symbols: a registered kernel may launch several.
std::span<const BlockKernelInfo> all_block_kernels();

/// The block kernel with that symbol, or null.
const BlockKernelInfo* find_block_kernel(std::string_view symbol);

}  // namespace dd
