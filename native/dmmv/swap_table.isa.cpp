// K4 on the CPU. Four second moves share the loads of the residual and of the first move; the four maxima of a screen
// decide together whether the other rows are looked at. Cost: 6 operations a row and pair.
#include "dmmv/swap_table.hpp"

namespace dd::dmmv {
namespace {

constexpr std::size_t together = 4;
constexpr std::size_t width = 8;

inline double larger(double a, double b) { return a > b ? a : b; }

template <bool interval>
inline double violation(const SwapTable& table, std::size_t i, double z) {
  return interval ? larger(z - table.upper[i], -z - table.lower[i]) : __builtin_fabs(z);
}

/// largest[p] <- the larger of it and the violations of rows begin ... end - 1.
template <bool interval>
inline void run_rows(const SwapTable& table, const double* __restrict e, const double* const* f, std::size_t begin,
                     std::size_t end, double* largest) {
  const double* __restrict r = table.residual;
  const double* __restrict f0 = f[0];
  const double* __restrict f1 = f[1];
  const double* __restrict f2 = f[2];
  const double* __restrict f3 = f[3];
  double best[together][width];
  for (std::size_t p = 0; p < together; ++p) {
    for (std::size_t l = 0; l < width; ++l) best[p][l] = largest[p];
  }
  const std::size_t whole = begin + (end - begin) / width * width;
  for (std::size_t i = begin; i < whole; i += width) {
    for (std::size_t l = 0; l < width; ++l) {
      const double moved = r[i + l] + e[i + l];
      best[0][l] = larger(best[0][l], violation<interval>(table, i + l, moved - f0[i + l]));
      best[1][l] = larger(best[1][l], violation<interval>(table, i + l, moved - f1[i + l]));
      best[2][l] = larger(best[2][l], violation<interval>(table, i + l, moved - f2[i + l]));
      best[3][l] = larger(best[3][l], violation<interval>(table, i + l, moved - f3[i + l]));
    }
  }
  for (std::size_t i = whole; i < end; ++i) {
    const double moved = r[i] + e[i];
    for (std::size_t p = 0; p < together; ++p) {
      best[p][0] = larger(best[p][0], violation<interval>(table, i, moved - f[p][i]));
    }
  }
  for (std::size_t p = 0; p < together; ++p) {
    for (std::size_t l = 0; l < width; ++l) largest[p] = larger(largest[p], best[p][l]);
  }
}

template <bool interval>
inline void run(const SwapTable& table) {
  for (std::size_t a = 0; a < table.firsts; ++a) {
    const double* e = table.moves + static_cast<std::size_t>(table.first[a]) * table.stride;
    double* out = table.out + a * table.seconds;
    for (std::size_t b = 0; b < table.seconds; b += together) {
      const double* f[together];
      double largest[together], whole[together];
      for (std::size_t p = 0; p < together; ++p) {
        const std::size_t column = b + p < table.seconds ? b + p : b;
        f[p] = table.moves + static_cast<std::size_t>(table.second[column]) * table.stride;
        largest[p] = -__builtin_inf();
      }
      run_rows<interval>(table, e, f, 0, table.screen, largest);
      bool below = false;
      for (std::size_t p = 0; p < together; ++p) {
        whole[p] = largest[p];
        below = below || largest[p] < table.limit;
      }
      if (below) run_rows<interval>(table, e, f, table.screen, table.rows, whole);
      for (std::size_t p = 0; p < together && b + p < table.seconds; ++p) {
        out[b + p] = largest[p] < table.limit ? whole[p] : largest[p];
      }
    }
  }
}

}  // namespace

DD_ISA_ENTRY(void, swap_table_float64)(const SwapTable* table) {
  if (table->upper != nullptr) {
    run<true>(*table);
  } else {
    run<false>(*table);
  }
}

}  // namespace dd::dmmv
