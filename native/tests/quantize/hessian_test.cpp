// Accumulation against the official code, the factor against its definition, damping when a matrix resists.
#include "quantize/hessian.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  PhiloxStream random(seed, 0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(2 * random.next_uniform() - 1);
  return values;
}

/// (2 / n) X^T X by its definition.
std::vector<double> direct(const std::vector<float>& x, std::size_t columns, double sequences) {
  std::vector<double> h(columns * columns, 0);
  for (std::size_t t = 0; t < x.size() / columns; ++t) {
    for (std::size_t i = 0; i < columns; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        h[i * columns + j] +=
            2 / sequences * static_cast<double>(x[t * columns + i]) * static_cast<double>(x[t * columns + j]);
      }
    }
  }
  return h;
}

/// max |U Hd U^T - I|.
double factor_error(const DampedHessian& damped) {
  const std::size_t n = damped.columns;
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < n; ++k) {
        double inner = 0;
        for (std::size_t l = 0; l < n; ++l) {
          inner += damped.matrix[k * n + l] * static_cast<double>(damped.factor[j * n + l]);
        }
        sum += static_cast<double>(damped.factor[i * n + k]) * inner;
      }
      worst = std::max(worst, std::abs(sum - (i == j ? 1.0 : 0.0)));
    }
  }
  return worst;
}

