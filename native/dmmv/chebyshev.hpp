// Whether some real point keeps every row within one: the relaxation that the exact solver asks thousands of times, by
// single exchange (Stiefel, Numer. Math. 1, 1959) with the inverse of the reference kept from one question to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dd::dmmv {

/// min over c of max_i |r_i + sum_(j < k) b_ij c_j| for a fixed matrix (m x k, column-major, of full column rank) and
/// many r. One object for each k; its state is where the next question starts, never what its answer means.
class ChebyshevReference {
 public:
  enum class Answer : std::uint8_t {
    inside,   ///< `point` keeps every row within one
    outside,  ///< the multipliers prove that no point does
    unknown   ///< rounding or the limit on exchanges came first
  };

  /// False in `usable` when the columns are dependent to working precision.
  ChebyshevReference(const double* matrix, std::size_t rows, std::size_t columns);
  bool usable() const noexcept { return usable_; }

  /// The multipliers must exceed 1 by more than `margin` to prove anything.
  Answer ask(std::span<const double> r, double margin);

  std::span<const double> point() const noexcept { return point_; }
  /// visit(row, y) for every multiplier after `outside`; sum |y| = 1 and y is orthogonal to the columns but for
  /// rounding.
  template <class Visit>
  void for_multipliers(Visit&& visit) const {
    visit(extra_, orientation_ / norm_);
    for (std::size_t k = 0; k < columns_; ++k) visit(basis_[k], -orientation_ * share_[k] / norm_);
  }

 private:
  bool factorise();
  void represent(std::size_t row, std::vector<double>& shares) const;

  const double* matrix_;
  std::size_t rows_, columns_;
  bool usable_ = false;
  std::vector<std::size_t> basis_;  ///< rows of the reference but one
  std::size_t extra_ = 0;           ///< and that one
  std::vector<double> inverse_;     ///< of the basis rows, columns x columns, column-major
  std::vector<double> share_, entering_, point_, residual_, wanted_;
  double norm_ = 1, orientation_ = 1;
  std::uint64_t exchanges_ = 0;
};

}  // namespace dd::dmmv
