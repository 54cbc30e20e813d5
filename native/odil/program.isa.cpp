// The interpreter's instructions: one pass over rows of a few hundred points each, which lie in the first-level cache.
// Per element: combine of k terms k loads, k fused multiply-adds, 1 store; products 2 loads and 1 store; exp about 20
// operations. Dispatch costs some nanoseconds an instruction and block. Rows end with a partial vector, so nothing
// outside them is touched.
#include "odil/functions.hpp"
#include "odil/program_isa.hpp"

// From the C library, one element at a time: rare enough not to deserve code of their own.
extern "C" {
double sin(double) noexcept;
double cos(double) noexcept;
double pow(double, double) noexcept;
float sinf(float) noexcept;
float cosf(float) noexcept;
float powf(float, float) noexcept;
}

namespace dd::odil {
namespace {

using size_type = decltype(sizeof(0));

template <class T>
struct Rows {
  T* __restrict to;
  const T* from[max_terms];
  size_type count;
};

template <class T>
DD_INLINE Rows<T> rows_of(const BlockRun<T>& run, const Instruction& instruction) {
  Rows<T> rows;
  rows.to = run.slots[instruction.destination] + instruction.low + instruction.destination_offset;
  for (int k = 0; k < instruction.terms; ++k) {
    rows.from[k] = run.slots[instruction.operand.data()[k]] + instruction.low + instruction.offset.data()[k];
  }
  rows.count = static_cast<size_type>(static_cast<long>(run.length) + instruction.high - instruction.low);
  return rows;
}

/// to = f(from[0], ..., from[Operands - 1]), vector by vector.
template <int Operands, class T, class F>
DD_INLINE void map(const Rows<T>& rows, F f) {
  constexpr size_type width = lanes<T>;
  T* __restrict to = rows.to;
  size_type i = 0;
  for (; i + width <= rows.count; i += width) {
    Vector<T> a[Operands];
    DD_UNROLL for (int k = 0; k < Operands; ++k) a[k] = load(rows.from[k] + i);
    store(to + i, f(a));
  }
  if (i < rows.count) {
    const Tail<T> tail(rows.count - i);
    Vector<T> a[Operands];
    DD_UNROLL for (int k = 0; k < Operands; ++k) a[k] = load_tail(rows.from[k] + i, tail);
    store_tail(to + i, f(a), tail);
  }
}

template <int Terms, class T>
void combine(const Rows<T>& rows, const T* table, const Instruction& instruction) {
  Vector<T> coefficient[Terms];
  for (int k = 0; k < Terms; ++k) coefficient[k] = broadcast(table[instruction.coefficient.data()[k]]);
  if (instruction.constant == no_constant) {
    map<Terms>(rows, [&](const Vector<T>* a) {
      Vector<T> value = coefficient[0] * a[0];
      DD_UNROLL for (int k = 1; k < Terms; ++k) value = multiply_add(coefficient[k], a[k], value);
      return value;
    });
    return;
  }
  const Vector<T> constant = broadcast(table[instruction.constant]);
  map<Terms>(rows, [&](const Vector<T>* a) {
    Vector<T> value = constant;
    DD_UNROLL for (int k = 0; k < Terms; ++k) value = multiply_add(coefficient[k], a[k], value);
    return value;
  });
}

template <class T>
void scaled_exp(const Rows<T>& rows, const T* table, const Instruction& instruction) {
  const Vector<T> coefficient = broadcast(table[instruction.coefficient.data()[0]]);
  const Vector<T> constant = broadcast(instruction.constant == no_constant ? T(0) : table[instruction.constant]);
  if (instruction.terms == 1) {
    map<1>(rows, [&](const Vector<T>* a) { return exponential<T>(multiply_add(coefficient, a[0], constant)); });
  } else {
    map<2>(rows, [&](const Vector<T>* a) { return exponential<T>(multiply_add(coefficient, a[0] * a[1], constant)); });
  }
}

template <class T>
void fill(const Rows<T>& rows, const T* table, const Instruction& instruction) {
  const T value = instruction.constant == no_constant ? T(0) : table[instruction.constant];
  for (size_type i = 0; i < rows.count; ++i) rows.to[i] = value;
}

template <class T>
void combine_any(const Rows<T>& rows, const T* table, const Instruction& instruction) {
  switch (instruction.terms) {
    case 0:
      return fill(rows, table, instruction);
    case 1:
      return combine<1>(rows, table, instruction);
    case 2:
      return combine<2>(rows, table, instruction);
    case 3:
      return combine<3>(rows, table, instruction);
    case 4:
      return combine<4>(rows, table, instruction);
    case 5:
      return combine<5>(rows, table, instruction);
    case 6:
      return combine<6>(rows, table, instruction);
    case 7:
      return combine<7>(rows, table, instruction);
    default:
      return combine<8>(rows, table, instruction);
  }
}

DD_INLINE double library_sin(double x) { return sin(x); }
DD_INLINE float library_sin(float x) { return sinf(x); }
DD_INLINE double library_cos(double x) { return cos(x); }
DD_INLINE float library_cos(float x) { return cosf(x); }
DD_INLINE double library_pow(double x, double y) { return pow(x, y); }
DD_INLINE float library_pow(float x, float y) { return powf(x, y); }

/// Partial sums in a fixed number of lanes, so that every level adds in the same order.
template <class T>
double sum_of(const T* values, size_type count) {
  constexpr size_type width = 256 / sizeof(T);
  T partial[width] = {};
  size_type i = 0;
  for (; i + width <= count; i += width) {
    for (size_type lane = 0; lane < width; ++lane) partial[lane] += values[i + lane];
  }
  for (size_type lane = 0; i + lane < count; ++lane) partial[lane] += values[i + lane];
  for (size_type half = width / 2; half > 0; half /= 2) {
    for (size_type lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return static_cast<double>(partial[0]);
}

template <class T>
void execute(const BlockRun<T>& run, const Instruction& instruction) {
  using V = Vector<T>;
  if (instruction.code == Code::sum) {
    const T* row = run.slots[instruction.operand.data()[0]] + instruction.offset.data()[0];
    run.sums[instruction.destination] += sum_of(row, run.length);
    return;
  }
  const Rows<T> rows = rows_of(run, instruction);
  switch (instruction.code) {
    case Code::combine:
      return combine_any(rows, run.table, instruction);
    case Code::multiply:
      return map<2>(rows, [](const V* a) { return a[0] * a[1]; });
    case Code::divide:
      return map<2>(rows, [](const V* a) { return a[0] / a[1]; });
    case Code::minimum:
      return map<2>(rows, [](const V* a) { return a[1] < a[0] ? a[1] : a[0]; });
    case Code::maximum:
      return map<2>(rows, [](const V* a) { return a[0] < a[1] ? a[1] : a[0]; });
    case Code::absolute:
      return map<1>(rows, [](const V* a) { return absolute<T>(a[0]); });
    case Code::sign:
      return map<1>(rows, [](const V* a) {
        const V one = broadcast(T(1)), zero{};
        return a[0] > zero ? one : a[0] < zero ? -one : zero;
      });
    case Code::select_less:
      return map<4>(rows, [](const V* a) { return a[0] < a[1] ? a[2] : a[3]; });
    case Code::exp:
      return map<1>(rows, [](const V* a) { return exponential<T>(a[0]); });
    case Code::scaled_exp:
      return scaled_exp(rows, run.table, instruction);
    case Code::log:
      return map<1>(rows, [](const V* a) { return logarithm<T>(a[0]); });
    case Code::tanh:
      return map<1>(rows, [](const V* a) { return hyperbolic_tangent<T>(a[0]); });
    case Code::sigmoid:
      return map<1>(rows, [](const V* a) { return sigmoid_of<T>(a[0]); });
    case Code::sqrt:
      return map<1>(rows, [](const V* a) { return square_root(a[0]); });
    case Code::sin:
      for (size_type i = 0; i < rows.count; ++i) rows.to[i] = library_sin(rows.from[0][i]);
      return;
    case Code::cos:
      for (size_type i = 0; i < rows.count; ++i) rows.to[i] = library_cos(rows.from[0][i]);
      return;
    case Code::power:
      for (size_type i = 0; i < rows.count; ++i) rows.to[i] = library_pow(rows.from[0][i], rows.from[1][i]);
      return;
    case Code::sum:
      return;
  }
}

template <class T>
DD_INLINE void run_block(const BlockRun<T>& run) {
  for (size_type k = 0; k < run.count; ++k) execute(run, run.instructions[k]);
}

}  // namespace
}  // namespace dd::odil

DD_ISA_ENTRY(void, run_block_float32)(const dd::odil::BlockRun<float>* run) { dd::odil::run_block(*run); }
DD_ISA_ENTRY(void, run_block_float64)(const dd::odil::BlockRun<double>* run) { dd::odil::run_block(*run); }
