// A pass on a machine that runs block kernels: one launch per region, every point by itself. The twin of Pass
// (pass.hpp), which runs rows of points on the CPU.
//
// Source: specs/odil-engine.md, section 5.
#pragma once

#include <vector>

#include "core/block_launcher.hpp"
#include "odil/pass.hpp"
#include "odil/program.kernel.hpp"

namespace dd::odil {

class DevicePass {
 public:
  DevicePass() = default;
  /// As Pass. Points of one launch run at the same time, so a region has no output that sums, and no array is written
  /// by two of its outputs: gather, do not scatter. Throws ERR_INTERNAL otherwise, and where a program needs more
  /// registers than a block has (160 in float64).
  DevicePass(Graph& graph, const Domain& domain, const Shape& shape, std::vector<RegionOutputs> regions);

  /// `arrays.operands` and `arrays.targets` are device memory, parameters are not. Launches are queued; instructions
  /// and constants are uploaded anew.
  template <class T>
  void run(BlockLauncher& launcher, const Arrays<T>& arrays) const;

  /// Registers of the program that needs most.
  std::size_t registers() const noexcept;

 private:
  struct Compiled {
    Box box;
    Program program;
    Uniforms uniforms;
    std::vector<Target> targets;
  };
  template <class T>
  std::vector<PointRow<T>> rows(const Compiled& region, const Arrays<T>& arrays, T* uniforms) const;

  std::vector<Operand> operands_;
  Shape shape_;
  std::vector<Compiled> regions_;
};

}  // namespace dd::odil
