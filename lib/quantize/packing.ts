// Codes as bits: the forms in which quantised weights are stored and exchanged. All of them are exact.
import { callNative, makeError } from '../runtime/errors';
import { boolean, fail, integer, object, parse, type Schema, withDefault } from '../runtime/validate';
import { nativeQuantize } from './native';

/** How codes lie: row after row. Packed rows start anew (at a byte, a block, a word), so they can be read alone. */
export interface CodeShape {
  /** Number of rows. */
  rows: number;
  /** Codes per row. */
  columns: number;
}

const extent = integer({ min: 0, max: 2 ** 31 - 1 });
const shapeMembers = { rows: extent, columns: extent };
const bitsSchema = integer({ min: 0, max: 16 });
const levelsSchema = integer({ min: 1, max: 65536 });

interface Packed {
  Uint8Array: Uint8Array;
  Uint16Array: Uint16Array;
  Uint32Array: Uint32Array;
  BigUint64Array: BigUint64Array;
}

/** A typed array of whole numbers of one of `types`; compared by tag, which works across realms. @internal */
export function wholeNumbers<Name extends keyof Packed>(types: readonly Name[], length: number): Schema<Packed[Name]> {
  const expected = `a ${types.join(' or ')} of length ${length}`;
  return (value, argument) => {
    const tag = Object.prototype.toString.call(value).slice(8, -1) as Name;
    if (!types.includes(tag)) fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if ((value as Uint8Array).length !== length) fail('ERR_SHAPE_MISMATCH', argument, expected, value);
    return value as Packed[Name];
  };
}

function countOf({ rows, columns }: CodeShape): number {
  const count = rows * columns;
  if (count > 2 ** 32) {
    throw makeError('ERR_OUT_OF_RANGE', 'shape', `\`shape\` must hold at most 2^32 codes, got ${rows} x ${columns}`);
  }
  return count;
}

const shapeSchema = object(shapeMembers);
const wordShapeSchema = object({ ...shapeMembers, transposed: withDefault(boolean, false) });

function codesSchema(shape: CodeShape): Schema<Uint8Array | Uint16Array> {
  return wholeNumbers(['Uint8Array', 'Uint16Array'], countOf(shape));
}

/** The shape of packed words: { rows, columns }, and whether words of one row lie apart. */
export interface WordShape extends CodeShape {
  /** False (default): row after row. True: word after word, as in the `qweight` tensor of GPTQ checkpoints. */
  transposed?: boolean;
}

/**
 * Codes as a bit stream, least significant bit first, each row padded to a whole byte with zeros: the interchange form.
 *
 * @param codes  rows x columns codes below 2^bits, row-major
 * @param shape  { rows, columns }
 * @param bits   bits per code, 0 to 16
 * @returns      rows * ceil(columns * bits / 8) bytes
 * @throws ERR_SHAPE_MISMATCH  `codes` does not have rows * columns elements
 * @throws ERR_OUT_OF_RANGE    a code needs more bits
 * Cost: one pass.
 */
export function packBits(codes: Uint8Array | Uint16Array, shape: CodeShape, bits: number): Uint8Array {
  const { rows, columns } = parse(shape, 'shape', shapeSchema);
  const checked = parse(codes, 'codes', codesSchema({ rows, columns }));
  const width = parse(bits, 'bits', bitsSchema);
  return callNative(() => nativeQuantize.packBits(checked, rows, columns, width));
}

/**
 * The codes that `packBits` packed: a Uint8Array up to 8 bits, else a Uint16Array.
 *
 * @throws ERR_SHAPE_MISMATCH     `bytes` has not the length of such a stream
 * @throws ERR_INVALID_ARG_VALUE  a bit of the padding is set: the stream is corrupt
 */
export function unpackBits(bytes: Uint8Array, shape: CodeShape, bits: number): Uint8Array | Uint16Array {
  const { rows, columns } = parse(shape, 'shape', shapeSchema);
  const width = parse(bits, 'bits', bitsSchema);
  countOf({ rows, columns });
  const checked = parse(bytes, 'bytes', wholeNumbers(['Uint8Array'], rows * Math.ceil((columns * width) / 8)));
  return callNative(() => nativeQuantize.unpackBits(checked, rows, columns, width));
}

