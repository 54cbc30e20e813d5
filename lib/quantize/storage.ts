// Quantised layers in safetensors files: codes as tightly as they go, grids as they are, so that what is read back is
// bit for bit what was written.
//
// A layer NAME is a metadata text `NAME.quantized` (JSON: version, shape, grid, packing, details) and the tensors
//   NAME.codes     U8: for each number of levels above 1, ascending, the columns that have it (in their order), rows x columns,
//                  as a bit stream whose rows start at whole bytes (packing `bits`) or as 64-bit words of mixed radix
//                  (packing `radix`, numbers of levels that are no powers of two, where that is shorter)
//   NAME.levels    U16: the different numbers of levels minus 1, ascending
//   NAME.level_index  U8: for each column the place of its number there, a bit stream of ceil(log2(how many)) bits; absent
//                  where there is one
//   NAME.range, NAME.ratio (F32, rows; of groups, rows x groups: BF16 and U8, in parts of 254, where that is exact)
//   | NAME.scale (F32), NAME.zero (U8, I16 or F32) | NAME.low, NAME.high (F32)
//   NAME.group_index  U8: group of each column, a bit stream of ceil(log2(groups)) bits; absent where groups are equal
//                  runs of columns
// Versions 1 and 2, which are read as well, have instead of the last NAME.group (I32, of each column), and version 1 instead
// of the levels' two tensors NAME.bits (U8, of each column) or NAME.levels (U16, of each column minus 1).
import { type SafetensorsContents, type SafetensorsEntry, type SafetensorsFile, writeSafetensors } from '../formats';
import { invalidFormat } from '../formats/bytes';
import { makeError } from '../runtime/errors';
import type { CodedWeights } from './coded-weights';
import { packBits, packRadix, radixCodesPerWord, unpackBits, unpackRadix } from './packing';
import { type GridHeader, gridTensors, groupCount, groupSize, readGrid } from './stored-grid';
import { decodeLevels, decodeLevelsOfVersion1, encodeLevels, type TensorBytes } from './stored-levels';

/** A quantised layer and what is to be known about it. */
export interface StoredLayer {
  /** The layer. */
  readonly weights: CodedWeights;
  /** Anything JSON can hold: method, seed, damping, element type of the original. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What to store. */
export interface QuantizedContents {
  /** Quantised layers by name. */
  readonly layers: ReadonlyMap<string, StoredLayer>;
  /** Other tensors of the model. */
  readonly tensors?: ReadonlyMap<string, SafetensorsEntry>;
  /** Other texts. */
  readonly metadata?: ReadonlyMap<string, string>;
}

/** How codes are packed: bits of whole width, or mixed radix where that is shorter. */
export type CodePacking = 'bits' | 'radix';

interface Header extends GridHeader {
  version: number;
  packing: CodePacking;
  details: Record<string, unknown>;
}

const version = 3;
const headerKey = (name: string): string => `${name}.quantized`;
const widthOf = (levels: number): number => Math.ceil(Math.log2(levels));

interface Run {
  levels: number;
  columns: number[];
}

/** Columns by number of levels, ascending; dropped columns have no codes. */
function runsOf(levels: Uint32Array): Run[] {
  const runs = new Map<number, number[]>();
  levels.forEach((count, column) => {
    if (count <= 1) return;
    const run = runs.get(count);
    if (run === undefined) runs.set(count, [column]);
    else run.push(column);
  });
  return [...runs].sort(([a], [b]) => a - b).map(([count, columns]) => ({ levels: count, columns }));
}

/** Whether a run is shorter in mixed radix, and its bytes. */
function runBytes(rows: number, { levels, columns }: Run, packing: CodePacking): { radix: boolean; bytes: number } {
  const bits = rows * Math.ceil((columns.length * widthOf(levels)) / 8);
  const words = packing === 'radix' ? 8 * rows * Math.ceil(columns.length / radixCodesPerWord(levels)) : Infinity;
  return { radix: words < bits, bytes: Math.min(words, bits) };
}

function encodeCodes({ rows, columns, codes, levels }: CodedWeights, packing: CodePacking): Uint8Array {
  const runs = runsOf(levels);
  const bytes = new Uint8Array(runs.reduce((sum, run) => sum + runBytes(rows, run, packing).bytes, 0));
  let offset = 0;
  for (const run of runs) {
    const part = new Uint16Array(rows * run.columns.length);
    for (let i = 0, to = 0; i < rows; ++i) for (const j of run.columns) part[to++] = codes[i * columns + j] ?? 0;
    const shape = { rows, columns: run.columns.length };
    const { radix } = runBytes(rows, run, packing);
    refuseCodes(part, run.levels);
    const packed = radix ? packRadix(part, shape, run.levels) : packBits(part, shape, widthOf(run.levels));
    bytes.set(new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength), offset);
    offset += packed.byteLength;
  }
  return bytes;
}

