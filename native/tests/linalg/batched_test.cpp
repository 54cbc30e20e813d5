// Interleaved batches: against one-by-one routines and formulas, with bad matrices among good ones.
#include "linalg/batched.hpp"

#include <array>

#include "core/error.hpp"
#include "linalg/cholesky.hpp"
#include "linalg/reference.hpp"
#include "support.hpp"

namespace dd::test {
namespace {

template <class T>
struct Batch {
  std::size_t count, rows, columns;
  std::vector<T> values;  // column-major, one after the other

  Batch(std::size_t matrices, std::size_t m, std::size_t n)
      : count(matrices), rows(m), columns(n), values(count * m * n) {}
  T& operator()(std::size_t matrix, std::size_t i, std::size_t j) { return values[(matrix * columns + j) * rows + i]; }
  void fill(PhiloxStream& random) {
    for (T& value : values) value = static_cast<T>(random.next_uniform() * 2 - 1);
  }
  void fill_positive(PhiloxStream& random) {
    fill(random);
    for (std::size_t m = 0; m < count; ++m) {
      for (std::size_t j = 0; j < columns; ++j) {
        for (std::size_t i = 0; i < j; ++i) (*this)(m, i, j) = (*this)(m, j, i);
        (*this)(m, j, j) = static_cast<T>(static_cast<double>(rows) + random.next_uniform());
      }
    }
  }
  std::vector<T> interleaved(linalg::BatchPadding padding) const {
    std::vector<T> out(linalg::batch_elements<T>(count, rows, columns));
    linalg::interleave<T>(count, rows, columns, values, std::span<T>(out), padding);
    return out;
  }
  void take(const std::vector<T>& from) { linalg::deinterleave<T>(count, rows, columns, from, std::span<T>(values)); }
};

constexpr std::array<std::size_t, 12> orders{1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 29, 32};

template <class T>
void check_layout() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(21, sizeof(T));
    for (const std::size_t count : {0, 1, 8, 9, 40}) {
      Batch<T> a(count, 5, 3), back(count, 5, 3);
      a.fill(random);
      const std::vector<T> mixed = a.interleaved(linalg::BatchPadding::zero);
      constexpr std::size_t width = linalg::batch_group<T>;
      std::size_t wrong = 0;
      for (std::size_t m = 0; m < count; ++m) {
        for (std::size_t j = 0; j < 3; ++j) {
          for (std::size_t i = 0; i < 5; ++i) {
            wrong += mixed[((m / width * 3 + j) * 5 + i) * width + m % width] != a(m, i, j);
          }
        }
      }
      CHECK(wrong == 0);
      back.take(mixed);
      CHECK(back.values == a.values);
    }
  });
}

template <class T>
void check_cholesky() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(22, sizeof(T));
    for (const std::size_t n : orders) {
      const std::size_t count = 37, bad = 11, nan = 20;
      Batch<T> a(count, n, n);
      a.fill_positive(random);
      a(bad, n - 1, n - 1) = T(-1);
      a(nan, 0, 0) = std::numeric_limits<T>::quiet_NaN();
      Batch<T> start = a;
      std::vector<T> mixed = a.interleaved(linalg::BatchPadding::identity);
      std::vector<T> again = mixed;
      std::vector<std::int32_t> status(count), status_again(count);
      CHECK(linalg::batched_cholesky<T>(count, n, std::span<T>(mixed), status) == 2);
      CHECK(linalg::batched_cholesky<T>(count, n, std::span<T>(again), status_again, 3) == 2);
      CHECK(std::memcmp(mixed.data(), again.data(), mixed.size() * sizeof(T)) == 0);
      CHECK(status == status_again);
      a.take(mixed);
      INFO("n ", n);
      for (std::size_t m = 0; m < count; ++m) {
        if (m == bad || m == nan) {
          CHECK(status[m] == static_cast<std::int32_t>(m == bad ? n : 1));
          CHECK(std::isnan(a(m, n - 1, n - 1)));
          continue;
        }
        CHECK(status[m] == 0);
        double error = 0;
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = j; i < n; ++i) {
            double sum = -static_cast<double>(start(m, i, j));
            for (std::size_t p = 0; p <= j; ++p)
              sum += static_cast<double>(a(m, i, p)) * static_cast<double>(a(m, j, p));
            error = std::max(error, std::fabs(sum));
          }
        }
        CHECK(error <= 8 * static_cast<double>(n) * epsilon<T> * static_cast<double>(n + 1));
        // The same formula in the same order: the bits of the routine for a single matrix.
        std::vector<T> single(&start(m, 0, 0), &start(m, 0, 0) + n * n);
        REQUIRE(linalg::cholesky(MatrixView<T>::column_major(single.data(), n, n)) == 0);
        std::size_t different = 0;
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t i = j; i < n; ++i) different += single[j * n + i] != a(m, i, j);
        }
        CHECK(different == 0);
      }
      // Solves with the factors.
      Batch<T> b(count, n, 3);
      b.fill(random);
      Batch<T> x = b;
      std::vector<T> mixed_b = b.interleaved(linalg::BatchPadding::zero);
      linalg::batched_solve_lower<T>(count, n, 3, mixed, std::span<T>(mixed_b), false, 2);
      linalg::batched_solve_lower<T>(count, n, 3, mixed, std::span<T>(mixed_b), true);
      x.take(mixed_b);
      double residual = 0;
      for (std::size_t m = 0; m < count; ++m) {
        if (m == bad || m == nan) continue;
        for (std::size_t r = 0; r < 3; ++r) {
          for (std::size_t i = 0; i < n; ++i) {
            double sum = -static_cast<double>(b(m, i, r));
            for (std::size_t j = 0; j < n; ++j)
              sum += static_cast<double>(start(m, i, j)) * static_cast<double>(x(m, j, r));
            residual = std::max(residual, std::fabs(sum));
          }
        }
      }
      CHECK(residual <= 20 * static_cast<double>(n) * epsilon<T>);
    }
  });
}

