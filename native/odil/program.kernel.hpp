// Block form of compiled programs: an interpreter whose every thread owns its points. The program is lowered with
// RowKind::packed, where no value is taken from a neighbouring point, so there is no barrier between instructions and
// no thread reads what another one computed.
//
// A register is a row of shared memory, one element per point of the block. How many there are decides how many blocks
// fit on a multiprocessor, so a program runs on the smallest variant that holds it (device_pass.cpp). Instructions are
// read by all threads at the same address: one transfer per warp, which the first-level cache serves.
//
// Source: specs/odil-engine.md, section 5.
#pragma once

#include "core/block.hpp"
#include "linalg/products.kernel.hpp"
#include "odil/program.hpp"

namespace dd::odil {

/// An instruction without what only rows of neighbouring points need.
struct PointInstruction {
  Code code;
  std::uint8_t terms;
  std::uint16_t destination;
  std::uint16_t operand[max_terms];
  std::uint32_t coefficient[max_terms];
  std::uint32_t constant;
};

/// What lies outside of the registers: data[offset + place], where the place of a point is the one that it has in the
/// block, or at . stride, which can also be the value itself (the index along an axis).
template <class T>
struct PointRow {
  enum class Form : std::uint32_t { as_block, strided, index };
  T* data;
  std::int64_t offset;
  std::int64_t stride[max_axes];
  Form form;
};

#ifdef __CUDACC__
#define DD_DEVICE_FUNCTION __device__ __noinline__
#define DD_ROLLED _Pragma("unroll 1")
#else
#define DD_DEVICE_FUNCTION inline
#define DD_ROLLED
#endif

/// Functions of many instructions. A call of its own: inlined once per point and instruction they would be most of the
/// kernel, and most of the time to compile it.
template <class T>
DD_DEVICE_FUNCTION T elementary(Code code, T a, T b) {
  switch (code) {
    case Code::divide:
      return a / b;
    case Code::exp:
      return std::exp(a);
    case Code::log:
      return std::log(a);
    case Code::sin:
      return std::sin(a);
    case Code::cos:
      return std::cos(a);
    case Code::tanh:
      return std::tanh(a);
    case Code::sigmoid: {
      const T decay = std::exp(-std::fabs(a));  // does not overflow
      return (a < T(0) ? decay : T(1)) / (T(1) + decay);
    }
    case Code::sqrt:
      return std::sqrt(a);
    case Code::power:
      return std::pow(a, b);
    default:
      return a;
  }
}
/// All instructions at the points of a box. Grid: blocks_for(points, Points * Threads).
template <class T, unsigned Points, unsigned Threads, unsigned SharedKibibytes>
struct ProgramBlock {
  static constexpr BlockShape shape{Threads};
  static constexpr unsigned points_per_block = Points * Threads;
  static constexpr unsigned registers_held = SharedKibibytes * 1024 / (sizeof(T) * points_per_block);
  template <class B>
  struct Shared {
    typename B::template Arr<T, registers_held * points_per_block> registers;
  };

  const PointInstruction* instructions;
  std::size_t count;
  const PointRow<T>* rows;  ///< externals, then outputs
  const T* table;
  unsigned registers;
  std::int32_t first[max_axes], extent[max_axes];  ///< of the box
  std::int64_t stride[max_axes];                   ///< of the block
  std::size_t points;                              ///< in the box

  template <class B>
  DD_DEVICE void operator()(B& b, Shared<B>& s) const {
    b.each([&](unsigned t) {
      Place own[Points];
      for (unsigned k = 0; k < Points; ++k) {
        own[k] = place_of((std::size_t{b.block_x()} * Points + k) * Threads + t);
      }
      for (std::size_t n = 0; n < count; ++n) execute(s, instructions[n], t, own);
    });
  }

 private:
  struct Place {
    std::int64_t flat;  // in the block
    std::int32_t at[max_axes];
    bool inside;
  };

  /// Beyond the end of the box nothing is read and nothing written.
  DD_DEVICE Place place_of(std::size_t point) const {
    Place place{};
    place.inside = point < points;
    std::size_t rest = place.inside ? point : 0;
    for (unsigned axis = max_axes; axis-- > 0;) {
      const auto size = static_cast<std::size_t>(extent[axis]);
      place.at[axis] = first[axis] + static_cast<std::int32_t>(rest % size);
      place.flat += place.at[axis] * stride[axis];
      rest /= size;
    }
    return place;
  }

  DD_DEVICE static std::int64_t along(const PointRow<T>& row, const Place& own) {
    if (row.form == PointRow<T>::Form::as_block) return row.offset + own.flat;
    std::int64_t place = row.offset;
    for (unsigned axis = 0; axis < max_axes; ++axis) place += own.at[axis] * row.stride[axis];
    return place;
  }

  template <class S>
  DD_DEVICE T load(S& s, unsigned slot, unsigned k, unsigned t, const Place& own) const {
    if (slot < registers) {
      const T held = s.registers[(slot * Points + k) * Threads + t];
      return held;
    }
    if (!own.inside) return T(0);  // what is there may be an output that another thread is writing
    const PointRow<T>& row = rows[slot - registers];
    const std::int64_t place = along(row, own);
    return row.form == PointRow<T>::Form::index ? static_cast<T>(place) : row.data[place];
  }

