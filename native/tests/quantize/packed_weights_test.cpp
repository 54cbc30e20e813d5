// Packed weights: values bit for bit as the formulas give them, products within the documented bound, any grid, any
// mix of widths, any shape, any level, any number of threads.
#include "quantize/packed_weights.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/isa.hpp"
#include "core/philox.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

/// Coded weights with their own memory.
struct Layer {
  std::size_t rows, columns, groups;
  GridForm form;
  std::vector<std::uint16_t> codes;
  std::vector<std::uint8_t> narrow;
  std::vector<std::uint32_t> levels;
  std::vector<float> first, second;
  std::vector<std::int32_t> group;

  Layer(std::size_t row_count, std::vector<std::uint32_t> level_counts, GridForm grid, std::size_t group_count,
        PhiloxStream& random)
      : rows(row_count),
        columns(level_counts.size()),
        groups(group_count),
        form(grid),
        levels(std::move(level_counts)) {
    for (std::size_t i = 0; i < rows; ++i) {
      for (const std::uint32_t count : levels) codes.push_back(static_cast<std::uint16_t>(random.next_below(count)));
    }
    const auto uniform = [&] { return static_cast<float>(random.next_uniform()); };
    for (std::size_t e = 0; e < rows * groups; ++e) {
      first.push_back(form == GridForm::ternary ? -0.1f - uniform() : 0.1f + uniform());
      if (form == GridForm::range) second.push_back(uniform());
      if (form == GridForm::scale) second.push_back(static_cast<float>(random.next_below(16)));
      if (form == GridForm::ternary) second.push_back(0.1f + uniform());
    }
    for (std::size_t j = 0; j < columns; ++j) {
      group.push_back(static_cast<std::int32_t>(random.next_below(static_cast<std::uint32_t>(groups))));
    }
    narrow.assign(codes.begin(), codes.end());
  }
  CodedWeights view(bool bytes = false) const {
    CodedWeights weights{rows,   columns, std::span<const std::uint16_t>(codes), levels, form, groups, first,
                         second, group};
    if (bytes) weights.codes = std::span<const std::uint8_t>(narrow);
    return weights;
  }
  /// The formulas of lib/quantize/coded-weights.ts.
  float value(std::size_t i, std::size_t j) const {
    if (levels[j] == 1) return 0;
    const std::size_t at = i * groups + static_cast<std::size_t>(group[j]);
    const std::uint16_t code = codes[i * columns + j];
    if (form == GridForm::ternary) return code == 0 ? first[at] : code == 2 ? second[at] : 0.0f;
    if (form == GridForm::scale) return first[at] * (static_cast<float>(code) - second[at]);
    const float largest = static_cast<float>(levels[j] - 1);
    const float scale = first[at] / largest, zero = std::nearbyint(second[at] * largest);
    return scale * (static_cast<float>(code) - zero);
  }
  /// The largest scale * (levels - 1 + |zero|) of the row: what the error bound counts with.
  double reach(std::size_t i) const {
    double most = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t at = i * groups + static_cast<std::size_t>(group[j]);
      const double a = std::fabs(static_cast<double>(first[at])), b = std::fabs(static_cast<double>(second[at]));
      most = std::max(most, form == GridForm::range   ? a * (1 + b)
                            : form == GridForm::scale ? a * (levels[j] - 1 + b)
                                                      : a + b);
    }
    return most;
  }
};

std::vector<std::uint32_t> mixed_levels(std::size_t columns, std::uint32_t most, PhiloxStream& random) {
  std::vector<std::uint32_t> levels(columns);
  for (std::uint32_t& count : levels) {
    count = random.next_below(2) == 0 ? 1u << random.next_below(8) : 1 + random.next_below(most);
    if (count > most) count = most;
  }
  return levels;
}

