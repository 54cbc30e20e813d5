// The Jacobian as compressed rows: the pattern once, the values from the blocks' coefficient arrays.
#include <algorithm>

#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "odil/problem.hpp"

namespace dd::odil {
namespace {

/// Calls entry(row, column, coefficient number) for every entry of one grid block; rows come one after the other.
template <class Entry>
void visit(const GridBlock& block, const Problem& problem, Entry&& entry) {
  const Shape& shape = block.shape();
  const auto coefficients = block.coefficients();
  for (std::size_t r = 0; r < block.regions().size(); ++r) {
    const Box& box = block.regions()[r].box;
    const std::int32_t length = box.end[shape.axes - 1] - box.begin[shape.axes - 1];
    for_each_run(shape, box, [&](std::size_t flat, std::array<std::int32_t, max_axes> at) {
      for (std::int32_t p = 0; p < length; ++p) {
        for (const std::size_t k : block.region_coefficients(r)) {
          const Shape& field = problem.description().fields[coefficients[k].field].shape;
          entry(flat, problem.field_offset(coefficients[k].field) + resolve(field, at, coefficients[k].shift), k);
        }
        for (std::size_t p_number = 0; p_number < block.parameters().size(); ++p_number) {
          entry(flat, problem.grid_unknowns() + static_cast<std::size_t>(block.parameters()[p_number]),
                coefficients.size() + p_number);
        }
        ++flat;
        ++at[shape.axes - 1];
      }
    });
  }
}

/// The coefficient arrays of a block at one state, one after the other.
AlignedBuffer<double> coefficients_at(const GridBlock& block, const PointSources<double>& at, std::size_t threads) {
  const std::size_t count = block.coefficients().size() + block.parameters().size();
  const std::size_t points = block.shape().points();
  AlignedBuffer<double> memory(count * points);
  std::vector<double*> arrays(count);
  for (std::size_t k = 0; k < count; ++k) arrays[k] = memory.data() + k * points;
  block.evaluate_coefficients<double>(at, arrays, threads);
  return memory;
}

}  // namespace

const GridBlock& Problem::with_coefficients(GridBlock& block) const {
  const std::lock_guard lock(mutex_);
  if (!block.has_coefficients()) block.compile_coefficients(description_.graph);
  return block;
}

const GridBlock& Problem::with_coefficients(std::size_t block) const { return with_coefficients(*grid_blocks_[block]); }

linalg::SparseMatrix Problem::pattern() const {
  if (unknowns() >= linalg::no_index || residuals_ >= linalg::no_index) {
    throw Error(ErrorCode::out_of_memory, "jacobian", "a Jacobian has at most 2^32 - 2 rows and columns");
  }
  const auto for_entries = [&](auto&& entry) {
    for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
      const std::size_t offset = block_offsets_[b];
      if (grid_blocks_[b]) {
        visit(with_coefficients(b), *this,
              [&](std::size_t flat, std::size_t column, std::size_t) { entry(offset + flat, column); });
        continue;
      }
      for (const ScalarDerivative& derivative : scalar_blocks_[b]->derivatives()) {
        const std::size_t row = offset + derivative.root;
        if (!is_total(derivative)) {
          entry(row, column_of(derivative));
          continue;
        }
        visit(with_coefficients(total_of(derivative)), *this,
              [&](std::size_t, std::size_t column, std::size_t) { entry(row, column); });
      }
    }
  };
  // Columns of each row with repetitions, then sorted and made unique where they lie.
  std::vector<std::size_t> next(residuals_ + 1, 0);
  for_entries([&](std::size_t row, std::size_t) { ++next[row + 1]; });
  for (std::size_t r = 0; r < residuals_; ++r) next[r + 1] += next[r];
  linalg::SparseMatrix matrix;
  matrix.pattern.rows = residuals_;
  matrix.pattern.columns = unknowns();
  auto& columns = matrix.pattern.indices;
  columns.resize(next.back());
  for_entries([&](std::size_t row, std::size_t column) { columns[next[row]++] = static_cast<linalg::Index>(column); });
  matrix.pattern.starts.reserve(residuals_ + 1);
  auto from = columns.begin(), to = columns.begin();
  for (std::size_t r = 0; r < residuals_; ++r) {
    const auto end = columns.begin() + static_cast<std::ptrdiff_t>(next[r]);  // the start of the next row, by now
    std::sort(from, end);
    const auto last = std::unique(from, end);
    if (to != from) std::copy(from, last, to);
    to += last - from;
    from = end;
    matrix.pattern.starts.push_back(static_cast<std::size_t>(to - columns.begin()));
  }
  columns.resize(matrix.pattern.starts.back());
  matrix.values.assign(columns.size(), 0);
  return matrix;
}

void Problem::jacobian(std::span<const double> unknowns, linalg::SparseMatrix& matrix, std::size_t threads) const {
  const PointSources<double> at = sources<double>(unknowns);
  const std::vector<double> numbers = scalars<double>(at, threads);
  std::fill(matrix.values.begin(), matrix.values.end(), 0);
  const auto add = [&](std::size_t row, std::size_t column, double value) {
    const auto begin = matrix.pattern.indices.begin() + static_cast<std::ptrdiff_t>(matrix.pattern.starts[row]);
    const auto end = matrix.pattern.indices.begin() + static_cast<std::ptrdiff_t>(matrix.pattern.starts[row + 1]);
    const auto place = std::lower_bound(begin, end, static_cast<linalg::Index>(column));
    matrix.values[static_cast<std::size_t>(place - matrix.pattern.indices.begin())] += value;
  };
  for (std::size_t b = 0; b < grid_blocks_.size(); ++b) {
    const std::size_t offset = block_offsets_[b];
    if (grid_blocks_[b]) {
      const GridBlock& block = with_coefficients(b);
      const AlignedBuffer<double> values = coefficients_at(block, at, threads);
      const std::size_t points = block.shape().points();
      visit(block, *this, [&](std::size_t flat, std::size_t column, std::size_t k) {
        add(offset + flat, column, values[k * points + flat]);
      });
      continue;
    }
    const auto entries = scalar_blocks_[b]->derivatives();
    std::vector<double> values(entries.size());
    scalar_blocks_[b]->evaluate_derivatives<double>(at.operands, numbers, values);
    for (std::size_t k = 0; k < entries.size(); ++k) {
      const std::size_t row = offset + entries[k].root;
      if (!is_total(entries[k])) {
        add(row, column_of(entries[k]), values[k]);
        continue;
      }
      const GridBlock& total = with_coefficients(total_of(entries[k]));
      const AlignedBuffer<double> summands = coefficients_at(total, at, threads);
      const std::size_t points = total.shape().points();
      visit(total, *this, [&](std::size_t flat, std::size_t column, std::size_t number) {
        add(row, column, values[k] * summands[number * points + flat]);
      });
    }
  }
}

}  // namespace dd::odil
