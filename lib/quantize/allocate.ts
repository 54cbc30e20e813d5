// How many bits each column, or each layer, should get.
import { callNative, homes, makeError } from '../runtime/errors';
import type { RunOptions } from '../runtime/run';
import { arrayOf, integer, number, object, oneOf, optional, parse, typedArray, withDefault } from '../runtime/validate';
import { type KnapsackSolution, solveKnapsack } from './knapsack';
import { nativeQuantize } from './native';
import type { Numbers } from './table';

/** Which kind of bits are given; see {@link allocateBits}. */
export type AllocationMode = 'continuous' | 'int' | 'levels' | 'official';

/** Options of {@link allocateBits}. */
export interface AllocationOptions {
  /** Mean number of bits, at least 0 and at most `maxBits`. */
  averageBits: number;
  /** Most bits a column may have; default 8. A whole number for `'int'`; no part in `'official'`. */
  maxBits?: number;
  /** Default `'int'`. */
  mode?: AllocationMode;
}

/** Result of {@link allocateBits}. */
export interface BitAllocation {
  /** Bits of each column; log2 of the levels where those are given. */
  readonly bits: Float64Array;
  /** Levels of each column in the modes `'levels'` and `'official'`, otherwise null. */
  readonly levels: Int32Array | null;
  /** Mean of `bits`: the truth, not what was asked for. */
  readonly achievedBits: number;
  /** sum_j c_j 4^-R_j. */
  readonly objective: number;
  /** Objective minus a lower bound for the same kind of bits: 0 when proven optimal. */
  readonly gap: number;
}

const argumentsAt = homes({ options: ['averageBits', 'maxBits'] });

/**
 * Bits R_j that minimise sum_j c_j 4^-R_j for a given mean.
 *
 * - `'continuous'`: real numbers in [0, maxBits], reverse water-filling.
 * - `'int'`: whole numbers, optimal, sum at most floor(averageBits N + 1e-9).
 * - `'levels'`: 1 to 256 levels from a list of 28, to 1024 from 36 where `maxBits` is 10 or more; costs counted in 1/1024 bit.
 * - `'official'`: what the code of BAQ does with measured losses; it keeps no budget, see `achievedBits`.
 *
 * Columns of sensitivity 0 get no bits and leave their share to the others.
 *
 * @param sensitivities  c_j >= 0, N finite numbers; measured losses for `'official'`
 * @throws ERR_OUT_OF_RANGE  `averageBits` lies outside [0, maxBits], or a sensitivity is negative
 * Cost: N log N. Source: arXiv 2506.05664; Cover, Thomas, Elements of Information Theory, section 10.3.
 */
export function allocateBits(sensitivities: Numbers, options: AllocationOptions): BitAllocation {
  const c = parse(sensitivities, 'sensitivities', typedArray(['Float64Array']));
  const { averageBits, maxBits, mode } = parse(
    options,
    'options',
    object({
      averageBits: number({ min: 0 }),
      maxBits: withDefault(number({ min: 0, max: 30 }), 8),
      mode: withDefault(oneOf(['continuous', 'int', 'levels', 'official']), 'int'),
    }),
  );
  if (mode === 'int') parse(maxBits, 'options.maxBits', integer());
  const found = callNative(() => nativeQuantize.allocateBits(c, averageBits, maxBits, mode), argumentsAt);
  return { ...found, levels: found.levels.length === 0 ? null : found.levels };
}

/** One layer of {@link allocateAcrossLayers}. */
export interface LayerOptions {
  /** Outputs of the layer. */
  rows: number;
  /** Inputs of the layer. */
  columns: number;
  /** Loss of the layer at each of the bit widths, K finite numbers. */
  losses: Numbers;
  /** What a unit of this layer's loss is worth; default 1. */
  importance?: number;
  /** Columns that share a scale; default: all. */
  groupSize?: number;
}

/** Options of {@link allocateAcrossLayers}. */
export interface AcrossLayersOptions extends RunOptions {
  /** Bit widths to choose from, K whole numbers in 0 .. 16. */
  bits: readonly number[];
  /** Stored bits per weight over all layers: codes, side information and padding together. */
  averageBits: number;
  /** Bits of one stored scale; default 16. */
  scaleBits?: number;
  /** Bits of one stored zero point; default: as many as a code has. */
  zeroBits?: number;
  /** The codes of a row are padded to a multiple of so many bits; default 32. */
  rowAlignment?: number;
}

/** Result of {@link allocateAcrossLayers}. */
export interface LayerAllocation {
  /** Bit width of each layer. */
  readonly bits: Int32Array;
  /** Index of that width in `options.bits`. */
  readonly choices: Int32Array;
  /** Stored bits per weight, everything counted. */
  readonly achievedBits: number;
  /** Bits of all codes, of scales and zero points, and of padding. */
  readonly storage: {
    /** Bits of codes. */
    readonly codes: number;
    /** Bits of grids and levels. */
    readonly sideInformation: number;
    /** Bits of padding. */
    readonly padding: number;
  };
  /** sum of importance times loss. */
  readonly loss: number;
  /** Loss minus a proven lower bound. */
  readonly gap: number;
}

