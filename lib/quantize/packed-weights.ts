/// <reference lib="esnext.disposable" preserve="true" />
// Quantised weights ready to be multiplied with: codes stay packed, no matrix of floats is made.
import { callNative, makeError } from '../runtime/errors';
import { fail, integer, object, oneOf, optional, parse, type Schema, typedArray } from '../runtime/validate';
import type { CodedWeights, QuantizationGrid } from './coded-weights';
import { type NativePacked, nativeQuantize } from './native';
import { wholeNumbers } from './packing';

/** Options of {@link pack}. */
export interface PackOptions {
  /** Threads to use; default: the processors this process may run on, at most 16. */
  threads?: number;
}

/** Options of {@link PackedWeights.multiply}. */
export interface MultiplyOptions {
  /** Number of activation vectors in `x`, one after the other; default 1. */
  tokens?: number;
  /** Threads to use; default: the processors this process may run on, at most 16. The result does not depend on it. */
  threads?: number;
}

const threadsSchema = optional(integer({ min: 1, max: 256 }));
const packOptions = object({ threads: threadsSchema });
const multiplyOptions = object({ tokens: optional(integer({ min: 0, max: 2 ** 31 - 1 })), threads: threadsSchema });
const extent = integer({ min: 0, max: 2 ** 31 - 1 });
const anything: Schema<unknown> = (value) => value;

const floats = (length: number, per: string): Schema<Float32Array> => typedArray(['Float32Array'], { length, per });

function gridSchema(rows: number, columns: number): Schema<QuantizationGrid> {
  return (value, argument) => {
    if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'a grid', value);
    const kind = parse((value as { kind?: unknown }).kind, `${argument}.kind`, oneOf(['range', 'scale', 'ternary']));
    const given = (value as { groups?: unknown }).groups;
    const oneGroup = kind === 'range' && given === undefined;
    const groups = oneGroup ? 1 : parse(given, `${argument}.groups`, integer({ min: 1 }));
    const perGroup = floats(rows * groups, 'rows x groups');
    const groupOfColumn = typedArray(['Int32Array'], { length: columns, per: 'one per column' });
    if (kind === 'range') {
      const members = { kind: anything, groups: anything, range: perGroup, ratio: perGroup };
      if (oneGroup) {
        const grid = object(members)(value, argument);
        return { kind, range: grid.range, ratio: grid.ratio };
      }
      const grid = object({ ...members, groupOfColumn })(value, argument);
      return { kind, groups, range: grid.range, ratio: grid.ratio, groupOfColumn: grid.groupOfColumn };
    }
    const common = { kind: anything, groups: anything, groupOfColumn };
    if (kind === 'scale') {
      const grid = object({ ...common, scale: perGroup, zero: perGroup })(value, argument);
      return { kind, groups, scale: grid.scale, zero: grid.zero, groupOfColumn: grid.groupOfColumn };
    }
    const grid = object({ ...common, low: perGroup, high: perGroup })(value, argument);
    return { kind, groups, low: grid.low, high: grid.high, groupOfColumn: grid.groupOfColumn };
  };
}

/** Shapes and types; native code checks what the numbers say. */
const codedWeights: Schema<CodedWeights> = (value, argument) => {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'quantised weights', value);
  // A quantised layer has more members than these.
  const given = value as Partial<Record<keyof CodedWeights, unknown>>;
  const rows = parse(given.rows, `${argument}.rows`, extent);
  const columns = parse(given.columns, `${argument}.columns`, extent);
  return {
    rows,
    columns,
    codes: wholeNumbers(['Uint8Array', 'Uint16Array'], rows * columns)(given.codes, `${argument}.codes`),
    levels: wholeNumbers(['Uint32Array'], columns)(given.levels, `${argument}.levels`),
    grid: gridSchema(rows, columns)(given.grid, `${argument}.grid`),
  };
};

