// Cholesky, triangular solves and inverses at every ISA level.
#include <array>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/gemm.hpp"
#include "linalg/reference.hpp"
#include "linalg/triangular.hpp"
#include "support.hpp"

namespace dd::test {
namespace {

using linalg::Side;
using linalg::Triangle;

constexpr std::array<Layout, 5> layouts{Layout::columns, Layout::rows, Layout::columns_padded, Layout::rows_padded,
                                        Layout::general};
constexpr std::array<std::size_t, 16> orders{0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 95, 96, 97, 200, 301};

bool in_triangle(Triangle triangle, std::size_t i, std::size_t j) {
  return triangle == Triangle::lower ? i >= j : i <= j;
}

/// Well conditioned: random symmetric entries and a dominant diagonal.
template <class T>
void fill_positive(Guarded<T>& a, PhiloxStream& random) {
  a.fill(random);
  for (std::size_t j = 0; j < a.columns(); ++j) {
    for (std::size_t i = 0; i < j; ++i) a(i, j) = a(j, i);
    a(j, j) = static_cast<T>(static_cast<double>(a.rows()) * 0.6 + 1 + random.next_uniform());
  }
}

/// Triangular with a diagonal around 1 and small entries besides; NaN in the other triangle, which nobody may read.
template <class T>
void fill_triangular(Guarded<T>& t, Triangle triangle, PhiloxStream& random) {
  const double size = 1 / std::sqrt(static_cast<double>(t.rows()) + 1);
  for (std::size_t j = 0; j < t.columns(); ++j) {
    for (std::size_t i = 0; i < t.rows(); ++i) {
      t(i, j) = static_cast<T>((random.next_uniform() * 2 - 1) * size);
      if (i == j) t(i, j) = static_cast<T>(1 + random.next_uniform()) * (random.next_below(2) == 0 ? T(1) : T(-1));
      if (!in_triangle(triangle, i, j)) t(i, j) = std::numeric_limits<T>::quiet_NaN();
    }
  }
}

template <class T>
bool same_value(T a, T b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

template <class T>
void check_cholesky() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(11, sizeof(T));
    for (const std::size_t n : orders) {
      for (const Layout layout : layouts) {
        const Triangle triangle = random.next_below(2) == 0 ? Triangle::lower : Triangle::upper;
        Guarded<T> a(n, n, layout);
        fill_positive(a, random);
        const Guarded<T> before = a;
        INFO("n ", n, " lower ", triangle == Triangle::lower);
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = 0; i < n; ++i) {
            if (!in_triangle(triangle, i, j)) a(i, j) = std::numeric_limits<T>::quiet_NaN();
          }
        }
        const Guarded<T> start = a;
        REQUIRE(linalg::cholesky(a.view(), triangle) == 0);
        CHECK(a.canaries_alive());
        double error = 0, largest = 0;
        std::size_t touched = 0;
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = 0; i < n; ++i) {
            if (!in_triangle(triangle, i, j)) {
              touched += !std::isnan(a(i, j));
              continue;
            }
            double product = 0;  // (L L^T)(i, j) or (U^T U)(i, j)
            for (std::size_t p = 0; p <= std::min(i, j); ++p) {
              product += triangle == Triangle::lower ? static_cast<double>(a(i, p)) * static_cast<double>(a(j, p))
                                                     : static_cast<double>(a(p, i)) * static_cast<double>(a(p, j));
            }
            error = std::max(error, std::fabs(product - static_cast<double>(before(i, j))));
            largest = std::max(largest, std::fabs(static_cast<double>(before(i, j))));
          }
        }
        CHECK(touched == 0);
        CHECK(error <= 8 * static_cast<double>(n) * epsilon<T> * largest);
        for (const std::size_t threads : {2, 3, 7}) {
          Guarded<T> out = start;
          REQUIRE(linalg::cholesky(out.view(), triangle, threads) == 0);
          CHECK(out.same_bits(a));
        }
        Guarded<T> b(n, 3, Layout::rows);
        b.fill(random);
        Guarded<T> x = b;
        REQUIRE(linalg::cholesky_solve(a.view(), x.view(), triangle) == 0);
        double residual = 0;
        for (std::size_t r = 0; r < 3; ++r) {
          for (std::size_t i = 0; i < n; ++i) {
            double sum = -static_cast<double>(b(i, r));
            for (std::size_t j = 0; j < n; ++j) sum += static_cast<double>(before(i, j)) * static_cast<double>(x(j, r));
            residual = std::max(residual, std::fabs(sum));
          }
        }
        CHECK(residual <= 20 * static_cast<double>(n + 1) * epsilon<T>);
      }
    }
  });
}

