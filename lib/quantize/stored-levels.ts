// Numbers of levels of the columns in a file: the different numbers there are, and for each column which of them it
// has, in as many bits as that takes.
import type { SafetensorsEntry } from '../formats';
import { invalidFormat } from '../formats/bytes';
import { packBits, unpackBits } from './packing';

/** Reads a tensor of a layer by its part of the name, after a check of its type and number of elements. @internal */
export type TensorBytes = (part: string, dtypes: readonly string[], count: number) => Uint8Array<ArrayBuffer>;

/** Columns that are all dropped have no codes either: then a bit for each says that they are there. */
const storedBits = (kinds: ArrayLike<number>): number =>
  kinds.length === 1 && kinds[0] === 1 ? 1 : Math.ceil(Math.log2(Math.max(1, kinds.length)));

/** Bits per column that say how many levels it has. @internal */
export function levelBits(levels: Uint32Array): number {
  return storedBits([...new Set(levels)]);
}

/** The tensors `levels` and, where there are different numbers, `level_index`. @internal */
export function* encodeLevels(levels: Uint32Array): Generator<[string, SafetensorsEntry]> {
  const kinds = [...new Set(levels)].sort((a, b) => a - b);
  yield ['levels', { dtype: 'U16', shape: [kinds.length], data: Uint16Array.from(kinds, (count) => count - 1) }];
  const bits = storedBits(kinds);
  if (bits === 0) return;
  const places = new Map(kinds.map((count, place) => [count, place]));
  const index = Uint16Array.from(levels, (count) => places.get(count) ?? 0);
  const data = packBits(index, { rows: 1, columns: levels.length }, bits);
  yield ['level_index', { dtype: 'U8', shape: [data.length], data }];
}

/**
 * What `encodeLevels` wrote; `kinds` is the number of elements of `levels`, `mostColumns` how many columns the codes
 * have room for. Throws `ERR_INVALID_FORMAT`. @internal
 */
export function decodeLevels(
  bytes: TensorBytes,
  columns: number,
  { kinds, mostColumns }: { kinds: number; mostColumns: number },
): Uint32Array {
  if (kinds === 0 || kinds > 65536) throw invalidFormat('file', `${kinds} different numbers of levels`);
  const counts = Uint32Array.from(new Uint16Array(bytes('levels', ['U16'], kinds).buffer), (count) => count + 1);
  const bits = storedBits(counts);
  if (bits === 0) {
    // Before memory is taken for as many columns as the file says it has.
    if (columns > mostColumns) throw invalidFormat('file', `codes of fewer than ${columns} columns`);
    return new Uint32Array(columns).fill(counts[0] as number);
  }
  const packed = bytes('level_index', ['U8'], Math.ceil((columns * bits) / 8));
  const places = Uint32Array.from(unpackBits(packed, { rows: 1, columns }, bits));
  if (places.some((place) => place >= kinds)) throw invalidFormat('file', `a column of none of ${kinds} levels`);
  return places.map((place) => counts[place] as number);
}

/** Version 1 of the files: bits, or levels minus 1, of every column. @internal */
export function decodeLevelsOfVersion1(bytes: TensorBytes, columns: number, asBits: boolean): Uint32Array {
  const levels = asBits
    ? Uint32Array.from(bytes('bits', ['U8'], columns), (bits) => 2 ** bits)
    : Uint32Array.from(new Uint16Array(bytes('levels', ['U16'], columns).buffer), (count) => count + 1);
  if (levels.some((count) => count < 1 || count > 65536)) throw invalidFormat('file', 'a column of too many levels');
  return levels;
}