void check_layer(const Layer& layer, PhiloxStream& random, bool bytes = false) {
  CAPTURE(layer.rows);
  CAPTURE(layer.columns);
  CAPTURE(static_cast<int>(layer.form));
  const PackedWeights packed = PackedWeights::create(layer.view(bytes), 1);
  std::vector<float> values(layer.rows * layer.columns, std::numeric_limits<float>::quiet_NaN());
  packed.dequantize(values, 2);
  for (std::size_t e = 0; e < values.size(); ++e) {
    const float expected = layer.value(e / layer.columns, e % layer.columns);
    if (std::memcmp(&values[e], &expected, sizeof expected) == 0) continue;
    CAPTURE(e);
    REQUIRE(values[e] == expected);
    REQUIRE(expected == 0);  // only the sign of a zero may have been the difference
  }
  const std::size_t tokens = 11;
  std::vector<float> x(tokens * layer.columns), y(tokens * layer.rows), again(y.size()), one(layer.rows);
  for (float& value : x) value = static_cast<float>(2 * random.next_uniform() - 0.7);
  packed.multiply(x, tokens, y, 1);
  packed.multiply(x, tokens, again, 3);
  CHECK(y == again);
  for (std::size_t token = 0; token < tokens; ++token) {
    const std::span<const float> activations(x.data() + token * layer.columns, layer.columns);
    packed.multiply(activations, 1, one, 1);
    CHECK(std::equal(one.begin(), one.end(), y.begin() + static_cast<std::ptrdiff_t>(token * layer.rows)));
    double size = 0;
    for (const float value : activations) size += std::fabs(static_cast<double>(value));
    for (std::size_t i = 0; i < layer.rows; ++i) {
      double expected = 0;
      for (std::size_t j = 0; j < layer.columns; ++j) {
        expected += static_cast<double>(values[i * layer.columns + j]) * static_cast<double>(activations[j]);
      }
      const double blocks = static_cast<double>(layer.columns) / 32 + static_cast<double>(layer.groups) * 9;
      const double bound = 2 * (blocks + 24) * 0x1p-24 * layer.reach(i) * size + 1e-30;
      REQUIRE(std::fabs(static_cast<double>(one[i]) - expected) <= bound);
    }
  }
}

template <class Call>
ErrorCode thrown_by(Call call, const std::string& argument) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.argument() == argument);
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::internal;
}

}  // namespace

