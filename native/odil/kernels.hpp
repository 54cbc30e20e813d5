// The odil room's part of the kernel table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::odil {

std::span<const KernelEntry> kernels() noexcept;

}  // namespace dd::odil