function refuseCodes(codes: Uint16Array, levels: number): void {
  const worst = codes.find((code) => code >= levels);
  if (worst !== undefined) {
    throw makeError('ERR_OUT_OF_RANGE', 'weights', `a column of ${levels} levels has the code ${worst}`);
  }
}

function decodeCodes(
  bytes: Uint8Array,
  { rows, columns, packing }: Header,
  levels: Uint32Array,
): Uint8Array | Uint16Array {
  const wide = levels.some((count) => count > 256);
  const codes = new (wide ? Uint16Array : Uint8Array)(rows * columns);
  const runs = runsOf(levels);
  const total = runs.reduce((sum, run) => sum + runBytes(rows, run, packing).bytes, 0);
  if (total !== bytes.length) throw invalidFormat('file', `codes take ${bytes.length} bytes instead of ${total}`);
  let offset = 0;
  for (const run of runs) {
    const { radix, bytes: length } = runBytes(rows, run, packing);
    const packed = bytes.slice(offset, offset + length);
    const shape = { rows, columns: run.columns.length };
    const part = radix
      ? unpackRadix(new BigUint64Array(packed.buffer), shape, run.levels)
      : unpackBits(packed, shape, widthOf(run.levels));
    for (let i = 0, from = 0; i < rows; ++i) for (const j of run.columns) codes[i * columns + j] = part[from++] ?? 0;
    if (part.some((code) => code >= run.levels)) throw invalidFormat('file', `a code beyond ${run.levels} levels`);
    offset += length;
  }
  return codes;
}

/** Names behind `NAME.` and tensors of a layer. @internal */
export function* layerTensors(weights: CodedWeights, packing: CodePacking): Generator<[string, SafetensorsEntry]> {
  const codes = encodeCodes(weights, packing);
  yield ['codes', { dtype: 'U8', shape: [codes.length], data: codes }];
  yield* encodeLevels(weights.levels);
  yield* gridTensors(weights);
}

/** Bytes that a layer takes in a file, header aside: codes, levels, grid, groups. */
export function storedBytes(weights: CodedWeights, packing: CodePacking = 'radix'): number {
  const { rows, levels } = weights;
  const codes = runsOf(levels).reduce((sum, run) => sum + runBytes(rows, run, packing).bytes, 0);
  return [...encodeLevels(levels), ...gridTensors(weights)].reduce((sum, [, { data }]) => {
    return sum + (data as ArrayBufferView).byteLength;
  }, codes);
}

function contentsOf(
  { layers, tensors, metadata }: QuantizedContents,
  packing: CodePacking,
): Required<SafetensorsContents> {
  const allTensors = new Map(tensors);
  const texts = new Map(metadata);
  for (const [name, { weights, details = {} }] of layers) {
    const { rows, columns, grid } = weights;
    const groups = groupCount(grid);
    const size = groupSize(grid, columns);
    const runs = groups > 1 && size !== undefined ? { groupSize: size } : {};
    const header: Header = { version, rows, columns, grid: grid.kind, groups, ...runs, packing, details };
    if (texts.has(headerKey(name))) throw makeError('ERR_INVALID_ARG_VALUE', 'contents', `\`${name}\` occurs twice`);
    texts.set(headerKey(name), JSON.stringify(header));
    for (const [part, entry] of layerTensors(weights, packing)) {
      const key = `${name}.${part}`;
      if (allTensors.has(key)) throw makeError('ERR_INVALID_ARG_VALUE', 'contents', `tensor \`${key}\` occurs twice`);
      allTensors.set(key, entry);
    }
  }
  return { tensors: allTensors, metadata: texts };
}

