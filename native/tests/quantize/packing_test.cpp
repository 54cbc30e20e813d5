// Packing: what comes back is what went in, corrupt buffers are refused, and the forms are those of the vectors.
#include "quantize/packing.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/philox.hpp"
#include "tests/json.hpp"

namespace {

using namespace dd;
using namespace dd::quantize;

template <class Code>
std::vector<Code> random_codes(std::size_t count, std::uint32_t levels, PhiloxStream& random) {
  std::vector<Code> codes(count);
  for (Code& code : codes) {
    // The largest code more often than chance: that is where carries and overflows would be.
    code = static_cast<Code>(random.next_below(4) == 0 ? levels - 1 : random.next_below(levels));
  }
  return codes;
}

template <class Call>
ErrorCode thrown_by(Call call, std::string* argument = nullptr) {
  try {
    call();
  } catch (const Error& error) {
    if (argument != nullptr) *argument = error.argument();
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::internal;
}

template <class Code>
void round_trips(std::size_t rows, std::size_t columns, unsigned bits, PhiloxStream& random) {
  CAPTURE(rows);
  CAPTURE(columns);
  CAPTURE(bits);
  const auto codes = random_codes<Code>(rows * columns, 1u << bits, random);
  const std::span<const Code> given = codes;
  std::vector<std::uint8_t> bytes(bit_stream_bytes(rows, columns, bits), 0xff);
  std::vector<Code> back(codes.size(), 7);
  pack_bit_stream(given, rows, columns, bits, std::span<std::uint8_t>(bytes));
  unpack_bit_stream(std::span<const std::uint8_t>(bytes), rows, columns, bits, std::span<Code>(back));
  CHECK(back == codes);
  for (const WordOrder order : {WordOrder::row, WordOrder::word}) {
    std::vector<std::uint32_t> words(bit_block_words(rows, columns, bits), ~0u);
    back.assign(codes.size(), 7);
    pack_bit_blocks(given, rows, columns, bits, order, std::span<std::uint32_t>(words));
    unpack_bit_blocks(std::span<const std::uint32_t>(words), rows, columns, bits, order, std::span<Code>(back));
    CHECK(back == codes);
  }
}

template <class Code>
void radix_round_trips(std::size_t rows, std::size_t columns, std::uint32_t levels, PhiloxStream& random) {
  CAPTURE(columns);
  CAPTURE(levels);
  const auto codes = random_codes<Code>(rows * columns, levels, random);
  std::vector<std::uint64_t> words(radix_words(rows, columns, levels));
  std::vector<Code> back(codes.size(), 7);
  pack_radix(std::span<const Code>(codes), rows, columns, levels, std::span<std::uint64_t>(words));
  unpack_radix(std::span<const std::uint64_t>(words), rows, columns, levels, std::span<Code>(back));
  CHECK(back == codes);
}

}  // namespace

TEST_SUITE("packing") {
  TEST_CASE("every width comes back, whatever the shape") {
    PhiloxStream random(1, 1);
    for (unsigned bits = 0; bits <= 16; ++bits) {
      for (const std::size_t columns : {0, 1, 2, 7, 31, 32, 33, 100, 257}) {
        for (const std::size_t rows : {0, 1, 3}) {
          round_trips<std::uint16_t>(rows, columns, bits, random);
          if (bits <= 8) round_trips<std::uint8_t>(rows, columns, bits, random);
        }
      }
    }
  }

  TEST_CASE("every number of levels comes back") {
    PhiloxStream random(2, 1);
    for (std::uint32_t levels = 1; levels <= 1024; ++levels) {
      const std::size_t together = radix_codes_per_word(levels);
      for (const std::size_t columns : {std::size_t{1}, together, together + 1, 3 * together + 2}) {
        radix_round_trips<std::uint16_t>(2, columns, levels, random);
        if (levels <= 256) radix_round_trips<std::uint8_t>(2, columns, levels, random);
      }
    }
    for (const std::uint32_t levels : {4095u, 4096u, 4097u, 65535u, 65536u}) {
      radix_round_trips<std::uint16_t>(3, 23, levels, random);
    }
  }

  TEST_CASE("codes per word are as many as fit") {
    for (const auto& [levels, count] : {std::pair{1u, 0u},
                                        {2u, 64u},
                                        {3u, 40u},
                                        {4u, 32u},
                                        {5u, 27u},
                                        {6u, 24u},
                                        {7u, 22u},
                                        {8u, 21u},
                                        {10u, 19u},
                                        {12u, 17u},
                                        {16u, 16u},
                                        {256u, 8u},
                                        {257u, 7u},
                                        {65536u, 4u}}) {
      CAPTURE(levels);
      CHECK(radix_codes_per_word(levels) == count);
    }
  }

  TEST_CASE("vectors: the bit stream and the words of GPTQ checkpoints") {
    const test::Json json = test::read_vectors("quant/packing.json");
    CHECK(json["lsb_stream"].items.size() >= 8);
    for (const test::Json& item : json["lsb_stream"].items) {
      const auto bits = static_cast<unsigned>(item["bits"].number);
      std::vector<std::uint8_t> codes, expected;
      for (const std::int32_t code : item["codes"].integers()) codes.push_back(static_cast<std::uint8_t>(code));
      for (const std::int32_t byte : item["bytes"].integers()) expected.push_back(static_cast<std::uint8_t>(byte));
      std::vector<std::uint8_t> bytes(bit_stream_bytes(1, codes.size(), bits));
      pack_bit_stream(std::span<const std::uint8_t>(codes), 1, codes.size(), bits, std::span<std::uint8_t>(bytes));
      CHECK(bytes == expected);
    }
    const test::Json& gptq = json["gptq3"];
    const std::vector<double> w = gptq["W"]["data"].numbers(), scale = gptq["scale"]["data"].numbers(),
                              zero = gptq["zero"]["data"].numbers();
    const std::size_t rows = scale.size(), columns = w.size() / rows;
    std::vector<std::uint8_t> codes;
    for (std::size_t e = 0; e < w.size(); ++e) {
      codes.push_back(static_cast<std::uint8_t>(w[e] / scale[e / columns] + zero[e / columns] + 0.5));
    }
    std::vector<std::uint32_t> words(bit_block_words(rows, columns, 3)), expected;
    for (const std::int32_t word : gptq["qweight_int32"]["data"].integers()) {
      expected.push_back(static_cast<std::uint32_t>(word));
    }
    pack_bit_blocks(std::span<const std::uint8_t>(codes), rows, columns, 3, WordOrder::word,
                    std::span<std::uint32_t>(words));
    CHECK(words == expected);
  }

  TEST_CASE("bad input is refused by name") {
    std::string argument;
    std::vector<std::uint8_t> codes{1, 2, 3, 8}, bytes(2);
    const std::span<const std::uint8_t> given = codes;
    CHECK(thrown_by([&] { pack_bit_stream(given, 1, 4, 3, std::span<std::uint8_t>(bytes)); }, &argument) ==
          ErrorCode::out_of_range);
    CHECK(argument == "codes");
    CHECK(thrown_by([&] { pack_bit_stream(given, 1, 5, 3, std::span<std::uint8_t>(bytes)); }, &argument) ==
          ErrorCode::shape_mismatch);
    CHECK(argument == "codes");
    CHECK(thrown_by([&] { pack_bit_stream(given, 1, 4, 4, std::span<std::uint8_t>(bytes).first(1)); }, &argument) ==
          ErrorCode::shape_mismatch);
    CHECK(argument == "bytes");
    CHECK(thrown_by([&] { (void)bit_stream_bytes(1, 4, 17); }, &argument) == ErrorCode::out_of_range);
    CHECK(argument == "bits");
    CHECK(thrown_by([&] { (void)bit_stream_bytes(std::size_t{1} << 40, std::size_t{1} << 40, 4); }) ==
          ErrorCode::out_of_range);
    std::vector<std::uint64_t> words(1);
    CHECK(thrown_by([&] { pack_radix(given, 1, 4, 8, std::span<std::uint64_t>(words)); }) == ErrorCode::out_of_range);
    CHECK(thrown_by([&] { (void)radix_words(1, 1, 0); }, &argument) == ErrorCode::out_of_range);
    CHECK(argument == "levels");
    CHECK(thrown_by([&] { (void)radix_words(1, 1, 65537); }) == ErrorCode::out_of_range);
  }

  TEST_CASE("corrupt buffers are refused") {
    std::vector<std::uint8_t> codes(5), bytes{0xff, 0x80};
    const auto unpack = [&](unsigned bits) {
      unpack_bit_stream(std::span<const std::uint8_t>(bytes), 1, 5, bits, std::span<std::uint8_t>(codes));
    };
    CHECK(thrown_by([&] { unpack(3); }) == ErrorCode::invalid_argument_value);
    bytes[1] = 0x7f;
    unpack(3);
    CHECK(codes == std::vector<std::uint8_t>{7, 7, 7, 7, 7});
    std::vector<std::uint32_t> blocks{0x7fff, 0, 1};
    const auto unpack_blocks = [&] {
      unpack_bit_blocks(std::span<const std::uint32_t>(blocks), 1, 5, 3, WordOrder::row,
                        std::span<std::uint8_t>(codes));
    };
    CHECK(thrown_by(unpack_blocks) == ErrorCode::invalid_argument_value);
    blocks[2] = 0;
    unpack_blocks();
    CHECK(codes == std::vector<std::uint8_t>{7, 7, 7, 7, 7});
    for (const std::uint32_t levels : {3u, 5u, 7u, 200u}) {
      // The first number that is no word of five codes; and the last that is.
      std::uint64_t end = 1;
      for (int k = 0; k < 5; ++k) end *= levels;
      std::vector<std::uint64_t> words{end};
      const auto unpack_words = [&] {
        unpack_radix(std::span<const std::uint64_t>(words), 1, 5, levels, std::span<std::uint8_t>(codes));
      };
      CHECK(thrown_by(unpack_words) == ErrorCode::invalid_argument_value);
      words[0] = ~std::uint64_t{0};
      CHECK(thrown_by(unpack_words) == ErrorCode::invalid_argument_value);
      words[0] = end - 1;
      unpack_words();
      CHECK(codes == std::vector<std::uint8_t>(5, static_cast<std::uint8_t>(levels - 1)));
    }
    std::vector<std::uint8_t> narrow(2);
    std::vector<std::uint8_t> wide(3);
    CHECK(thrown_by([&] {
            unpack_bit_stream(std::span<const std::uint8_t>(wide), 1, 2, 9, std::span<std::uint8_t>(narrow));
          }) == ErrorCode::out_of_range);
  }
}
