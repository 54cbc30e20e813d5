// Matrix products at every ISA level: values against the reference, and bits between paths, slices and thread counts.
#include "linalg/gemm.hpp"

#include <array>
#include <tuple>

#include "core/error.hpp"
#include "linalg/product.hpp"
#include "linalg/reference.hpp"
#include "linalg/syrk.hpp"
#include "linalg/transpose.hpp"
#include "support.hpp"

namespace dd::test {
namespace {

using linalg::Triangle;

constexpr std::array<Layout, 5> layouts{Layout::columns, Layout::rows, Layout::columns_padded, Layout::rows_padded,
                                        Layout::general};

struct PathGuard {
  explicit PathGuard(int path) { linalg::force_product_path(path); }
  ~PathGuard() { linalg::force_product_path(-1); }
};

/// |out - reference| <= (2 k eps |alpha| |A||B| + 4 eps |beta C|), plus as much again for the reference's own rounding.
template <class T>
void check_product(double alpha, const Guarded<T>& a, const Guarded<T>& b, double beta, const Guarded<T>& before,
                   const Guarded<T>& after) {
  const std::size_t m = after.rows(), n = after.columns(), k = a.columns();
  std::vector<double> left = a.to_double(), right = b.to_double(), truth = before.to_double();
  std::vector<double> scale = absolute(before.to_double());
  linalg::reference::gemm(alpha, as_matrix(left, m, k), as_matrix(right, k, n), beta, as_matrix(truth, m, n));
  std::vector<double> left_size = absolute(left), right_size = absolute(right);
  linalg::reference::gemm(std::fabs(alpha) * static_cast<double>(2 * k + 4), as_matrix(left_size, m, k),
                          as_matrix(right_size, k, n), std::fabs(beta) * 4, as_matrix(scale, m, n));
  double worst = 0;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = 0; i < m; ++i) {
      const double error = std::fabs(static_cast<double>(after(i, j)) - truth[i + j * m]);
      const double bound = 2 * epsilon<T> * scale[i + j * m];
      if (!(error <= bound)) worst = std::max(worst, std::isnan(error) ? INFINITY : error / (bound + 1e-300));
    }
  }
  CHECK(worst == 0);
  CHECK(after.canaries_alive());
}

template <class T>
void check_case(std::size_t m, std::size_t n, std::size_t k, PhiloxStream& random, bool random_options) {
  const auto pick = [&](std::uint32_t count) { return random_options ? random.next_below(count) : 0u; };
  constexpr std::array<double, 4> alphas{1, -1, 0.5, 0}, betas{0, 1, -1, 0.5};
  Guarded<T> a(m, k, layouts[pick(5)]), b(k, n, layouts[pick(5)]), c(m, n, layouts[pick(5)]);
  const double alpha = alphas[pick(4)], beta = betas[pick(4)];
  a.fill(random);
  b.fill(random);
  if (beta == 0) {
    c.fill(std::numeric_limits<T>::quiet_NaN());
  } else {
    c.fill(random);
  }
  const Guarded<T> before = c;
  INFO("m ", m, " n ", n, " k ", k, " alpha ", alpha, " beta ", beta);
  linalg::gemm(static_cast<T>(alpha), a.view(), b.view(), static_cast<T>(beta), c.view());
  check_product(alpha, a, b, beta, before, c);
}

template <class T>
void check_all_sizes() {
  at_every_isa_level([](IsaLevel level) {
    const std::size_t lanes = vector_lanes<T>(level), rows = tile_rows<T>(level);
    const std::array<std::size_t, 12> sizes{0,         1,        2,    3,        lanes - 1,    lanes,
                                            lanes + 1, rows - 1, rows, rows + 1, 2 * rows + 1, 100};
    PhiloxStream random(1, sizeof(T));
    for (const std::size_t m : sizes) {
      for (const std::size_t n : sizes) {
        for (const std::size_t k : sizes) check_case<T>(m, n, k, random, true);
      }
    }
    for (const std::size_t k : {255, 256, 257, 513}) {
      for (int repeat = 0; repeat < 6; ++repeat) {
        check_case<T>(rows + 1 + random.next_below(70), 1 + random.next_below(40), k, random, repeat != 0);
      }
    }
    for (int path : {0, 1}) {
      const PathGuard guard(path);
      for (int repeat = 0; repeat < 40; ++repeat) {
        check_case<T>(1 + random.next_below(130), 1 + random.next_below(50), 1 + random.next_below(300), random, true);
      }
    }
  });
}

