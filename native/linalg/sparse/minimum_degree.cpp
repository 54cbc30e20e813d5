// Approximate minimum degree on the quotient graph: an eliminated pivot becomes an element, the set of unknowns that it
// connects. An unknown keeps the elements and the other unknowns it touches in the room of its original row, because
// every new element replaces at least one entry there.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "linalg/sparse/ordering.hpp"

namespace dd::linalg {
namespace {

class MinimumDegree {
 public:
  explicit MinimumDegree(SparsePattern graph)
      : graph_(std::move(graph)),
        n_(graph_.rows),
        element_count_(n_, 0),
        length_(n_),
        weight_(n_, 1),
        degree_(n_),
        members_(n_),
        outside_(n_, 0),
        merged_next_(n_, no_index),
        merged_last_(n_),
        bucket_(n_ + 1, no_index),
        next_(n_, no_index),
        previous_(n_, no_index),
        hash_(n_, 0) {}

  std::vector<Index> run() {
    start();
    std::vector<Index> order;
    order.reserve(n_);
    while (eliminated_ < live_) {
      const Index pivot = take_smallest();
      eliminate(pivot);
      for (Index v = pivot; v != no_index; v = merged_next_[v]) order.push_back(v);
    }
    order.insert(order.end(), dense_.begin(), dense_.end());
    return order;
  }

 private:
  enum class Kind : std::uint8_t { unknown, element, gone };
  struct Members {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void start() {
    kind_.assign(n_, Kind::unknown);
    const auto dense = static_cast<std::size_t>(std::max(16.0, 10 * std::sqrt(static_cast<double>(n_))));
    for (std::size_t v = 0; v < n_; ++v) {
      merged_last_[v] = static_cast<Index>(v);
      length_[v] = graph_.row(v).size();
      if (length_[v] <= dense) continue;
      dense_.push_back(static_cast<Index>(v));
      kind_[v] = Kind::gone;
      weight_[v] = 0;
    }
    live_ = n_ - dense_.size();
    for (std::size_t v = 0; v < n_; ++v) {
      if (kind_[v] == Kind::gone) continue;
      Index* const row = graph_.indices.data() + graph_.starts[v];
      const auto end = std::remove_if(row, row + length_[v], [&](Index u) { return kind_[u] == Kind::gone; });
      length_[v] = static_cast<std::size_t>(end - row);
      degree_[v] = length_[v];
      insert(static_cast<Index>(v));
    }
    std::stable_sort(dense_.begin(), dense_.end(),
                     [&](Index a, Index b) { return graph_.row(a).size() < graph_.row(b).size(); });
  }

  void insert(Index v) {
    Index& head = bucket_[degree_[v]];
    previous_[v] = no_index;
    next_[v] = head;
    if (head != no_index) previous_[head] = v;
    head = v;
    smallest_ = std::min(smallest_, degree_[v]);
  }
  void remove(Index v) {
    if (next_[v] != no_index) previous_[next_[v]] = previous_[v];
    if (previous_[v] != no_index) {
      next_[previous_[v]] = next_[v];
    } else {
      bucket_[degree_[v]] = next_[v];
    }
  }
  Index take_smallest() {
    while (bucket_[smallest_] == no_index) ++smallest_;
    const Index v = bucket_[smallest_];
    remove(v);
    return v;
  }

  Index* row(Index v) { return graph_.indices.data() + graph_.starts[v]; }

  /// Appends `from` and what is merged into it to the list of `to`.
  void merge(Index from, Index to) {
    merged_next_[merged_last_[to]] = from;
    merged_last_[to] = merged_last_[from];
    kind_[from] = Kind::gone;
    weight_[from] = 0;
  }

  void gather(Index v) {
    if (kind_[v] != Kind::unknown || weight_[v] <= 0) return;
    size_ += static_cast<std::size_t>(weight_[v]);
    weight_[v] = -weight_[v];  // negative: belongs to the new element
    pool_.push_back(v);
    remove(v);
  }

  void eliminate(Index pivot) {
    size_ = 0;
    const std::int64_t pivot_weight = weight_[pivot];
    weight_[pivot] = 0;
    kind_[pivot] = Kind::element;
    Members fresh{pool_.size(), pool_.size()};
    for (std::size_t k = 0; k < element_count_[pivot]; ++k) {
      const Index element = row(pivot)[k];
      for (std::size_t m = members_[element].begin; m < members_[element].end; ++m) gather(pool_[m]);
      kind_[element] = Kind::gone;
    }
    for (std::size_t k = element_count_[pivot]; k < length_[pivot]; ++k) gather(row(pivot)[k]);
    fresh.end = pool_.size();
    eliminated_ += static_cast<std::size_t>(pivot_weight);

    measure_elements(fresh);
    for (std::size_t m = fresh.begin; m < fresh.end; ++m) update(pool_[m], pivot);
    merge_equal(fresh);
    finish(fresh, pivot);
  }

  /// outside_[e] - stamp_: the weight of element e outside the new one, for every element that touches it.
  void measure_elements(const Members& fresh) {
    stamp_ = highest_stamp_ + 1;
    for (std::size_t m = fresh.begin; m < fresh.end; ++m) {
      const Index v = pool_[m];
      const auto weight = static_cast<std::uint64_t>(-weight_[v]);
      for (std::size_t k = 0; k < element_count_[v]; ++k) {
        const Index element = row(v)[k];
        if (kind_[element] != Kind::element) continue;
        if (outside_[element] < stamp_) {
          outside_[element] = stamp_ + degree_[element];
          highest_stamp_ = std::max(highest_stamp_, outside_[element]);
        }
        outside_[element] -= weight;
      }
    }
  }