  /// What one instruction does for one thread; what it is is decided once for all points of the thread.
  template <class S>
  DD_DEVICE void execute(S& s, const PointInstruction& instruction, unsigned t, const Place (&own)[Points]) const {
    T value[Points], other[Points]{};
    if (instruction.code == Code::combine) {
      combine(s, instruction, t, own, value);
    } else {
      for (unsigned k = 0; k < Points; ++k) value[k] = load(s, instruction.operand[0], k, t, own[k]);
      if (instruction.terms > 1) {
        for (unsigned k = 0; k < Points; ++k) other[k] = load(s, instruction.operand[1], k, t, own[k]);
      }
      apply(s, instruction, t, own, value, other);
    }
    const unsigned slot = instruction.destination;
    if (slot < registers) {
      for (unsigned k = 0; k < Points; ++k) s.registers[(slot * Points + k) * Threads + t] = value[k];
      return;
    }
    const PointRow<T>& row = rows[slot - registers];
    for (unsigned k = 0; k < Points; ++k) {
      if (own[k].inside) row.data[along(row, own[k])] = value[k];
    }
  }

  template <class S>
  DD_DEVICE void combine(S& s, const PointInstruction& instruction, unsigned t, const Place (&own)[Points],
                         T (&value)[Points]) const {
    const T constant = instruction.constant == no_constant ? T(0) : table[instruction.constant];
    for (unsigned k = 0; k < Points; ++k) value[k] = constant;
    DD_ROLLED for (unsigned term = 0; term < instruction.terms; ++term) {
      const T coefficient = table[instruction.coefficient[term]];
      for (unsigned k = 0; k < Points; ++k) {
        value[k] = linalg::fused(coefficient, load(s, instruction.operand[term], k, t, own[k]), value[k]);
      }
    }
  }

  template <class S>
  DD_DEVICE void apply(S& s, const PointInstruction& instruction, unsigned t, const Place (&own)[Points],
                       T (&value)[Points], const T (&other)[Points]) const {
    switch (instruction.code) {
      case Code::multiply:
        for (unsigned k = 0; k < Points; ++k) value[k] *= other[k];
        break;
      case Code::scaled_exp: {
        const T constant = instruction.constant == no_constant ? T(0) : table[instruction.constant];
        const T coefficient = table[instruction.coefficient[0]];
        for (unsigned k = 0; k < Points; ++k) {
          const T argument = instruction.terms > 1 ? value[k] * other[k] : value[k];
          value[k] = std::exp(linalg::fused(coefficient, argument, constant));
        }
        break;
      }
      case Code::minimum:
        for (unsigned k = 0; k < Points; ++k) value[k] = other[k] < value[k] ? other[k] : value[k];
        break;
      case Code::maximum:
        for (unsigned k = 0; k < Points; ++k) value[k] = value[k] < other[k] ? other[k] : value[k];
        break;
      case Code::absolute:
        for (unsigned k = 0; k < Points; ++k) value[k] = std::fabs(value[k]);
        break;
      case Code::sign:
        for (unsigned k = 0; k < Points; ++k) value[k] = value[k] > T(0) ? T(1) : value[k] < T(0) ? T(-1) : T(0);
        break;
      case Code::select_less:
        for (unsigned k = 0; k < Points; ++k) {
          value[k] = load(s, instruction.operand[value[k] < other[k] ? 2 : 3], k, t, own[k]);
        }
        break;
      default:
        for (unsigned k = 0; k < Points; ++k) value[k] = elementary(instruction.code, value[k], other[k]);
        break;
    }
  }
};

template <class T>
using ProgramBlockFew = ProgramBlock<T, 4, 128, 8>;  // a stencil needs one or two registers
template <class T>
using ProgramBlockMore = ProgramBlock<T, 4, 128, 40>;
template <class T>
using ProgramBlockMany = ProgramBlock<T, 1, 128, 40>;
template <class T>
using ProgramBlockMost = ProgramBlock<T, 1, 32, 40>;

}  // namespace dd::odil
#undef DD_DEVICE_FUNCTION
#undef DD_ROLLED

DD_BLOCK_KERNEL(program_few_float32, dd::odil::ProgramBlockFew<float>)
DD_BLOCK_KERNEL(program_few_float64, dd::odil::ProgramBlockFew<double>)
DD_BLOCK_KERNEL(program_more_float32, dd::odil::ProgramBlockMore<float>)
DD_BLOCK_KERNEL(program_more_float64, dd::odil::ProgramBlockMore<double>)
DD_BLOCK_KERNEL(program_many_float32, dd::odil::ProgramBlockMany<float>)
DD_BLOCK_KERNEL(program_many_float64, dd::odil::ProgramBlockMany<double>)
DD_BLOCK_KERNEL(program_most_float32, dd::odil::ProgramBlockMost<float>)
DD_BLOCK_KERNEL(program_most_float64, dd::odil::ProgramBlockMost<double>)
