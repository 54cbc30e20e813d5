// Compiled programs in the kernel table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::odil {

std::span<const KernelEntry> program_kernels() noexcept;

}  // namespace dd::odil
