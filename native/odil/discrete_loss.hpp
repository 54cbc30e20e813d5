// The loss of a problem as gradient methods see it: unknowns are the fields themselves or the levels of their multigrid
// decomposition, and the weights of blocks may change from iteration to iteration.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "odil/block_weights.hpp"
#include "odil/decomposition.hpp"
#include "odil/first_order.hpp"
#include "odil/problem.hpp"

namespace dd::odil {

template <class T>
class DiscreteLoss final : public Objective<T> {
 public:
  /// `decompositions`: one for each field, or none at all. The problem must outlive this.
  DiscreteLoss(const Problem& problem, Normalization normalization, BlockWeights weights,
               std::vector<Decomposition> decompositions);
  /// 1 until it is told.
  void use_threads(std::size_t threads) noexcept { threads_ = threads; }

  /// Of the method: with a decomposition the levels of all fields, then the parameters.
  std::size_t unknowns() const noexcept { return unknowns_; }
  /// The method's unknowns for a state of the problem, and back.
  void decompose(std::span<const T> state, std::span<T> z) const;
  void compose(std::span<const T> z, std::span<T> state, std::size_t threads) const;

  double evaluate(std::span<const T> z, std::span<T> gradient) override;
  double loss(std::span<const T> z) override;
  bool begin(std::uint64_t iteration) override;

  void not_finite_at(std::span<const T> z) override { failed_.assign(z.begin(), z.end()); }

  struct Failure {
    std::string name;  ///< "pde[3][4]"
    std::string what;  ///< a sentence
  };
  /// What was not finite where an evaluation failed last.
  Failure failure();

 private:
  std::span<const T> state_of(std::span<const T> z);

  const Problem& problem_;
  Normalization normalization_;
  BlockWeights weights_;
  std::vector<Decomposition> decompositions_;
  std::size_t threads_ = 1, unknowns_;
  std::vector<double> scales_;
  AlignedBuffer<T> state_, state_gradient_, residuals_;  // the first two where there are decompositions
  std::vector<T> failed_;
};

/// Decompositions of all fields of a problem; 0 levels: as many as fit the field of fewest. Errors as Decomposition's.
std::vector<Decomposition> decompose_fields(const Problem& problem, std::size_t levels,
                                            std::span<const double> factors);

}  // namespace dd::odil
