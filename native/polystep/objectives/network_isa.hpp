// What networks ask of the kernels compiled once per ISA level. Rows are units, columns are samples (a group of 16) or
// ticks of samples; every column is computed by itself, products and sums rounded one by one, so all levels give the
// same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.hpp"

namespace dd::polystep {

/// out_rc = start_rc + bias_r + sum_k weight_rk input_kc, in the order of k; out is rows x columns without gaps.
template <class T>
struct DenseRows {
  std::size_t rows;
  std::size_t columns;  ///< a multiple of 16
  std::size_t terms;
  const T* weights;
  std::size_t weight_stride;            ///< between rows
  const std::uint32_t* weight_columns;  ///< of each term, null: 0, 1, 2, ...
  const T* inputs;                      ///< rows of `columns`
  const std::uint32_t* input_rows;      ///< of each term, null: 0, 1, 2, ...
  const T* bias;                        ///< null: none
  const T* start;                       ///< like out, null: zeros
  T* out;
};
DD_ISA_KERNEL(dense_rows_float64, void(const DenseRows<double>*));
DD_ISA_KERNEL(dense_rows_float32, void(const DenseRows<float>*));
inline void dense_rows(const DenseRows<double>& arguments) { dense_rows_float64(&arguments); }
inline void dense_rows(const DenseRows<float>& arguments) { dense_rows_float32(&arguments); }

/// out = f(in), elementwise; `kind` is an Activation other than the spiking ones; count is a multiple of 16.
template <class T>
struct Activate {
  unsigned kind;
  T levels;
  const T* in;
  T* out;
  std::size_t count;
};
DD_ISA_KERNEL(activate_float64, void(const Activate<double>*));
DD_ISA_KERNEL(activate_float32, void(const Activate<float>*));
inline void activate(const Activate<double>& arguments) { activate_float64(&arguments); }
inline void activate(const Activate<float>& arguments) { activate_float32(&arguments); }

/// Leaky integrate and fire of rows x 16 neurons: v = beta v + current; spike where v >= threshold, which sets v to 0.
/// `currents` are rows x (current_ticks x 16), current_ticks being 1 (the same at each tick) or ticks; `out` is
/// rows x (ticks x 16) of 0 and 1, or with `counts` rows x 16 of their sums.
template <class T>
struct LifRows {
  std::size_t rows;
  std::size_t ticks;
  std::size_t current_ticks;
  T beta;
  T threshold;
  bool counts;
  const T* currents;
  T* out;
};
DD_ISA_KERNEL(lif_rows_float64, void(const LifRows<double>*));
DD_ISA_KERNEL(lif_rows_float32, void(const LifRows<float>*));
inline void lif_rows(const LifRows<double>& arguments) { lif_rows_float64(&arguments); }
inline void lif_rows(const LifRows<float>& arguments) { lif_rows_float32(&arguments); }

/// Cross-entropy of 16 samples: losses_c = log sum_r exp(logits_rc) - logits_(label_c)c, the largest logit taken out
/// first. One row of logits: of the two classes 0 and 1 with the logits 0 and z.
template <class T>
struct CrossEntropy {
  std::size_t classes;
  const T* logits;  ///< classes x 16
  const std::int32_t* labels;
  T* losses;
};
DD_ISA_KERNEL(cross_entropy_float64, void(const CrossEntropy<double>*));
DD_ISA_KERNEL(cross_entropy_float32, void(const CrossEntropy<float>*));
inline void cross_entropy(const CrossEntropy<double>& arguments) { cross_entropy_float64(&arguments); }
inline void cross_entropy(const CrossEntropy<float>& arguments) { cross_entropy_float32(&arguments); }

/// Losses of candidates that change weights of one unit whose answer is a step function of its sum: per sample, the
/// steps that the new sum reaches pick one of a few losses that are known. sums_i += sum over lanes c < valid, in
/// order, of losses_(m)c, m = number of steps <= f(pre_c + sum_k difference_ik input_kc); NaN picks the last row of
/// losses.
template <class T>
struct ResponseSums {
  std::size_t candidates;
  std::size_t terms;
  const T* differences;             ///< candidates x terms
  const T* inputs;                  ///< rows of 16
  const std::uint32_t* input_rows;  ///< of each term
  const T* pre;                     ///< 16
  unsigned kind;                    ///< f as in Activate
  T levels;
  std::size_t steps;
  const T* step;    ///< ascending
  const T* losses;  ///< (steps + 2) x 16
  std::size_t valid;
  double* sums;
};
DD_ISA_KERNEL(response_sums_float64, void(const ResponseSums<double>*));
DD_ISA_KERNEL(response_sums_float32, void(const ResponseSums<float>*));
inline void response_sums(const ResponseSums<double>& arguments) { response_sums_float64(&arguments); }
inline void response_sums(const ResponseSums<float>& arguments) { response_sums_float32(&arguments); }

}  // namespace dd::polystep