template <class T>
void check_cholesky_failures() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(12, sizeof(T));
    const std::size_t n = 230;
    for (const std::size_t bad : {0, 1, 7, 8, 9, 63, 95, 96, 97, 191, 192, 228, 229}) {
      for (const T value : {T(-1), T(0), std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        for (const std::size_t threads : {1, 3}) {
          Guarded<T> a(n, n, Layout::columns_padded);
          fill_positive(a, random);
          Guarded<T> leading(bad, bad, Layout::columns);
          for (std::size_t j = 0; j < bad; ++j) {
            for (std::size_t i = 0; i < bad; ++i) leading(i, j) = a(i, j);
          }
          a(bad, bad) = value;
          CHECK(linalg::cholesky(a.view(), Triangle::lower, threads) == bad + 1);
          CHECK(a.canaries_alive());
          REQUIRE(linalg::cholesky(leading.view()) == 0);
          std::size_t wrong = 0;
          for (std::size_t j = 0; j < bad; ++j) {
            for (std::size_t i = j; i < bad; ++i) wrong += a(i, j) != leading(i, j);
          }
          CHECK(wrong == 0);
        }
      }
    }
    Guarded<T> identity(70, 70, Layout::columns);
    identity.fill(T(0));
    for (std::size_t j = 0; j < 70; ++j) identity(j, j) = 1;
    const Guarded<T> expected = identity;
    CHECK(linalg::cholesky(identity.view()) == 0);
    CHECK(identity.same_bits(expected));
  });
}

template <class T>
void check_solve() {
  at_every_isa_level([](IsaLevel level) {
    PhiloxStream random(13, sizeof(T));
    const std::size_t strip = tile_rows<T>(level);
    for (const std::size_t n : orders) {
      for (const std::size_t count :
           {std::size_t{0}, std::size_t{1}, std::size_t{2}, strip - 1, strip + 3, std::size_t{130}}) {
        if (n > 200 && count > strip) continue;
        for (const Side side : {Side::left, Side::right}) {
          for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
            Guarded<T> t(n, n, layouts[random.next_below(5)]);
            const Layout layout = layouts[random.next_below(5)];
            Guarded<T> b = side == Side::left ? Guarded<T>(n, count, layout) : Guarded<T>(count, n, layout);
            fill_triangular(t, triangle, random);
            b.fill(random);
            const Guarded<T> before = b;
            INFO("n ", n, " count ", count, " left ", side == Side::left, " lower ", triangle == Triangle::lower);
            REQUIRE(linalg::solve_triangular(side, triangle, t.view(), b.view()) == 0);
            CHECK(b.canaries_alive());
            // Residual of each equation against the backward-error bound |T||X|.
            double worst = 0;
            for (std::size_t r = 0; r < count; ++r) {
              for (std::size_t i = 0; i < n; ++i) {
                double sum = 0, size = 0;
                for (std::size_t j = 0; j < n; ++j) {
                  const bool inside = side == Side::left ? in_triangle(triangle, i, j) : in_triangle(triangle, j, i);
                  if (!inside) continue;
                  const double entry = static_cast<double>(side == Side::left ? t(i, j) : t(j, i));
                  const double x = static_cast<double>(side == Side::left ? b(j, r) : b(r, j));
                  sum += entry * x;
                  size += std::fabs(entry * x);
                }
                const double target = static_cast<double>(side == Side::left ? before(i, r) : before(r, i));
                const double error = std::fabs(sum - target);
                worst = std::max(worst, std::isnan(error) ? INFINITY : error / (size + 1e-30));
              }
            }
            CHECK(worst <= (2 * static_cast<double>(n) + 8) * epsilon<T>);
            for (const std::size_t threads : {2, 7}) {
              Guarded<T> out = before;
              REQUIRE(linalg::solve_triangular(side, triangle, t.view(), out.view(), threads) == 0);
              CHECK(out.same_bits(b));
            }
          }
        }
      }
    }
  });
}

