// GPTQ against the official code's results, its own identities and a scalar model of every rounding.
#include "quantize/gptq.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/isa.hpp"
#include "core/philox.hpp"
#include "linalg/gemm.hpp"
#include "tests/json.hpp"
#include "tests/linalg/support.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> data;

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t column_count, float value = 0)
      : rows(row_count), columns(column_count), data(row_count * column_count, value) {}
  explicit Matrix(const test::Json& json) : rows(static_cast<std::size_t>(json["shape"].items[0].number)) {
    for (const double value : json["data"].numbers()) data.push_back(static_cast<float>(value));
    columns = data.size() / rows;
  }
  float& operator()(std::size_t i, std::size_t j) { return data[i * columns + j]; }
  float operator()(std::size_t i, std::size_t j) const { return data[i * columns + j]; }
  MatrixView<float> view() { return MatrixView<float>::row_major(data.data(), rows, columns); }
  MatrixView<const float> view() const { return MatrixView<const float>::row_major(data.data(), rows, columns); }
};

/// A problem and what came out.
struct Case {
  Matrix w, u, scale, zero;
  std::vector<std::uint32_t> group, levels;
  GptqGridForm form = GptqGridForm::scale_and_zero;

  Matrix q, e;
  std::vector<std::uint8_t> codes;
  std::vector<double> losses;

  GptqGrids grids() const { return {form, scale.view(), zero.view(), group, levels}; }
  GptqOutputs outputs() {
    q = e = Matrix(w.rows, w.columns, std::numeric_limits<float>::quiet_NaN());
    codes.assign(w.rows * w.columns, 255);
    losses.assign(w.columns, -1);
    return {MatrixView<std::uint8_t>::row_major(codes.data(), w.rows, w.columns), q.view(), e.view(), losses};
  }
  void run(std::size_t threads = 1) {
    const GptqOutputs out = outputs();
    REQUIRE(gptq_quantize(w.view(), u.view(), grids(), out, {.threads = threads}) == w.columns);
  }
};

Case random_case(std::size_t rows, std::size_t columns, std::size_t groups, bool ranges, std::uint32_t seed) {
  PhiloxStream random(11, seed);
  Case c;
  c.w = Matrix(rows, columns);
  c.u = Matrix(columns, columns, std::numeric_limits<float>::quiet_NaN());  // the lower triangle must not be read
  c.scale = c.zero = Matrix(rows, groups);
  c.form = ranges ? GptqGridForm::range_and_ratio : GptqGridForm::scale_and_zero;
  for (float& value : c.w.data) value = static_cast<float>(0.08 * random.next_uniform() - 0.04);
  for (std::size_t j = 0; j < columns; ++j) {
    c.u(j, j) = static_cast<float>(0.3 + random.next_uniform());
    for (std::size_t k = j + 1; k < columns; ++k) {
      c.u(j, k) = static_cast<float>((2 * random.next_uniform() - 1) / std::sqrt(static_cast<double>(columns)));
    }
  }
  for (std::size_t e = 0; e < c.scale.data.size(); ++e) {
    c.scale.data[e] = static_cast<float>((ranges ? 0.06 : 0.004) * (0.5 + random.next_uniform()));
    c.zero.data[e] = ranges ? static_cast<float>(random.next_uniform()) : static_cast<float>(random.next_below(16));
  }
  if (groups > 1) {
    for (std::size_t j = 0; j < columns; ++j) c.group.push_back(random.next_below(static_cast<std::uint32_t>(groups)));
  }
  if (!ranges) c.levels = {16};
  for (std::size_t j = 0; ranges && j < columns; ++j) c.levels.push_back(1 + random.next_below(256));
  return c;
}

