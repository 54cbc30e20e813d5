// Registration of the sums over known losses: small binary fractions throughout, so that every form gives the same.
#include <array>
#include <cmath>
#include <limits>

#include "core/block_launcher.hpp"
#include "polystep/objectives/kernels.hpp"
#include "polystep/objectives/network.kernel.hpp"
#include "polystep/objectives/network_isa.hpp"

namespace dd::polystep {
namespace {

template <class T>
struct ResponseSumsKernel {
  static constexpr std::string_view name =
      sizeof(T) == 4 ? "polystep.response_sums.float32" : "polystep.response_sums.float64";
  static constexpr std::string_view formula = "s_i += sum_c l_{m(i,c),c}, m = #{j: t_j <= f(p_c + sum_k d_ik x_kc)}";
  static constexpr std::array<std::string_view, 5> size_names{"candidates", "terms", "steps", "kind", "valid"};
  static constexpr Tolerance tolerance{};

  enum Buffer : std::size_t { differences, inputs, input_rows, pre, step, losses, sums };

  static std::vector<KernelSize> test_sizes() {
    return {{{0, 8, 15, 0, 16}}, {{1, 0, 15, 0, 16}}, {{3, 8, 0, 0, 7}}, {{16, 8, 15, 0, 16}},
            {{5, 3, 2, 2, 16}},  {{70, 8, 5, 3, 16}}, {{9, 2, 1, 5, 1}}};
  }
  static std::vector<KernelSize> benchmark_sizes() { return {{{16, 8, 15, 0, 16}}, {{16, 8, 5, 3, 16}}}; }
  static std::vector<BufferSpec> buffers(const KernelSize& size) {
    constexpr DataType type = data_type_of<T>();
    return {{"differences", type, BufferRole::input, size[0] * size[1]},
            {"inputs", type, BufferRole::input, 32 * size[1]},
            {"input_rows", DataType::uint32, BufferRole::input, size[1]},
            {"pre", type, BufferRole::input, 16},
            {"step", type, BufferRole::input, size[2]},
            {"losses", type, BufferRole::input, 16 * (size[2] + 2)},
            {"sums", DataType::float64, BufferRole::in_out, size[0]}};
  }
  static void fill(Workload& workload, PhiloxStream& random) {
    const KernelSize& size = workload.size();
    for (const std::size_t which : {differences, inputs, pre, losses}) {
      for (T& value : workload.buffer<T>(which)) value = (static_cast<T>(random.next_below(33)) - 16) / 8;
    }
    for (std::uint32_t& row : workload.buffer<std::uint32_t>(input_rows)) {
      row = random.next_below(static_cast<std::uint32_t>(2 * size[1]));
    }
    // Values of the activation but the least; currents otherwise.
    const std::span<T> steps = workload.buffer<T>(step);
    for (std::size_t j = 0; j < steps.size(); ++j) {
      const T number = static_cast<T>(j);
      steps[j] = size[3] == 2 ? number : size[3] == 0 ? number / 4 : (number + 1) / static_cast<T>(steps.size());
    }
    for (double& sum : workload.buffer<double>(sums)) sum = static_cast<double>(random.next_below(9));
  }
  /// Candidates that are not finite.
  static void fill_special(Workload& workload, PhiloxStream& random) {
    fill(workload, random);
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const std::span<T> changes = workload.buffer<T>(differences);
    for (std::size_t i = 0; i < changes.size(); i += 5) {
      changes[i] = i % 3 == 0 ? std::numeric_limits<T>::quiet_NaN() : infinity;
    }
    // The sign of an infinity is not asked for: inputs of zero would make it NaN in one form only.
    if (workload.size()[3] == 2) fill(workload, random);
  }
  static ResponseSums<T> arguments(const KernelSize& size, std::span<void* const> of) {
    const auto values = [&](std::size_t which) { return static_cast<T*>(of[which]); };
    return {size[0],
            size[1],
            values(differences),
            values(inputs),
            static_cast<std::uint32_t*>(of[input_rows]),
            values(pre),
            static_cast<unsigned>(size[3]),
            static_cast<T>(size[2]),
            size[2],
            values(step),
            values(losses),
            size[4],
            static_cast<double*>(of[sums])};
  }
  static void reference(const KernelSize& size, std::span<void* const> buffers) {
    const ResponseSums<T> a = arguments(size, buffers);
    for (std::size_t i = 0; i < a.candidates; ++i) {
      for (std::size_t c = 0; c < a.valid; ++c) {
        double x = double{a.pre[c]};
        for (std::size_t k = 0; k < a.terms; ++k) {
          x += double{a.differences[i * a.terms + k]} * double{a.inputs[a.input_rows[k] * 16 + c]};
        }
        double y = x;
        if (a.kind == 2) y = x > 0 ? 1 : x < 0 ? -1 : x;
        if (a.kind == 3) y = std::floor(double{a.levels} / (1 + std::exp(-x))) / double{a.levels};
        if (a.kind == 5) y = x > 0 ? 1 : 0;
        std::size_t row = std::isnan(y) ? a.steps + 1 : 0;
        for (std::size_t j = 0; j < a.steps; ++j) row += static_cast<T>(y) >= a.step[j] ? 1 : 0;
        a.sums[i] += double{a.losses[row * 16 + c]};
      }
    }
  }
  static void cpu(std::size_t, const KernelSize& size, std::span<void* const> buffers) {
    response_sums(arguments(size, buffers));
  }
  static void block(BlockLauncher& launcher, const KernelSize& size, std::span<void* const> buffers) {
    const ResponseSums<T> a = arguments(size, buffers);
    launcher.launch(ResponseSumsBlock<T>{a.candidates, a.terms, a.differences, a.inputs, a.input_rows, a.pre,
                                         ActivateBlock<T>{a.kind, a.levels, nullptr, nullptr, 0}, a.steps, a.step,
                                         a.losses, a.valid, a.sums},
                    {blocks_for(a.candidates, ResponseSumsBlock<T>::shape.width)});
  }
  static double flops(const KernelSize& size) {
    return 32.0 * static_cast<double>(size[0]) * static_cast<double>(size[1] + size[2]);
  }
  static double bytes(const KernelSize& size) { return 16.0 * sizeof(T) * static_cast<double>(size[1] + size[0]); }
};

constexpr std::array entries{kernel_entry<ResponseSumsKernel<float>>(), kernel_entry<ResponseSumsKernel<double>>()};

}  // namespace

std::span<const KernelEntry> response_kernels() noexcept { return entries; }

}  // namespace dd::polystep
