// Rounding of weight matrices such that the largest output error of each row over calibration tokens is small.
import { homes } from '../runtime/errors';
import { type DenseMatrix, matrix } from '../runtime/matrix';
import { availableMemory } from '../runtime/memory';
import type { NativeRun } from '../runtime/native';
import { type RunOptions, requireBackend, runAsync, runMembers } from '../runtime/run';
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
import { type NativeRounding, nativeDmmv } from './native';
import type { Numbers } from './problem';

/** A grid for each row: value = offsets[row] + steps[row] * code. */
export interface RowGrids {
  /** Value of code 0 of each row. */
  offsets: Numbers;
  /** Distance of neighbouring levels of each row, positive. */
  steps: Numbers;
}

/** Where the time of a run went, in seconds. */
export interface RoundingSeconds {
  /** Second moment, lattice reduction and moves, which all rows share. */
  readonly preparation: number;
  /** Starts of all rows. */
  readonly starts: number;
  /** The search. */
  readonly search: number;
}

/** A weight matrix and what it is rounded against. */
export interface WeightsToRound {
  /** rows x columns weights, row after row. */
  weights: Float64Array | Float32Array | readonly number[];
  /** Output rows. */
  rows: number;
  /** Inputs. */
  columns: number;
  /** Calibration activations, tokens x columns: a dense matrix, or their numbers token after token. */
  activations: DenseMatrix | Float64Array | Float32Array | readonly number[];
  /** Bits of a code, 1 to 16: each row has 2^bits equally spaced levels from its least to its largest free weight. */
  bits: number;
  /** Grids of your own instead. */
  grids?: RowGrids;
  /** Weights of at least this magnitude keep their value; default: none does. */
  outliers?: number;
  /** rows x columns flags, not 0 where a weight keeps its value; beside `outliers`. */
  fixed?: Uint8Array;
  /** rows x columns codes to start from, beside nearest levels, GPTQ and nearest plane; ignored on fixed weights. */
  initial?: Int32Array | readonly number[];
}

/** Options of {@link roundWeights}. */
export interface RoundWeightsOptions extends RunOptions<Int32Array> {
  /**
   * Sweeps of one annealing run over all moves; one round of runs is made. Default: 64 without a time limit; with
   * one, rounds of 4, 8, 16, ... sweeps until it ends.
   */
  sweeps?: number;
  /** Annealing runs of each row in a round; default: 1, or more where there are fewer than 8 rows. */
  attempts?: number;
  /** `'unit'`: single weights; `'lattice'`: also reduced integer directions; `'auto'`: lattice up to 1024 columns. */
  moves?: 'auto' | 'unit' | 'lattice';
  /** mu of the objective max |error| + mu ||error||_2 of a row; default 0. */
  l2Weight?: number;
  /** Refuse rows whose ||error||_2 is above (1 + l2Guard) times that of their start; default: no guard. */
  l2Guard?: number;
  /** Also start from GPTQ with reweighted tokens: five factorisations for every row; default false. */
  reweighted?: boolean;
  /** Damping of the second moment of the activations, as a part of the mean of its diagonal; default 0.01. */
  damping?: number;
  /** Bytes that large allocations may take; default: what is free. */
  memoryLimitBytes?: number;
}

/** A rounded weight matrix. */
export interface RoundedWeights {
  /** rows x columns codes, row after row; -1 where a weight keeps its value. */
  readonly codes: Int32Array;
  /** Value of code 0 of each row. */
  readonly offsets: Float64Array;
  /** Distance of neighbouring levels of each row; 0 where no weight is free or all free ones are equal. */
  readonly steps: Float64Array;
  /** rows x columns rounded weights. */
  readonly values: Float64Array;
  /** max_k |X_k (q - w)| of each row, recomputed from scratch in float64. */
  readonly errors: Float64Array;
  /** ||X (q - w)||_2 of each row. */
  readonly norms: Float64Array;
  /** `errors` of rounding every weight to its nearest level. */
  readonly nearestErrors: Float64Array;
  /** `errors` of GPTQ with columns by falling diagonal. */
  readonly gptqErrors: Float64Array;
  /** How the run ended. */
  readonly status: 'done' | 'time' | 'cancelled';
  /** Rounds completed. */
  readonly rounds: number;
  /** Moves tried. */
  readonly proposals: number;
  /** Moves of the dictionary, each with its reverse. */
  readonly moves: number;
  /** Seconds per phase. */
  readonly seconds: RoundingSeconds;
}

const anything: Schema<unknown> = (value) => value;
const extent = integer({ min: 1, max: 2 ** 31 - 1 });
const real = ['Float64Array', 'Float32Array'] as const;

function flags(length: number): Schema<Uint8Array> {
  return (value, argument) => {
    if (Object.prototype.toString.call(value) !== '[object Uint8Array]') {
      fail('ERR_INVALID_ARG_TYPE', argument, 'a Uint8Array', value);
    }
    if ((value as Uint8Array).length !== length) {
      fail('ERR_SHAPE_MISMATCH', argument, `a Uint8Array of length ${length} (one flag per weight)`, value);
    }
    return value as Uint8Array;
  };
}

interface Activations {
  data: Float64Array | Float32Array;
  tokens: number;
  byColumn: boolean;
}

