// Rows that can never decide are taken out before the search: every step of it looks at every row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dmmv/problem.hpp"

namespace dd::dmmv {

/// A problem with fewer rows over the same variables and levels. Its t is that of the original for every assignment
/// whose t is above `threshold` (see presolve), and not above it otherwise.
class Presolved {
 public:
  /// The original when nothing could be taken out.
  const Problem& problem() const noexcept { return reduced_ ? *reduced_ : *original_; }
  /// Multipliers of problem() as multipliers of the original with the same bound; an empty span stays empty.
  std::vector<double> original_multipliers(std::span<const double> multipliers) const;

 private:
  friend Presolved presolve(const Problem& problem, double threshold);
  /// The original row behind one side of a reduced row.
  struct Side {
    std::size_t row = 0;
    double sign = 1;  ///< -1 where the original row has the opposite direction
  };
  struct Row {
    Side lower, upper;
  };
  const Problem* original_ = nullptr;
  std::optional<Problem> reduced_;
  std::vector<Row> rows_;  ///< one per reduced row
};

/// Takes out
///  - rows that are a multiple of an earlier one and weigh the same (w |a| equal): the earlier row gets the
///  intersection
///    of both intervals, if there is one. Rows that weigh differently are kept: t is signed, so neither is the tighter.
///  - rows that cannot exceed what is certain or wanted: whose largest violation over the boxes is below `threshold`
///  (the
///    caller's target, or -infinity) or below the smallest violation that some other row has everywhere.
/// `problem` must outlive the result. Cost: three passes over the matrix. Source: specs/dmmv.md, P9.
Presolved presolve(const Problem& problem, double threshold);

}  // namespace dd::dmmv
