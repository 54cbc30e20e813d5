// The kernels of row solves, for the room's part of the table.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::odil {

std::span<const KernelEntry> row_solver_kernels() noexcept;

}  // namespace dd::odil