template <class T>
void check_same_bits() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(2, sizeof(T));
    for (const auto& [m, n, k] : {std::tuple<std::size_t, std::size_t, std::size_t>{37, 53, 71},
                                  {300, 260, 256},
                                  {257, 131, 513},
                                  {200, 9, 700},
                                  {1, 300, 40},
                                  {513, 1, 300},
                                  {64, 2000, 33},
                                  {400, 401, 100}}) {
      INFO("m ", m, " n ", n, " k ", k);
      for (const Layout layout : {Layout::columns_padded, Layout::rows_padded}) {
        Guarded<T> a(m, k, Layout::columns), b(k, n, layout), c(m, n, layout);
        a.fill(random);
        b.fill(random);
        c.fill(random);
        Guarded<T> expected = c;
        linalg::gemm(T(0.5), a.view(), b.view(), T(-2), expected.view());
        for (const std::size_t threads : {2, 3, 7}) {
          Guarded<T> out = c;
          linalg::gemm(T(0.5), a.view(), b.view(), T(-2), out.view(), threads);
          CHECK(out.same_bits(expected));
        }
        for (int path : {0, 1}) {
          const PathGuard guard(path);
          Guarded<T> out = c;
          linalg::gemm(T(0.5), a.view(), b.view(), T(-2), out.view(), 3);
          CHECK(out.same_bits(expected));
        }
        if (m > 2 && n > 2) {  // any cut of C gives the bits of the whole, as long as no slice is a vector
          Guarded<T> out = c;
          const std::size_t row = m / 3 + 1, column = n / 2 + 1;
          const auto part = [&](std::size_t i, std::size_t rows, std::size_t j, std::size_t columns) {
            linalg::gemm(T(0.5), a.view().block(i, 0, rows, k), b.view().block(0, j, k, columns), T(-2),
                         out.view().block(i, j, rows, columns));
          };
          part(0, row, 0, column);
          part(row, m - row, 0, column);
          part(0, row, column, n - column);
          part(row, m - row, column, n - column);
          CHECK(out.same_bits(expected));
        }
      }
    }
  });
}

template <class T>
void check_special_values() {
  at_every_isa_level([](IsaLevel level) {
    PhiloxStream random(3, sizeof(T));
    const std::size_t m = 2 * tile_rows<T>(level) + 3, n = 21, k = 17;
    for (int path : {0, 1}) {
      const PathGuard guard(path);
      for (const T special : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        Guarded<T> a(m, k, Layout::columns), b(k, n, Layout::columns), c(m, n, Layout::columns);
        a.fill(random);
        b.fill(random);
        const std::size_t row = m - 2, column = n - 1;
        a(row, 5) = special;
        linalg::gemm(T(1), a.view(), b.view(), T(0), c.view());
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = 0; i < m; ++i) CHECK(std::isfinite(c(i, j)) == (i != row));
        }
        a(row, 5) = 1;
        b(3, column) = special;
        linalg::gemm(T(1), a.view(), b.view(), T(0), c.view());
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = 0; i < m; ++i) CHECK(std::isfinite(c(i, j)) == (j != column));
        }
      }
    }
  });
}

