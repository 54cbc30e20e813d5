// The search through all assignments that could be better than a threshold: coordinates of a reduced basis are fixed
// one after another, from the last, as long as the others can still be completed by real numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "dmmv/chebyshev.hpp"
#include "dmmv/depth_cuts.hpp"
#include "dmmv/exact.hpp"
#include "dmmv/moves.hpp"
#include "dmmv/problem.hpp"
#include "dmmv/unit_rows.hpp"

namespace dd::dmmv {

class ProofTree {
 public:
  /// Assignments with t <= threshold, and below `result.objective`, are looked for; counts are added to `result`.
  ProofTree(const Problem& problem, std::span<const std::int32_t> base, double threshold, ExactResult& result,
            RunControl& control);

  /// True when it ended by itself; `found` then holds a better assignment, or nothing: there is none.
  bool run(std::vector<std::int32_t>& found);

 private:
  bool is_open(std::size_t free);
  bool descend(std::size_t free);
  void rows_interval(double& low, double& high) const;
  std::vector<double> candidates(std::size_t k, double low, double high) const;
  bool accept();
  void report();

  const Problem& problem_;
  std::vector<std::int32_t> base_, found_;
  double threshold_;
  ExactResult& result_;
  RunControl& control_;
  UnitRows unit_;
  DepthCuts cuts_;
  bool usable_ = false;
  std::vector<std::unique_ptr<ChebyshevReference>> references_;  ///< [k - 1]: k coordinates are free
  std::vector<bool> inside_;  ///< [k]: whether the last question of this depth had a point for an answer
  std::vector<double> coordinates_, residuals_;
};

}  // namespace dd::dmmv
