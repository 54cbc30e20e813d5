// The argmin tree with a partner one off, on the threaded executor. Exit status 0: the race is only visible to
// ThreadSanitizer (cmake/tests.cmake).
#include <vector>

#include "core/block_launcher.hpp"
#include "tests/core/block_examples.kernel.hpp"

int main() {
  const std::vector<float> values(1000, 1.0f);
  dd::examples::ValueAndIndex best{};
  dd::HostLauncher launcher(dd::HostExecutor::threaded);
  for (int i = 0; i < 20; ++i) launcher.launch(dd::examples::ArgMin{values.data(), &best, 1000, 1}, {1});
  return 0;
}
