// Quantisation of one layer: round to nearest, GPTQ and BAQ.
import { homes } from '../runtime/errors';
import type { NativeRun } from '../runtime/native';
import {
  type RunOptions,
  requireBackend,
  runAsync,
  runMembers,
  runSync,
  type SyncRunOptions,
  syncRunMembers,
} from '../runtime/run';
import {
  boolean,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { activationsSchema, type Hessian, hessianSchema } from './hessian';
import { type NativeLayer, type NativeLayerOptions, type NativeQuantizedLayer, nativeQuantize } from './native';
import { QuantizedLayer } from './quantized-layer';

/** What is quantised: y = W x, with what is known of x. */
export interface LayerInput {
  /** W, rows x columns, row-major; copied. */
  weights: Float32Array | readonly number[];
  /** Outputs. */
  rows: number;
  /** Inputs. */
  columns: number;
  /** Second moment of the inputs; a copy is taken at the call. Or `activations`; method `'rtn'` needs neither. */
  hessian?: Hessian;
  /** Inputs themselves, tokens x columns, row-major; copied. */
  activations?: Float32Array | readonly number[];
  /** Sequences in `activations`; default 1. */
  sequences?: number;
}

interface QuantizeMembers {
  /** `'rtn'`: round to nearest; `'gptq'`; `'baq'` (default): GPTQ with as many levels as each column is worth. */
  method?: 'rtn' | 'gptq' | 'baq';
  /** Bits per weight; default 4. A whole number from 1 to 8 but for BAQ. */
  averageBits?: number;
  /**
   * What `averageBits` speak of: `'codes'` (default) of log2(levels), as papers do, or `'stored'` of all that is kept,
   * so that `bitsPerWeight` of the result never exceeds them: codes as they are packed, ranges of rows and groups, levels
   * of columns. `'stored'` belongs to BAQ but for `'official'`.
   */
  budget?: 'codes' | 'stored';
  /**
   * How BAQ allocates: `'table'` (default) whole bits by measured tables, `'levels'` 28 numbers of levels by the same (36 with `maxBits: 10`),
   * `'int'` whole bits by a model, `'official'` as the published code does, its defects included (any number of levels,
   * the budget only on average, codes above 1000 destroyed).
   */
  mode?: 'official' | 'int' | 'table' | 'levels';
  /** Levels of each column instead of an allocation: method `'gptq'`, columns integers from 1 to 65536. */
  levels?: Uint32Array | Int32Array | readonly number[];
  /**
   * Columns that share a grid; default: all. A divisor of `columns` unless `allowTail`. In BAQ, but for `'official'`,
   * every row has a range for each group (16 bits, and 8 for where zero lies in it) whatever the bits of its columns.
   */
  groupSize?: number;
  /** The last group, which may be the only one, may be smaller; default false. */
  allowTail?: boolean;
  /**
   * Grids of groups from the original weights, in stored order; default false: when the pass reaches a group (BAQ: from
   * weights as the pass before had corrected them there).
   */
  staticGroups?: boolean;
  /** A group's grid sees all corrections so far (default), or only those of earlier blocks as the published code. */
  exactGroups?: boolean;
  /** Columns of the blocks that `exactGroups: false` speaks of; default 128. */
  blockSize?: number;
  /**
   * true: from -max |w| to max |w|; `'official'`: as published, rows without negative weights start at 0. Not in BAQ's mode
   * `'official'`, whose code ignores it.
   */
  symmetric?: boolean | 'official';
  /**
   * Shrink ranges to the least sum |w - q|^2.4 (`'mse'`) or sum H_jj (w - q)^2 (`'hessian'`); default `'none'`. In BAQ
   * before the first pass, for the bits that all columns could have; not in mode `'official'`.
   */
  search?: 'none' | 'mse' | 'hessian';
  /** Three values a row: smallest, 0, largest; `averageBits` plays no part. */
  ternary?: boolean;
  /** One grid for the whole layer. */
  perTensor?: boolean;
  /** Columns by falling curvature instead of stored order; default false. */
  actOrder?: boolean;
  /** Part of the mean of the diagonal that is added to it; default 0.01. Grows where the factorisation fails. */
  damping?: number;
  /**
   * Times that tables are measured and the budget is solved; default 3. In layers of more than 512 rows and at
   * least 512 columns these tables are measured on an eighth of the rows (256 at least), but the last one of a run on all.
   */
  rounds?: number;
  /**
   * Further rounds of tables, before each of which every row's range shrinks to what fits its weights best; the best pass
   * of all rounds counts. Default 3.
   */
  rangeFits?: number;
  /** Most bits of a column in BAQ, 1 to 8, or to 10 in mode `'levels'` (codes of 16 bits where that is used); default 8. */
  maxBits?: number;
  /** Sweeps of descent on single codes; default 3 for BAQ but for `'official'`, else 0. */
  coordinateDescent?: number;
  /** Fit a scale to each row at the end; default true for BAQ but for `'official'`, else false. */
  refitScales?: boolean;
  /** Compute `energy` of the result, which takes as long as a sweep; default false. */
  measureEnergy?: boolean;
}

/** Options of {@link quantizeLayer}. */
export interface QuantizeOptions extends RunOptions, QuantizeMembers {}

/** Options of {@link quantizeLayerSync}. */
export interface QuantizeSyncOptions extends SyncRunOptions, QuantizeMembers {}

const budgets = ['codes', 'stored'] as const;
const methods = ['rtn', 'gptq', 'baq'] as const;
const modes = ['official', 'int', 'table', 'levels'] as const;
const searches = ['none', 'mse', 'hessian'] as const;

const levelsSchema: Schema<Int32Array> = (value, argument) => {
  const isUnsigned = Object.prototype.toString.call(value) === '[object Uint32Array]';
  const given = typedArray(['Int32Array'])(isUnsigned ? [...(value as Uint32Array)] : value, argument);
  given.forEach((count, column) => integer({ min: 1, max: 65536 })(count, `${argument}[${column}]`));
  return given;
};

const symmetricSchema: Schema<number> = (value, argument) => {
  if (typeof value !== 'boolean' && value !== 'official') {
    fail('ERR_INVALID_ARG_TYPE', argument, "true, false or 'official'", value);
  }
  return value === 'official' ? 2 : Number(value);
};

const members = {
  method: withDefault(oneOf(methods), 'baq'),
  averageBits: withDefault(number({ above: 0, max: 8 }), 4),
  budget: withDefault(oneOf(budgets), 'codes'),
  mode: withDefault(oneOf(modes), 'table'),
  levels: optional(levelsSchema),
  groupSize: optional(integer({ min: 1 })),
  allowTail: withDefault(boolean, false),
  staticGroups: withDefault(boolean, false),
  exactGroups: withDefault(boolean, true),
  blockSize: withDefault(integer({ min: 1 }), 128),
  symmetric: withDefault(symmetricSchema, 0),
  search: withDefault(oneOf(searches), 'none'),
  ternary: withDefault(boolean, false),
  perTensor: withDefault(boolean, false),
  actOrder: withDefault(boolean, false),
  damping: withDefault(number({ min: 0 }), 0.01),
  rounds: withDefault(integer({ min: 1, max: 100 }), 3),
  rangeFits: withDefault(integer({ min: 0, max: 100 }), 3),
  maxBits: withDefault(integer({ min: 1, max: 10 }), 8),
  coordinateDescent: optional(integer({ min: 0, max: 1000 })),
  refitScales: optional(boolean),
  measureEnergy: withDefault(boolean, false),
};

type Checked = { [Key in keyof typeof members]: ReturnType<(typeof members)[Key]> };

function nativeOptions(options: Checked): NativeLayerOptions {
  const refined = options.method === 'baq' && options.mode !== 'official';
  return {
    method: methods.indexOf(options.method),
    mode: modes.indexOf(options.mode),
    symmetry: options.symmetric,
    search: searches.indexOf(options.search),
    averageBits: options.averageBits,
    budget: budgets.indexOf(options.budget),
    damping: options.damping,
    ternary: options.ternary,
    perTensor: options.perTensor,
    staticGroups: options.staticGroups,
    exactGroups: options.exactGroups,
    allowTail: options.allowTail,
    actOrder: options.actOrder,
    refitScales: options.refitScales ?? refined,
    measureEnergy: options.measureEnergy,
    groupSize: options.groupSize ?? 0,
    blockSize: options.blockSize,
    rounds: options.rounds,
    rangeFits: options.rangeFits,
    sweeps: options.coordinateDescent ?? (refined ? 3 : 0),
    maxBits: options.maxBits,
    levels: options.levels,
  };
}

const shape = integer({ min: 1, max: 2 ** 31 - 1 });

const layerSchema: Schema<NativeLayer> = (value, argument) => {
  const { rows, columns } = object({
    weights: (weights: unknown) => weights,
    rows: shape,
    columns: shape,
    hessian: (hessian: unknown) => hessian,
    activations: (activations: unknown) => activations,
    sequences: (sequences: unknown) => sequences,
  })(value, argument);
  const layer = object({
    weights: typedArray(['Float32Array'], { length: rows * columns, per: 'rows x columns' }),
    rows: shape,
    columns: shape,
    hessian: optional(hessianSchema),
    activations: optional(activationsSchema(columns)),
    sequences: withDefault(integer({ min: 1 }), 1),
  })(value, argument);
  if (layer.hessian !== undefined && layer.activations !== undefined) {
    fail('ERR_INVALID_ARG_VALUE', `${argument}.activations`, 'absent where `hessian` is given', layer.activations);
  }
  if (layer.hessian !== undefined && layer.hessian.columns !== columns) {
    fail('ERR_SHAPE_MISMATCH', `${argument}.hessian`, `a Hessian of ${columns} columns`, layer.hessian.columns);
  }
  return { ...layer, hessian: layer.hessian?.handle };
};

const argumentsAt = homes({
  options: Object.keys(members),
  layer: ['weights', 'rows', 'columns', 'hessian', 'activations', 'sequences'],
});

function start(
  layer: NativeLayer,
  options: Checked & { backend: 'auto' | 'cpu' | 'cuda' },
): (run: NativeRun) => unknown {
  requireBackend(options.backend, 'layers are quantised on the CPU only');
  const native = nativeOptions(options);
  return (run) => nativeQuantize.quantizeLayer(layer, native, run);
}

/**
 * Chooses a code for each weight such that the layer's output changes little: 1/2 tr((W - Q) Hd (W - Q)^T) is made
 * small, Hd being the damped second moment of the inputs.
 *
 * The same input gives the same bytes for any number of threads unless a time limit or an abort cuts the run.
 *
 * @param layer    weights, rows x columns, and their inputs
 * @param options  see {@link QuantizeOptions}; `seed` plays no part
 * @throws ERR_OUT_OF_RANGE, ERR_SHAPE_MISMATCH, ERR_NOT_FINITE, ERR_INVALID_ARG_VALUE  before work starts
 * @throws ERR_SINGULAR  the Hessian is not positive definite with ten thousand times the damping
 * Cost: 2/3 columns^3 and rows columns^2 per pass (BAQ: `rounds` + `rangeFits` + 1 passes, the first ones on few rows).
 * Sources: GPTQ, arXiv 2210.17323; BAQ, arXiv 2506.05664.
 */
export async function quantizeLayer(layer: LayerInput, options: QuantizeOptions = {}): Promise<QuantizedLayer> {
  const checkedLayer = parse(layer, 'layer', layerSchema);
  const checked = parse(options, 'options', object({ ...runMembers, ...members }));
  const found = await runAsync<NativeQuantizedLayer>(checked, start(checkedLayer, checked), argumentsAt);
  return new QuantizedLayer(checkedLayer.rows, checkedLayer.columns, found, checked.measureEnergy);
}

/** The synchronous twin of {@link quantizeLayer}: blocks the calling thread. */
export function quantizeLayerSync(layer: LayerInput, options: QuantizeSyncOptions = {}): QuantizedLayer {
  const checkedLayer = parse(layer, 'layer', layerSchema);
  const checked = parse(options, 'options', object({ ...syncRunMembers, ...members }));
  const found = runSync<NativeQuantizedLayer>(checked, start(checkedLayer, checked), argumentsAt);
  return new QuantizedLayer(checkedLayer.rows, checkedLayer.columns, found, checked.measureEnergy);
}
