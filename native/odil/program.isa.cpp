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

/// The rows of one instruction with `Operands` operands. Their number is known here, so that finding them is straight
/// code: blocks are short, and this comes once for each of them.
template <int Operands, class T>
struct Rows {
  T* __restrict to;
  const T* from[Operands > 0 ? Operands : 1];
  size_type count;

  DD_INLINE Rows(const BlockRun<T>& run, const Instruction& instruction) {
    to = run.slots[instruction.destination] + instruction.low + instruction.destination_offset;
    DD_UNROLL for (int k = 0; k < Operands; ++k) {
      from[k] = run.slots[instruction.operand.data()[k]] + instruction.low + instruction.offset.data()[k];
    }
    count = static_cast<size_type>(static_cast<long>(run.length) + instruction.high - instruction.low);
  }
};

/// to = f(from[0], ..., from[Operands - 1]), vector by vector.
template <int Operands, class T, class F>
DD_INLINE void map(const BlockRun<T>& run, const Instruction& instruction, F f) {
  constexpr size_type width = lanes<T>;
  const Rows<Operands, T> rows(run, instruction);
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

/// The same element by element.
template <int Operands, class T, class F>
DD_INLINE void map_elements(const BlockRun<T>& run, const Instruction& instruction, F f) {
  const Rows<Operands, T> rows(run, instruction);
  for (size_type i = 0; i < rows.count; ++i) rows.to[i] = f(rows.from, i);
}

template <int Terms, class T>
void combine(const BlockRun<T>& run, const Instruction& instruction) {
  Vector<T> coefficient[Terms];
  DD_UNROLL for (int k = 0; k < Terms; ++k) {
    coefficient[k] = broadcast(run.table[instruction.coefficient.data()[k]]);
  }
  if (instruction.constant == no_constant) {
    map<Terms>(run, instruction, [&](const Vector<T>* a) {
      Vector<T> value = coefficient[0] * a[0];
      DD_UNROLL for (int k = 1; k < Terms; ++k) value = multiply_add(coefficient[k], a[k], value);
      return value;
    });
    return;
  }
  const Vector<T> constant = broadcast(run.table[instruction.constant]);
  map<Terms>(run, instruction, [&](const Vector<T>* a) {
    Vector<T> value = constant;
    DD_UNROLL for (int k = 0; k < Terms; ++k) value = multiply_add(coefficient[k], a[k], value);
    return value;
  });
}

template <class T>
void scaled_exp(const BlockRun<T>& run, const Instruction& instruction) {
  const Vector<T> coefficient = broadcast(run.table[instruction.coefficient.data()[0]]);
  const Vector<T> constant = broadcast(instruction.constant == no_constant ? T(0) : run.table[instruction.constant]);
  if (instruction.terms == 1) {
    map<1>(run, instruction,
           [&](const Vector<T>* a) { return exponential<T>(multiply_add(coefficient, a[0], constant)); });
  } else {
    map<2>(run, instruction,
           [&](const Vector<T>* a) { return exponential<T>(multiply_add(coefficient, a[0] * a[1], constant)); });
  }
}

template <class T>
void combine_any(const BlockRun<T>& run, const Instruction& instruction) {
  switch (instruction.terms) {
    case 0: {
      const T value = instruction.constant == no_constant ? T(0) : run.table[instruction.constant];
      return map_elements<0>(run, instruction, [&](const T* const*, size_type) { return value; });
    }
    case 1:
      return combine<1>(run, instruction);
    case 2:
      return combine<2>(run, instruction);
    case 3:
      return combine<3>(run, instruction);
    case 4:
      return combine<4>(run, instruction);
    case 5:
      return combine<5>(run, instruction);
    case 6:
      return combine<6>(run, instruction);
    case 7:
      return combine<7>(run, instruction);
    default:
      return combine<8>(run, instruction);
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
DD_INLINE void execute(const BlockRun<T>& run, const Instruction& instruction) {
  using V = Vector<T>;
  switch (instruction.code) {
    case Code::combine:
      return combine_any(run, instruction);
    case Code::multiply:
      return map<2>(run, instruction, [](const V* a) { return a[0] * a[1]; });
    case Code::divide:
      return map<2>(run, instruction, [](const V* a) { return a[0] / a[1]; });
    case Code::minimum:
      return map<2>(run, instruction, [](const V* a) { return a[1] < a[0] ? a[1] : a[0]; });
    case Code::maximum:
      return map<2>(run, instruction, [](const V* a) { return a[0] < a[1] ? a[1] : a[0]; });
    case Code::absolute:
      return map<1>(run, instruction, [](const V* a) { return absolute<T>(a[0]); });
    case Code::sign:
      return map<1>(run, instruction, [](const V* a) {
        const V one = broadcast(T(1)), zero{};
        return a[0] > zero ? one : a[0] < zero ? -one : zero;
      });
    case Code::select_less:
      return map<4>(run, instruction, [](const V* a) { return a[0] < a[1] ? a[2] : a[3]; });
    case Code::exp:
      return map<1>(run, instruction, [](const V* a) { return exponential<T>(a[0]); });
    case Code::scaled_exp:
      return scaled_exp(run, instruction);
    case Code::log:
      return map<1>(run, instruction, [](const V* a) { return logarithm<T>(a[0]); });
    case Code::tanh:
      return map<1>(run, instruction, [](const V* a) { return hyperbolic_tangent<T>(a[0]); });
    case Code::sigmoid:
      return map<1>(run, instruction, [](const V* a) { return sigmoid_of<T>(a[0]); });
    case Code::sqrt:
      return map<1>(run, instruction, [](const V* a) { return square_root(a[0]); });
    case Code::sin:
      return map_elements<1>(run, instruction, [](const T* const* a, size_type i) { return library_sin(a[0][i]); });
    case Code::cos:
      return map_elements<1>(run, instruction, [](const T* const* a, size_type i) { return library_cos(a[0][i]); });
    case Code::power:
      return map_elements<2>(run, instruction,
                             [](const T* const* a, size_type i) { return library_pow(a[0][i], a[1][i]); });
    case Code::sum: {
      const T* row = run.slots[instruction.operand.data()[0]] + instruction.offset.data()[0];
      run.sums[instruction.destination] += sum_of(row, run.length);
      return;
    }
  }
}

template <class T>
DD_INLINE void run_block(const BlockRun<T>& run) {
  for (size_type k = 0; k < run.count; ++k) execute(run, run.instructions[k]);
}

template <class T>
DD_INLINE void scale(T factor, T* values, size_type count) {
  const Vector<T> wide = broadcast(factor);
  size_type i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) store(values + i, load(values + i) * wide);
  for (; i < count; ++i) values[i] *= factor;
}

/// Point by point, in the order of `combine`.
template <int Terms, class T>
void line_of(const LineCombination<T>& line) {
  const T* from[Terms];
  std::ptrdiff_t step[Terms];
  T coefficient[Terms];
  for (int k = 0; k < Terms; ++k) {
    from[k] = line.from[k];
    step[k] = line.step[k];
    coefficient[k] = line.coefficient[k];
  }
  T* to = line.to;
  const bool constant = line.constant != nullptr;
  const T start = constant ? *line.constant : T(0);
  for (size_type p = 0; p < line.count; ++p) {
    T value = constant ? multiply_add(coefficient[0], *from[0], start) : coefficient[0] * *from[0];
    from[0] += step[0];
    DD_UNROLL for (int k = 1; k < Terms; ++k) {
      value = multiply_add(coefficient[k], *from[k], value);
      from[k] += step[k];
    }
    *to = value;
    to += line.to_step;
  }
}

template <class T>
DD_INLINE void run_line(const LineCombination<T>& line) {
  switch (line.terms) {
    case 0: {
      T* to = line.to;
      for (size_type p = 0; p < line.count; ++p, to += line.to_step)
        *to = line.constant == nullptr ? T(0) : *line.constant;
      return;
    }
    case 1:
      return line_of<1>(line);
    case 2:
      return line_of<2>(line);
    case 3:
      return line_of<3>(line);
    case 4:
      return line_of<4>(line);
    case 5:
      return line_of<5>(line);
    case 6:
      return line_of<6>(line);
    case 7:
      return line_of<7>(line);
    default:
      return line_of<8>(line);
  }
}

}  // namespace
}  // namespace dd::odil

DD_ISA_ENTRY(void, scale_values_float32)(float factor, float* values, std::size_t count) {
  dd::odil::scale(factor, values, count);
}
DD_ISA_ENTRY(void, scale_values_float64)(double factor, double* values, std::size_t count) {
  dd::odil::scale(factor, values, count);
}
DD_ISA_ENTRY(void, run_line_float32)(const dd::odil::LineCombination<float>* line) { dd::odil::run_line(*line); }
DD_ISA_ENTRY(void, run_line_float64)(const dd::odil::LineCombination<double>* line) { dd::odil::run_line(*line); }
DD_ISA_ENTRY(void, run_block_float32)(const dd::odil::BlockRun<float>* run) { dd::odil::run_block(*run); }
DD_ISA_ENTRY(void, run_block_float64)(const dd::odil::BlockRun<double>* run) { dd::odil::run_block(*run); }
