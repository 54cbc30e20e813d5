// Packing coded weights into bit planes, products around the kernels, and back to values.
#include "quantize/packed_weights.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/thread_pool.hpp"

namespace dd::quantize {
namespace {

constexpr float largest_packed_zero = 0x1p20f;
constexpr std::uint32_t largest_level_count = 65536;
/// Tokens whose tables stay in the second-level cache together.
constexpr std::size_t token_tile = 8;
/// Packed words of a task that is worth waking a thread for.
constexpr std::size_t least_task_words = 1 << 14;

unsigned width_of(std::uint32_t levels) noexcept { return static_cast<unsigned>(std::bit_width(levels - 1)); }

[[noreturn]] void throw_at(ErrorCode code, const std::string& name, const std::string& wanted, const std::string& got,
                           std::size_t index) {
  throw Error(code, name, "`" + name + "` must be " + wanted + ", got " + got + " at index " + std::to_string(index));
}

struct GridNames {
  const char *first, *second;
};
GridNames names_of(GridForm form) noexcept {
  if (form == GridForm::range) return {"weights.grid.range", "weights.grid.ratio"};
  if (form == GridForm::scale) return {"weights.grid.scale", "weights.grid.zero"};
  return {"weights.grid.low", "weights.grid.high"};
}

void check_grid(const CodedWeights& weights) {
  const auto [first, second] = names_of(weights.form);
  expect_size(first, weights.first.size(), weights.rows * weights.groups);
  expect_size(second, weights.second.size(), weights.rows * weights.groups);
  if (!weights.group.empty()) expect_size("weights.grid.groupOfColumn", weights.group.size(), weights.columns);
  for (std::size_t j = 0; j < weights.group.size(); ++j) {
    if (weights.group[j] < 0 || static_cast<std::size_t>(weights.group[j]) >= weights.groups) {
      throw_at(ErrorCode::out_of_range, "weights.grid.groupOfColumn", "below " + std::to_string(weights.groups),
               std::to_string(weights.group[j]), j);
    }
  }
  const std::uint32_t most =
      weights.levels.empty() ? 1 : *std::max_element(weights.levels.begin(), weights.levels.end());
  for (std::size_t e = 0; e < weights.first.size(); ++e) {
    const float a = weights.first[e], b = weights.second[e];
    if (!std::isfinite(a)) throw_at(ErrorCode::not_finite, first, "finite", std::to_string(a), e);
    if (!std::isfinite(b)) throw_at(ErrorCode::not_finite, second, "finite", std::to_string(b), e);
    if (weights.form == GridForm::ternary) continue;
    if (!(a > 0)) throw_at(ErrorCode::invalid_argument_value, first, "positive", std::to_string(a), e);
    const float zero = weights.form == GridForm::range ? b * static_cast<float>(most - 1) : b;
    if (std::fabs(zero) > largest_packed_zero) {
      throw_at(ErrorCode::out_of_range, second, "a zero point within +-2^20", std::to_string(b), e);
    }
    if (weights.form == GridForm::scale && b != std::nearbyint(b)) {
      throw_at(ErrorCode::invalid_argument_value, second, "whole", std::to_string(b), e);
    }
  }
}

template <class Code>
void check_codes(std::span<const Code> codes, std::span<const std::uint32_t> levels) {
  for (std::size_t e = 0, j = 0; e < codes.size(); ++e) {
    if (codes[e] >= levels[j]) {
      throw_at(ErrorCode::out_of_range, "weights.codes",
               "below the " + std::to_string(levels[j]) + " levels of their column", std::to_string(codes[e]), e);
    }
    if (++j == levels.size()) j = 0;
  }
}

void check(const CodedWeights& weights) {
  expect_size("weights.levels", weights.levels.size(), weights.columns);
  std::visit([&](auto codes) { expect_size("weights.codes", codes.size(), weights.rows * weights.columns); },
             weights.codes);
  const std::uint32_t most = weights.form == GridForm::ternary ? 3 : largest_level_count;
  for (std::size_t j = 0; j < weights.levels.size(); ++j) {
    if (weights.levels[j] < 1 || weights.levels[j] > most) {
      throw_at(ErrorCode::out_of_range, "weights.levels", "1 to " + std::to_string(most),
               std::to_string(weights.levels[j]), j);
    }
  }
  check_grid(weights);
  std::visit([&](auto codes) { check_codes(codes, weights.levels); }, weights.codes);
}

/// The words of one row's block: bit k of plane p is bit p of column k.
template <class Code>
void pack_block(const Code* row, const std::int32_t* column, PackedStructure::Bit what, std::size_t bits,
                std::uint32_t* words) {
  std::uint32_t plane[16] = {};
  for (std::size_t k = 0; k < packed_block_columns; ++k) {
    if (column[k] < 0) continue;
    std::uint32_t code = row[column[k]];
    if (what != PackedStructure::Bit::code) code = code == (what == PackedStructure::Bit::low ? 0u : 2u);
    for (std::size_t p = 0; p < bits; ++p) plane[p] |= ((code >> p) & 1u) << k;
  }
  for (std::size_t p = 0; p < bits; ++p) words[p * packed_group_rows] = plane[p];
}

template <class Code>
void pack_rows(const PackedStructure& structure, std::span<const Code> codes, std::uint32_t* words, std::size_t begin,
               std::size_t end) {
  for (std::size_t s = 0; s < structure.sections.size(); ++s) {
    const PackedStructure::Section& section = structure.sections[s];
    for (std::size_t r = section.first_run; r < section.first_run + section.runs; ++r) {
      const PackedStructure::Run& run = structure.runs[r];
      for (std::size_t block = 0; block < run.blocks; ++block) {
        const std::int32_t* column = structure.column.data() + (run.first_block + block) * packed_block_columns;
        for (std::size_t i = begin; i < end; ++i) {
          pack_block(codes.data() + i * structure.columns, column, structure.section_bit[s], run.bits,
                     words + structure.word(i, run, block));
        }
      }
    }
  }
}

/// Eight chains in a fixed order: one would wait for its own additions.
double sum_of(const float* values, std::size_t count) noexcept {
  double part[8]{};
  std::size_t k = 0;
  for (; k + 8 <= count; k += 8) {
    for (std::size_t p = 0; p < 8; ++p) part[p] += static_cast<double>(values[k + p]);
  }
  for (; k < count; ++k) part[0] += static_cast<double>(values[k]);
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

/// What is computed of the activations of a tile of tokens before any row is looked at.
class Activations {
 public:
  Activations(const PackedStructure& structure, std::size_t tokens)
      : structure_(structure),
        slots_(tokens * structure.column.size()),
        tables_(tokens * structure.blocks() * packed_table_floats),
        terms_(tokens * structure.terms.size()) {
    constexpr std::size_t most = 16 * packed_table_section_blocks;
    for (const PackedStructure::Run& run : structure.runs) {
      for (std::size_t block = 0; block < run.blocks; block += most) {
        pieces_.push_back({run.first_block + block, std::min(most, run.blocks - block)});
      }
    }
  }

  void prepare(std::span<const float> x, std::size_t tokens, PackedLookup lookup, std::size_t threads) {
    const std::size_t slot_count = structure_.column.size();
    ThreadPool::shared().run_tasks(threads, tokens * pieces_.size(), [&](std::size_t task) {
      const std::size_t token = task / pieces_.size();
      const auto [first, blocks] = pieces_[task % pieces_.size()];
      float* const slots = slots_.data() + token * slot_count;
      const float* const from = x.data() + token * structure_.columns;
      const std::size_t begin = first * packed_block_columns, end = begin + blocks * packed_block_columns;
      for (std::size_t k = begin; k < end; ++k) {
        const std::int32_t column = structure_.column[k];
        slots[k] = column < 0 ? 0.0f : from[column];
      }
      // On their own, divisions are done several at a time.
      for (std::size_t k = begin; k < end; ++k) slots[k] /= structure_.divisor[k];
      const PackedTablesArguments arguments{lookup, blocks, slots + first * packed_block_columns,
                                            tables_.data() + token * tables_stride() + first * packed_table_floats};
      packed_tables(&arguments);
    });
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t t = 0; t < structure_.terms.size(); ++t) {
        const PackedStructure::Term& term = structure_.terms[t];
        const float* const slots = slots_.data() + token * slot_count + term.first_slot;
        const double sum = sum_of(slots, term.slots);
        terms_[token * structure_.terms.size() + t] = {static_cast<float>(sum), term.middle, term.largest};
      }
    }
  }

