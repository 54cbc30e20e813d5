// Mistakes that only a sanitizer can see, planted to see that it does (cmake/tests.cmake): global memory has no shadow.
//   dd_planted_mistakes race      a shared tree with a partner one off, two threads of a block
//   dd_planted_mistakes blocks    two blocks write one global element
//   dd_planted_mistakes overrun   one element past the end of a device buffer
#include <cstdio>
#include <string_view>
#include <vector>

#include "core/block_launcher.hpp"
#include "tests/core/block_examples.kernel.hpp"

namespace planted {

struct WriteAt {
  static constexpr dd::BlockShape shape{32};
  template <class B>
  using Shared = dd::NoShared;

  int* out;
  unsigned index;

  template <class B>
  void operator()(B& b, Shared<B>&) const {
    b.each([&](unsigned t) {
      if (t == 0) out[index] = static_cast<int>(b.block_x());
    });
  }
};

}  // namespace planted
DD_BLOCK_KERNEL(planted_write_at, planted::WriteAt)

int main(int argc, char** argv) {
  const std::string_view mistake = argc > 1 ? argv[1] : "";
  // On a busy machine two threads can happen to take turns for a while.
  constexpr int attempts = 1000;
  dd::HostLauncher launcher(dd::HostExecutor::threaded);
  int* out = launcher.allocate<int>(4);
  if (mistake == "race") {
    const std::vector<float> values(1000, 1.0f);
    dd::examples::ValueAndIndex best{};
    for (int i = 0; i < attempts; ++i) launcher.launch(dd::examples::ArgMin{values.data(), &best, 1000, 1}, {1});
  } else if (mistake == "blocks") {
    for (int i = 0; i < attempts; ++i) launcher.launch(planted::WriteAt{out, 0}, {8});
  } else if (mistake == "overrun") {
    launcher.launch(planted::WriteAt{out, 4}, {1});
  } else {
    std::fprintf(stderr, "usage: dd_planted_mistakes race | blocks | overrun\n");
    return 2;
  }
  std::printf("no sanitizer complained\n");
  return 0;
}