template <class T>
void check_lu() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(23, sizeof(T));
    for (const std::size_t n : orders) {
      const std::size_t count = 21, bad = 9;
      Batch<T> a(count, n, n), b(count, n, 2);
      a.fill(random);
      b.fill(random);
      for (std::size_t i = 0; i < n; ++i) a(bad, i, n / 2) = 0;  // a column of zeros stays one
      Batch<T> x = b;
      std::vector<T> mixed = a.interleaved(linalg::BatchPadding::identity);
      std::vector<T> mixed_b = b.interleaved(linalg::BatchPadding::zero);
      std::vector<std::int32_t> status(count), pivots(count * n);
      INFO("n ", n);
      CHECK(linalg::batched_lu<T>(count, n, std::span<T>(mixed), pivots, status, 2) == 1);
      CHECK(status[bad] == static_cast<std::int32_t>(n / 2 + 1));
      linalg::batched_lu_solve<T>(count, n, 2, mixed, pivots, std::span<T>(mixed_b), 2);
      x.take(mixed_b);
      double worst = 0;
      for (std::size_t m = 0; m < count; ++m) {
        if (m == bad) continue;
        for (std::size_t r = 0; r < 2; ++r) {
          double largest = 1;
          for (std::size_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(static_cast<double>(x(m, j, r))));
          for (std::size_t i = 0; i < n; ++i) {
            double sum = -static_cast<double>(b(m, i, r));
            for (std::size_t j = 0; j < n; ++j)
              sum += static_cast<double>(a(m, i, j)) * static_cast<double>(x(m, j, r));
            worst = std::max(worst, std::fabs(sum) / largest);
          }
        }
      }
      CHECK(worst <= 30 * static_cast<double>(n) * epsilon<T>);
      std::vector<std::int32_t> out_of_range = pivots;
      out_of_range[0] = static_cast<std::int32_t>(n);
      CHECK_THROWS_AS(linalg::batched_lu_solve<T>(count, n, 2, mixed, out_of_range, std::span<T>(mixed_b)), Error);
    }
  });
}

template <class T>
void check_products() {
  at_every_isa_level([](IsaLevel) {
    PhiloxStream random(24, sizeof(T));
    for (const auto& [m, n, k] :
         {std::array<std::size_t, 3>{1, 1, 1}, {3, 5, 7}, {4, 4, 4}, {9, 6, 10}, {16, 17, 3}, {5, 4, 0}}) {
      for (const T beta : {T(0), T(1), T(0.5)}) {
        const std::size_t count = 19;
        Batch<T> a(count, m, k), b(count, k, n), c(count, m, n);
        a.fill(random);
        b.fill(random);
        c.fill(random);
        if (beta == T(0)) std::fill(c.values.begin(), c.values.end(), std::numeric_limits<T>::quiet_NaN());
        Batch<T> plain = c, mixed = c;
        std::vector<T> out = c.interleaved(linalg::BatchPadding::zero);
        linalg::batched_product<T>(count, m, n, k, T(-0.5), a.interleaved(linalg::BatchPadding::zero),
                                   b.interleaved(linalg::BatchPadding::zero), beta, std::span<T>(out), 2);
        mixed.take(out);
        linalg::batched_gemm<T>(count, m, n, k, T(-0.5), a.values, b.values, beta, std::span<T>(plain.values), 2);
        double worst = 0;
        for (std::size_t matrix = 0; matrix < count; ++matrix) {
          for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = 0; i < m; ++i) {
              double sum = 0;
              for (std::size_t p = 0; p < k; ++p)
                sum += static_cast<double>(a(matrix, i, p)) * static_cast<double>(b(matrix, p, j));
              double truth = -0.5 * sum;
              if (beta != T(0)) truth += static_cast<double>(beta) * static_cast<double>(c(matrix, i, j));
              const double error = std::max(std::fabs(static_cast<double>(mixed(matrix, i, j)) - truth),
                                            std::fabs(static_cast<double>(plain(matrix, i, j)) - truth));
              worst = std::max(worst, std::isnan(error) ? INFINITY : error);
            }
          }
        }
        CHECK(worst <= (2 * static_cast<double>(k) + 4) * epsilon<T>);
      }
    }
  });
}

}  // namespace

TEST_CASE("linalg batched: layout") {
  check_layout<float>();
  check_layout<double>();
}
TEST_CASE("linalg batched: Cholesky and solves, bad matrices among good ones") {
  check_cholesky<float>();
  check_cholesky<double>();
}
TEST_CASE("linalg batched: LU with partial pivoting") {
  check_lu<float>();
  check_lu<double>();
}
TEST_CASE("linalg batched: products") {
  check_products<float>();
  check_products<double>();
}
TEST_CASE("linalg batched refuses bad sizes") {
  std::vector<double> a(7), b(8);
  std::vector<std::int32_t> status(1);
  CHECK_THROWS_AS(linalg::batched_cholesky<double>(1, 1, std::span<double>(a), status), Error);
  CHECK_THROWS_AS(linalg::interleave<double>(1, 7, 1, a, std::span<double>(b), linalg::BatchPadding::zero), Error);
  CHECK_THROWS_AS(linalg::batched_gemm<double>(1, 2, 2, 2, 1, a, a, 0, std::span<double>(b)), Error);
}

}  // namespace dd::test
