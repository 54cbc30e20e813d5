// Entry of program.isa.cpp: all instructions of a program on one block of points.
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

DD_ISA_KERNEL(run_block_float32, void(const BlockRun<float>* run));
DD_ISA_KERNEL(run_block_float64, void(const BlockRun<double>* run));

}  // namespace dd::odil
