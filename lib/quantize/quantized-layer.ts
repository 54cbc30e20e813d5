// The result of quantising a layer: codes on a grid, what they cost, and what they lose.
import type { CodedWeights, QuantizationGrid } from './coded-weights';
import type { SafetensorsEntry } from '../formats';
import { dequantize } from './dequantize';
import { type MultiplyOptions, pack, type PackedWeights } from './packed-weights';
import { layerTensors } from './storage';
import { columnGroupBits, gridTensors } from './stored-grid';
import { levelBits } from './stored-levels';
import type { NativeQuantizedLayer } from './native';

/** How a run ended: `'time'` and `'cancelled'` give the best complete pass, or rounding where there was none. */
export type QuantizeStatus = 'complete' | 'time' | 'cancelled';

/** Where the time of a run went, in seconds. */
export interface QuantizeSeconds {
  /** Accumulation, where activations were given. */
  readonly hessian: number;
  /** Damping and factorisation. */
  readonly factor: number;
  /** Finding of grids. */
  readonly grid: number;
  /** Passes over the columns. */
  readonly quantize: number;
  /** Measuring of tables and solving of budgets. */
  readonly allocate: number;
  /** Coordinate descent and scale refit. */
  readonly refine: number;
}

/** Bits a code takes when it is stored: whole bits, or mixed radix in words of 64 (`packRadix`) where that is shorter. */
function storedBits(levels: number): number {
  const bits = Math.log2(levels);
  return Math.min(Math.ceil(bits), 64 / Math.floor(64 / bits));
}

/** Rows of a table that must be stored: one where all are equal. */
function storedRows(values: Float32Array, rows: number): number {
  const width = values.length / rows;
  for (let at = width; at < values.length; at += 1) if (values[at] !== values[at % width]) return rows;
  return 1;
}

/** Bits of what is stored beside codes; zeros of whole width, as in other files. */
function sideBits(found: NativeQuantizedLayer, rows: number, columns: number): number {
  const { grid, levels } = found;
  const group = columnGroupBits(grid, columns) * columns;
  if (grid.kind === 'range') {
    const tensors = [...gridTensors({ ...found, rows, columns })];
    const bytes = tensors.reduce((sum, [part, { data }]) => {
      return part === 'group_index' ? sum : sum + (data as ArrayBufferView).byteLength;
    }, 0);
    return 8 * bytes + levelBits(levels) * columns + group;
  }
  const { groups } = grid;
  if (grid.kind === 'ternary') return 64 * groups * rows + group;
  const zeros = grid.zero.every((zero) => zero === grid.zero[0]) ? 0 : Math.ceil(Math.log2(levels[0] as number));
  return (32 + zeros) * groups * storedRows(grid.scale, rows) + group;
}

/** A quantised layer. Made by `quantizeLayer`. */
export class QuantizedLayer implements CodedWeights {
  /** Outputs of the layer. */
  readonly rows: number;
  /** Inputs of the layer. */
  readonly columns: number;
  /** rows x columns, row-major, columns in their original order. */
  readonly codes: Uint8Array | Uint16Array;
  /** Levels of each column. */
  readonly levels: Uint32Array;
  /** How codes become values. */
  readonly grid: QuantizationGrid;
  /** 1/2 tr((W - Q) Hd (W - Q)^T), Hd being the damped Hessian (the identity where none was given). */
  readonly loss: number;
  /** 1/2 tr(W Hd W^T), what the loss is relative to; null without `measureEnergy`. */
  readonly energy: number | null;
  /** Part of each column in the loss of the pass that made the codes, before refinement. */
  readonly columnLosses: Float64Array;
  /** Measured losses of a uniform pass, by which BAQ allocates (estimated of a sample of many rows); null for other methods. */
  readonly sensitivities: Float64Array | null;
  /** Geometric over arithmetic mean of the sensitivities: the loss that BAQ promises relative to uniform bits. */
  readonly gain: number;
  /** Damping really used, as a part of the mean of the diagonal: more than asked for where the matrix needed it. */
  readonly damping: number;
  /** Columns whose input is always 0, ascending; their weights are exact zeros but for method `'rtn'`. */
  readonly deadColumns: Uint32Array;
  /** Mean of log2(levels): what the budget is about. */
  readonly averageBits: number;
  /** Bits per weight with everything that is stored: codes as packed, grids, levels of columns, groups. */
  readonly bitsPerWeight: number;
  #packed: PackedWeights | undefined;
  /** How the run ended. */
  readonly status: QuantizeStatus;
  /** Seconds per phase. */
  readonly seconds: QuantizeSeconds;

  /** @internal */
  constructor(rows: number, columns: number, found: NativeQuantizedLayer, measured: boolean) {
    this.rows = rows;
    this.columns = columns;
    this.codes = found.codes;
    this.levels = found.levels;
    this.grid = found.grid;
    this.loss = found.loss;
    this.energy = measured ? found.energy : null;
    this.columnLosses = found.columnLosses;
    this.sensitivities = found.sensitivities;
    this.gain = found.gain;
    this.damping = found.damping;
    this.deadColumns = found.deadColumns;
    this.status = found.status;
    this.seconds = found.seconds;
    this.averageBits = found.levels.reduce((sum, count) => sum + Math.log2(count), 0) / columns;
    const stored = found.levels.reduce((sum, count) => sum + storedBits(count), 0) / columns;
    this.bitsPerWeight = stored + sideBits(found, rows, columns) / (rows * columns);
  }

  /** Q, rows x columns, row-major. */
  dequantize(): Float32Array {
    return dequantize(this);
  }

  /**
   * y = Q x by packed codes, for one or more tokens; see `PackedWeights.multiply` for shapes and rounding. The first
   * call packs the weights, which then stay in native memory as long as this object.
   */
  multiply(x: Float32Array, options: MultiplyOptions = {}): Float32Array {
    this.#packed ??= pack(this);
    return this.#packed.multiply(x, options);
  }

  /** Tensors that hold codes, levels and grid in the form of `writeQuantized`, by the part of their name behind `NAME.`. */
  toTensors(): Map<string, SafetensorsEntry> {
    return new Map(layerTensors(this, 'radix'));
  }
}