/**
 * Codes in blocks of 32 columns of `bits` 32-bit words: code i of a block in bits i * bits to (i + 1) * bits - 1 of the
 * little-endian block, missing columns as zeros. With `transposed`, the `qweight` tensor of GPTQ checkpoints
 * (words x rows) for 2, 3, 4 and 8 bits.
 *
 * @param codes  rows x columns codes below 2^bits, row-major
 * @param shape  { rows, columns, transposed = false }
 * @param bits   bits per code, 0 to 16
 * @returns      rows * ceil(columns / 32) * bits words
 * @throws ERR_SHAPE_MISMATCH  `codes` does not have rows * columns elements
 * @throws ERR_OUT_OF_RANGE    a code needs more bits
 * Source: the packing of arXiv 2210.17323's code.
 */
export function packWords(codes: Uint8Array | Uint16Array, shape: WordShape, bits: number): Uint32Array {
  const { rows, columns, transposed } = parse(shape, 'shape', wordShapeSchema);
  const checked = parse(codes, 'codes', codesSchema({ rows, columns }));
  const width = parse(bits, 'bits', bitsSchema);
  return callNative(() => nativeQuantize.packWords(checked, rows, columns, width, transposed));
}

/**
 * The codes that `packWords` packed: a Uint8Array up to 8 bits, else a Uint16Array.
 *
 * @throws ERR_SHAPE_MISMATCH     `words` has not the length of such blocks
 * @throws ERR_INVALID_ARG_VALUE  a bit of a missing column is set: the words are corrupt
 */
export function unpackWords(words: Uint32Array, shape: WordShape, bits: number): Uint8Array | Uint16Array {
  const { rows, columns, transposed } = parse(shape, 'shape', wordShapeSchema);
  const width = parse(bits, 'bits', bitsSchema);
  countOf({ rows, columns });
  const checked = parse(words, 'words', wholeNumbers(['Uint32Array'], rows * Math.ceil(columns / 32) * width));
  return callNative(() => nativeQuantize.unpackWords(checked, rows, columns, width, transposed));
}

/**
 * How many codes of `levels` levels `packRadix` puts in one 64-bit word: the largest k with levels^k <= 2^64; 0 for one
 * level, which takes no words.
 *
 * @param levels  1 to 65536
 */
export function radixCodesPerWord(levels: number): number {
  const checked = parse(levels, 'levels', levelsSchema);
  return callNative(() => nativeQuantize.radixCodesPerWord(checked));
}

function radixWords({ rows, columns }: CodeShape, levels: number): number {
  const together = radixCodesPerWord(levels);
  return together === 0 ? 0 : rows * Math.ceil(columns / together);
}

/**
 * Codes in mixed radix, for numbers of levels that are no powers of two: word = sum_i code_i * levels^i over
 * {@link radixCodesPerWord} codes. 3 levels take 1.6 bits per code where their entropy is 1.585.
 *
 * @param codes   rows x columns codes below `levels`, row-major
 * @param shape   { rows, columns }
 * @param levels  1 to 65536
 * @returns       rows * ceil(columns / codes per word) words
 * @throws ERR_SHAPE_MISMATCH  `codes` does not have rows * columns elements
 * @throws ERR_OUT_OF_RANGE    a code is not below `levels`
 */
export function packRadix(codes: Uint8Array | Uint16Array, shape: CodeShape, levels: number): BigUint64Array {
  const { rows, columns } = parse(shape, 'shape', shapeSchema);
  const checked = parse(codes, 'codes', codesSchema({ rows, columns }));
  const radix = parse(levels, 'levels', levelsSchema);
  return callNative(() => nativeQuantize.packRadix(checked, rows, columns, radix));
}

/**
 * The codes that `packRadix` packed: a Uint8Array up to 256 levels, else a Uint16Array.
 *
 * @throws ERR_SHAPE_MISMATCH     `words` has not the length of such a packing
 * @throws ERR_INVALID_ARG_VALUE  a word is not a number of that many codes: the words are corrupt
 */
export function unpackRadix(words: BigUint64Array, shape: CodeShape, levels: number): Uint8Array | Uint16Array {
  const { rows, columns } = parse(shape, 'shape', shapeSchema);
  const radix = parse(levels, 'levels', levelsSchema);
  countOf({ rows, columns });
  const checked = parse(words, 'words', wholeNumbers(['BigUint64Array'], radixWords({ rows, columns }, radix)));
  return callNative(() => nativeQuantize.unpackRadix(checked, rows, columns, radix));
}
