// The kernels of this room as their formulas say, one loop each: what every other form is compared with.
#pragma once

#include "dmmv/batched_flip.hpp"
#include "dmmv/dictionary_penalty.hpp"
#include "dmmv/one_flip.hpp"
#include "dmmv/power_sum.hpp"
#include "dmmv/sparse_flip.hpp"
#include "dmmv/swap_table.hpp"
#include "dmmv/walk_step.hpp"

namespace dd::dmmv::reference {

/// In the arithmetic of Real, product and sum rounded separately: the other forms must give these very bits.
template <class Real>
void one_flip(const OneFlipColumn<Real>& arguments) noexcept;

/// Terms and sums in float64.
template <class Real>
void dictionary_penalty(const DictionaryPenalty<Real>& arguments) noexcept;

void walk_step(WalkStep<double>& step) noexcept;

/// In the arithmetic of Real: the other forms must give these very bits.
template <class Real>
void batched_flip(const BatchedFlip<Real>& arguments) noexcept;

/// Powers and their sum in float64; `largest` in float32, exactly.
void power_sum(PowerSum& arguments) noexcept;

/// In float64, sums rounded one by one: the other forms must give these very bits.
void swap_table(const SwapTable& arguments) noexcept;

/// Sums in the order of the entries.
void sparse_flip(const SparseFlip& arguments) noexcept;

}  // namespace dd::dmmv::reference
