// Whole layers: losses against their definition, values against the stored form, every method on any number of
// threads and at every instruction-set level. What the published codes give is tested through the public API.
#include "quantize/layer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "quantize/refine.hpp"
#include "quantize/rounding_table.hpp"
#include "tests/linalg/support.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

struct Layer {
  std::size_t rows, columns;
  std::vector<float> weights;
  std::vector<double> hessian;

  Layer(std::size_t row_count, std::size_t column_count) : rows(row_count), columns(column_count) {
    PhiloxStream random(3, static_cast<std::uint32_t>(columns));
    weights.resize(rows * columns);
    for (float& value : weights) value = static_cast<float>(std::pow(2 * random.next_uniform() - 1, 3));
    const std::size_t tokens = 2 * columns;
    std::vector<float> x(tokens * columns);
    for (std::size_t at = 0; at < x.size(); ++at) {
      const double gain = std::exp2(static_cast<double>(at % columns % 5));
      x[at] = static_cast<float>(gain * (2 * random.next_uniform() - 1));
    }
    for (std::size_t t = 0; t < tokens; ++t) x[t * columns + columns / 2] = 0;  // a dead column
    HessianSum sum(columns);
    sum.add(MatrixView<const float>::row_major(x.data(), tokens, columns));
    hessian.resize(columns * columns);
    sum.write(hessian);
  }
  MatrixView<const float> view() const { return MatrixView<const float>::row_major(weights.data(), rows, columns); }
  QuantizedLayer run(const LayerOptions& options, std::size_t threads = 1) const {
    RunControl control(threads);
    return quantize_layer(view(), hessian, options, control);
  }
};

std::vector<LayerOptions> all_options() {
  std::vector<LayerOptions> all(15);
  all[0] = {.method = Method::round_to_nearest, .average_bits = 3};
  all[1] = {.method = Method::gptq, .average_bits = 3, .act_order = true};
  all[2] = {
      .method = Method::gptq, .average_bits = 4, .symmetry = Symmetry::symmetric, .group_size = 32, .allow_tail = true};
  all[3] = {.method = Method::gptq, .ternary = true, .group_size = 32, .allow_tail = true, .static_groups = true};
  all[4] = {.method = Method::gptq, .average_bits = 3, .search = GridSearch::hessian, .sweeps = 2, .refit = true};
  all[5] = {.allocation = Allocation::official, .average_bits = 3};
  all[6] = {.allocation = Allocation::integer, .average_bits = 2.5, .act_order = true};
  all[7] = {.allocation = Allocation::table, .average_bits = 2, .sweeps = 3, .refit = true};
  all[8] = {.allocation = Allocation::levels, .average_bits = 2.2, .max_bits = 6, .sweeps = 3};
  all[9] = {.allocation = Allocation::table,
            .average_bits = 2.5,
            .symmetry = Symmetry::symmetric,
            .search = GridSearch::hessian,
            .sweeps = 2,
            .refit = true};
  all[10] = {.allocation = Allocation::integer,
             .average_bits = 3,
             .symmetry = Symmetry::official_symmetric,
             .search = GridSearch::power};
  all[11] = {.allocation = Allocation::levels,
             .average_bits = 7.5,
             .act_order = true,
             .max_bits = 10,
             .sweeps = 2,
             .refit = true};
  all[12] = {.allocation = Allocation::table,
             .average_bits = 2.5,
             .group_size = 32,
             .allow_tail = true,
             .sweeps = 3,
             .refit = true};
  all[13] = {.allocation = Allocation::levels,
             .average_bits = 3,
             .group_size = 48,
             .allow_tail = true,
             .static_groups = true,
             .act_order = true,
             .sweeps = 2,
             .refit = true};
  all[14] = {
      .allocation = Allocation::integer, .average_bits = 3, .group_size = 32, .allow_tail = true, .act_order = true};
  return all;
}

bool same(const QuantizedLayer& a, const QuantizedLayer& b) {
  return a.codes == b.codes && a.wide == b.wide && a.levels == b.levels && a.grid.first == b.grid.first &&
         a.grid.second == b.grid.second && a.loss == b.loss;
}