function activationsSchema(columns: number): Schema<Activations> {
  return (value, argument) => {
    const shape = (tokens: number): void => {
      if (!Number.isInteger(tokens) || tokens < 1) {
        fail('ERR_SHAPE_MISMATCH', argument, `whole tokens of ${columns} columns, at least one`, value);
      }
    };
    if (typeof value === 'object' && value !== null && 'kind' in value) {
      const dense = matrix(value, argument);
      if (dense.kind !== 'dense') fail('ERR_INVALID_ARG_TYPE', argument, 'a dense matrix', value);
      if (dense.columns !== columns) fail('ERR_SHAPE_MISMATCH', argument, `a matrix of ${columns} columns`, value);
      shape(dense.rows);
      return { data: dense.data, tokens: dense.rows, byColumn: dense.order === 'column' };
    }
    const data = typedArray(real)(value, argument);
    shape(data.length / columns);
    return { data, tokens: data.length / columns, byColumn: false };
  };
}

const gridsMembers = { offsets: anything, steps: anything };

function checkWeights(given: unknown): NativeRounding {
  const parts = parse(
    given,
    'layer',
    object({
      weights: anything,
      rows: extent,
      columns: extent,
      activations: anything,
      bits: integer({ min: 1, max: 16 }),
      grids: optional(object(gridsMembers)),
      outliers: optional(number({ above: 0 })),
      fixed: anything,
      initial: anything,
    }),
  );
  const { rows, columns, grids } = parts;
  const count = rows * columns;
  const weights = parse(parts.weights, 'layer.weights', typedArray(real, { length: count, per: 'rows * columns' }));
  const activations = parse(parts.activations, 'layer.activations', activationsSchema(columns));
  const perRow = typedArray(['Float64Array'], { length: rows, per: 'one per row' });
  let fixed = parse(parts.fixed, 'layer.fixed', optional(flags(count)));
  const { outliers } = parts;
  if (outliers !== undefined) {
    const given = fixed;
    fixed = Uint8Array.from(weights, (weight, k) => (Math.abs(weight) >= outliers || given?.[k] ? 1 : 0));
  }
  return {
    weights,
    rows,
    columns,
    activations: activations.data,
    tokens: activations.tokens,
    activationsByColumn: activations.byColumn,
    levels: 2 ** parts.bits,
    offsets: grids && parse(grids.offsets, 'layer.grids.offsets', perRow),
    steps: grids && parse(grids.steps, 'layer.grids.steps', perRow),
    fixed,
    initial: parse(
      parts.initial,
      'layer.initial',
      optional(typedArray(['Int32Array'], { length: count, per: 'rows * columns' })),
    ),
  };
}

const optionMembers = {
  ...runMembers,
  sweeps: withDefault(integer({ min: 1 }), 0),
  attempts: withDefault(integer({ min: 1, max: 65536 }), 0),
  moves: withDefault(oneOf(['auto', 'unit', 'lattice']), 'auto'),
  l2Weight: withDefault(number({ min: 0 }), 0),
  l2Guard: optional(number({ min: 0 })),
  reweighted: withDefault(boolean, false),
  damping: withDefault(number({ above: 0 }), 0.01),
  memoryLimitBytes: optional(number({ min: 0 })),
};

const argumentsAt = {
  ...homes({
    layer: ['weights', 'activations', 'fixed', 'initial', 'levels'],
    'layer.grids': ['offsets', 'steps'],
    options: ['l2Weight', 'l2Guard', 'damping', 'memoryLimitBytes'],
  }),
};

type NativeRounded = Omit<RoundedWeights, 'values'>;

function values(layer: NativeRounding, found: NativeRounded): Float64Array {
  return Float64Array.from(found.codes, (code, k) => {
    const row = Math.floor(k / layer.columns);
    if (code < 0) return layer.weights[k] as number;
    return (found.offsets[row] as number) + (found.steps[row] as number) * code;
  });
}

/**
 * Rounds every row of a weight matrix to 2^bits levels such that max_k |X_k (q - w)| over the tokens X_k is small.
 *
 * Rows are annealed in a p-norm over single weights and, up to 1024 columns, over the short integer directions of a
 * lattice-reduced basis of the activations, which all rows share. The result is never worse than nearest levels, GPTQ
 * or `initial`. The same seed gives the same bytes for any number of threads unless a time limit or an abort cuts the
 * run; `onProgress` gets the codes so far.
 *
 * @param layer    see {@link WeightsToRound}
 * @param options  see {@link RoundWeightsOptions}
 * @throws ERR_SHAPE_MISMATCH, ERR_NOT_FINITE, ERR_OUT_OF_RANGE  an array does not fit, is not finite, or a code is no level
 * @throws ERR_OUT_OF_MEMORY  more memory would be needed than `memoryLimitBytes`, before it is allocated
 * Cost: tokens columns^2 + columns^3 for what rows share; tokens moves operations a row and sweep.
 * Source: arXiv 2508.13437, section on quantisation; starts: GPTQ, arXiv 2210.17323.
 *
 * @example
 * const rounded = await dmmv.roundWeights({ weights, rows: 768, columns: 768, activations, bits: 3 }, { timeLimitMs: 60_000 });
 */
export async function roundWeights(layer: WeightsToRound, options: RoundWeightsOptions = {}): Promise<RoundedWeights> {
  const checked = checkWeights(layer);
  const given = parse(options, 'options', object(optionMembers));
  requireBackend(given.backend, 'weights are rounded on the CPU only');
  const search = {
    seed: given.seed,
    sweeps: given.sweeps,
    attempts: given.attempts,
    moves: given.moves,
    l2Weight: given.l2Weight,
    l2Guard: given.l2Guard,
    reweighted: given.reweighted,
    damping: given.damping,
    memoryLimitBytes: given.memoryLimitBytes ?? availableMemory(),
  };
  const start = (run: NativeRun): unknown => nativeDmmv.roundWeights(checked, search, run);
  const found = await runAsync<NativeRounded>(given, start, argumentsAt);
  return { ...found, values: values(checked, found) };
}
