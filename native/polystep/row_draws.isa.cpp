// Uniform numbers and rotations of the plane, a row in each lane of a vector of float64.
#include "polystep/random_lanes.hpp"
#include "polystep/row_draws_isa.hpp"

namespace dd::polystep {
namespace {

using std::size_t;

constexpr size_t together = lanes<double>;

DD_INLINE void write(const RowUniforms& a) {
  Words lane{};
  for (size_t i = 0; i < together; ++i) lane[i] = i;
  for (size_t at = 0; at < a.count; at += together) {
    const size_t here = a.count - at < together ? a.count - at : together;
    Words particle = (every(a.first + at) + lane) & every(0xffffffffu);
    if (a.particles != nullptr) {
      unsigned long long rows[together] = {};
      for (size_t i = 0; i < here; ++i) rows[i] = a.particles[at + i];
      particle = load_as<Words>(rows);
    }
    const Float64s drawn = uniform(philox({{Words{}, particle, every(a.step), every(a.stream)}}, a.seed).word[0]);
    if (here == together) {
      store(a.out + at, drawn);
    } else {
      store_tail(a.out + at, drawn, Tail<double>(here));
    }
  }
}

DD_INLINE void write(const PlaneRotations& a) {
  for (size_t at = 0; at < a.count; at += together) {
    const size_t here = a.count - at < together ? a.count - at : together;
    const bool whole = here == together;
    const auto [cosine, sine] = wave(whole ? load(a.turns + at) : load_tail(a.turns + at, Tail<double>(here)));
    double part[2][together];
    store(part[0], cosine);
    store(part[1], sine);
    for (size_t i = 0; i < here; ++i) {
      double* const to = a.out + 4 * (at + i);
      to[0] = part[0][i];
      to[1] = -part[1][i];
      to[2] = part[1][i];
      to[3] = part[0][i];
    }
  }
}

}  // namespace
}  // namespace dd::polystep

DD_ISA_ENTRY(void, polystep_row_uniforms)(const dd::polystep::RowUniforms* arguments) {
  dd::polystep::write(*arguments);
}
DD_ISA_ENTRY(void, polystep_plane_rotations)(const dd::polystep::PlaneRotations* arguments) {
  dd::polystep::write(*arguments);
}
