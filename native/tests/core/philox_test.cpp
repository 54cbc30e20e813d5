// Known answers of Philox4x32-10 (Salmon et al. 2011) and what the stream makes of them.
#include "core/philox.hpp"

#include <doctest/doctest.h>

#include <array>

TEST_CASE("philox4x32 gives the published known answers") {
  struct Known {
    dd::PhiloxCounter counter;
    dd::PhiloxKey key;
    dd::PhiloxCounter words;
  };
  constexpr std::array<Known, 3> known{
      Known{{0, 0, 0, 0}, {0, 0}, {1713891541u, 3781805453u, 3159862348u, 2600524760u}},
      Known{{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {1083123565u, 1103641358u, 2718681030u, 1834242557u}},
      Known{{608135816u, 2242054355u, 320440878u, 57701188u},
            {2752067618u, 698298832u},
            {3513581065u, 2499661035u, 1342301216u, 605187745u}},
  };
  for (const Known& k : known) CHECK(dd::philox4x32(k.counter, k.key) == k.words);
}

TEST_CASE("a Philox stream starts with the words of block 0 and its uniforms have 53 bits") {
  dd::PhiloxStream words(0, 0);
  CHECK(words.next_uint32() == 1713891541u);
  CHECK(words.next_uint32() == 3781805453u);
  dd::PhiloxStream uniforms(0, 0);
  CHECK(uniforms.next_uniform() == 0.39904647231489565);
  CHECK(uniforms.next_uniform() == 0.7357127860596914);
}

TEST_CASE("next_below stays below its bound and reaches every value") {
  dd::PhiloxStream stream(7, 1);
  std::array<int, 5> seen{};
  for (int i = 0; i < 1000; ++i) ++seen.at(stream.next_below(5));
  for (int count : seen) CHECK(count > 100);
}
