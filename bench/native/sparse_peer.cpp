// CHOLMOD with its supernodal factorisation, as a user would call it for normal equations.
#include "sparse_peer.hpp"

#include <cholmod.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/clock.hpp"

extern "C" void openblas_set_num_threads(int threads);

namespace dd::bench::cholmod {

Result solve(std::size_t n, std::span<const std::size_t> starts, std::span<const std::uint32_t> columns,
             std::span<const double> values, std::span<double> b, int threads) {
  openblas_set_num_threads(threads);
  cholmod_common common;
  cholmod_start(&common);
  common.supernodal = CHOLMOD_SUPERNODAL;
  // Compressed rows of J are compressed columns of J^T, and J^T (J^T)^T is what cholmod_aat forms.
  std::vector<int> p(starts.begin(), starts.end()), i(columns.begin(), columns.end());
  std::vector<double> x(values.begin(), values.end());
  cholmod_sparse jt{};
  jt.nrow = jt.ncol = n;
  jt.nzmax = x.size();
  jt.p = p.data();
  jt.i = i.data();
  jt.x = x.data();
  jt.itype = CHOLMOD_INT;
  jt.xtype = CHOLMOD_REAL;
  jt.dtype = CHOLMOD_DOUBLE;
  jt.sorted = jt.packed = 1;
  Result result;
  double start = wall_seconds();
  const auto lap = [&start] {
    const double now = wall_seconds(), seconds = now - start;
    start = now;
    return seconds;
  };
  cholmod_sparse* full = cholmod_aat(&jt, nullptr, 0, 1, &common);
  cholmod_sparse* a = cholmod_copy(full, 1, 1, &common);
  cholmod_free_sparse(&full, &common);
  result.seconds.form = lap();
  cholmod_factor* factor = cholmod_analyze(a, &common);
  result.seconds.analyse = lap();
  if (factor == nullptr || cholmod_factorize(a, factor, &common) == 0 || common.status != CHOLMOD_OK) {
    throw std::runtime_error("CHOLMOD could not factor the matrix");
  }
  result.seconds.factor = lap();
  cholmod_dense* right = cholmod_zeros(n, 1, CHOLMOD_REAL, &common);
  double* const values_of_right = static_cast<double*>(right->x);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t e = starts[row]; e < starts[row + 1]; ++e) values_of_right[columns[e]] += x[e] * b[row];
  }
  cholmod_dense* solution = cholmod_solve(CHOLMOD_A, factor, right, &common);
  std::copy_n(static_cast<const double*>(solution->x), n, b.begin());
  result.seconds.solve = lap();
  result.factor_entries = common.lnz;
  cholmod_free_dense(&right, &common);
  cholmod_free_dense(&solution, &common);
  cholmod_free_factor(&factor, &common);
  cholmod_free_sparse(&a, &common);
  cholmod_finish(&common);
  return result;
}

}  // namespace dd::bench::cholmod