/** Packed weights held by native code. Made by {@link pack}. */
export class PackedWeights {
  /** Outputs of the layer. */
  readonly rows: number;
  /** Inputs of the layer. */
  readonly columns: number;
  /** Bytes held: codes with their padding, grids, the order of the columns. */
  readonly byteLength: number;
  readonly #handle: NativePacked;
  #disposed = false;

  /** @internal */
  constructor(handle: NativePacked, rows: number, columns: number) {
    this.#handle = handle;
    this.rows = rows;
    this.columns = columns;
    this.byteLength = nativeQuantize.packedBytes(handle);
  }

  /** Bits held per weight, everything counted; NaN when there are no weights. */
  get bitsPerWeight(): number {
    return (8 * this.byteLength) / (this.rows * this.columns);
  }

  /**
   * W x, for each of `tokens` vectors: Y = X W^T.
   *
   * Computed on the packed codes by looking up sums of four activations (arXiv 2407.00088, with float32 tables). It
   * differs from the product with `dequantize()` by at most
   * 4 (columns / 32 + d + 24) 2^-24 R_i (1 + |ratio_i|) sum_j |x_j| to first order, R_i the range of row i and d how many
   * different numbers of levels there are; for grids with scales R_i (1 + |ratio_i|) is the largest
   * scale * (levels - 1 + |zero|), and columns / 32 + d the blocks, widths and groups together.
   *
   * @param x        tokens x columns activations, row-major
   * @param options  `tokens`, default 1; `threads`
   * @returns        tokens x rows; the same bits for any number of threads and whatever tokens are beside it
   * @throws ERR_SHAPE_MISMATCH  `x` does not have tokens * columns elements
   * @throws ERR_NOT_FINITE      `x` holds NaN or an infinity
   * @throws ERR_DISPOSED        after `dispose`
   * Cost: time goes with the packed bytes for every width alike; they are read once for up to 8 tokens.
   */
  multiply(x: Float32Array, options: MultiplyOptions = {}): Float32Array {
    const { tokens = 1, threads = 0 } = parse(options, 'options', multiplyOptions);
    const { handle } = this;
    const checked = parse(x, 'x', floats(tokens * this.columns, 'tokens * columns'));
    return callNative(() => nativeQuantize.multiplyPacked(handle, checked, tokens, threads));
  }

  /** The values, rows x columns in the original order of columns: the same bits as the formulas of the grid. */
  dequantize(): Float32Array {
    const { handle } = this;
    return callNative(() => nativeQuantize.dequantizePacked(handle, 0));
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native memory now. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeQuantize.disposePacked(this.#handle);
  }

  /** For `using`: the same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  get handle(): NativePacked {
    if (this.#disposed) throw makeError('ERR_DISPOSED', 'weights', '`weights` has been disposed');
    return this.#handle;
  }
}

/**
 * Packs coded weights for multiplication; everything is checked and copied, so the caller's arrays may change
 * afterwards. Columns are sorted by group and falling width and held as bit planes in blocks of 32; a column of one level takes
 * no memory.
 *
 * @param weights  codes, levels and grid of a layer
 * @param options  `threads`
 * @throws ERR_SHAPE_MISMATCH     an array does not fit rows, columns or groups
 * @throws ERR_OUT_OF_RANGE       levels outside 1 to 65536 (3 for ternary grids), a code not below its column's levels, a
 *                                group that is not there, a zero point beyond +-2^20
 * @throws ERR_NOT_FINITE         NaN or an infinity in the grid
 * @throws ERR_INVALID_ARG_VALUE  a range or scale that is not positive, a zero that is not whole
 * Cost: one pass over the codes.
 */
export function pack(weights: CodedWeights, options: PackOptions = {}): PackedWeights {
  const checked = parse(weights, 'weights', codedWeights);
  const { threads = 0 } = parse(options, 'options', packOptions);
  const handle = callNative(() => nativeQuantize.createPacked(checked, threads));
  return new PackedWeights(handle, checked.rows, checked.columns);
}
