// Philox and Box-Muller, as many blocks of four numbers at a time as a vector has lanes of float64.
#include "polystep/normals_isa.hpp"
#include "polystep/objectives/lane_functions.hpp"
#include "polystep/random_lanes.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

DD_INLINE void write(const Normals& a) {
  constexpr size_t together = lanes<double>, numbers = 4 * together;
  Words lane{};
  for (size_t i = 0; i < together; ++i) lane[i] = i;
  for (size_t at = 0; at < a.count; at += numbers) {
    const Words block = (every(a.first_block + at / 4) + lane) & every(0xffffffffu);
    const WordBlocks words = philox({{block, every(a.particle), every(a.step), every(a.stream)}}, a.seed);
    double part[4][together];
    for (int pair = 0; pair < 2; ++pair) {
      const Float64s radius = square_root(broadcast(-2.0) * lane_log<double>(uniform(words.word[2 * pair])));
      const auto [cosine, sine] = wave(uniform(words.word[2 * pair + 1]));
      store(part[2 * pair], radius * cosine);
      store(part[2 * pair + 1], radius * sine);
    }
    const size_t here = a.count - at < numbers ? a.count - at : numbers;
    for (size_t i = 0; i < here; ++i) a.out[at + i] = part[i % 4][i / 4];
  }
}

}  // namespace
}  // namespace dd::polystep

DD_ISA_ENTRY(void, polystep_normals)(const dd::polystep::Normals* arguments) { dd::polystep::write(*arguments); }
