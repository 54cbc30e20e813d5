// Command lines of the native benchmarks: --name=value, or --name alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/isa.hpp"

namespace dd::bench {

inline std::vector<std::string> split(const std::string& text, char separator = ',') {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// "64,256,1024".
inline std::vector<std::size_t> numbers(const std::string& text) {
  std::vector<std::size_t> result;
  for (const std::string& part : split(text)) result.push_back(std::stoul(part));
  return result;
}

/// Throws where this machine does not have the level.
inline void choose_isa(const std::string& name) {
  for (const IsaLevel level : available_isa_levels()) {
    if (name == isa_name(level) && set_active_isa(level)) return;
  }
  throw std::runtime_error("level " + name + " is not available here");
}

/// Calls take(name, value) for each option but --isa, which is chosen at once; take says whether it knows the name.
template <class Take>
void read_options(int count, char** arguments, Take take) {
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    if (name == "--isa") {
      choose_isa(value);
    } else if (!take(name, value)) {
      throw std::runtime_error("unknown option " + argument);
    }
  }
}

}  // namespace dd::bench
