// Entries of program.isa.cpp: all instructions of a program on one block of points; one linear combination at points
// that lie anywhere along a line; values times a factor.
#pragma once

#include <cstddef>

#include "core/isa.hpp"
#include "odil/program.hpp"

namespace dd::odil {

template <class T>
struct BlockRun {
  const Instruction* instructions;
  std::size_t count;
  T* const* slots;  ///< where each row's first point lies
  const T* table;
  double* sums;
  std::size_t length;  ///< points
};

/// to[p to_step] = constant + sum_k coefficient_k from_k[p step_k] for points p in [0, count); `to` may be one of
/// `from`.
template <class T>
struct LineCombination {
  T* to;
  std::ptrdiff_t to_step;
  const T* from[max_terms];
  std::ptrdiff_t step[max_terms];
  T coefficient[max_terms];
  const T* constant;  ///< null: none
  std::size_t terms;
  std::size_t count;
};

DD_ISA_KERNEL(scale_values_float32, void(float factor, float* values, std::size_t count));
DD_ISA_KERNEL(scale_values_float64, void(double factor, double* values, std::size_t count));
DD_ISA_KERNEL(run_line_float32, void(const LineCombination<float>* line));
DD_ISA_KERNEL(run_line_float64, void(const LineCombination<double>* line));
DD_ISA_KERNEL(run_block_float32, void(const BlockRun<float>* run));
DD_ISA_KERNEL(run_block_float64, void(const BlockRun<double>* run));

}  // namespace dd::odil
