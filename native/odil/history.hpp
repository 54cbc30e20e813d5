// What a run remembers of its iterations: all of them, every so many, or as many as stay few in a run of any length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dd::odil {

/// Of records with a member `iteration`.
template <class Record>
class History {
 public:
  /// Records kept at most when `every` is 0.
  static constexpr std::size_t most = 2048;

  /// every: iterations from one record to the next; 0: 1 at first, and twice as many whenever there are too many.
  explicit History(std::uint64_t every = 0) : every_(std::max<std::uint64_t>(every, 1)), bounded_(every == 0) {}

  void add(const Record& record) {
    last_ = record;
    any_ = true;
    if (record.iteration % every_ != 0) return;
    if (bounded_ && records_.size() == most) {
      every_ *= 2;
      std::erase_if(records_, [&](const Record& old) { return old.iteration % every_ != 0; });
      if (record.iteration % every_ != 0) return;
    }
    records_.push_back(record);
  }
  /// The records kept, and the last one in any case.
  std::vector<Record> records() const {
    std::vector<Record> result = records_;
    if (any_ && (result.empty() || result.back().iteration != last_.iteration)) result.push_back(last_);
    return result;
  }

 private:
  std::uint64_t every_;
  bool bounded_;
  std::vector<Record> records_;
  Record last_{};
  bool any_ = false;
};

}  // namespace dd::odil
