// Budgeted assignment's part of the kernel table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::quantize {

std::span<const KernelEntry> assignment_kernels() noexcept;

}  // namespace dd::quantize
