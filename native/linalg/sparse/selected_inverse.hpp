// Entries of the inverse of a sparse positive definite matrix where its factor has entries: marginal variances and
// covariances of neighbours without the inverse being formed.
#pragma once

#include <span>
#include <vector>

#include "core/run_control.hpp"
#include "linalg/sparse/cholesky.hpp"

namespace dd::linalg {

struct EntryPlace {
  Index row = 0;
  Index column = 0;
};

struct SelectedInverse {
  bool stopped = false;          // by the control; then there are no results
  std::vector<double> diagonal;  // of A^-1, one per unknown; infinity for an unknown that A says nothing about
  std::vector<double> entries;   // at the places asked for, in their order
};

/// Works downwards from the root, one dense front at a time, holding the fronts of one path. The same bytes for any
/// number of threads. Throws ERR_OUT_OF_RANGE (a place outside of the matrix) and ERR_INVALID_ARG_VALUE (a place where
/// the factor has no entry; every entry of the matrix that was factored is one).
/// Cost: about three factorisations. Source: Erisman and Tinney, Commun. ACM 18(3), 1975; Takahashi, Fagan and Chin,
/// 1973.
SelectedInverse selected_inverse(const SparseCholesky& factor, std::span<const EntryPlace> places, RunControl& control);

}  // namespace dd::linalg
