// Access of tests to the fake driver: the same library that the back end loads.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/fakecuda/fakecuda.h"

class FakeDriver {
 public:
  FakeDriver() : library_(dlopen(DD_TEST_FAKECUDA, RTLD_NOW | RTLD_LOCAL)) {}

  bool loaded() const { return library_ != nullptr; }
  void configure() const { function<FakeCudaConfigure>("fakecuda_configure")(); }
  std::string complaint() const { return function<FakeCudaComplaint>("fakecuda_complaint")(); }
  FakeCudaCounts counts() const {
    FakeCudaCounts counts{};
    function<FakeCudaCountsFunction>("fakecuda_counts")(&counts);
    return counts;
  }
  bool nothing_left() const {
    const FakeCudaCounts c = counts();
    return c.allocations == 0 && c.streams == 0 && c.modules == 0 && c.contexts == 0 && c.pending == 0;
  }

 private:
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* library_;
};

/// Environment variables for one scope.
class EnvironmentScope {
 public:
  EnvironmentScope() = default;
  EnvironmentScope(const char* name, const std::string& value) { set(name, value); }
  ~EnvironmentScope() {
    for (; !old_.empty(); old_.pop_back()) {  // newest first
      const Old& old = old_.back();
      if (old.was_set) {
        setenv(old.name, old.value.c_str(), 1);
      } else {
        unsetenv(old.name);
      }
    }
  }
  EnvironmentScope(const EnvironmentScope&) = delete;
  EnvironmentScope& operator=(const EnvironmentScope&) = delete;

  void set(const char* name, const std::string& value) {
    const char* before = std::getenv(name);
    old_.push_back({name, before == nullptr ? "" : before, before != nullptr});
    setenv(name, value.c_str(), 1);
  }

 private:
  struct Old {
    const char* name;
    std::string value;
    bool was_set;
  };
  std::vector<Old> old_;
};