/// The documented order of operations, element by element: `fused` rounds a multiply-add once, else twice.
void check_bits(const Case& c, bool fused) {
  const auto multiply_add = [&](float a, float b, float sum) { return fused ? std::fma(a, b, sum) : a * b + sum; };
  const auto round = [](float value) { return std::nearbyint(std::clamp(value, -1e6f, 1e6f)); };
  const std::size_t n = c.w.columns;
  std::vector<float> e(n);
  for (std::size_t i = 0; i < c.w.rows; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      float w = c.w(i, j);
      const std::size_t own = j / 128 * 128;
      for (std::size_t block = 0; block < own; block += 128) {
        float sum = 0;
        for (std::size_t p = block; p < block + 128; ++p) sum = multiply_add(e[p], c.u(p, j), sum);
        w -= sum;
      }
      for (std::size_t p = own; p < j; ++p) w = multiply_add(-e[p], c.u(p, j), w);
      const std::size_t group = c.group.empty() ? 0 : c.group[j];
      const float largest = static_cast<float>(c.levels[c.levels.size() == 1 ? 0 : j] - 1);
      float scale = c.scale(i, group), zero = c.zero(i, group);
      if (c.form == GptqGridForm::range_and_ratio) {
        scale /= std::max(largest, 1.0f);
        zero = round(zero * largest);
      }
      const float code = std::clamp(round(w / scale) + zero, 0.0f, largest);
      const float q = scale * (code - zero);
      e[j] = (w - q) / c.u(j, j);
      CAPTURE(i);
      CAPTURE(j);
      REQUIRE(static_cast<float>(c.codes[i * n + j]) == code);
      REQUIRE(c.q(i, j) == q);
      REQUIRE(c.e(i, j) == e[j]);
    }
  }
}

/// The official grid of columns [first, last): asymmetric, zero always representable.
void find_grid(const Matrix& w, std::size_t first, std::size_t last, float largest, std::size_t group, Matrix& scale,
               Matrix& zero) {
  for (std::size_t i = 0; i < w.rows; ++i) {
    float low = 0, high = 0;
    for (std::size_t j = first; j < last; ++j) {
      low = std::min(low, w(i, j));
      high = std::max(high, w(i, j));
    }
    if (low == 0 && high == 0) low = -1, high = 1;
    scale(i, group) = (high - low) / largest;
    zero(i, group) = std::nearbyint(-low / scale(i, group));
  }
}

Matrix columns_of(const Matrix& from, const std::vector<std::size_t>& order) {
  Matrix to(from.rows, order.size());
  for (std::size_t i = 0; i < from.rows; ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) to(i, j) = from(i, order[j]);
  }
  return to;
}

Matrix part(const Matrix& from, std::size_t row, std::size_t rows, std::size_t column, std::size_t columns) {
  Matrix to(rows, columns);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) to(i, j) = from(row + i, column + j);
  }
  return to;
}

/// Every level and back: the body runs at each.
template <class Body>
void at_every_level(Body body) {
  const IsaLevel before = active_isa();
  for (const IsaLevel level : available_isa_levels()) {
    REQUIRE(set_active_isa(level));
    CAPTURE(std::string(isa_name(level)));
    body(level);
  }
  set_active_isa(before);
}

