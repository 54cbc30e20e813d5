// A row of weights as a min-max problem over its free weights, in units of its step.
#include "dmmv/narrow_rounding.hpp"

#include <limits>
#include <vector>

#include "dmmv/problem.hpp"
#include "dmmv/solve.hpp"

namespace dd::dmmv {

bool is_narrow(std::size_t tokens, std::size_t columns) noexcept {
  return columns <= 128 && tokens * columns <= (std::size_t{1} << 18);
}

void search_narrow_row(MatrixView<const double> activations, const RoundingRow& row, std::uint64_t iteration_limit,
                       std::uint64_t seed, const RunControl& control, std::span<std::int32_t> codes) {
  const std::size_t tokens = activations.rows;
  std::vector<double> matrix, wanted(tokens, 0.0), continuous;
  std::vector<std::int32_t> initial;
  std::vector<std::size_t> variables;
  for (std::size_t j = 0; j < activations.columns; ++j) {
    if (codes[j] < 0) continue;
    const double* const column = &activations(0, j);
    matrix.insert(matrix.end(), column, column + tokens);
    for (std::size_t t = 0; t < tokens; ++t) wanted[t] -= row.base[j] * column[t];
    continuous.push_back(-row.base[j]);
    initial.push_back(codes[j]);
    variables.push_back(j);
  }
  if (variables.empty()) return;
  ProblemDescription description;
  description.matrix = MatrixView<const double>::column_major(matrix.data(), tokens, variables.size());
  description.lower = wanted;
  description.upper = wanted;
  description.levels = UniformLevels{0, 1, row.levels};
  const Problem problem = Problem::create(description);
  SolveOptions options;
  options.initial = initial;
  options.continuous = continuous;
  options.seed = seed;
  options.iteration_limit = iteration_limit;
  options.bound = BoundRequest::no;
  RunControl own(control, std::numeric_limits<double>::infinity());
  const SolveResult found = solve(problem, options, own);
  for (std::size_t k = 0; k < variables.size(); ++k) codes[variables[k]] = found.indices[k];
}

}  // namespace dd::dmmv
