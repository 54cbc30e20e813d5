// The kernel of nearest planes for the registry.
#pragma once

#include <span>

#include "core/kernel_registry.hpp"

namespace dd::linalg {

std::span<const KernelEntry> nearest_plane_kernels() noexcept;

}  // namespace dd::linalg
