// Entries of machine_limits.isa.cpp.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd {

// Runs `turns` rounds of independent multiply-adds and returns the flops done; *sink keeps the work alive.
DD_ISA_KERNEL(fma_loop_float32, double(std::size_t turns, float x, float y, float* sink));
DD_ISA_KERNEL(fma_loop_float64, double(std::size_t turns, double x, double y, double* sink));
// a = b + s c, and the sum of b.
DD_ISA_KERNEL(triad_float64, void(double* a, const double* b, const double* c, double s, std::size_t count));
DD_ISA_KERNEL(read_float64, double(const double* b, std::size_t count));

}  // namespace dd