  std::size_t tables_stride() const noexcept { return structure_.blocks() * packed_table_floats; }
  const float* tables() const noexcept { return tables_.data(); }
  const PackedTerm* terms(std::size_t token) const noexcept { return terms_.data() + token * structure_.terms.size(); }

 private:
  struct Piece {
    std::size_t first_block, blocks;
  };

  const PackedStructure& structure_;
  std::vector<Piece> pieces_;  // of runs, whole sections of tables
  AlignedBuffer<float> slots_, tables_;
  std::vector<PackedTerm> terms_;
};

}  // namespace

PackedStructure::PackedStructure(std::size_t row_count, std::span<const std::uint32_t> levels, GridForm form,
                                 std::size_t groups, std::span<const std::int32_t> group)
    : rows(row_count), columns(levels.size()) {
  const auto group_of = [&](std::size_t j) { return group.empty() ? 0 : static_cast<std::size_t>(group[j]); };
  std::vector<std::size_t> order;
  for (std::size_t j = 0; j < columns; ++j) {
    if (levels[j] > 1) order.push_back(j);
  }
  // Columns of a width differ in levels, so levels sort them by width as well. Widest first: a block is filled up with
  // columns that are a bit narrower, so that groups of few columns are not mostly padding.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(group_of(a), levels[b]) < std::pair(group_of(b), levels[a]);
  });
  const auto add_section = [&](std::size_t begin, std::size_t end, Bit what) {
    Section section{runs.size(), 0, terms.size(), 0};
    const auto width_at = [&](std::size_t at) { return what == Bit::code ? width_of(levels[order[at]]) : 1U; };
    for (std::size_t at = begin; at < end;) {
      const unsigned width = width_at(at);
      const float middle = 0.5f * static_cast<float>((1u << width) - 1);
      Run run{column.size() / packed_block_columns, 0, width, row_words};
      std::size_t stop = at;
      while (stop < end && width_at(stop) == width) {
        const std::size_t most = std::min(end, stop + packed_block_columns);
        while (stop < most && width_at(stop) + 1 >= width) ++stop;
      }
      while (at < stop) {
        const std::uint32_t count = levels[order[at]];
        const float largest = form == GridForm::range ? static_cast<float>(count - 1) : 0.0f;
        Term term{column.size(), 0, middle, largest};
        while (at < stop && (form != GridForm::range || levels[order[at]] == count)) {
          column.push_back(static_cast<std::int32_t>(order[at++]));
          divisor.push_back(form == GridForm::range ? largest : 1.0f);
        }
        term.slots = column.size() - term.first_slot;
        terms.push_back(term);
      }
      const std::size_t padded =
          (column.size() + packed_block_columns - 1) / packed_block_columns * packed_block_columns;
      column.resize(padded, -1);
      divisor.resize(padded, 1.0f);
      run.blocks = padded / packed_block_columns - run.first_block;
      row_words += run.blocks * width;
      runs.push_back(run);
    }
    section.runs = runs.size() - section.first_run;
    section.terms = terms.size() - section.first_term;
    sections.push_back(section);
    section_bit.push_back(what);
    section_group.push_back(group_of(order[begin]));
  };
  (void)groups;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && group_of(order[end]) == group_of(order[begin])) ++end;
    if (form == GridForm::ternary) {
      add_section(begin, end, Bit::low);
      add_section(begin, end, Bit::high);
    } else {
      add_section(begin, end, Bit::code);
    }
    begin = end;
  }
}

