// Grids in a file: each kind of numbers in the narrowest form that gives back the same bits.
import type { SafetensorsEntry, SafetensorsFile } from '../formats';
import { invalidFormat } from '../formats/bytes';
import { float32ToBfloat16 } from '../formats/half';
import type { CodedWeights, QuantizationGrid } from './coded-weights';
import { packBits, unpackBits } from './packing';
import type { TensorBytes } from './stored-levels';

const { fround } = Math;

/** Ratios of groups are such parts of 1: a byte holds 0, 1/2 and 1. */
const ratioParts = 254;

const floats = (data: Float32Array, shape: number[]): SafetensorsEntry => ({ dtype: 'F32', shape, data });

/** Whole numbers in the narrowest type that holds them all. */
function encodeZeros(zeros: Float32Array, shape: number[]): SafetensorsEntry {
  const within = (low: number, high: number): boolean =>
    zeros.every((zero) => Number.isInteger(zero) && !Object.is(zero, -0) && zero >= low && zero <= high);
  if (within(0, 255)) return { dtype: 'U8', shape, data: Uint8Array.from(zeros) };
  if (within(-32768, 32767)) return { dtype: 'I16', shape, data: Int16Array.from(zeros) };
  return floats(zeros, shape);
}

function encodeRanges(ranges: Float32Array, shape: number[]): SafetensorsEntry {
  const short = new Uint32Array(Float32Array.from(ranges).buffer).every((bits) => (bits & 0xffff) === 0);
  return short ? { dtype: 'BF16', shape, data: float32ToBfloat16(ranges) } : floats(ranges, shape);
}

const ratioOf = (part: number): number => fround(part / ratioParts);

function encodeRatios(ratios: Float32Array, shape: number[]): SafetensorsEntry {
  const parts = Float32Array.from(ratios, (ratio) => Math.round(ratio * ratioParts));
  const short = parts.every((part, at) => part >= 0 && part <= ratioParts && Object.is(ratioOf(part), ratios[at]));
  return short ? { dtype: 'U8', shape, data: Uint8Array.from(parts) } : floats(ratios, shape);
}

const largestIndexBits = 16;

/** Number of groups of a grid. @internal */
export function groupCount(grid: QuantizationGrid): number {
  return grid.groups ?? 1;
}

function runsOf(columns: number, size: number): Int32Array {
  return Int32Array.from({ length: columns }, (_, column) => Math.floor(column / size));
}

/** Columns of a group where groups are runs of so many stored columns, the last one maybe fewer; else undefined. @internal */
export function groupSize({ groups = 1, groupOfColumn }: QuantizationGrid, columns: number): number | undefined {
  if (groups === 1 || groupOfColumn === undefined) return columns;
  const size = groupOfColumn.lastIndexOf(0) + 1;
  const runs = groupOfColumn.every((group, column) => group === Math.floor(column / size));
  return runs && Math.ceil(columns / size) === groups ? size : undefined;
}

const indexBits = (groups: number): number => Math.max(1, Math.ceil(Math.log2(groups)));

/** Bits per column that say which group it is in. @internal */
export function columnGroupBits(grid: QuantizationGrid, columns: number): number {
  return groupSize(grid, columns) === undefined ? indexBits(groupCount(grid)) : 0;
}

/** Tensors of a grid by the part of their name behind `NAME.`. @internal */
export function* gridTensors({ rows, columns, grid }: CodedWeights): Generator<[string, SafetensorsEntry]> {
  const groups = groupCount(grid);
  const shape = grid.kind === 'range' && groups === 1 ? [rows] : [rows, groups];
  if (grid.kind === 'range') {
    yield ['range', groups === 1 ? floats(grid.range, shape) : encodeRanges(grid.range, shape)];
    yield ['ratio', groups === 1 ? floats(grid.ratio, shape) : encodeRatios(grid.ratio, shape)];
  } else if (grid.kind === 'scale') {
    yield ['scale', floats(grid.scale, shape)];
    yield ['zero', encodeZeros(grid.zero, shape)];
  } else {
    yield ['low', floats(grid.low, shape)];
    yield ['high', floats(grid.high, shape)];
  }
  const bits = columnGroupBits(grid, columns);
  if (bits > largestIndexBits) {
    yield ['group', { dtype: 'I32', shape: [columns], data: grid.groupOfColumn ?? new Int32Array(columns) }];
  } else if (bits > 0) {
    const index = Uint16Array.from(grid.groupOfColumn ?? []);
    const data = packBits(index, { rows: 1, columns }, bits);
    yield ['group_index', { dtype: 'U8', shape: [data.length], data }];
  }
}

/** What is known of a grid before its tensors are read. @internal */
export interface GridHeader {
  rows: number;
  columns: number;
  groups: number;
  /** Columns of a group; absent in files of versions 1 and 2, whose runs are as equal as can be. */
  groupSize?: number;
  grid: QuantizationGrid['kind'];
}

/** Groups of columns: a bit stream or whole numbers where they are no runs. */
function readGroups(
  file: SafetensorsFile,
  name: string,
  { columns, groups, groupSize: size }: GridHeader,
  bytes: TensorBytes,
): Int32Array {
  if (file.has(`${name}.group_index`)) {
    const bits = indexBits(groups);
    const packed = bytes('group_index', ['U8'], Math.ceil((columns * bits) / 8));
    return Int32Array.from(unpackBits(packed, { rows: 1, columns }, bits));
  }
  if (file.has(`${name}.group`)) return new Int32Array(bytes('group', ['I32'], columns).buffer);
  return runsOf(columns, size ?? Math.ceil(columns / groups));
}

/** What `gridTensors` wrote. Throws `ERR_INVALID_FORMAT`. @internal */
export function readGrid(
  file: SafetensorsFile,
  name: string,
  header: GridHeader,
  bytes: TensorBytes,
): QuantizationGrid {
  const { rows, groups, grid } = header;
  const count = rows * groups;
  const numbers = (part: string): Float32Array => new Float32Array(bytes(part, ['F32'], count).buffer);
  if (grid === 'range' && groups === 1) return { kind: 'range', range: numbers('range'), ratio: numbers('ratio') };
  const groupOfColumn = readGroups(file, name, header, bytes);
  if (groupOfColumn.some((group) => group < 0 || group >= groups)) throw invalidFormat('file', 'a group out of range');
  if (grid === 'range') {
    bytes('range', ['BF16', 'F32'], count);
    const stored = bytes('ratio', ['U8', 'F32'], count);
    const short = file.info(`${name}.ratio`).dtype === 'U8';
    const ratio = short ? Float32Array.from(stored, ratioOf) : new Float32Array(stored.buffer);
    return { kind: 'range', groups, range: file.float32(`${name}.range`), ratio, groupOfColumn };
  }
  if (grid === 'ternary') return { kind: 'ternary', groups, low: numbers('low'), high: numbers('high'), groupOfColumn };
  bytes('zero', ['U8', 'I16', 'F32'], count);
  return { kind: 'scale', groups, scale: numbers('scale'), zero: file.float32(`${name}.zero`), groupOfColumn };
}
