// The Block interface on every host executor, and what the checking executor must catch: planted races, indices out
// of range, uninitialised reads, non-uniform control flow.
#include "core/block.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/block_launcher.hpp"
#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/core/block_examples.kernel.hpp"

namespace planted {

// Each mistake is one mode of one kernel, chosen by a run-time argument, so that mode 0 shows that the kernel around
// the mistake is sound.
enum Mistake : int {
  none,
  write_write,
  read_after_write,
  write_after_read,
  shared_index,
  shared_uninitialised,
  private_uninitialised,
  private_of_another,
  nested_region,
  shared_outside,
  private_outside,
  broadcast_uninitialised,
  broadcast_index,
  atomic_and_plain_read,
  atomic_and_plain_write,
  atomic_uninitialised,
  reduce_uninitialised,

};

struct Kernel {
  static constexpr dd::BlockShape shape{64};
  template <class B>
  struct Shared {
    typename B::template Arr<int, 64> values;
    typename B::template Arr<int, 4> untouched;
  };

  int* out;
  int mistake;
  unsigned beyond = 4;  // not a constant, or the compiler warns about the planted mistake

  template <class B>
  void operator()(B& b, Shared<B>& s) const {
    typename B::template Priv<int> own(b), never(b);
    b.each([&](unsigned t) {
      s.values[t] = static_cast<int>(t);
      own[t] = 1;
    });
    switch (mistake) {
      case write_write:
        b.each([&](unsigned t) { s.values[t / 2] = 1; });
        break;
      case read_after_write:
      case write_after_read:  // which one it is depends on the order of the threads
        b.each([&](unsigned t) { s.values[t] = s.values[(t + 1) % 64]; });
        break;
      case shared_index:
        b.each([&](unsigned t) { s.values[t + 1] = 0; });
        break;
      case shared_uninitialised:
        b.each([&](unsigned t) {
          if (t == 9) own[t] = s.untouched[2];
        });
        break;
      case private_uninitialised:
        b.each([&](unsigned t) { own[t] = never[t]; });
        break;
      case private_of_another:
        b.each([&](unsigned t) { own[t] = own[t ^ 1u]; });
        break;
      case nested_region:
        b.each([&](unsigned) { b.each([](unsigned) {}); });
        break;
      case shared_outside:
        if (s.values[3] > 0) b.each([&](unsigned t) { own[t] = 2; });
        break;
      case private_outside:
        if (own[0] > 0) b.each([&](unsigned t) { own[t] = 2; });
        break;
      case broadcast_uninitialised:
        if (b.broadcast(s.untouched, 1) > 0) b.each([&](unsigned t) { own[t] = 2; });
        break;
      case broadcast_index:
        if (b.broadcast(s.untouched, beyond) > 0) b.each([&](unsigned t) { own[t] = 2; });
        break;
      case atomic_and_plain_read:
        b.each([&](unsigned t) {
          if (t % 2 == 0) {
            b.atomic_add(s.values[0], 1);
          } else {
            own[t] = s.values[0];
          }
        });
        break;
      case atomic_and_plain_write:
        b.each([&](unsigned t) {
          if (t % 2 == 0) {
            b.atomic_add(s.values[0], 1);
          } else if (t == 7) {
            s.values[0] = 0;
          }
        });
        break;
      case atomic_uninitialised:
        b.each([&](unsigned) { b.atomic_max(s.untouched[0], 3); });
        break;
      case reduce_uninitialised:
        b.warp_reduce(never, [](int x, int y) { return x + y; });
        break;
      default:
        break;
    }
    b.each([&](unsigned t) {
      if (t == 0) *out = s.values[0];
    });
  }
};

}  // namespace planted
DD_BLOCK_KERNEL(planted, planted::Kernel)

namespace {

using dd::HostExecutor;

/// What the checking executor says to a mistake.
std::string complaint(planted::Mistake mistake, std::uint64_t seed) {
  int out = 0;
  dd::HostLauncher launcher(HostExecutor::checking, seed);
  try {
    launcher.launch(planted::Kernel{.out = &out, .mistake = mistake}, {3, 2, 1});
  } catch (const dd::Error& error) {
    CHECK(error.code() == dd::ErrorCode::internal);
    CHECK(error.argument() == "dd_planted");
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void check_complaint(planted::Mistake mistake, const char* first, const char* second = "") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string text = complaint(mistake, seed);
    INFO("mistake ", int{mistake}, ", seed ", seed, ": ", text);
    CHECK((contains(text, first) || (*second != '\0' && contains(text, second))));
    CHECK(contains(text, "block kernel dd_planted, block ("));
  }
}

template <class Check>
void on_every_executor(Check check) {
  check(HostExecutor::ordered, 0);
  check(HostExecutor::threaded, 0);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) check(HostExecutor::checking, seed);
}

}  // namespace