std::size_t PackedStructure::word(std::size_t row, const Run& run, std::size_t block) const noexcept {
  const std::size_t panel = row / packed_panel_rows, group = row % packed_panel_rows / packed_group_rows;
  const std::size_t before = (run.first_word + block * run.bits) * panel_groups(panel) + group * run.bits;
  return panel * packed_panel_rows * row_words + before * packed_group_rows + row % packed_group_rows;
}

PackedLookup fastest_lookup() noexcept { return has_byte_permutations() ? PackedLookup::digits : PackedLookup::floats; }

void packed_multiply(const PackedStructure& structure, std::span<const std::uint32_t> words,
                     std::span<const float> scale, std::span<const float> offset, std::span<const float> x,
                     std::size_t tokens, std::span<float> y, std::size_t threads, PackedLookup lookup) {
  if (tokens == 0 || structure.rows == 0) return;
  Activations activations(structure, std::min(tokens, token_tile));
  const std::size_t panel_words = packed_panel_rows * structure.row_words;
  const std::size_t together = std::max<std::size_t>(1, least_task_words / std::max<std::size_t>(1, panel_words));
  for (std::size_t first = 0; first < tokens; first += token_tile) {
    const std::size_t count = std::min(token_tile, tokens - first);
    activations.prepare(x.subspan(first * structure.columns), count, lookup, threads);
    parallel_for(threads, structure.panels(), together, [&](std::size_t begin, std::size_t end) {
      alignas(64) float sums[token_tile * packed_panel_rows];
      alignas(64) float totals[token_tile * packed_panel_rows];
      for (std::size_t panel = begin; panel < end; ++panel) {
        const std::size_t row = panel * packed_panel_rows, groups = structure.panel_groups(panel);
        std::fill(totals, totals + count * packed_panel_rows, 0.0f);
        for (std::size_t s = 0; s < structure.sections.size(); ++s) {
          const PackedStructure::Section& section = structure.sections[s];
          std::fill(sums, sums + count * packed_panel_rows, 0.0f);
          for (std::size_t r = section.first_run; r < section.first_run + section.runs; ++r) {
            const PackedStructure::Run& run = structure.runs[r];
            const PackedProductArguments product{lookup,
                                                 run.blocks,
                                                 run.bits,
                                                 groups,
                                                 count,
                                                 words.data() + structure.word(row, run, 0),
                                                 activations.tables() + run.first_block * packed_table_floats,
                                                 activations.tables_stride(),
                                                 sums};
            packed_product(&product);
          }
          for (std::size_t token = 0; token < count; ++token) {
            const std::size_t at = s * structure.padded_rows() + row;
            const PackedFinishArguments finish{groups * packed_group_rows,
                                               sums + token * packed_panel_rows,
                                               scale.data() + at,
                                               offset.data() + at,
                                               section.terms,
                                               activations.terms(token) + section.first_term,
                                               totals + token * packed_panel_rows};
            packed_finish(&finish);
          }
        }
        const std::size_t rows = std::min(packed_panel_rows, structure.rows - row);
        for (std::size_t token = 0; token < count; ++token) {
          const float* from = totals + token * packed_panel_rows;
          std::copy(from, from + rows, y.data() + (first + token) * structure.rows + row);
        }
      }
    });
  }
}

