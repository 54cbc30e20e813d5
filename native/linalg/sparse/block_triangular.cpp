// Both searches keep their own stack: recursion as deep as a chain of 65 536 unknowns would overflow the thread's.
#include "linalg/sparse/block_triangular.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace dd::linalg {
namespace {

/// column_of[row], every row matched.
std::vector<Index> transversal(const SparsePattern& a) {
  const std::size_t n = a.rows;
  std::vector<Index> column_of(n, no_index), row_of(n, no_index), visited(n, no_index);
  const auto match = [&](Index row, Index column) {
    column_of[row] = column;
    row_of[column] = row;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const std::span<const Index> row = a.row(i);
    if (std::binary_search(row.begin(), row.end(), static_cast<Index>(i))) {
      match(static_cast<Index>(i), static_cast<Index>(i));
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (column_of[i] != no_index) continue;
    for (const Index column : a.row(i)) {
      if (row_of[column] != no_index) continue;
      match(static_cast<Index>(i), column);
      break;
    }
  }
  struct Step {
    Index row;
    std::size_t entry;  // the column that leads on
  };
  std::vector<Step> path;
  for (std::size_t i = 0; i < n; ++i) {
    if (column_of[i] != no_index) continue;
    path.assign(1, {static_cast<Index>(i), a.starts[i]});
    Index free_column = no_index;
    while (!path.empty() && free_column == no_index) {
      Step& step = path.back();
      // A column that nobody has ends the path; only then are others followed.
      if (step.entry == a.starts[step.row]) {
        for (const Index column : a.row(step.row)) {
          if (row_of[column] == no_index) free_column = column;
        }
        if (free_column != no_index) break;
      }
      while (step.entry < a.starts[step.row + 1] && visited[a.indices[step.entry]] == i) ++step.entry;
      if (step.entry == a.starts[step.row + 1]) {
        path.pop_back();
        if (!path.empty()) ++path.back().entry;
        continue;
      }
      const Index column = a.indices[step.entry];
      visited[column] = static_cast<Index>(i);
      const Index next = row_of[column];
      path.push_back({next, a.starts[next]});
    }
    if (free_column == no_index) {
      throw Error(ErrorCode::singular, "a",
                  "`a` is structurally singular: row " + std::to_string(i) + " has no column of its own");
    }
    for (auto step = path.rbegin(); step != path.rend(); ++step) {
      const Index column = free_column;
      free_column = column_of[step->row];
      match(step->row, column);
    }
  }
  return column_of;
}

/// Components of the graph row -> rows that own the columns of its entries, each after all that it reaches.
struct Components {
  std::vector<Index> rows;  // component by component
  std::vector<Index> starts;
};

Components strong_components(const SparsePattern& a, const std::vector<Index>& row_of) {
  const std::size_t n = a.rows;
  std::vector<Index> number(n, no_index), low(n, 0), open, path;
  std::vector<std::size_t> entry(n);
  std::vector<bool> is_open(n, false);
  Components result;
  result.starts.push_back(0);
  Index counter = 0;
  for (std::size_t root = 0; root < n; ++root) {
    if (number[root] != no_index) continue;
    const auto enter = [&](Index row) {
      number[row] = low[row] = counter++;
      entry[row] = a.starts[row];
      open.push_back(row);
      path.push_back(row);
      is_open[row] = true;
    };
    enter(static_cast<Index>(root));
    while (!path.empty()) {
      const Index row = path.back();
      if (entry[row] < a.starts[row + 1]) {
        const Index next = row_of[a.indices[entry[row]++]];
        if (number[next] == no_index) {
          enter(next);
        } else if (is_open[next]) {
          low[row] = std::min(low[row], number[next]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[row]);
      if (low[row] != number[row]) continue;
      const std::size_t first = result.rows.size();
      Index member = no_index;
      do {
        member = open.back();
        open.pop_back();
        is_open[member] = false;
        result.rows.push_back(member);
      } while (member != row);
      std::sort(result.rows.begin() + static_cast<std::ptrdiff_t>(first), result.rows.end());
      result.starts.push_back(static_cast<Index>(result.rows.size()));
    }
  }
  return result;
}

}  // namespace

BlockTriangularForm block_triangular_form(const SparsePattern& a) {
  check_pattern(a, "a");
  if (a.rows != a.columns) {
    throw Error(ErrorCode::shape_mismatch, "a",
                "`a` must be square, got " + std::to_string(a.rows) + " x " + std::to_string(a.columns));
  }
  const std::vector<Index> column_of = transversal(a);
  std::vector<Index> row_of(a.rows);
  for (std::size_t i = 0; i < a.rows; ++i) row_of[column_of[i]] = static_cast<Index>(i);
  Components components = strong_components(a, row_of);
  BlockTriangularForm form;
  form.rows = std::move(components.rows);
  form.starts = std::move(components.starts);
  for (const Index row : form.rows) form.columns.push_back(column_of[row]);
  return form;
}

}  // namespace dd::linalg
