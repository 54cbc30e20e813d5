// Path compression turns all three into passes over the entries.
#include "linalg/sparse/elimination_tree.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace dd::linalg {
namespace {

/// The root of the set that holds v; everything on the way points to it afterwards.
Index find_root(std::span<Index> ancestor, Index v) {
  Index root = v;
  while (ancestor[root] != root) root = ancestor[root];
  while (v != root) v = std::exchange(ancestor[v], root);
  return root;
}

}  // namespace

std::vector<Index> elimination_tree(const SparsePattern& earlier) {
  const std::size_t n = earlier.rows;
  std::vector<Index> parents(n, no_index), shortcut(n, no_index);
  for (std::size_t j = 0; j < n; ++j) {
    const auto root = static_cast<Index>(j);
    for (Index i : earlier.row(j)) {
      // Walk to the root of the tree that holds i, leaving shortcuts to j.
      while (i != root) {
        const Index up = std::exchange(shortcut[i], root);
        if (up == no_index) {
          parents[i] = root;
          break;
        }
        i = up;
      }
    }
  }
  return parents;
}

std::vector<Index> postorder(const std::vector<Index>& parents) {
  const std::size_t n = parents.size();
  std::vector<Index> child(n, no_index), sibling(n, no_index), order, path, roots;
  for (std::size_t j = n; j-- > 0;) {
    if (parents[j] == no_index) {
      roots.push_back(static_cast<Index>(j));
      continue;
    }
    sibling[j] = std::exchange(child[parents[j]], static_cast<Index>(j));
  }
  order.reserve(n);
  for (auto root = roots.rbegin(); root != roots.rend(); ++root) {
    path.push_back(*root);
    while (!path.empty()) {
      const Index top = path.back();
      if (const Index next = child[top]; next != no_index) {
        child[top] = sibling[next];
        path.push_back(next);
      } else {
        order.push_back(top);
        path.pop_back();
      }
    }
  }
  return order;
}

std::vector<Index> column_counts(const SparsePattern& later, const std::vector<Index>& parents) {
  const std::size_t n = parents.size();
  // Row i of the factor is a subtree with root i; column j counts the subtrees that contain j. A subtree adds one at
  // each of its leaves and takes one off where two of its branches meet.
  std::vector<Index> first(n, no_index), ancestor(n);
  LargeVector<Index> last_leaf(n, no_index);
  std::vector<std::int64_t> delta(n, 0), latest_first(n, -1);
  for (std::size_t j = 0; j < n; ++j) {
    ancestor[j] = static_cast<Index>(j);
    if (first[j] == no_index) {
      first[j] = static_cast<Index>(j);
      delta[j] = 1;
    }
    if (const Index up = parents[j]; up != no_index && first[up] == no_index) first[up] = first[j];
  }
  for (std::size_t j = 0; j < n; ++j) {
    const Index up = parents[j];
    if (up != no_index) --delta[up];
    for (const Index i : later.row(j)) {
      if (static_cast<std::int64_t>(first[j]) <= latest_first[i]) continue;  // not a leaf of the subtree of row i
      latest_first[i] = first[j];
      ++delta[j];
      const Index before = std::exchange(last_leaf[i], static_cast<Index>(j));
      if (before == no_index) continue;
      --delta[find_root(ancestor, before)];
    }
    if (up != no_index) ancestor[j] = up;
  }
  std::vector<Index> counts(n);
  for (std::size_t j = 0; j < n; ++j) {
    counts[j] = static_cast<Index>(delta[j]);
    if (parents[j] != no_index) delta[parents[j]] += delta[j];
  }
  return counts;
}

SparsePattern list_pairs(const SparsePattern& upper, const std::vector<Index>& inverse, ListBy by,
                         LargeVector<Index>* source) {
  SparsePattern lists;
  const std::size_t n = upper.rows;
  lists.rows = lists.columns = n;
  lists.starts.assign(n + 1, 0);
  const bool with_diagonal = source != nullptr;
  const auto for_each_pair = [&](auto body) {
    for (std::size_t i = 0; i < n; ++i) {
      const Index a = inverse[i];
      for (std::size_t e = upper.starts[i]; e < upper.starts[i + 1]; ++e) {
        const Index b = inverse[upper.indices[e]];
        if (a == b && !with_diagonal) continue;
        const Index low = std::min(a, b), high = std::max(a, b);
        if (by == ListBy::smaller) {
          body(low, high, e);
        } else {
          body(high, low, e);
        }
      }
    }
  };
  for_each_pair([&](Index list, Index, std::size_t) { ++lists.starts[list + 1]; });
  for (std::size_t i = 0; i < n; ++i) lists.starts[i + 1] += lists.starts[i];
  lists.indices.resize(lists.starts[n]);
  if (with_diagonal) source->resize(lists.starts[n]);
  std::vector<std::size_t> next(lists.starts.begin(), lists.starts.end() - 1);
  for_each_pair([&](Index list, Index member, std::size_t entry) {
    const std::size_t to = next[list]++;
    lists.indices[to] = member;
    if (with_diagonal) (*source)[to] = static_cast<Index>(entry);
  });
  return lists;
}

std::vector<Index> inverted(std::span<const Index> order) {
  std::vector<Index> inverse(order.size(), no_index);
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (order[k] >= order.size() || inverse[order[k]] != no_index) {
      throw Error(ErrorCode::invalid_argument_value, "order",
                  "`order` must be a permutation, got " + std::to_string(order[k]) + " at index " + std::to_string(k));
    }
    inverse[order[k]] = static_cast<Index>(k);
  }
  return inverse;
}

std::vector<Index> reordered(std::span<const Index> order, const std::vector<Index>& by) {
  std::vector<Index> result(order.size());
  for (std::size_t k = 0; k < by.size(); ++k) result[k] = order[by[k]];
  return result;
}

EliminationOrder eliminate_in_postorder(const SparsePattern& upper, std::span<const Index> order) {
  const std::vector<Index> parents = elimination_tree(list_pairs(upper, inverted(order), ListBy::larger, nullptr));
  const std::vector<Index> post = postorder(parents);
  const std::vector<Index> number = inverted(post);
  EliminationOrder result;
  result.columns = reordered(order, post);
  result.parents.resize(parents.size());
  for (std::size_t j = 0; j < parents.size(); ++j) {
    result.parents[number[j]] = parents[j] == no_index ? no_index : number[parents[j]];
  }
  result.counts = column_counts(list_pairs(upper, inverted(result.columns), ListBy::smaller, nullptr), result.parents);
  return result;
}

}  // namespace dd::linalg
