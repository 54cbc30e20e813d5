// Starts near the continuous point, drawn at random: what makes many short walks better than few long ones.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/philox.hpp"
#include "core/run_control.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/starts.hpp"

namespace dd::dmmv {

/// Sampled nearest planes in the D-optimal metric of the rows, in a basis reduced for it.
class SampledStarts {
 public:
  explicit SampledStarts(const Problem& problem) : problem_(problem) {}

  /// Available afterwards where `lattice` is and rows and basis are independent in float64.
  void prepare(const SearchRows& rows, const SearchLattice& lattice, std::span<const double> point,
               const RunControl& control);
  bool available() const noexcept { return plane_ != nullptr; }
  /// The nearest plane itself; needs available().
  std::vector<std::int32_t> nearest() const { return plane_->nearest(); }
  /// A good assignment near the point: many are sampled, the nearest in the metric evaluated, the best is returned.
  /// Empty where `control` says stop; needs available().
  std::vector<std::int32_t> draw(PhiloxStream& random, const RunControl& control) const;

 private:
  const Problem& problem_;
  std::unique_ptr<NearestPlane> plane_;
};

}  // namespace dd::dmmv