/** Writes quantised layers, with other tensors of the model if given, whole or not at all. */
export function writeQuantized(
  file: string,
  contents: QuantizedContents,
  { packing = 'radix' }: { packing?: CodePacking } = {},
): void {
  writeSafetensors(file, contentsOf(contents, packing));
}

/** Names of the quantised layers in a file. */
export function quantizedLayerNames({ metadata }: SafetensorsFile): string[] {
  const suffix = headerKey('');
  return [...metadata.keys()].filter((key) => key.endsWith(suffix)).map((key) => key.slice(0, -suffix.length));
}

function readHeader(file: SafetensorsFile, name: string): Header {
  const text = file.metadata.get(headerKey(name));
  if (text === undefined) {
    throw makeError('ERR_INVALID_ARG_VALUE', 'name', `the file has no quantised layer \`${name}\``);
  }
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(text) as Partial<Header> | null;
  } catch (error) {
    throw invalidFormat('file', `layer \`${name}\`: its description is not JSON`, error);
  }
  const { rows, columns, groups, groupSize: size, grid, packing, details } = header ?? {};
  if (![1, 2, version].includes(header?.version as number)) {
    throw invalidFormat('file', `layer \`${name}\`: version ${String(header?.version)} is none of 1 to ${version}`);
  }
  const whole = [rows, columns, groups, size ?? 1].every(
    (extent) => Number.isSafeInteger(extent) && (extent as number) >= 0,
  );
  const known = ['range', 'scale', 'ternary'].includes(grid as string) && ['bits', 'radix'].includes(packing as string);
  if (!whole || !known || typeof details !== 'object' || (details as unknown) === null || groups === 0 || size === 0) {
    throw invalidFormat('file', `layer \`${name}\`: its description is not complete`);
  }
  return header as Header;
}

/** What is known of a layer of a file, without its codes. Throws as `readQuantized`. @internal */
export function readDetails(file: SafetensorsFile, name: string): Readonly<Record<string, unknown>> {
  return readHeader(file, name).details;
}

/**
 * Reads a quantised layer: bit for bit what was written. Throws `ERR_INVALID_FORMAT` where its tensors do not fit each
 * other, `ERR_INVALID_ARG_VALUE` where there is no layer of this name.
 */
export function readQuantized(file: SafetensorsFile, name: string): Required<StoredLayer> {
  const header = readHeader(file, name);
  try {
    return { weights: readWeights(file, name, header), details: header.details };
  } catch (error) {
    // Whatever is wrong with what the file says is wrong with the file: corrupt padding, missing tensors.
    if ((error as { code?: string }).code === 'ERR_INVALID_FORMAT') throw error;
    throw invalidFormat('file', `layer \`${name}\`: ${(error as Error).message}`, error);
  }
}

function readWeights(file: SafetensorsFile, name: string, header: Header): CodedWeights {
  const { rows, columns } = header;
  const bytes: TensorBytes = (part, dtypes, count) => {
    const info = file.info(`${name}.${part}`);
    const size = info.shape.reduce((product, extent) => product * extent, 1);
    if (!dtypes.includes(info.dtype) || size !== count) {
      throw invalidFormat('file', `tensor \`${info.name}\` is ${info.dtype} of ${size} elements`);
    }
    return file.bytes(info.name);
  };
  const codeBytes = file.info(`${name}.codes`).byteLength;
  const levels =
    header.version === 1
      ? decodeLevelsOfVersion1(bytes, columns, file.has(`${name}.bits`))
      : decodeLevels(bytes, columns, {
          kinds: file.info(`${name}.levels`).byteLength / 2,
          mostColumns: rows === 0 ? 0 : (8 * codeBytes) / rows,
        });
  // First what says how large the layer is: memory is only taken for what the file holds.
  const grid = readGrid(file, name, header, bytes);
  const codes = decodeCodes(bytes('codes', ['U8'], codeBytes), header, levels);
  return { rows, columns, codes, levels, grid };
}