ErrorCode code_of(Case c) {
  const GptqOutputs out = c.outputs();
  try {
    (void)gptq_quantize(c.w.view(), c.u.view(), c.grids(), out);
  } catch (const Error& error) {
    CHECK(std::all_of(c.codes.begin(), c.codes.end(), [](std::uint8_t code) { return code == 255; }));
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("gptq: the official code's results") {
  const test::Json file = test::read_vectors("quant/gptq.json");
  const double relative = file["tolerance"]["rtol"].number, absolute = file["tolerance"]["atol"].number;
  std::size_t cases = 0;
  for (const test::Json& item : file["cases"].items) {
    CAPTURE(item["name"].text);
    const test::Json& options = item["options"];
    const Matrix original(item["W"]), expected(item["Q"]);
    const std::size_t rows = original.rows, n = original.columns;
    const float largest = static_cast<float>((1 << static_cast<int>(item["bits"].number)) - 1);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (item.has("perm")) {
      for (std::size_t j = 0; j < n; ++j) order[j] = static_cast<std::size_t>(item["perm"]["data"].items[j].number);
    }
    Case c;
    c.u = Matrix(item["Hinv_chol_upper"]);
    c.levels = {static_cast<std::uint32_t>(largest) + 1};
    const Matrix hessian(item["H"]);
    Matrix alive = original;
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t i = 0; hessian(j, j) == 0 && i < rows; ++i) alive(i, j) = 0;
    }
    c.w = columns_of(alive, order);
    const std::size_t size = options.has("groupsize") ? static_cast<std::size_t>(options["groupsize"].number) : n;
    const std::size_t groups = n / size;
    const bool dynamic = groups > 1 && !options.has("static_groups");
    // Dynamic groups take their grids from W as it stood at the start of the block: one call for each block.
    const std::size_t block = dynamic ? static_cast<std::size_t>(options["blocksize"].number) : n;
    Matrix rest = c.w, q(rows, n);
    std::vector<double> losses;
    for (std::size_t first = 0; first < n; first += block) {
      const std::size_t width = std::min(block, n - first), behind = n - first - width;
      Case one;
      one.levels = c.levels;
      one.w = part(rest, 0, rows, first, width);
      one.u = part(c.u, first, width, first, width);
      one.scale = one.zero = Matrix(rows, (width + size - 1) / size);
      if (groups == 1) {
        one.scale = Matrix(item["scale_last"]);
        one.zero = Matrix(item["zero_last"]);
      }
      for (std::size_t g = 0; groups > 1 && g < one.scale.columns; ++g) {
        find_grid(dynamic ? one.w : original, g * size, (g + 1) * size, largest, g, one.scale, one.zero);
      }
      for (std::size_t j = 0; j < width; ++j) {
        one.group.push_back(static_cast<std::uint32_t>((dynamic ? j : order[first + j]) / size));
      }
      one.run();
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < width; ++j) q(i, first + j) = one.q(i, j);
      }
      losses.insert(losses.end(), one.losses.begin(), one.losses.end());
      const Matrix u = part(c.u, first, width, first + width, behind);
      linalg::gemm(-1.0f, one.e.view(), u.view(), 1.0f, rest.view().block(0, first + width, rows, behind));
      if (first + width == n) c.scale = one.scale;
    }
    std::size_t different = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double apart = std::fabs(static_cast<double>(q(i, j)) - static_cast<double>(expected(i, order[j])));
        if (apart > absolute + relative * std::fabs(static_cast<double>(expected(i, order[j])))) ++different;
      }
    }
    CHECK(static_cast<double>(different) <= 0.005 * static_cast<double>(rows * n));
    double total = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double wanted = item["loss_per_column"]["data"].items[j].number;
      CHECK(std::fabs(losses[j] - wanted) <= absolute + relative * std::fabs(wanted));
      total += losses[j];
    }
    CHECK(total == doctest::Approx(item["loss_total"].number).epsilon(relative));
    ++cases;
  }
  CHECK(cases >= 10);
}

TEST_CASE("gptq: bit for bit the documented order, at every level, for any number of threads") {
  struct Shape {
    std::size_t rows, columns, groups;
  };
  std::uint32_t seed = 0;
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{1, 300, 1}, Shape{50, 1, 1}, Shape{3, 7, 2}, Shape{16, 8, 1}, Shape{24, 33, 1},
        Shape{48, 128, 1}, Shape{49, 129, 3}, Shape{97, 260, 5}, Shape{25, 1000, 1}}) {
    for (const bool ranges : {false, true}) {
      Case c = random_case(shape.rows, shape.columns, shape.groups, ranges, ++seed);
      CAPTURE(shape.rows);
      CAPTURE(shape.columns);
      CAPTURE(ranges);
      at_every_level([&](IsaLevel level) {
        c.run();
        check_bits(c, level != IsaLevel::baseline);
        const std::vector<std::uint8_t> codes = c.codes;
        const Matrix q = c.q, e = c.e;
        const std::vector<double> losses = c.losses;
        for (const std::size_t threads : {2, 3, 0}) {
          c.run(threads);
          CHECK(c.codes == codes);
          CHECK(c.q.data == q.data);
          CHECK(c.e.data == e.data);
          CHECK(c.losses == losses);
        }
      });
    }
  }
}