void packed_dequantize(const PackedStructure& structure, std::span<const std::uint32_t> words,
                       std::span<const float> scale, std::span<const float> offset, std::span<float> values,
                       std::size_t threads) {
  const std::size_t grain = std::max<std::size_t>(1, least_task_words / std::max<std::size_t>(1, structure.row_words));
  parallel_for(threads, structure.rows, grain, [&](std::size_t begin, std::size_t end) {
    std::vector<float> codes;
    for (std::size_t i = begin; i < end; ++i) {
      float* const to = values.data() + i * structure.columns;
      std::fill(to, to + structure.columns, 0.0f);
      for (std::size_t s = 0; s < structure.sections.size(); ++s) {
        const PackedStructure::Section& section = structure.sections[s];
        const std::size_t at = s * structure.padded_rows() + i;
        std::size_t t = section.first_term;
        for (std::size_t r = section.first_run; r < section.first_run + section.runs; ++r) {
          const PackedStructure::Run& run = structure.runs[r];
          codes.resize(run.blocks * packed_block_columns);
          const std::size_t stride = structure.panel_groups(i / packed_panel_rows) * run.bits * packed_group_rows;
          const PackedUnpackArguments unpack{run.blocks, run.bits, words.data() + structure.word(i, run, 0), stride,
                                             codes.data()};
          packed_unpack(&unpack);
          const std::size_t first = run.first_block * packed_block_columns, end_slot = first + codes.size();
          for (; t < section.first_term + section.terms && structure.terms[t].first_slot < end_slot; ++t) {
            const PackedStructure::Term& term = structure.terms[t];
            const bool ranges = term.largest > 0;
            const float step = ranges ? scale[at] / term.largest : scale[at];
            const float zero = ranges ? std::nearbyint(offset[at] * term.largest) : offset[at];
            for (std::size_t k = term.first_slot; k < term.first_slot + term.slots; ++k) {
              const float code = codes[k - first];
              float& value = to[structure.column[k]];
              if (structure.section_bit[s] == PackedStructure::Bit::code) {
                value = step * (code - zero);
              } else if (code != 0) {
                value = step;
              }
            }
          }
        }
      }
    }
  });
}