template <class T, class Sum>
void check_syrk() {
  at_every_isa_level([](IsaLevel level) {
    PhiloxStream random(4, sizeof(T));
    const std::size_t rows = tile_rows<T>(level);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{7}, rows - 1, rows + 1,
                                2 * rows + 5, std::size_t{100}, std::size_t{530}}) {
      for (const std::size_t k : {0, 1, 5, 100, 256, 257}) {
        if (n == 530 && k != 100) continue;
        for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
          Guarded<T> a(n, k, layouts[random.next_below(5)]);
          Guarded<Sum> c(n, n, layouts[random.next_below(5)]);
          a.fill(random);
          c.fill(random);
          const double beta = random.next_below(2) == 0 ? 0 : 0.5;
          if (beta == 0) {
            for (std::size_t j = 0; j < n; ++j) {
              for (std::size_t i = 0; i < n; ++i) {
                if (triangle == Triangle::lower ? i >= j : i <= j) c(i, j) = std::numeric_limits<Sum>::quiet_NaN();
              }
            }
          }
          Guarded<Sum> before = c;
          INFO("n ", n, " k ", k, " lower ", triangle == Triangle::lower, " beta ", beta);
          const auto run = [&](Guarded<Sum>& out, std::size_t threads) {
            if constexpr (std::is_same_v<T, Sum>) {
              linalg::syrk(T(-0.5), a.view(), static_cast<T>(beta), out.view(), triangle, threads);
            } else {
              linalg::syrk(-0.5, a.view(), beta, out.view(), triangle, threads);
            }
          };
          run(c, 1);
          CHECK(c.canaries_alive());
          std::vector<double> left = a.to_double();
          std::vector<double> truth = before.to_double();
          if (triangle == Triangle::upper) {
            linalg::reference::syrk_lower(-0.5, as_matrix(left, n, k), beta, as_matrix(truth, n, n).transposed());
          } else {
            linalg::reference::syrk_lower(-0.5, as_matrix(left, n, k), beta, as_matrix(truth, n, n));
          }
          const double bound = epsilon<T> * (static_cast<double>(k) * 2 + 8);
          std::size_t wrong = 0;
          for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = 0; i < n; ++i) {
              const bool inside = triangle == Triangle::lower ? i >= j : i <= j;
              const double expected = truth[i + j * n];
              const double value = static_cast<double>(c(i, j));
              if (inside ? !(std::fabs(value - expected) <= bound) : c(i, j) != before(i, j)) ++wrong;
            }
          }
          CHECK(wrong == 0);
          for (const std::size_t threads : {2, 7}) {
            Guarded<Sum> out = before;
            run(out, threads);
            CHECK(out.same_bits(c));
          }
          for (int path : {0, 1}) {
            const PathGuard guard(path);
            Guarded<Sum> out = before;
            run(out, 3);
            CHECK(out.same_bits(c));
          }
        }
      }
    }
  });
}

template <class T>
void check_copies() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(5, sizeof(T));
    for (const auto& [m, n] :
         {std::pair<std::size_t, std::size_t>{0, 3}, {1, 1}, {3, 5}, {33, 70}, {129, 64}, {700, 300}}) {
      for (const Layout from : layouts) {
        for (const Layout to : layouts) {
          Guarded<T> source(m, n, from), target(m, n, to), turned(n, m, to);
          source.fill(random);
          linalg::copy_matrix(source.view(), target.view(), 2);
          linalg::transpose(source.view(), turned.view(), 3);
          std::size_t wrong = 0;
          for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = 0; i < m; ++i) wrong += target(i, j) != source(i, j) || turned(j, i) != source(i, j);
          }
          CHECK(wrong == 0);
          CHECK(target.canaries_alive());
          CHECK(turned.canaries_alive());
        }
      }
    }
    for (const Layout layout : layouts) {
      Guarded<T> c(150, 150, layout);
      c.fill(random);
      Guarded<T> low = c, high = c;
      linalg::mirror_triangle(Triangle::lower, low.view(), 2);
      linalg::mirror_triangle(Triangle::upper, high.view());
      std::size_t wrong = 0;
      for (std::size_t j = 0; j < 150; ++j) {
        for (std::size_t i = j; i < 150; ++i) {
          wrong += low(i, j) != c(i, j) || low(j, i) != c(i, j) || high(i, j) != c(j, i) || high(j, i) != c(j, i);
        }
      }
      CHECK(wrong == 0);
      CHECK(low.canaries_alive());
    }
  });
}

}  // namespace

