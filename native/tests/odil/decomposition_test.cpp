// The multigrid decomposition: golden vectors of the official code, transposes, linear functions, threads, bad input.
#include "odil/decomposition.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "core/error.hpp"
#include "core/isa.hpp"
#include "core/philox.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using odil::Decomposition;

std::vector<std::size_t> cells_of(const std::string& location, const std::vector<double>& shape) {
  std::vector<std::size_t> cells;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    cells.push_back(static_cast<std::size_t>(shape[axis]) - (location[axis] == 'n' ? 1 : 0));
  }
  return cells;
}

template <class T>
std::vector<T> random_values(std::size_t count, std::uint32_t stream) {
  PhiloxStream random(11, stream);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(2 * random.next_uniform() - 1);
  return values;
}

double largest_difference(std::span<const double> a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

template <class T>
double product(const std::vector<T>& a, const std::vector<T>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

ErrorCode code_of(auto&& call, std::string& message) {
  try {
    call();
  } catch (const Error& error) {
    message = error.what();
    return error.code();
  }
  return ErrorCode::internal;
}

}  // namespace

TEST_SUITE("odil/decomposition") {
  TEST_CASE("mg_interp.json: interpolation and its transpose, at every level") {
    const test::Json file = test::read_vectors("odil/mg_interp.json");
    for (const IsaLevel level : available_isa_levels()) {
      const IsaLevel before = active_isa();
      set_active_isa(level);
      for (const test::Json& one : file["cases"].items) {
        const std::string location = one["loc"].text;
        CAPTURE(location);
        const odil::Interpolation interpolation(cells_of(location, one["u"]["shape"].numbers()), location);
        std::vector<double> fine(interpolation.fine_points()), coarse(interpolation.coarse_points());
        interpolation.apply<double>(one["u"]["data"].numbers(), 1, {}, fine, 1);
        CHECK(largest_difference(fine, one["interp"]["data"].numbers()) < 1e-13);
        interpolation.apply_transposed<double>(one["cotangent"]["data"].numbers(), 1, coarse, 1);
        CHECK(largest_difference(coarse, one["adjoint"]["data"].numbers()) < 1e-13);
      }
      set_active_isa(before);
    }
  }

  TEST_CASE("mg_restrict.json") {
    const test::Json file = test::read_vectors("odil/mg_restrict.json");
    for (const test::Json& one : file["cases"].items) {
      const std::string location = one["loc"].text;
      CAPTURE(location);
      const odil::Restriction restriction(cells_of(location, one["u"]["shape"].numbers()), location);
      std::vector<double> coarse(restriction.coarse_points());
      restriction.apply<double>(one["u"]["data"].numbers(), coarse, 1);
      CHECK(largest_difference(coarse, one["restrict"]["data"].numbers()) < 1e-13);
      // Its transpose, against unit vectors of the coarse grid.
      const std::vector<double> x = random_values<double>(restriction.fine_points(), 1);
      const std::vector<double> y = random_values<double>(restriction.coarse_points(), 2);
      std::vector<double> back(restriction.fine_points());
      restriction.apply<double>(x, coarse, 1);
      restriction.apply_transposed<double>(y, back, 1);
      CHECK(product(coarse, y) == doctest::Approx(product(x, back)).epsilon(1e-13));
    }
  }

  TEST_CASE_TEMPLATE("composition and its transpose: <T x, y> = <x, T^T y>, any axes, any threads", T, double, float) {
    struct Case {
      std::vector<std::size_t> cells;
      std::string location;
      std::size_t levels;
    };
    const Case cases[] = {{{64}, "c", 6},
                          {{64}, "n", 7},
                          {{1}, "c", 1},
                          {{48, 24}, "cn", 3},
                          {{6, 80}, ".c", 4},
                          {{80, 6}, "c.", 4},
                          {{16, 3, 8}, "n.c", 3},
                          {{8, 8, 8, 8}, "cncn", 3},
                          {{12, 16, 8, 4, 4}, "ccncc", 2},
                          {{160, 12, 20}, "ccc", 3},
                          {{300, 200}, "nc", 3}};
    for (const Case& one : cases) {
      CAPTURE(one.location);
      std::vector<double> factors;
      for (std::size_t l = 0; l < one.levels; ++l) factors.push_back(l % 2 == 0 ? 0.5 : 1.5);
      const Decomposition decomposition(one.cells, one.location, one.levels, factors);
      REQUIRE(decomposition.levels().size() == one.levels);
      const std::vector<T> x = random_values<T>(decomposition.unknowns(), 1);
      const std::vector<T> y = random_values<T>(decomposition.field_points(), 2);
      std::vector<T> tx(y.size()), ty(x.size()), again(y.size()), back(x.size());
      decomposition.compose<T>(x, tx, 1);
      decomposition.compose_transposed<T>(y, ty, 1);
      CHECK(product(tx, y) == doctest::Approx(product(x, ty)).epsilon(sizeof(T) == 8 ? 1e-11 : 2e-3));
      for (const std::size_t threads : {2, 7}) {
        decomposition.compose<T>(x, again, threads);
        CHECK(again == tx);
        decomposition.compose_transposed<T>(y, back, threads);
        CHECK(back == ty);
      }
      std::vector<T> levels(x.size());
      decomposition.decompose<T>(y, levels);
      decomposition.compose<T>(levels, again, 1);
      CHECK(again == y);
    }
  }

  TEST_CASE("linear functions are interpolated exactly") {
    const std::vector<std::size_t> coarse{3, 5, 18};
    const std::string location = "cnc";
    const odil::Interpolation interpolation(coarse, location);
    const auto fill = [&](std::size_t factor) {
      std::vector<double> values;
      std::vector<std::size_t> counts;
      for (std::size_t axis = 0; axis < 3; ++axis) {
        counts.push_back(coarse[axis] * factor + (location[axis] == 'n' ? 1 : 0));
      }
      const auto at = [&](std::size_t axis, std::size_t i) {
        return (static_cast<double>(i) + (location[axis] == 'c' ? 0.5 : 0)) / static_cast<double>(factor);
      };
      for (std::size_t i = 0; i < counts[0]; ++i) {
        for (std::size_t j = 0; j < counts[1]; ++j) {
          for (std::size_t k = 0; k < counts[2]; ++k) {
            values.push_back(at(0, i) - 2 * at(1, j) + 3 * at(2, k) + 1);
          }
        }
      }
      return values;
    };
    std::vector<double> fine(interpolation.fine_points());
    interpolation.apply<double>(fill(1), 1, {}, fine, 1);
    CHECK(largest_difference(fine, fill(2)) < 1e-12);
  }

  TEST_CASE("default levels and bad input") {
    CHECK(Decomposition::default_levels(std::vector<std::size_t>{64, 32}, "cc") == 5);
    CHECK(Decomposition::default_levels(std::vector<std::size_t>{64, 3}, "c.") == 6);
    CHECK(Decomposition::default_levels(std::vector<std::size_t>{3}, ".") == 1);
    std::string message;
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{64, 48}, "cc"); }, message) == ErrorCode::out_of_range);
    CHECK(message.find("axis 1") != std::string::npos);
    CHECK(message.find("3 cells on level 5") != std::string::npos);
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{2}, "c", 2); }, message) == ErrorCode::out_of_range);
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{2}, "x", 1); }, message) ==
          ErrorCode::invalid_argument_value);
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{2}, "cc", 1); }, message) == ErrorCode::shape_mismatch);
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{2, 0}, "cc", 1); }, message) == ErrorCode::out_of_range);
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>(6, 2), "cccccc", 1); }, message) ==
          ErrorCode::out_of_range);
    for (const double factor : {std::nan(""), 0.0, -1.0}) {
      CHECK(code_of([&] { Decomposition(std::vector<std::size_t>{2}, "c", 1, std::vector<double>{factor}); },
                    message) == ErrorCode::out_of_range);
    }
    CHECK(code_of([] { Decomposition(std::vector<std::size_t>{8}, "c", 2, std::vector<double>{1}); }, message) ==
          ErrorCode::shape_mismatch);
    CHECK(code_of([] { odil::Restriction(std::vector<std::size_t>{4, 3}, "cc"); }, message) == ErrorCode::out_of_range);
    CHECK(message.find("axis 1") != std::string::npos);
  }
}
