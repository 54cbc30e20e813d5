// What one refuted partial assignment says of the others of its depth.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dmmv/chebyshev.hpp"
#include "dmmv/unit_rows.hpp"

namespace dd::dmmv {

/// Multipliers kept for each depth, that is for each number of coordinates that are free: asking them costs a product
/// of as many numbers as are fixed.
class DepthCuts {
 public:
  /// `count` goes up with every cut; it outlives the cuts.
  DepthCuts(const UnitRows& unit, std::uint64_t& count) : unit_(unit), count_(count), cuts_(unit.columns + 1) {}

  /// The interval that the cuts of depth `free` leave to coordinate `free`, those behind it being fixed.
  void narrow(std::size_t free, std::span<const double> coordinates, double& low, double& high) const;
  /// Whether a cut of depth `free` refutes the coordinates from `free` on.
  bool excludes(std::size_t free, std::span<const double> coordinates);
  /// Keeps the multipliers with which `reference` has just refuted coordinates from `free` on.
  void add(std::size_t free, const ChebyshevReference& reference);

 private:
  /// |sum_(j >= depth) shares_j coordinate_j + start| <= limit wherever all rows are met.
  struct Cut {
    std::vector<double> shares;
    double start = 0, limit = 0;
  };

  const UnitRows& unit_;
  std::uint64_t& count_;
  std::vector<std::vector<Cut>> cuts_;  ///< [k]: k coordinates are free
};

}  // namespace dd::dmmv