PackedWeights PackedWeights::create(const CodedWeights& weights, std::size_t threads) {
  check(weights);
  PackedWeights packed;
  PackedStructure& structure = packed.structure_;
  structure = PackedStructure(weights.rows, weights.levels, weights.form, weights.groups, weights.group);
  packed.words_ = AlignedBuffer<std::uint32_t>(structure.words(), 0u);
  parallel_for(threads, structure.rows, packed_panel_rows, [&](std::size_t begin, std::size_t end) {
    std::visit([&](auto codes) { pack_rows(structure, codes, packed.words_.data(), begin, end); }, weights.codes);
  });
  const std::size_t padded = structure.padded_rows(), sections = structure.sections.size();
  packed.scale_ = AlignedBuffer<float>(sections * padded, 0.0f);
  packed.offset_ = AlignedBuffer<float>(sections * padded, 0.0f);
  for (std::size_t s = 0; s < sections; ++s) {
    for (std::size_t i = 0; i < weights.rows; ++i) {
      const std::size_t from = i * weights.groups + structure.section_group[s], to = s * padded + i;
      packed.scale_[to] =
          structure.section_bit[s] == PackedStructure::Bit::high ? weights.second[from] : weights.first[from];
      if (weights.form != GridForm::ternary) packed.offset_[to] = weights.second[from];
    }
  }
  return packed;
}

std::size_t PackedWeights::bytes() const noexcept {
  return words_.size() * sizeof(std::uint32_t) + (scale_.size() + offset_.size()) * sizeof(float) +
         structure_.column.size() * (sizeof(std::int32_t) + sizeof(float));
}

void PackedWeights::multiply(std::span<const float> x, std::size_t tokens, std::span<float> y,
                             std::size_t threads) const {
  expect_size("x", x.size(), tokens * columns());
  expect_size("y", y.size(), tokens * rows());
  packed_multiply(structure_, words_.span(), scale_.span(), offset_.span(), x, tokens, y, threads);
}

void PackedWeights::dequantize(std::span<float> values, std::size_t threads) const {
  expect_size("values", values.size(), rows() * columns());
  packed_dequantize(structure_, words_.span(), scale_.span(), offset_.span(), values, threads);
}

}  // namespace dd::quantize