TEST_SUITE("quantize layer") {
  TEST_CASE("the loss is the quadratic form, codes are within their levels, threads change nothing") {
    for (const Layer& layer : {Layer(1, 1), Layer(7, 40), Layer(70, 150)}) {
      const DampedHessian damped = damp_and_factor(layer.hessian, layer.columns);
      std::size_t number = 0;
      for (const LayerOptions& options : all_options()) {
        CAPTURE(number++);
        CAPTURE(layer.columns);
        const QuantizedLayer found = layer.run(options);
        CHECK(same(found, layer.run(options, 3)));
        std::vector<float> w = layer.weights, q(w.size());
        dequantize(found, q, 2);
        for (std::size_t i = 0; i < layer.rows; ++i) {
          for (std::size_t j = 0; j < layer.columns; ++j) {
            const std::size_t at = i * layer.columns + j;
            REQUIRE((found.wide.empty() ? found.codes[at] : found.wide[at]) < found.levels[j]);
          }
          if (options.method == Method::round_to_nearest) continue;
          for (const std::uint32_t j : found.dead) {
            REQUIRE(q[i * layer.columns + j] == 0);
            w[i * layer.columns + j] = 0;
          }
        }
        const double loss = quadratic_loss(MatrixView<const float>::row_major(w.data(), layer.rows, layer.columns),
                                           MatrixView<const float>::row_major(q.data(), layer.rows, layer.columns),
                                           damped.matrix_view(), 1);
        CHECK(found.loss == doctest::Approx(loss).epsilon(1e-3));
        CHECK(found.status == LayerStatus::complete);
      }
    }
  }

  TEST_CASE("many rows: allocations of a sample are as good, and no column is forgotten") {
    Layer layer(700, 520);
    for (const Allocation allocation : {Allocation::table, Allocation::levels}) {
      const LayerOptions options{.allocation = allocation, .average_bits = 2.5, .sweeps = 2, .refit = true};
      const QuantizedLayer found = layer.run(options);
      CHECK(same(found, layer.run(options, 3)));
      double bits = 0;
      for (const std::uint32_t count : found.levels) bits += std::log2(static_cast<double>(count));
      CHECK(bits <= 2.5 * 520 + 0.5);
      // The same weights in pieces that are not sampled lose about as much, each with an allocation of its own.
      double pieces = 0;
      for (std::size_t first = 0; first < layer.rows; first += 350) {
        Layer piece = layer;
        piece.rows = 350;
        const auto begin = layer.weights.begin() + static_cast<std::ptrdiff_t>(first * layer.columns);
        piece.weights.assign(begin, begin + static_cast<std::ptrdiff_t>(350 * layer.columns));
        pieces += piece.run(options).loss;
      }
      CHECK(found.loss == doctest::Approx(pieces).epsilon(0.05));
    }
    // A column with weights in one small row only, which no sample has, and that matters: it keeps its levels.
    const std::size_t column = 3, row = 431;
    for (std::size_t i = 0; i < layer.rows; ++i) layer.weights[i * layer.columns + column] = 0;
    for (std::size_t j = 0; j < layer.columns; ++j) layer.weights[row * layer.columns + j] *= 1e-3f;
    layer.weights[row * layer.columns + column] = 1e-4f;
    layer.hessian[column * layer.columns + column] *= 1e9;
    const QuantizedLayer found = layer.run({.allocation = Allocation::table, .average_bits = 3, .damping = 1e-12});
    CHECK(found.levels[column] > 1);
  }

  TEST_CASE("every instruction-set level does as well") {
    const Layer layer(33, 150);
    std::vector<double> losses;
    test::at_every_isa_level(
        [&](IsaLevel) { losses.push_back(layer.run({.allocation = Allocation::table, .average_bits = 3}).loss); });
    // Factors differ in their last bits, so some roundings fall to the other side.
    for (const double loss : losses) CHECK(loss == doctest::Approx(losses[0]).epsilon(0.03));
  }

  TEST_CASE("more bits, smaller losses; an allocation is worth its name") {
    const Layer layer(48, 96);
    double before = 1e300;
    for (const double bits : {1.0, 2.0, 3.0, 4.0, 6.0}) {
      const double gptq = layer.run({.method = Method::gptq, .average_bits = bits}).loss;
      const double table = layer.run({.allocation = Allocation::table, .average_bits = bits}).loss;
      CHECK(table <= gptq * 1.001);
      CHECK(table < before);
      before = table;
    }
  }

  TEST_CASE("a column that the uniform grid happens to hit keeps its bits") {
    Layer layer(1, 6);
    layer.weights = {0, 0.3f, -0.4f, 0.21f, 0.17f, 0.33f};
    layer.hessian.assign(36, 0);
    for (std::size_t j = 0; j < 6; ++j) layer.hessian[7 * j] = j == 1 ? 1000 : 1;
    // On a grid from -0.4 to 0.3 with two bits the second column, the one that matters, loses next to nothing.
    const QuantizedLayer found = layer.run({.allocation = Allocation::integer, .average_bits = 2, .damping = 0});
    CHECK(found.levels[0] == 1);  // a column of zeros needs none
    CHECK(found.levels[1] >= 4);
    CHECK(found.loss <= layer.run({.method = Method::gptq, .average_bits = 2, .damping = 0}).loss * 1.0001);
  }

  TEST_CASE("tables hold what a column loses") {
    const std::size_t rows = 70, columns = 66;
    const Layer layer(rows, columns);
    std::vector<float> range(rows), ratio(rows);
    find_ranges(layer.view(), range.data(), ratio.data(), 1);
    const std::vector<std::uint32_t> levels{1, 3, 16};
    std::vector<double> one(columns * 3), other(columns * 3);
    rounding_table(layer.view(), range, ratio, levels, one, 1);
    rounding_table(layer.view(), range, ratio, levels, other, 3);
    CHECK(one == other);
    for (std::size_t j = 0; j < columns; ++j) {
      double squares = 0;
      for (std::size_t i = 0; i < rows; ++i) squares += std::pow(static_cast<double>(layer.view()(i, j)), 2);
      CHECK(one[3 * j] == doctest::Approx(squares).epsilon(1e-5));
      CHECK(one[3 * j + 2] < one[3 * j]);
    }
  }

  TEST_CASE("BAQ on symmetric and searched ranges") {
    Layer layer(33, 60);
    for (std::size_t j = 0; j < layer.columns; ++j) layer.weights[j] = std::abs(layer.weights[j]);
    const DampedHessian damped = damp_and_factor(layer.hessian, layer.columns);
    std::vector<float> w = layer.weights;
    for (std::size_t i = 0; i < layer.rows; ++i) w[i * layer.columns + damped.dead[0]] = 0;
    LayerOptions options{.allocation = Allocation::integer, .average_bits = 3, .range_fits = 0};
    const QuantizedLayer plain = layer.run(options);
    const auto largest = [&](std::size_t i, float sign) {
      float most = 0;
      for (std::size_t j = 0; j < layer.columns; ++j) most = std::max(most, sign * w[i * layer.columns + j]);
      return most;
    };
    for (const Symmetry symmetry : {Symmetry::symmetric, Symmetry::official_symmetric}) {
      options.symmetry = symmetry;
      const QuantizedLayer found = layer.run(options);
      for (std::size_t i = 0; i < layer.rows; ++i) {
        const float most = std::max(largest(i, 1), largest(i, -1));
        // As published, the first row, which has no negative weights, has only half of the range.
        const bool half = i == 0 && symmetry == Symmetry::official_symmetric;
        CHECK(found.grid.first[i] == (half ? most : 2 * most));
        CHECK(found.grid.second[i] == 0.5f);
        CHECK(plain.grid.first[i] == doctest::Approx(largest(i, 1) + largest(i, -1)));
      }
    }
    options.symmetry = Symmetry::asymmetric;
    for (const GridSearch search : {GridSearch::power, GridSearch::hessian}) {
      options.search = search;
      const QuantizedLayer found = layer.run(options);
      std::vector<float> scale(layer.rows), zero(layer.rows);
      std::vector<double> diagonal(layer.columns);
      for (std::size_t j = 0; j < layer.columns; ++j) diagonal[j] = damped.matrix_view()(j, j);
      find_grid(MatrixView<const float>::row_major(w.data(), layer.rows, layer.columns), diagonal,
                {.levels = 8, .search = search}, scale.data(), zero.data(), 1, 1);
      bool shrunk = false;
      for (std::size_t i = 0; i < layer.rows; ++i) {
        CHECK(found.grid.first[i] == doctest::Approx(7 * scale[i]).epsilon(1e-6));
        CHECK(found.grid.second[i] == plain.grid.second[i]);
        shrunk = shrunk || found.grid.first[i] < 0.95f * plain.grid.first[i];
      }
      CHECK(shrunk);
    }
  }

  TEST_CASE("more than 256 levels where they are allowed") {
    for (const bool refined : {false, true}) {
      const Layer layer(70, 150);
      LayerOptions options{
          .allocation = Allocation::levels, .average_bits = 7, .sweeps = refined ? 3U : 0U, .refit = refined};
      const QuantizedLayer narrow = layer.run(options);
      CHECK(narrow.wide.empty());
      options.max_bits = 10;
      const QuantizedLayer wide = layer.run(options);
      REQUIRE_FALSE(wide.wide.empty());
      CHECK(*std::max_element(wide.levels.begin(), wide.levels.end()) > 256);
      CHECK(*std::max_element(wide.levels.begin(), wide.levels.end()) <= 1024);
      CHECK(wide.loss < narrow.loss);
      double bits = 0;
      for (const std::uint32_t count : wide.levels) bits += std::log2(static_cast<double>(count));
      CHECK(bits <= 7.0 * 150 + 1e-2 * 150);
      // One column more than a byte holds changes no other, being the last.
      std::vector<std::uint32_t> levels(150, 256);
      const LayerOptions given{.method = Method::gptq, .levels = levels};
      const QuantizedLayer bytes = layer.run(given);
      levels[149] = 257;
      const QuantizedLayer words = layer.run(given);
      REQUIRE(words.wide.size() == bytes.codes.size());
      for (std::size_t at = 0; at < bytes.codes.size(); ++at) {
        if (at % 150 != 149) REQUIRE(words.wide[at] == bytes.codes[at]);
      }
    }
  }

  TEST_CASE("a stopped run is a whole result within its budget") {
    const Layer layer(20, 40);
    for (const LayerOptions& options : all_options()) {
      if (options.group_size > 0) continue;
      RunControl control(1);
      control.cancel();
      const QuantizedLayer found = quantize_layer(layer.view(), layer.hessian, options, control);
      CHECK(found.status == LayerStatus::cancelled);
      CHECK(std::isfinite(found.loss));
      CHECK(found.codes.size() == layer.rows * layer.columns);
    }
  }
}

}  // namespace