TEST_CASE("linalg gemm: all sizes around tile edges, layouts, scalars") {
  check_all_sizes<float>();
  check_all_sizes<double>();
}
TEST_CASE("linalg gemm: same bits for any path, slice and number of threads") {
  check_same_bits<float>();
  check_same_bits<double>();
}
TEST_CASE("linalg gemm: NaN and infinity reach their row or column and nothing else") {
  check_special_values<float>();
  check_special_values<double>();
}
TEST_CASE("linalg syrk: values, bits, the other triangle untouched") {
  check_syrk<float, float>();
  check_syrk<double, double>();
}
TEST_CASE("linalg syrk: float32 added up in float64") { check_syrk<float, double>(); }
TEST_CASE("linalg copies and mirrors") {
  check_copies<float>();
  check_copies<double>();
}

TEST_CASE("linalg gemm: fused levels agree in every bit") {
  std::vector<std::vector<double>> results;
  at_every_isa_level([&](IsaLevel level) {
    if (level == IsaLevel::baseline) return;
    PhiloxStream random(6, 0);
    Guarded<double> a(137, 301, Layout::columns), b(301, 91, Layout::rows), c(137, 91, Layout::columns);
    a.fill(random);
    b.fill(random);
    linalg::gemm(1.0, a.view(), b.view(), 0.0, c.view());
    results.push_back(c.to_double());
    Guarded<double> row(1, 91, Layout::rows), vector(1, 301, Layout::rows);
    vector.fill(random);
    linalg::gemm(1.0, vector.view(), b.view(), 0.0, row.view());
    linalg::gemm(1.0, b.view().transposed(), vector.view().transposed(), 1.0, row.view().transposed());
    const std::vector<double> products = row.to_double();
    results.back().insert(results.back().end(), products.begin(), products.end());
  });
  for (const auto& result : results) CHECK(result == results.front());
}

TEST_CASE("linalg gemm: refuses bad arguments before any write") {
  std::vector<double> memory(12, 7.0);
  const auto a = MatrixView<const double>::column_major(memory.data(), 2, 2);
  std::vector<double> out(12, 3.0);
  const auto code_of = [&](auto call) {
    try {
      call();
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find('`') == 0);
      return std::string(error_code_name(error.code())) + " " + error.argument();
    }
    return std::string("no error");
  };
  auto c = MatrixView<double>::column_major(out.data(), 2, 2);
  CHECK(code_of([&] { linalg::gemm(1.0, a, a.block(0, 0, 1, 2), 0.0, c); }) == "ERR_SHAPE_MISMATCH b");
  CHECK(code_of([&] { linalg::gemm(1.0, a, a, 0.0, c.block(0, 0, 1, 2)); }) == "ERR_SHAPE_MISMATCH c");
  MatrixView<double> negative = c;
  negative.column_stride = static_cast<std::size_t>(-2);
  CHECK(code_of([&] { linalg::gemm(1.0, a, a, 0.0, negative); }) == "ERR_OUT_OF_RANGE c");
  MatrixView<double> folded = c;
  folded.column_stride = 1;
  CHECK(code_of([&] { linalg::gemm(1.0, a, a, 0.0, folded); }) == "ERR_INVALID_ARG_VALUE c");
  MatrixView<double> empty = c;
  empty.data = nullptr;
  CHECK(code_of([&] { linalg::gemm(1.0, a, a, 0.0, empty); }) == "ERR_INVALID_ARG_VALUE c");
  CHECK(code_of([&] { linalg::syrk(1.0, a.block(0, 0, 1, 2), 0.0, c); }) == "ERR_SHAPE_MISMATCH c");
  CHECK(std::all_of(out.begin(), out.end(), [](double value) { return value == 3.0; }));
}

}  // namespace dd::test