TEST_CASE("gptq: W - Q = E U, and the losses are the sums of E") {
  at_every_level([](IsaLevel) {
    for (const bool ranges : {false, true}) {
      Case c = random_case(70, 700, 1, ranges, 77);
      for (float& w : c.w.data) w /= 2;
      c.run(2);
      double worst = 0;
      std::vector<double> losses(c.w.columns);
      for (std::size_t i = 0; i < c.w.rows; ++i) {
        for (std::size_t j = 0; j < c.w.columns; ++j) {
          double sum = 0;
          for (std::size_t p = 0; p <= j; ++p) sum += static_cast<double>(c.e(i, p)) * static_cast<double>(c.u(p, j));
          worst = std::max(worst, std::fabs(static_cast<double>(c.w(i, j)) - static_cast<double>(c.q(i, j)) - sum));
          losses[j] += static_cast<double>(c.e(i, j)) * static_cast<double>(c.e(i, j)) / 2;
        }
      }
      // Measured 2.1e-8 to 2.4e-8; an ulp of the weights is 1.9e-9, and 700 corrections round.
      CHECK(worst < 4e-8);
      for (std::size_t j = 0; j < c.w.columns; ++j) CHECK(c.losses[j] == doctest::Approx(losses[j]).epsilon(1e-5));
    }
  });
}

TEST_CASE("gptq: the loss is half the trace of (W - Q) H (W - Q)^T") {
  // U from a Hessian made of it: H = (U^T U)^-1, so (W - Q) H (W - Q)^T = |(W - Q) U^-1|^2, by back substitution.
  Case c = random_case(20, 90, 1, false, 5);
  c.run();
  double trace = 0;
  for (std::size_t i = 0; i < c.w.rows; ++i) {
    std::vector<double> y(c.w.columns);
    for (std::size_t j = 0; j < c.w.columns; ++j) {
      double value = static_cast<double>(c.w(i, j)) - static_cast<double>(c.q(i, j));
      for (std::size_t p = 0; p < j; ++p) value -= y[p] * static_cast<double>(c.u(p, j));
      y[j] = value / static_cast<double>(c.u(j, j));
      trace += y[j] * y[j];
    }
  }
  CHECK(std::accumulate(c.losses.begin(), c.losses.end(), 0.0) == doctest::Approx(trace / 2).epsilon(1e-4));
}

TEST_CASE("gptq: with a diagonal Hessian every weight is rounded for itself, ties to even") {
  Case c = random_case(60, 200, 1, false, 9);
  for (std::size_t j = 0; j < 200; ++j) {
    for (std::size_t k = j + 1; k < 200; ++k) c.u(j, k) = 0;
  }
  std::fill(c.scale.data.begin(), c.scale.data.end(), 0.25f);
  PhiloxStream random(3, 3);
  for (float& w : c.w.data) w = (static_cast<float>(random.next_below(60)) - 30) / 8;  // half of them ties
  at_every_level([&](IsaLevel) {
    c.run();
    for (std::size_t i = 0; i < c.w.rows; ++i) {
      for (std::size_t j = 0; j < c.w.columns; ++j) {
        const float code = std::clamp(std::nearbyint(c.w(i, j) / 0.25f) + c.zero(i, 0), 0.0f, 15.0f);
        REQUIRE(static_cast<float>(c.codes[i * 200 + j]) == code);
        REQUIRE(c.q(i, j) == 0.25f * (code - c.zero(i, 0)));
      }
    }
  });
}

TEST_CASE("gptq: strided views, Q over W, and memory that is kept") {
  Case c = random_case(53, 140, 2, false, 21);
  c.run();
  GptqWorkspace workspace;
  // A larger call first, so that the second meets old contents.
  Case large = random_case(60, 300, 1, false, 22);
  const GptqOutputs ignored = large.outputs();
  REQUIRE(gptq_quantize(large.w.view(), large.u.view(), large.grids(), ignored, {.workspace = &workspace}) == 300);

  const float untouched = 7;
  Matrix wide(53, 151, untouched), factor(140, 157, std::numeric_limits<float>::quiet_NaN());
  std::vector<std::uint8_t> codes(53 * 143, 99);
  for (std::size_t i = 0; i < 53; ++i) std::copy_n(&c.w(i, 0), 140, &wide(i, 0));
  for (std::size_t j = 0; j < 140; ++j) std::copy_n(&c.u(j, j), 140 - j, &factor(j, j));
  const MatrixView<float> w = wide.view().block(0, 0, 53, 140);
  const MatrixView<std::uint8_t> all = MatrixView<std::uint8_t>::row_major(codes.data(), 53, 143);
  const GptqOutputs outputs{all.block(0, 0, 53, 140), w, {}, {}};
  REQUIRE(gptq_quantize(w, factor.view().block(0, 0, 140, 140), c.grids(), outputs, {.workspace = &workspace}) == 140);
  for (std::size_t i = 0; i < 53; ++i) {
    CHECK(std::equal(&wide(i, 0), &wide(i, 0) + 140, &c.q(i, 0)));
    CHECK(std::equal(&all(i, 0), &all(i, 0) + 140, c.codes.data() + i * 140));
    CHECK(std::all_of(&wide(i, 140), &wide(i, 0) + 151, [&](float x) { return x == untouched; }));
    CHECK(std::all_of(&all(i, 140), &all(i, 0) + 143, [](std::uint8_t x) { return x == 99; }));
  }
}

