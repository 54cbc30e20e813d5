// How the outputs of a kernel are judged.
#include "core/self_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace dd {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// Judges the outputs; empty when all is well.
std::string compare(const KernelEntry& entry, const Workload& inputs, const Workload& out, const Workload& truth,
                    SelfTestResult& result) {
  for (std::size_t buffer = 0; buffer < out.specs().size(); ++buffer) {
    const BufferSpec& spec = out.specs()[buffer];
    if (spec.role == BufferRole::input) {
      if (out.bytes(buffer) > 0 &&
          std::memcmp(out.pointers()[buffer], inputs.pointers()[buffer], out.bytes(buffer)) != 0) {
        return "input `" + std::string(spec.name) + "` was changed";
      }
      continue;
    }
    for (std::size_t i = 0; i < spec.count; ++i) {
      const double value = out.value(buffer, i);
      const double expected = truth.value(buffer, i);
      const bool equal_numbers = value == expected || (std::isnan(value) && std::isnan(expected));
      // 64-bit integers lose their last bits on the way to a double.
      const std::size_t bytes = data_type_bytes(spec.type);
      const bool equal =
          bytes < 8 || spec.type == DataType::float64
              ? equal_numbers
              : std::memcmp(static_cast<const std::byte*>(out.pointers()[buffer]) + i * bytes,
                            static_cast<const std::byte*>(truth.pointers()[buffer]) + i * bytes, bytes) == 0;
      if (equal) continue;
      const double error = std::max(std::fabs(value - expected), equal_numbers ? 1.0 : 0.0);
      const double allowed = entry.tolerance.absolute + entry.tolerance.relative * std::fabs(expected);
      if (std::isfinite(error)) {
        result.largest_error = std::max(result.largest_error, error);
        result.tolerance_ratio = std::max(result.tolerance_ratio, error / allowed);
      }
      if (!std::isfinite(expected) || !(error <= allowed)) {
        return "`" + std::string(spec.name) + "`[" + std::to_string(i) + "] is " + number(value) + ", expected " +
               number(expected) + " within " + number(allowed);
      }
    }
  }
  const std::string_view broken = out.broken_guard();
  if (!broken.empty()) return "something was written past the end of `" + std::string(broken) + "`";
  return {};
}

}  // namespace

SelfTestResult self_test(const KernelEntry& entry, const KernelTarget& target, const KernelSize& size,
                         std::uint64_t seed, Inputs inputs) {
  SelfTestResult result;
  std::string problem;
  try {
    const Workload start = make_workload(entry, size, seed, inputs);
    Workload truth(size, entry.buffers(size));
    Workload out(size, entry.buffers(size));
    truth.copy_from(start);
    out.copy_from(start);
    entry.reference(size, truth.pointers());
    run_target(entry, target, out);
    problem = compare(entry, start, out, truth, result);
  } catch (const std::exception& error) {
    problem = error.what();
  }
  result.passed = problem.empty();
  if (!result.passed) {
    result.message = std::string(entry.name) + " on " + target.name + " (" + describe_size(entry, size) + ", seed " +
                     std::to_string(seed) + (inputs == Inputs::special ? ", special inputs" : "") + "): " + problem;
  }
  return result;
}

SelfTestResult self_test_all_sizes(const KernelEntry& entry, const KernelTarget& target) {
  SelfTestResult all;
  all.passed = true;
  for (const KernelSize& size : entry.test_sizes()) {
    for (const Inputs inputs : {Inputs::ordinary, Inputs::special}) {
      if (inputs == Inputs::special && entry.fill_special == nullptr) continue;
      for (const std::uint64_t seed : {1, 2}) {
        SelfTestResult one = self_test(entry, target, size, seed, inputs);
        if (!one.passed) return one;
        all.largest_error = std::max(all.largest_error, one.largest_error);
        all.tolerance_ratio = std::max(all.tolerance_ratio, one.tolerance_ratio);
      }
    }
  }
  return all;
}

}  // namespace dd