TEST_CASE("checking: the kernel without a mistake passes") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) CHECK(complaint(planted::none, seed).empty());
}

TEST_CASE("checking: races between threads of a region, by element and threads") {
  check_complaint(planted::write_write, "write-write race: element ");
  check_complaint(planted::read_after_write, "read-after-write race: element ", "write-after-read race: element ");
  check_complaint(planted::atomic_and_plain_read, "atomic operation after a plain read", "read-after-write race");
  check_complaint(planted::atomic_and_plain_write, "atomic operation after a plain write", "write-write race");
  const std::string text = complaint(planted::write_write, 1);
  CHECK(contains(text, "region 2"));
  CHECK(contains(text, "of shared array 0 is touched by thread "));
}

TEST_CASE("checking: indices out of range") {
  check_complaint(planted::shared_index, "index 64 is out of range of shared array 0 with 64 elements (thread 63)",
                  "race: element ");
  check_complaint(planted::broadcast_index, "index 4 is out of range of shared array 1 with 4 elements");
}

TEST_CASE("checking: uninitialised reads") {
  check_complaint(planted::shared_uninitialised,
                  "uninitialised read: element 2 of shared array 1 was never written (thread 9)");
  check_complaint(planted::private_uninitialised, "uninitialised read: private value of thread ");
  check_complaint(planted::broadcast_uninitialised, "uninitialised read: broadcast of element 1 of shared array 1");
  check_complaint(planted::atomic_uninitialised, "atomic operation on element 0 of shared array 1, which was never");
  check_complaint(planted::reduce_uninitialised, "uninitialised read: private value of thread 0");
}

TEST_CASE("checking: control flow that would not be uniform on a GPU") {
  check_complaint(planted::nested_region, "a region, reduction or broadcast inside a region");
  check_complaint(planted::shared_outside, "shared memory read outside a region");
  check_complaint(planted::private_outside, "private value used outside a region");
  check_complaint(planted::private_of_another, "uses the private value of thread ");
}

TEST_CASE("checking: the argmin tree with a partner one off is reported, in order it may go unnoticed") {
  std::vector<float> values(1000);
  dd::PhiloxStream random(3, 0);
  for (float& value : values) value = static_cast<float>(random.next_uniform());
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    dd::examples::ValueAndIndex best{};
    dd::HostLauncher launcher(HostExecutor::checking, seed);
    CHECK_THROWS_AS(launcher.launch(dd::examples::ArgMin{values.data(), &best, 1000, 1}, {1}), dd::Error);
  }
}

TEST_CASE("checking: the order of threads and blocks depends on the seed and on nothing else") {
  dd::PhiloxStream a(1, 0), b(1, 0), c(2, 0);
  const dd::AffineOrder first(1024, a), same(1024, b), other(1024, c);
  std::vector<char> seen(1024, 0);
  bool differs = false;
  for (std::uint32_t i = 0; i < 1024; ++i) {
    CHECK(first(i) == same(i));
    differs = differs || first(i) != other(i);
    seen[first(i)] = 1;
  }
  CHECK(differs);
  CHECK(std::count(seen.begin(), seen.end(), 1) == 1024);
}

TEST_CASE("a stencil with a shared tile and odd edges") {
  const unsigned rows = 21, columns = 45;
  std::vector<double> u(std::size_t{rows} * columns);
  dd::PhiloxStream random(5, 0);
  for (double& value : u) value = random.next_uniform();
  const auto at = [&](int row, int column) {
    const bool inside = row >= 0 && row < int{rows} && column >= 0 && column < int{columns};
    return inside ? u[static_cast<std::size_t>(row) * columns + static_cast<std::size_t>(column)] : 0.0;
  };
  on_every_executor([&](HostExecutor executor, std::uint64_t seed) {
    std::vector<double> out(u.size(), -1);
    dd::HostLauncher launcher(executor, seed);
    launcher.launch(dd::examples::FivePoint{u.data(), out.data(), rows, columns}, {2, 3});
    bool equal = true;
    for (int r = 0; r < int{rows}; ++r) {
      for (int c = 0; c < int{columns}; ++c) {
        const double expected = 4 * at(r, c) - ((at(r, c - 1) + at(r, c + 1)) + (at(r - 1, c) + at(r + 1, c)));
        equal = equal && out[static_cast<std::size_t>(r) * columns + static_cast<std::size_t>(c)] == expected;
      }
    }
    CHECK(equal);
  });
}