TEST_CASE("gptq: a factor that stays is packed once, at one level, and another one anew") {
  GptqWorkspace workspace;
  const auto run = [&](Case& c, bool same) {
    const GptqOutputs out = c.outputs();
    REQUIRE(gptq_quantize(c.w.view(), c.u.view(), c.grids(), out, {.workspace = &workspace, .same_factor = same}) ==
            c.w.columns);
    return std::pair(c.q.data, c.losses);
  };
  Case one = random_case(50, 140, 1, true, 1), other = random_case(70, 140, 1, true, 2),
       small = random_case(9, 17, 1, true, 3);
  test::at_every_isa_level([&](IsaLevel) {
    std::vector<std::pair<std::vector<float>, std::vector<double>>> expected;
    for (Case* c : {&one, &other, &small}) expected.push_back(run(*c, false));
    for (int time = 0; time < 3; ++time) {
      CHECK(run(one, true) == expected[0]);
      CHECK(run(one, true) == expected[0]);
      CHECK(run(other, true) == expected[1]);
      if (time == 1) CHECK(run(small, false) == expected[2]);
    }
  });
}

TEST_CASE("gptq: nothing to do, and being stopped") {
  for (const bool no_rows : {true, false}) {
    Case c = random_case(no_rows ? 0 : 4, no_rows ? 4 : 0, 1, false, 1);
    c.run();
    for (const double loss : c.losses) CHECK(loss == 0);
  }
  Case c = random_case(10, 300, 1, false, 2);
  RunControl control;
  control.cancel();
  const GptqOutputs out = c.outputs();
  CHECK(gptq_quantize(c.w.view(), c.u.view(), c.grids(), out, {.control = &control}) == 0);
}

TEST_CASE("gptq: what is wrong is said before anything is written") {
  const Case good = random_case(50, 140, 2, false, 31);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const auto with = [&](auto change) {
    Case c = good;
    change(c);
    return code_of(std::move(c));
  };
  CHECK(with([&](Case& c) { c.w(49, 139) = nan; }) == ErrorCode::not_finite);
  CHECK(with([&](Case& c) { c.w(0, 3) = -infinity; }) == ErrorCode::not_finite);
  CHECK(with([&](Case& c) { c.u(5, 100) = infinity; }) == ErrorCode::not_finite);
  CHECK(with([&](Case& c) { c.u(139, 139) = 0; }) == ErrorCode::invalid_argument_value);
  CHECK(with([&](Case& c) { c.scale(7, 1) = 0; }) == ErrorCode::invalid_argument_value);
  CHECK(with([&](Case& c) { c.scale(7, 1) = nan; }) == ErrorCode::not_finite);
  CHECK(with([&](Case& c) { c.zero(7, 1) = 1.5f; }) == ErrorCode::out_of_range);
  CHECK(with([&](Case& c) { c.zero(7, 1) = 0x1p21f; }) == ErrorCode::out_of_range);
  CHECK(with([&](Case& c) { c.group[3] = 2; }) == ErrorCode::out_of_range);
  CHECK(with([&](Case& c) { c.group.pop_back(); }) == ErrorCode::shape_mismatch);
  CHECK(with([&](Case& c) { c.levels = {0}; }) == ErrorCode::out_of_range);
  CHECK(with([&](Case& c) { c.levels = {257}; }) == ErrorCode::out_of_range);
  CHECK(with([&](Case& c) { c.levels.clear(); }) == ErrorCode::shape_mismatch);
  CHECK(with([&](Case& c) { c.zero = Matrix(50, 1); }) == ErrorCode::shape_mismatch);
  CHECK(with([&](Case& c) { c.u = Matrix(139, 140, 1); }) == ErrorCode::shape_mismatch);
}
