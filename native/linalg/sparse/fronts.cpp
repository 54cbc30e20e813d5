// From an order of elimination to fronts: elimination tree, column counts, columns with equal structure, and fronts
// merged while the zeros that this stores cost less than the small fronts would.
#include "linalg/sparse/fronts.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "linalg/sparse/elimination_tree.hpp"

namespace dd::linalg {
namespace {

double trapezoid(double columns, double rows) { return columns * rows - columns * (columns - 1) / 2; }

/// Columns with one structure, and what merging has made of them.
struct Supernode {
  Index first = 0, columns = 0;  // as found, before merging
  Index parent = no_index;
  bool merged = false;  // into its parent
  double total_columns = 0, rows = 0, zeros = 0;
};

std::vector<Supernode> equal_columns(const std::vector<Index>& parents, const std::vector<Index>& counts) {
  std::vector<Supernode> nodes;
  std::vector<Index> node_of(parents.size());
  for (std::size_t j = 0; j < parents.size(); ++j) {
    const bool continues = j > 0 && parents[j - 1] == j && counts[j - 1] == counts[j] + 1;
    if (!continues) {
      nodes.emplace_back();
      nodes.back().first = static_cast<Index>(j);
      nodes.back().rows = counts[j];
    }
    ++nodes.back().columns;
    node_of[j] = static_cast<Index>(nodes.size() - 1);
  }
  for (Supernode& node : nodes) {
    node.total_columns = node.columns;
    const Index up = parents[node.first + node.columns - 1];
    if (up != no_index) node.parent = node_of[up];
  }
  return nodes;
}

/// Whether fronts of that many columns together may hold that share of zeros: small fronts cost time by their number,
/// large ones by their size.
bool worth_merging(double columns, double share_of_zeros) {
  if (columns <= 4) return true;
  if (columns <= 16) return share_of_zeros < 0.5;
  if (columns <= 48) return share_of_zeros < 0.15;
  return share_of_zeros < 0.05;
}

void merge_small(std::vector<Supernode>& nodes) {
  std::vector<std::vector<Index>> children(nodes.size());
  for (std::size_t p = 0; p < nodes.size(); ++p) {
    Supernode& node = nodes[p];
    // The child with the longest structure brings the fewest zeros.
    std::vector<Index>& own = children[p];
    std::stable_sort(own.begin(), own.end(), [&](Index a, Index b) {
      return nodes[a].rows - nodes[a].total_columns > nodes[b].rows - nodes[b].total_columns;
    });
    std::vector<Index> kept;
    for (const Index c : own) {
      Supernode& child = nodes[c];
      const double columns = node.total_columns + child.total_columns, rows = node.rows + child.total_columns;
      const double zeros = trapezoid(columns, rows) - trapezoid(node.total_columns, node.rows) -
                           trapezoid(child.total_columns, child.rows) + node.zeros + child.zeros;
      if (!worth_merging(columns, zeros / trapezoid(columns, rows))) {
        kept.push_back(c);
        continue;
      }
      child.merged = true;
      node.total_columns = columns;
      node.rows = rows;
      node.zeros = zeros;
    }
    own.clear();
    if (node.parent != no_index) children[node.parent].push_back(static_cast<Index>(p));
  }
}

/// The tree of merged fronts in postorder; afterwards columns are numbered front by front.
struct MergedTree {
  std::vector<Index> columns;  // columns[k]: the column that is now k-th
  std::vector<Index> starts;   // first column of each front, and the end
  std::vector<Index> parents;
};

MergedTree merge(const std::vector<Supernode>& nodes) {
  // A group is named by its topmost supernode; members ascend, so columns keep descendants first.
  std::vector<Index> group(nodes.size());
  for (std::size_t s = nodes.size(); s-- > 0;) {
    group[s] = nodes[s].merged ? group[nodes[s].parent] : static_cast<Index>(s);
  }
  std::vector<std::vector<Index>> members(nodes.size());
  std::vector<Index> heads, head_number(nodes.size(), no_index);
  for (std::size_t s = 0; s < nodes.size(); ++s) {
    members[group[s]].push_back(static_cast<Index>(s));
    if (group[s] != s) continue;
    head_number[s] = static_cast<Index>(heads.size());
    heads.push_back(static_cast<Index>(s));
  }
  std::vector<Index> parents(heads.size(), no_index);
  for (std::size_t h = 0; h < heads.size(); ++h) {
    const Index up = nodes[heads[h]].parent;
    if (up != no_index) parents[h] = head_number[group[up]];
  }
  const std::vector<Index> order = postorder(parents);
  const std::vector<Index> number = inverted(order);
  MergedTree tree;
  tree.starts.push_back(0);
  for (const Index h : order) {
    for (const Index s : members[heads[h]]) {
      for (Index c = 0; c < nodes[s].columns; ++c) tree.columns.push_back(nodes[s].first + c);
    }
    tree.starts.push_back(static_cast<Index>(tree.columns.size()));
    tree.parents.push_back(parents[h] == no_index ? no_index : number[parents[h]]);
  }
  return tree;
}

void list_children(FrontTree& tree) {
  tree.child_starts.assign(tree.count() + 1, 0);
  for (std::size_t f = 0; f < tree.count(); ++f) {
    if (tree.fronts[f].parent != no_index) ++tree.child_starts[tree.fronts[f].parent + 1];
  }
  for (std::size_t f = 0; f < tree.count(); ++f) tree.child_starts[f + 1] += tree.child_starts[f];
  tree.children.resize(tree.child_starts.back());
  std::vector<Index> next(tree.child_starts.begin(), tree.child_starts.end() - 1);
  for (std::size_t f = 0; f < tree.count(); ++f) {
    if (tree.fronts[f].parent != no_index) tree.children[next[tree.fronts[f].parent]++] = static_cast<Index>(f);
  }
}

/// Rows of every front: its columns, the rows of their entries and what its children leave.
void fill_rows(FrontTree& tree, const SparsePattern& later, const LargeVector<Index>& source) {
  std::vector<Index> seen(tree.order.size(), no_index), place(tree.order.size());
  std::vector<Index> below;
  tree.diagonal.assign(tree.order.size(), no_index);
  tree.entry_source.resize(later.entries());
  tree.entry_target.resize(later.entries());
  std::size_t entry = 0;
  for (std::size_t f = 0; f < tree.count(); ++f) {
    Front& front = tree.fronts[f];
    const Index end = front.first + front.columns;
    below.clear();
    const auto add = [&](Index row) {
      if (row < end || seen[row] == f) return;
      seen[row] = static_cast<Index>(f);
      below.push_back(row);
    };
    for (Index column = front.first; column < end; ++column) {
      for (const Index row : later.row(column)) add(row);
    }
    for (const Index c : tree.children_of(f)) {
      const Front& child = tree.fronts[c];
      for (const Index row : tree.rows_of(child).subspan(child.columns)) add(row);
    }
    std::sort(below.begin(), below.end());
    front.row_list = tree.rows.size();
    front.rows = front.columns + static_cast<Index>(below.size());
    if (static_cast<double>(front.rows) * front.rows >= static_cast<double>(no_index)) {
      throw Error(ErrorCode::out_of_range, "pattern",
                  "`pattern` leads to a dense front of " + std::to_string(front.rows) + " rows");
    }
    for (Index column = front.first; column < end; ++column) tree.rows.push_back(column);
    tree.rows.insert(tree.rows.end(), below.begin(), below.end());
    const std::span<const Index> rows = tree.rows_of(front);
    for (std::size_t k = 0; k < rows.size(); ++k) place[rows[k]] = static_cast<Index>(k);
    tree.places.resize(tree.rows.size(), 0);
    for (const Index c : tree.children_of(f)) {
      const Front& child = tree.fronts[c];
      for (std::size_t k = child.columns; k < child.rows; ++k) {
        tree.places[child.row_list + k] = place[tree.rows[child.row_list + k]];
      }
    }
    front.entries = entry;
    for (Index column = front.first; column < end; ++column) {
      const Index offset = (column - front.first) * front.rows;
      for (std::size_t e = later.starts[column]; e < later.starts[column + 1]; ++e) {
        if (later.indices[e] == column) tree.diagonal[column] = source[e];
        tree.entry_source[entry] = source[e];
        tree.entry_target[entry++] = offset + place[later.indices[e]];
      }
    }
    const auto m = static_cast<double>(front.rows), k = static_cast<double>(front.columns);
    const double u = m - k;
    tree.flops += k * k * k / 3 + k * k * u + k * u * u;
    tree.factor_entries += static_cast<std::size_t>(trapezoid(k, m));
    tree.fronts[f + 1].values = front.values + static_cast<std::size_t>(front.rows) * front.columns;
  }
  tree.fronts.back().entries = entry;
  tree.fronts.back().row_list = tree.rows.size();
}

/// Doubles needed at most while fronts [first, last] are factored; squares of fronts for which `outside` says yes live
/// elsewhere.
template <class Outside>
std::size_t peak_stack(const FrontTree& tree, std::size_t first, std::size_t last, Outside outside) {
  std::size_t used = 0, peak = 0;
  for (std::size_t f = first; f <= last; ++f) {
    if (outside(f)) continue;
    used += square_doubles(tree.fronts[f].below());
    peak = std::max(peak, used);
    for (const Index c : tree.children_of(f)) {
      if (!outside(c)) used -= square_doubles(tree.fronts[c].below());
    }
  }
  return peak;
}

/// Subtrees of at most an eighth of the work: enough for two threads, and for more on a wide tree. The rest near the
/// root is done front by front with dense products that use all threads.
void cut_into_tasks(FrontTree& tree) {
  const std::size_t count = tree.count();
  std::vector<double> work(count, 0);
  std::vector<Index> first(count);
  double total = 0;
  for (std::size_t f = 0; f < count; ++f) {
    const Front& front = tree.fronts[f];
    const double m = front.rows, k = front.columns, u = m - k;
    // Large fronts run at about ten times the rate of small ones, and every front costs as much as some 1e4 operations.
    work[f] += k * k * k / 3 + k * k * u + k * u * u + 20 * m * m + 1e4;
    first[f] = static_cast<Index>(f);
    for (const Index c : tree.children_of(f)) {
      work[f] += work[c];
      first[f] = std::min(first[f], first[c]);
    }
    if (front.parent == no_index) total += work[f];
  }
  const double most = std::max(total / 8, 1e6);
  std::vector<bool> inside(count, false);
  for (std::size_t f = count; f-- > 0;) {
    const Index up = tree.fronts[f].parent;
    const bool top = up == no_index || work[up] > most;
    inside[f] = work[f] <= most;
    if (!inside[f] || !top) continue;
    tree.tasks.push_back({first[f], static_cast<Index>(f), 0});
  }
  std::reverse(tree.tasks.begin(), tree.tasks.end());
  for (FrontTask& task : tree.tasks) {
    task.stack = peak_stack(tree, task.first, task.last, [](std::size_t) { return false; });
  }
  if (count == 0) return;
  tree.stack = peak_stack(tree, 0, count - 1, [](std::size_t) { return false; });
  tree.top_stack = peak_stack(tree, 0, count - 1, [&](std::size_t f) { return inside[f]; });
}

}  // namespace

FrontTree build_fronts(const SparsePattern& upper, std::span<const Index> order) {
  expect_length("order", order.size(), upper.rows);
  FrontTree tree;
  tree.entries = upper.entries();
  const EliminationOrder elimination = eliminate_in_postorder(upper, order);
  std::vector<Supernode> nodes = equal_columns(elimination.parents, elimination.counts);
  merge_small(nodes);
  const MergedTree merged = merge(nodes);

  tree.order = reordered(elimination.columns, merged.columns);
  tree.inverse = inverted(tree.order);
  tree.fronts.resize(merged.parents.size() + 1);
  for (std::size_t f = 0; f < merged.parents.size(); ++f) {
    tree.fronts[f].first = merged.starts[f];
    tree.fronts[f].columns = merged.starts[f + 1] - merged.starts[f];
    tree.fronts[f].parent = merged.parents[f];
  }
  for (std::size_t f = tree.count(); f-- > 0;) {
    const Index up = tree.fronts[f].parent;
    tree.fronts[f].odd_depth = up != no_index && !tree.fronts[up].odd_depth;
  }
  list_children(tree);
  LargeVector<Index> source;
  const SparsePattern later = list_pairs(upper, tree.inverse, ListBy::smaller, &source);
  fill_rows(tree, later, source);
  cut_into_tasks(tree);
  return tree;
}

std::size_t FrontTree::bytes() const noexcept {
  return (order.size() + inverse.size() + rows.size() + places.size() + child_starts.size() + children.size() +
          diagonal.size() + entry_source.size() + entry_target.size()) *
             sizeof(Index) +
         fronts.size() * sizeof(Front) + tasks.size() * sizeof(FrontTask);
}

}  // namespace dd::linalg