interface Storage {
  codes: number;
  sideInformation: number;
  padding: number;
}

/**
 * Chooses one bit width per layer such that the weighted sum of measured losses is least and everything that is stored
 * fits into the budget. A layer of 0 bits stores nothing.
 *
 * @throws ERR_OUT_OF_RANGE  the budget is smaller than the smallest storage (the message says how much that is)
 * Source: specs of this package (quantisation, section 5.6); the solver is {@link solveKnapsack}.
 */
export async function allocateAcrossLayers(
  layers: readonly LayerOptions[],
  options: AcrossLayersOptions,
): Promise<LayerAllocation> {
  const { bits, averageBits, scaleBits, zeroBits, rowAlignment, ...run } = options;
  const checked = parse(
    { bits, averageBits, scaleBits, zeroBits, rowAlignment },
    'options',
    object({
      bits: arrayOf(integer({ min: 0, max: 16 }), { min: 1 }),
      averageBits: number({ min: 0 }),
      scaleBits: withDefault(integer({ min: 0, max: 64 }), 16),
      zeroBits: optional(integer({ min: 0, max: 64 })),
      rowAlignment: withDefault(integer({ min: 1, max: 4096 }), 32),
    }),
  );
  const extent = integer({ min: 1, max: 2 ** 31 - 1 });
  const parsed = parse(
    layers,
    'layers',
    arrayOf(
      object({
        rows: extent,
        columns: extent,
        losses: typedArray(['Float64Array'], { length: checked.bits.length, per: 'one per bit width' }),
        importance: withDefault(number({ min: 0 }), 1),
        groupSize: optional(extent),
      }),
      { min: 1 },
    ),
  );
  const storage = parsed.map(({ rows, columns, groupSize = columns }) =>
    checked.bits.map((width): Storage => {
      if (width === 0) return { codes: 0, sideInformation: 0, padding: 0 };
      const codes = rows * columns * width;
      const padded = rows * Math.ceil((columns * width) / checked.rowAlignment) * checked.rowAlignment;
      const sideInformation = rows * Math.ceil(columns / groupSize) * (checked.scaleBits + (checked.zeroBits ?? width));
      return { codes, sideInformation, padding: padded - codes };
    }),
  );
  const weights = parsed.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const found = await spendAcrossLayers(
    {
      values: parsed.map(({ losses, importance }) => Array.from(losses, (loss) => loss * importance)),
      bits: storage.map((layer) =>
        layer.map(({ codes, sideInformation, padding }) => codes + sideInformation + padding),
      ),
      weights,
      averageBits: checked.averageBits,
    },
    'options.averageBits',
    run,
  );
  const total: Storage = { codes: 0, sideInformation: 0, padding: 0 };
  for (const [i, choice] of found.choices.entries()) {
    const chosen = (storage[i] as Storage[])[choice] as Storage;
    total.codes += chosen.codes;
    total.sideInformation += chosen.sideInformation;
    total.padding += chosen.padding;
  }
  return {
    bits: found.choices.map((choice) => checked.bits[choice] as number),
    choices: found.choices,
    achievedBits: found.cost / weights,
    storage: total,
    loss: found.value,
    gap: found.gap,
  };
}

/**
 * One option for each layer with the smallest sum of `values` of which all `bits` (whole numbers) together are at most
 * `averageBits` per weight. `argument` is what the user calls the budget.
 *
 * @throws ERR_OUT_OF_RANGE  the cheapest options take more: the message says how much
 * @internal
 */
export async function spendAcrossLayers(
  problem: {
    values: readonly (readonly number[])[];
    bits: readonly (readonly number[])[];
    weights: number;
    averageBits: number;
  },
  argument: string,
  run: RunOptions,
): Promise<KnapsackSolution> {
  const { values, bits, weights, averageBits } = problem;
  const budget = Math.floor(weights * averageBits + 1e-6);
  if (!Number.isSafeInteger(budget)) {
    throw makeError('ERR_OUT_OF_RANGE', argument, `\`${argument}\` asks for more than 2^53 bits`);
  }
  const least = bits.reduce((sum, options) => sum + Math.min(...options), 0);
  if (least > budget) {
    const enough = Math.ceil((1e4 * least) / weights) / 1e4;
    const message = `\`${argument}\` must be at least ${enough} here, because the cheapest choice stores at least ${least} bits in ${weights} weights with everything counted, got the number ${averageBits}`;
    throw makeError('ERR_OUT_OF_RANGE', argument, message);
  }
  return solveKnapsack({ values, costs: bits, budget }, run);
}