TEST_CASE("argmin takes the lowest index of ties") {
  for (const unsigned count : {1u, 2u, 127u, 129u, 1000u}) {
    std::vector<float> values(count, 1.0f);
    values[count / 2] = -2.0f;
    values[count - 1] = -2.0f;
    on_every_executor([&](HostExecutor executor, std::uint64_t seed) {
      dd::examples::ValueAndIndex best{};
      dd::HostLauncher launcher(executor, seed);
      launcher.launch(dd::examples::ArgMin{values.data(), &best, count, 0}, {1});
      CHECK(best.value == -2.0f);
      CHECK(best.index == count / 2);
    });
  }
}

TEST_CASE("a tiled product with softmax agrees with its formula and is bit-equal on all executors") {
  const unsigned rows = 13, depth = 37;
  std::vector<float> a(rows * depth), b(depth * 32);
  dd::PhiloxStream random(6, 0);
  for (float& value : a) value = static_cast<float>(random.next_uniform() - 0.5);
  for (float& value : b) value = static_cast<float>(random.next_uniform() - 0.5);
  std::vector<float> first;
  on_every_executor([&](HostExecutor executor, std::uint64_t seed) {
    std::vector<float> out(rows * 32, -1.0f);
    dd::HostLauncher launcher(executor, seed);
    launcher.launch(dd::examples::ProductSoftmax{a.data(), b.data(), out.data(), rows, depth}, {2});
    if (first.empty()) first = out;
    CHECK(out == first);
  });
  for (unsigned r = 0; r < rows; ++r) {
    std::vector<double> weight(32);
    double total = 0;
    for (unsigned c = 0; c < 32; ++c) {
      double product = 0;
      for (unsigned k = 0; k < depth; ++k) product += double{a[r * depth + k]} * double{b[k * 32 + c]};
      total += weight[c] = std::exp(product);
    }
    for (unsigned c = 0; c < 32; ++c) CHECK(first[r * 32 + c] == doctest::Approx(weight[c] / total).epsilon(1e-5));
  }
}

TEST_CASE("integer atomics: a histogram and its range") {
  std::vector<unsigned> values(3000);
  std::vector<std::uint64_t> expected(16, 0);
  dd::PhiloxStream random(8, 0);
  for (unsigned& value : values) ++expected[value = 2 + random.next_below(13)];
  on_every_executor([&](HostExecutor executor, std::uint64_t seed) {
    std::vector<std::uint64_t> bins(16, 0);
    std::vector<std::int32_t> range{100, -100};
    dd::HostLauncher launcher(executor, seed);
    launcher.launch(dd::examples::Histogram{values.data(), bins.data(), range.data(), 3000}, {5});
    CHECK(bins == expected);
    CHECK(range == std::vector<std::int32_t>{2, 14});
  });
}

TEST_CASE("broadcast steers a loop that one thread ends") {
  for (const unsigned start : {1u, 2u, 1000u}) {
    on_every_executor([&](HostExecutor executor, std::uint64_t seed) {
      unsigned turns = ~0u;
      dd::HostLauncher launcher(executor, seed);
      launcher.launch(dd::examples::CountHalvings{&turns, start}, {1});
      CHECK(turns == static_cast<unsigned>(std::log2(start)));
    });
  }
}

TEST_CASE("an empty grid launches nothing, and the launcher's memory starts poisoned") {
  dd::HostLauncher launcher(HostExecutor::ordered);
  launcher.launch(dd::examples::CountHalvings{nullptr, 4}, {0, 1, 1});
  CHECK(launcher.allocate<double>(0) == nullptr);
  double* memory = launcher.allocate<double>(3);
  CHECK(std::isnan(memory[2]));
  const std::vector<double> source{1, 2, 3};
  launcher.upload(memory, std::span<const double>(source));
  std::vector<double> back(3);
  launcher.download(memory, std::span<double>(back));
  CHECK(back == source);
  const dd::BlockKernelInfo& info = dd::block_kernel_info<dd::examples::FivePoint>;
  CHECK(std::string(info.name) == "dd_example_five_point");
  CHECK(info.shape.width == 32);
  CHECK(info.shared_bytes == 34 * 10 * sizeof(double));
  CHECK(info.argument_bytes == sizeof(dd::examples::FivePoint));
}
