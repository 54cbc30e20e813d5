// The good assignments that chains start again from.
#pragma once

#include <cstddef>
#include <vector>

#include "dmmv/moves.hpp"
#include "dmmv/target_search.hpp"

namespace dd::dmmv {

/// At most eight assignments, best first, any two of which differ in at least one variable in a hundred.
class ElitePool {
 public:
  ElitePool(const SearchRows& rows, double feasible) : rows_(rows), feasible_(feasible) {}

  /// Takes in `candidate` unless one that is as good is nearer than that; those nearer that are not as good go.
  void add(const SearchBest& candidate);
  std::size_t size() const noexcept { return elites_.size(); }
  const SearchBest& operator[](std::size_t k) const noexcept { return elites_[k]; }

 private:
  static constexpr std::size_t capacity = 8;
  const SearchRows& rows_;
  double feasible_;
  std::vector<SearchBest> elites_;
};

}  // namespace dd::dmmv