TEST_SUITE("packed weights") {
  TEST_CASE("values and products, every grid and level") {
    const IsaLevel before = active_isa();
    for (const IsaLevel level : available_isa_levels()) {
      REQUIRE(set_active_isa(level));
      CAPTURE(isa_name(level));
      PhiloxStream random(5, 1);
      for (const std::size_t rows : {1, 15, 16, 17, 300}) {
        for (const std::size_t columns : {1, 31, 33, 200}) {
          check_layer(Layer(rows, mixed_levels(columns, 1024, random), GridForm::range, 1, random), random);
          check_layer(Layer(rows, mixed_levels(columns, 256, random), GridForm::scale, 3, random), random, true);
          check_layer(Layer(rows, mixed_levels(columns, 3, random), GridForm::ternary, 2, random), random, true);
        }
      }
    }
    CHECK(set_active_isa(before));
  }

  TEST_CASE("tables of floats beside tables of digits") {
    // Sizes that leave parts of a group of rows, a block and a section of blocks over, and more than eight planes.
    PhiloxStream random(10, 1);
    for (const std::size_t columns : {32, 224, 500}) {
      const std::size_t rows = 40, tokens = 3;
      const PackedStructure structure(rows, mixed_levels(columns, 1024, random), GridForm::range, 1, {});
      std::vector<std::uint32_t> words(structure.words());
      for (std::uint32_t& word : words) word = random.next_below(1u << 16) << 16 | random.next_below(1u << 16);
      const std::vector<float> scale(structure.padded_rows(), 1.0f), offset(structure.padded_rows(), 0.5f);
      std::vector<float> x(tokens * columns), floats(tokens * rows), fastest(floats.size());
      for (std::size_t e = 0; e < x.size(); ++e) {
        // The second token has an activation a thousand times the others, the third next to nothing.
        x[e] = static_cast<float>((2 * random.next_uniform() - 1) * (e == columns + 7  ? 1e3
                                                                     : e < 2 * columns ? 1
                                                                                       : 1e-35));
      }
      packed_multiply(structure, words, scale, offset, x, tokens, floats, 1, PackedLookup::floats);
      packed_multiply(structure, words, scale, offset, x, tokens, fastest, 1, fastest_lookup());
      for (std::size_t e = 0; e < floats.size(); ++e) {
        double size = 0;
        for (std::size_t j = 0; j < columns; ++j) size += std::fabs(static_cast<double>(x[e / rows * columns + j]));
        // Words are random, so codes reach 2^bits - 1, which is less than twice the levels.
        const double blocks = static_cast<double>(columns) / 32 + 10;
        REQUIRE(std::fabs(static_cast<double>(floats[e]) - static_cast<double>(fastest[e])) <=
                4 * (blocks + 24) * 0x1p-24 * 1.5 * 2 * size + 1e-30);
      }
    }
  }

  TEST_CASE("what is not finite stays so") {
    for (const float strange : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      PhiloxStream random(11, 1);
      const Layer layer(20, std::vector<std::uint32_t>(70, 8), GridForm::range, 1, random);
      const PackedWeights packed = PackedWeights::create(layer.view(), 1);
      std::vector<float> x(70, 1.0f), y(20);
      x[33] = strange;
      packed.multiply(x, 1, y, 1);
      for (const float value : y) CHECK_FALSE(std::isfinite(value));
    }
  }

  TEST_CASE("every width alone") {
    PhiloxStream random(6, 1);
    for (unsigned bits = 0; bits <= 16; ++bits) {
      check_layer(Layer(19, std::vector<std::uint32_t>(70, 1u << bits), GridForm::range, 1, random), random);
      if (bits > 0) {
        check_layer(Layer(19, std::vector<std::uint32_t>(70, (1u << bits) - 1), GridForm::range, 1, random), random);
      }
    }
  }

  TEST_CASE("nothing to do") {
    PhiloxStream random(7, 1);
    check_layer(Layer(0, {2, 4}, GridForm::range, 1, random), random);
    check_layer(Layer(3, {}, GridForm::range, 1, random), random);
    check_layer(Layer(3, {1, 1}, GridForm::scale, 1, random), random);
  }

  TEST_CASE("bytes are those of the padded codes") {
    PhiloxStream random(8, 1);
    const Layer layer(64, std::vector<std::uint32_t>(96, 8), GridForm::range, 1, random);
    CHECK(PackedWeights::create(layer.view(), 1).bytes() == 64 * 96 * 3 / 8 + 64 * 8 + 96 * 8);
  }

  TEST_CASE("bad input is refused by name") {
    PhiloxStream random(9, 1);
    const Layer good(2, {2, 4, 5}, GridForm::range, 1, random);
    const auto create = [](const Layer& layer) { (void)PackedWeights::create(layer.view(), 1); };
    const auto refused = [&](auto change, const char* argument) {
      Layer layer = good;
      change(layer);
      return thrown_by([&] { create(layer); }, argument);
    };
    CHECK(refused([](Layer& l) { l.codes[5] = 5; }, "weights.codes") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.codes.pop_back(); }, "weights.codes") == ErrorCode::shape_mismatch);
    CHECK(refused([](Layer& l) { l.levels[1] = 0; }, "weights.levels") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.levels[1] = 65537; }, "weights.levels") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.levels.pop_back(); }, "weights.levels") == ErrorCode::shape_mismatch);
    CHECK(refused([](Layer& l) { l.first[1] = 0; }, "weights.grid.range") == ErrorCode::invalid_argument_value);
    CHECK(refused([](Layer& l) { l.first[1] = INFINITY; }, "weights.grid.range") == ErrorCode::not_finite);
    CHECK(refused([](Layer& l) { l.second[1] = NAN; }, "weights.grid.ratio") == ErrorCode::not_finite);
    CHECK(refused([](Layer& l) { l.second[1] = 1e6f; }, "weights.grid.ratio") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.second.pop_back(); }, "weights.grid.ratio") == ErrorCode::shape_mismatch);
    CHECK(refused([](Layer& l) { l.group[1] = 1; }, "weights.grid.groupOfColumn") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.group[1] = -1; }, "weights.grid.groupOfColumn") == ErrorCode::out_of_range);
    CHECK(refused([](Layer& l) { l.form = GridForm::scale, l.second[0] = 0.5f; }, "weights.grid.zero") ==
          ErrorCode::invalid_argument_value);
    CHECK(refused([](Layer& l) { l.form = GridForm::ternary; }, "weights.levels") == ErrorCode::out_of_range);
    const PackedWeights packed = PackedWeights::create(good.view(), 1);
    std::vector<float> x(3), y(2);
    CHECK(thrown_by([&] { packed.multiply(x, 2, y, 1); }, "x") == ErrorCode::shape_mismatch);
    CHECK(thrown_by([&] { packed.multiply(x, 1, x, 1); }, "y") == ErrorCode::shape_mismatch);
  }
}