  void update(Index v, Index pivot) {
    Index* const list = row(v);
    std::size_t kept = 0, degree = 0;
    std::uint64_t hash = 0;
    // The list loses the pivot or an element absorbed by it, so there is room for the new element in front.
    Index carried = pivot;
    for (std::size_t k = 0; k < element_count_[v]; ++k) {
      const Index element = list[k];
      if (kind_[element] != Kind::element) continue;
      const std::uint64_t outside = outside_[element] - stamp_;
      if (outside == 0) {
        kind_[element] = Kind::gone;  // it lies inside the new element
        continue;
      }
      degree += outside;
      hash += element;
      list[kept++] = std::exchange(carried, element);
    }
    const std::size_t elements = kept + 1;
    const std::size_t old_length = length_[v], old_elements = element_count_[v];
    scratch_.clear();
    for (std::size_t k = old_elements; k < old_length; ++k) {
      const Index other = list[k];
      if (kind_[other] != Kind::unknown || weight_[other] <= 0) continue;
      degree += static_cast<std::size_t>(weight_[other]);
      hash += other;
      scratch_.push_back(other);
    }
    if (elements == 1 && scratch_.empty()) {
      // Nothing but the new element: eliminated together with the pivot, without fill.
      const auto weight = static_cast<std::size_t>(-weight_[v]);
      size_ -= weight;
      eliminated_ += weight;
      merge(v, pivot);
      return;
    }
    list[kept] = carried;
    std::copy(scratch_.begin(), scratch_.end(), list + elements);
    element_count_[v] = elements;
    length_[v] = elements + scratch_.size();
    degree_[v] = std::min(degree_[v], degree);
    hash_[v] = hash;
  }

  /// Unknowns of the new element with equal lists are one supervariable from now on.
  void merge_equal(const Members& fresh) {
    candidates_.clear();
    for (std::size_t m = fresh.begin; m < fresh.end; ++m) {
      if (kind_[pool_[m]] == Kind::unknown) candidates_.push_back(pool_[m]);
    }
    std::sort(candidates_.begin(), candidates_.end(),
              [&](Index a, Index b) { return hash_[a] != hash_[b] ? hash_[a] < hash_[b] : a < b; });
    for (std::size_t first = 0; first < candidates_.size(); ++first) {
      const Index v = candidates_[first];
      if (kind_[v] != Kind::unknown) continue;
      bool marked = false;
      for (std::size_t k = first + 1; k < candidates_.size() && hash_[candidates_[k]] == hash_[v]; ++k) {
        const Index other = candidates_[k];
        if (kind_[other] != Kind::unknown || length_[other] != length_[v] ||
            element_count_[other] != element_count_[v]) {
          continue;
        }
        if (!std::exchange(marked, true)) {
          ++highest_stamp_;
          for (std::size_t e = 0; e < length_[v]; ++e) outside_[row(v)[e]] = highest_stamp_;
        }
        const Index* const list = row(other);
        if (!std::all_of(list, list + length_[other], [&](Index e) { return outside_[e] == highest_stamp_; })) continue;
        weight_[v] += weight_[other];
        merge(other, v);
      }
    }
  }

  void finish(Members fresh, Index pivot) {
    std::size_t kept = fresh.begin;
    for (std::size_t m = fresh.begin; m < fresh.end; ++m) {
      const Index v = pool_[m];
      if (kind_[v] != Kind::unknown) continue;
      weight_[v] = -weight_[v];
      const auto weight = static_cast<std::size_t>(weight_[v]);
      degree_[v] = std::min(degree_[v] + size_ - weight, live_ - eliminated_ - weight);
      insert(v);
      pool_[kept++] = v;
    }
    pool_.resize(kept);
    members_[pivot] = {fresh.begin, kept};
    degree_[pivot] = size_;
    if (kept == fresh.begin) kind_[pivot] = Kind::gone;
  }

  SparsePattern graph_;  // row v: element_count_[v] elements, then unknowns, length_[v] together
  std::size_t n_;
  std::vector<std::size_t> element_count_, length_;
  std::vector<std::int64_t> weight_;  // unknowns in a supervariable; negative inside the new element; 0: gone
  std::vector<std::size_t> degree_;   // of an unknown: bound on its external degree; of an element: its weight
  std::vector<Members> members_;      // of an element, in pool_
  std::vector<std::uint64_t> outside_;
  std::vector<Index> merged_next_, merged_last_;
  std::vector<Index> bucket_, next_, previous_;  // unknowns by degree
  std::vector<std::uint64_t> hash_;
  std::vector<Kind> kind_;
  std::vector<Index> pool_, scratch_, candidates_, dense_;
  std::size_t live_ = 0, eliminated_ = 0, smallest_ = 0, size_ = 0;
  std::uint64_t stamp_ = 0, highest_stamp_ = 0;
};

}  // namespace

std::vector<Index> minimum_degree(const SparsePattern& upper) {
  return MinimumDegree(symmetric_neighbours(upper)).run();
}

}  // namespace dd::linalg