TEST_SUITE("quantize hessian") {
  TEST_CASE("batches that can be stopped have the bits of those that cannot, and leave nothing when they are") {
    for (const std::size_t tokens : {100U, 4095U, 4096U, 5001U}) {
      CAPTURE(tokens);
      const std::size_t n = 37;
      const std::vector<float> first = normals(50 * n, 1), x = normals(tokens * n, tokens);
      const auto view = MatrixView<const float>::row_major(x.data(), tokens, n);
      HessianSum whole(n), pieces(n);
      for (HessianSum* sum : {&whole, &pieces}) sum->add(MatrixView<const float>::row_major(first.data(), 50, n));
      std::vector<double> before(n * n), wanted(n * n), found(n * n);
      pieces.write(before);
      RunControl stopped;
      stopped.cancel();
      CHECK_FALSE(pieces.add(view, 3, stopped));
      if (tokens >= 4096) {
        RunControl cut;
        std::size_t reports = 0;
        cut.on_progress(
            [&](const Progress& progress) {
              CHECK(progress.fraction * static_cast<double>(tokens) <= static_cast<double>(512 * reports));
              CHECK(progress.fraction * static_cast<double>(tokens) >= static_cast<double>(400 * reports));
              if (++reports == 4) cut.cancel();
            },
            0);
        CHECK_FALSE(pieces.add(view, 3, cut));
        CHECK(reports == 4);
      }
      CHECK(pieces.tokens() == 50);
      CHECK(pieces.sequences() == 1);
      pieces.write(found);
      CHECK(found == before);
      RunControl control(2);
      CHECK(pieces.add(view, 3, control));
      whole.add(view, 3);
      CHECK(pieces.tokens() == whole.tokens());
      CHECK(pieces.sequences() == whole.sequences());
      whole.write(wanted);
      pieces.write(found);
      CHECK(found == wanted);
    }
  }

  TEST_CASE("golden vectors of the official code") {
    const test::Json file = test::read_vectors("quant/hessian.json");
    const double relative = file["tolerance"]["rtol"].number, absolute = file["tolerance"]["atol"].number;
    for (const test::Json& item : file["cases"].items) {
      INFO(item["name"].text);
      const auto n = static_cast<std::size_t>(item["N"].number);
      HessianSum sum(n);
      for (const test::Json& batch : item["batches"].items) {
        std::vector<float> x;
        for (const double value : batch["data"].numbers()) x.push_back(static_cast<float>(value));
        sum.add(MatrixView<const float>::row_major(x.data(), x.size() / n, n));
      }
      CHECK(static_cast<double>(sum.sequences()) == item["nsamples"].number);
      std::vector<double> h(n * n);
      sum.write(h);
      const std::vector<double> wanted = item["H"]["data"].numbers();
      REQUIRE(wanted.size() == h.size());
      for (std::size_t e = 0; e < h.size(); ++e) {
        CHECK(std::abs(h[e] - wanted[e]) <= absolute + relative * std::abs(wanted[e]));
      }
      const DampedHessian damped = damp_and_factor(h, n);
      const std::vector<std::int32_t> dead = item["dead"].integers();
      CHECK(std::equal(dead.begin(), dead.end(), damped.dead.begin(), damped.dead.end()));
    }
  }

  TEST_CASE("sequences scale, views with strides, same bits for any number of threads") {
    const std::size_t tokens = 300, n = 37;
    const std::vector<float> x = normals(tokens * n, 1);
    std::vector<float> turned(tokens * n);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t j = 0; j < n; ++j) turned[j * tokens + t] = x[t * n + j];
    }
    std::vector<std::vector<double>> results;
    for (const std::size_t threads : {1, 2, 3}) {
      HessianSum sum(n);
      sum.add(MatrixView<const float>::row_major(x.data(), tokens, n), 4, threads);
      CHECK(sum.tokens() == tokens);
      results.emplace_back(n * n);
      sum.write(results.back(), threads);
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
    const std::vector<double> wanted = direct(x, n, 4);
    HessianSum other(n);
    other.add(MatrixView<const float>::column_major(turned.data(), tokens, n), 4);
    std::vector<double> h(n * n);
    other.write(h);
    for (std::size_t e = 0; e < h.size(); ++e) {
      CHECK(results[0][e] == doctest::Approx(wanted[e]).epsilon(1e-5));
      CHECK(h[e] == doctest::Approx(wanted[e]).epsilon(1e-5));
      CHECK(h[e] == h[e % n * n + e / n]);
    }
  }

  TEST_CASE("factor, dead columns and act-order") {
    const std::size_t tokens = 90, n = 70;
    std::vector<float> x = normals(tokens * n, 2);
    for (std::size_t t = 0; t < tokens; ++t) {
      x[t * n + 5] = x[t * n + 69] = 0;
      x[t * n + 11] *= 30;
    }
    const std::vector<double> h = direct(x, n, 1);
    for (const bool act_order : {false, true}) {
      const DampedHessian damped = damp_and_factor(h, n, {.act_order = act_order});
      CHECK(damped.dead == std::vector<std::uint32_t>{5, 69});
      CHECK(damped.damping == 0.01);
      CHECK(damped.float64);
      CHECK(factor_error(damped) < 1e-4);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < j; ++k) CHECK(damped.factor[j * n + k] == 0);
      }
      if (!act_order) continue;
      CHECK(damped.order[0] == 11);
      const auto diagonal = [&](std::size_t p) {
        const std::size_t j = damped.order[p];
        return h[j * n + j] == 0 ? 1.0 : h[j * n + j];
      };
      for (std::size_t p = 1; p < n; ++p) {
        CHECK(diagonal(p) <= diagonal(p - 1));
        if (diagonal(p) == diagonal(p - 1)) CHECK(damped.order[p] > damped.order[p - 1]);
      }
    }
  }

  TEST_CASE("damping grows where the factorisation fails, and says so") {
    // An eigenvalue of -0.5 beside a mean diagonal of 1: 0.1 times the mean is not enough, 1 is.
    const std::vector<double> indefinite{1, 1.5, 1.5, 1};
    const DampedHessian damped = damp_and_factor(indefinite, 2, {.damping = 0});
    CHECK(damped.damping == doctest::Approx(1.0));
    CHECK(factor_error(damped) < 1e-5);
    const std::vector<double> hopeless{1, 1e9, 1e9, 1};
    CHECK_THROWS_AS(damp_and_factor(hopeless, 2), Error);
    // Fewer tokens than columns: damping carries it.
    const std::vector<double> h = direct(normals(3 * 20, 3), 20, 1);
    const DampedHessian deficient = damp_and_factor(h, 20);
    CHECK(deficient.damping == 0.01);
    CHECK(factor_error(deficient) < 1e-4);
  }

  TEST_CASE("float32 above 512 columns, float64 where that fails") {
    const std::size_t n = 514;
    // Tridiagonal with a known condition: 2.5 and -1, or the same with a nearly singular corner.
    std::vector<double> h(n * n, 0);
    for (std::size_t j = 0; j < n; ++j) {
      h[j * n + j] = 2.5;
      if (j > 0) h[j * n + j - 1] = h[(j - 1) * n + j] = -1;
    }
    const auto error = [&](const DampedHessian& damped, std::size_t i) {
      double worst = 0;
      std::vector<double> product(n, 0);
      for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t l = k == 0 ? 0 : k - 1; l < std::min(n, k + 2); ++l) {
          product[k] += damped.matrix[k * n + l] * static_cast<double>(damped.factor[i * n + l]);
        }
      }
      for (const std::size_t j : {std::size_t{0}, i, n - 2, n - 1}) {
        double sum = 0;
        for (std::size_t k = 0; k < n; ++k) sum += static_cast<double>(damped.factor[j * n + k]) * product[k];
        worst = std::max(worst, std::abs(sum - (i == j ? 1.0 : 0.0)));
      }
      return worst;
    };
    const DampedHessian single = damp_and_factor(h, n, {.threads = 2});
    CHECK_FALSE(single.float64);
    CHECK(error(single, 7) < 1e-5);
    // 1 - 4e-9 beside two ones is indefinite once it is rounded to float32.
    h[0] = h[n + 1] = 1;
    h[1] = h[n] = 1 - 4e-9;
    h[n + 2] = h[2 * n + 1] = 0;
    const DampedHessian both = damp_and_factor(h, n, {.damping = 0, .threads = 2});
    CHECK(both.float64);
    CHECK(both.damping == 0);
  }

  TEST_CASE("what is refused") {
    const auto argument_of = [](auto call) {
      try {
        call();
      } catch (const Error& error) {
        return std::string(error_code_name(error.code())) + " " + error.argument();
      }
      return std::string("nothing");
    };
    HessianSum sum(3);
    std::vector<double> h(9);
    std::vector<float> x{1, 2, 3, 4, 5, std::numeric_limits<float>::quiet_NaN()};
    const auto view = [&](std::size_t rows, std::size_t columns) {
      return MatrixView<const float>::row_major(x.data(), rows, columns);
    };
    CHECK(argument_of([] { HessianSum none(0); }) == "ERR_OUT_OF_RANGE columns");
    CHECK(argument_of([&] { sum.write(h); }) == "ERR_INVALID_ARG_VALUE hessian");
    CHECK(argument_of([&] { sum.add(view(3, 2)); }) == "ERR_SHAPE_MISMATCH activations");
    CHECK(argument_of([&] { sum.add(view(0, 3)); }) == "ERR_SHAPE_MISMATCH activations");
    CHECK(argument_of([&] { sum.add(view(2, 3)); }) == "ERR_NOT_FINITE activations");
    CHECK(argument_of([&] { sum.add(view(3, 2).transposed().block(0, 0, 2, 3)); }) == "ERR_NOT_FINITE activations");
    CHECK(sum.sequences() == 0);
    CHECK(argument_of([&] { (void)damp_and_factor(h, 2); }) == "ERR_SHAPE_MISMATCH hessian");
    CHECK(argument_of([&] { (void)damp_and_factor(h, 3, {.damping = -1}); }) == "ERR_OUT_OF_RANGE damping");
    h[4] = std::numeric_limits<double>::infinity();
    CHECK(argument_of([&] { (void)damp_and_factor(h, 3); }) == "ERR_NOT_FINITE hessian");
  }
}

}  // namespace