template <class T>
void check_inverse() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(14, sizeof(T));
    for (const std::size_t n : orders) {
      for (const Layout layout : layouts) {
        for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
          if (n > 100 && layout == Layout::rows) continue;
          Guarded<T> t(n, n, layout);
          fill_triangular(t, triangle, random);
          const Guarded<T> before = t;
          INFO("n ", n, " lower ", triangle == Triangle::lower);
          REQUIRE(linalg::invert_triangular(triangle, t.view()) == 0);
          CHECK(t.canaries_alive());
          double worst = 0;
          std::size_t touched = 0;
          for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = 0; i < n; ++i) {
              if (!in_triangle(triangle, i, j)) {
                touched += !std::isnan(t(i, j));
                continue;
              }
              double sum = i == j ? -1 : 0, size = 0;
              for (std::size_t p = std::min(i, j); p <= std::max(i, j); ++p) {
                const double product = static_cast<double>(t(i, p)) * static_cast<double>(before(p, j));
                sum += product;
                size += std::fabs(product);
              }
              const double error = std::fabs(sum);
              worst = std::max(worst, std::isnan(error) ? INFINITY : error / (size + 1e-30));
            }
          }
          CHECK(touched == 0);
          CHECK(worst <= 4 * static_cast<double>(n + 2) * epsilon<T> * 8);  // 8: condition of these triangles
          for (const std::size_t threads : {2, 7}) {
            Guarded<T> out = before;
            REQUIRE(linalg::invert_triangular(triangle, out.view(), threads) == 0);
            CHECK(out.same_bits(t));
          }
        }
      }
    }
    const std::size_t n = 150;
    for (const std::size_t bad : {0, 31, 32, 96, 149}) {
      for (const T value : {T(0), std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
        Guarded<T> t(n, n, Layout::columns);
        fill_triangular(t, Triangle::lower, random);
        t(bad, bad) = value;
        const Guarded<T> before = t;
        CHECK(linalg::invert_triangular(Triangle::lower, t.view()) == bad + 1);
        CHECK(t.same_bits(before));
        Guarded<T> b(n, 4, Layout::columns);
        b.fill(T(2));
        const Guarded<T> untouched = b;
        CHECK(linalg::solve_triangular(Side::left, Triangle::lower, t.view(), b.view()) == bad + 1);
        CHECK(b.same_bits(untouched));
      }
    }
  });
}

}  // namespace

TEST_CASE("linalg cholesky: values, layouts, threads, the other triangle untouched") {
  check_cholesky<float>();
  check_cholesky<double>();
}
TEST_CASE("linalg cholesky: index of the failing pivot and the factor before it") {
  check_cholesky_failures<float>();
  check_cholesky_failures<double>();
}
TEST_CASE("linalg triangular solve: sides, triangles, layouts, threads") {
  check_solve<float>();
  check_solve<double>();
}
TEST_CASE("linalg triangular inverse: values, threads, singular diagonals") {
  check_inverse<float>();
  check_inverse<double>();
}

TEST_CASE("linalg cholesky: Hilbert matrix of order 6") {
  at_every_isa_level([](IsaLevel) {
    Guarded<double> a(6, 6, Layout::columns);
    for (std::size_t j = 0; j < 6; ++j) {
      for (std::size_t i = 0; i < 6; ++i) a(i, j) = 1.0 / static_cast<double>(i + j + 1);
    }
    std::vector<double> truth = a.to_double();
    REQUIRE(linalg::reference::cholesky_lower(as_matrix(truth, 6, 6)) == 0);
    REQUIRE(linalg::cholesky(a.view()) == 0);
    // Ratio of two Hilbert determinants: the last pivot is 1 / (11 binomial(10, 5)^2).
    CHECK(a(5, 5) * a(5, 5) == doctest::Approx(1.0 / 698544.0).epsilon(1e-6));
    for (std::size_t j = 0; j < 6; ++j) {
      for (std::size_t i = j; i < 6; ++i) CHECK(a(i, j) == doctest::Approx(truth[i + j * 6]).epsilon(1e-8));
    }
  });
}

TEST_CASE("linalg factorisations: fused levels agree in every bit") {
  std::vector<std::vector<double>> results;
  at_every_isa_level([&](IsaLevel level) {
    if (level == IsaLevel::baseline) return;
    PhiloxStream random(15, 0);
    Guarded<double> a(211, 211, Layout::columns);
    fill_positive(a, random);
    REQUIRE(linalg::cholesky(a.view()) == 0);
    results.push_back(a.to_double());
    Guarded<double> b(211, 37, Layout::columns);
    b.fill(random);
    REQUIRE(linalg::solve_triangular(Side::left, Triangle::lower, a.view(), b.view()) == 0);
    REQUIRE(linalg::invert_triangular(Triangle::lower, a.view()) == 0);
    for (const std::vector<double>& values : {a.to_double(), b.to_double()}) {
      results.back().insert(results.back().end(), values.begin(), values.end());
    }
  });
  for (const auto& result : results) CHECK(result == results.front());
}

TEST_CASE("linalg factorisations refuse bad shapes") {
  std::vector<double> memory(12, 1.0);
  const auto wide = MatrixView<double>::column_major(memory.data(), 2, 3);
  const auto square = MatrixView<double>::column_major(memory.data(), 2, 2);
  CHECK_THROWS_AS((void)linalg::cholesky(wide), Error);
  CHECK_THROWS_AS((void)linalg::invert_triangular(Triangle::lower, wide), Error);
  CHECK_THROWS_AS((void)linalg::solve_triangular(Side::left, Triangle::lower, wide, square), Error);
  CHECK_THROWS_AS((void)linalg::solve_triangular(Side::left, Triangle::lower, square, wide.transposed()), Error);
  CHECK_THROWS_AS((void)linalg::solve_triangular(Side::right, Triangle::lower, square, wide), Error);
  CHECK(std::all_of(memory.begin(), memory.end(), [](double value) { return value == 1.0; }));
}

}  // namespace dd::test
