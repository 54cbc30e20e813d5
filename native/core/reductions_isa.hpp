// Entries of reductions.isa.cpp, one chunk each.
#pragma once

#include <cstddef>

#include "core/isa.hpp"

namespace dd {

DD_ISA_KERNEL(sum_chunk_float32, float(const float* values, std::size_t count));
DD_ISA_KERNEL(sum_chunk_float64, double(const double* values, std::size_t count));
DD_ISA_KERNEL(dot_chunk_float32, double(const float* a, const float* b, std::size_t count));
DD_ISA_KERNEL(dot_chunk_float64, double(const double* a, const double* b, std::size_t count));
DD_ISA_KERNEL(max_abs_chunk_float32, float(const float* values, std::size_t count));
DD_ISA_KERNEL(max_abs_chunk_float64, double(const double* values, std::size_t count));
DD_ISA_KERNEL(first_non_finite_chunk_float32, std::size_t(const float* values, std::size_t count));
DD_ISA_KERNEL(first_non_finite_chunk_float64, std::size_t(const double* values, std::size_t count));

}  // namespace dd
