// Packing: round trips over random shapes, sizes, and the errors of bad input and corrupt buffers.
import fc from 'fast-check';
import { quantize } from '../../../lib';
import { errorWith } from '../../support/errors';

const { packBits, packRadix, packWords, radixCodesPerWord, unpackBits, unpackRadix, unpackWords } = quantize;

const shapes = fc.record({ rows: fc.nat(5), columns: fc.nat(130) });
const arrayOf = (most: number): typeof Uint8Array | typeof Uint16Array => (most <= 256 ? Uint8Array : Uint16Array);

/** A shape, a number of levels up to `most`, and codes. */
const drawn = (levels: fc.Arbitrary<number>) =>
  fc.tuple(shapes, levels).chain(([shape, count]) =>
    fc.record({
      shape: fc.constant(shape),
      levels: fc.constant(count),
      codes: fc
        .array(fc.nat(count - 1), {
          minLength: shape.rows * shape.columns,
          maxLength: shape.rows * shape.columns,
        })
        .map((codes) => arrayOf(count).from(codes)),
    }),
  );

test('bit streams come back', () => {
  fc.assert(
    fc.property(drawn(fc.nat(16).map((bits) => 2 ** bits)), ({ shape, levels, codes }) => {
      const bits = Math.log2(levels);
      const bytes = packBits(codes, shape, bits);
      expect(bytes.length).toBe(shape.rows * Math.ceil((shape.columns * bits) / 8));
      expect(unpackBits(bytes, shape, bits)).toEqual(codes);
    }),
  );
});

test('words come back in both orders, and transposed is the transpose', () => {
  fc.assert(
    fc.property(drawn(fc.nat(16).map((bits) => 2 ** bits)), ({ shape, levels, codes }) => {
      const bits = Math.log2(levels);
      const words = packWords(codes, shape, bits);
      const turned = packWords(codes, { ...shape, transposed: true }, bits);
      const perRow = Math.ceil(shape.columns / 32) * bits;
      expect(words.length).toBe(shape.rows * perRow);
      words.forEach((word, at) => {
        expect(turned[(at % perRow) * shape.rows + Math.floor(at / perRow)]).toBe(word);
      });
      expect(unpackWords(words, shape, bits)).toEqual(codes);
      expect(unpackWords(turned, { ...shape, transposed: true }, bits)).toEqual(codes);
    }),
  );
});

test('mixed radix comes back', () => {
  fc.assert(
    fc.property(drawn(fc.integer({ min: 1, max: 1024 })), ({ shape, levels, codes }) => {
      const words = packRadix(codes, shape, levels);
      const together = radixCodesPerWord(levels);
      expect(words.length).toBe(together === 0 ? 0 : shape.rows * Math.ceil(shape.columns / together));
      expect(unpackRadix(words, shape, levels)).toEqual(codes);
    }),
  );
});

test('a word of mixed radix is the number its codes spell', () => {
  expect([...packRadix(Uint8Array.of(2, 1, 0, 2), { rows: 1, columns: 4 }, 3)]).toEqual([2n + 3n + 54n]);
  for (let levels = 2; levels <= 300; levels += 1) {
    const together = BigInt(radixCodesPerWord(levels));
    expect(BigInt(levels) ** together <= 2n ** 64n && BigInt(levels) ** (together + 1n) > 2n ** 64n).toBe(true);
  }
});

test('mixed radix refuses exactly the words that are too large', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 1024 }),
      fc.nat(10),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (levels, some, word) => {
        const columns = Math.min(some + 1, radixCodesPerWord(levels));
        const words = BigUint64Array.of(word);
        if (word >= BigInt(levels) ** BigInt(columns)) {
          expect(() => unpackRadix(words, { rows: 1, columns }, levels)).toThrow(
            errorWith('ERR_INVALID_ARG_VALUE', 'words'),
          );
        } else {
          expect(packRadix(unpackRadix(words, { rows: 1, columns }, levels), { rows: 1, columns }, levels)).toEqual(
            words,
          );
        }
      },
    ),
  );
});

describe('bad input', () => {
  const shape = { rows: 1, columns: 4 };
  const codes = Uint8Array.of(0, 1, 2, 8);
  test.each([
    ['a code too large', () => packBits(codes, shape, 3), 'ERR_OUT_OF_RANGE', 'codes'],
    ['a code too large for words', () => packWords(codes, shape, 3), 'ERR_OUT_OF_RANGE', 'codes'],
    ['a code too large for radix', () => packRadix(codes, shape, 8), 'ERR_OUT_OF_RANGE', 'codes'],
    ['too many codes', () => packBits(codes, { rows: 1, columns: 3 }, 4), 'ERR_SHAPE_MISMATCH', 'codes'],
    ['wrong codes', () => packBits(new Float32Array(4) as never, shape, 4), 'ERR_INVALID_ARG_TYPE', 'codes'],
    ['no shape', () => packBits(codes, undefined as never, 4), 'ERR_INVALID_ARG_TYPE', 'shape'],
    ['negative rows', () => packBits(codes, { rows: -1, columns: 4 }, 4), 'ERR_OUT_OF_RANGE', 'shape.rows'],
    ['17 bits', () => packBits(codes, shape, 17), 'ERR_OUT_OF_RANGE', 'bits'],
    ['half a bit', () => packWords(codes, shape, 1.5), 'ERR_OUT_OF_RANGE', 'bits'],
    ['no levels', () => packRadix(codes, shape, 0), 'ERR_OUT_OF_RANGE', 'levels'],
    ['bytes missing', () => unpackBits(new Uint8Array(1), shape, 4), 'ERR_SHAPE_MISMATCH', 'bytes'],
    ['words missing', () => unpackWords(new Uint32Array(3), shape, 4), 'ERR_SHAPE_MISMATCH', 'words'],
    ['radix words missing', () => unpackRadix(new BigUint64Array(2), shape, 4), 'ERR_SHAPE_MISMATCH', 'words'],
    [
      'an unknown member',
      () => packBits(codes, { ...shape, order: 1 } as never, 4),
      'ERR_INVALID_ARG_VALUE',
      'shape.order',
    ],
    ['padding set', () => unpackBits(Uint8Array.of(0, 0x10), shape, 3), 'ERR_INVALID_ARG_VALUE', 'bytes'],
    ['missing columns set', () => unpackWords(Uint32Array.of(0, 0, 1), shape, 3), 'ERR_INVALID_ARG_VALUE', 'words'],
    [
      'absurdly many codes',
      () => unpackBits(new Uint8Array(0), { rows: 2 ** 31 - 1, columns: 2 ** 31 - 1 }, 0),
      'ERR_OUT_OF_RANGE',
      'shape',
    ],
  ] as const)('%s', (_, call, code, argument) => {
    expect(call).toThrow(errorWith(code, argument));
  });
});
