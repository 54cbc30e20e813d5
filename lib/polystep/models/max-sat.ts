// MAX-SAT: as many satisfied clauses as possible, as an objective.
import type { Cnf } from '../../formats/dimacs';
import { callNative, homes } from '../../runtime/errors';
import {
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
} from '../../runtime/validate';
import type { OptimizerOptions } from '../options';
import { NativeObjective } from './native-objective';
import { type NativeObjectiveHandle, nativeObjectives } from './native';

/** Clauses of one length. */
export interface MaxSatClauses {
  /** Number of variables. */
  variables: number;
  /** DIMACS literals, clause after clause: variable v as v or, negated, as -v; variables count from 1. */
  clauses: Int32Array | readonly number[];
  /** Literals of each clause; default 3. */
  literalsPerClause?: number;
  /** Weight of each clause, not negative; default 1 each. */
  weights?: Float64Array | readonly number[];
  /** What a point costs: see {@link maxSat}. */
  cost?: 'ratio' | 'count';
}

/** Clauses of any lengths, as `formats.readDimacs` gives them. */
export interface MaxSatCnf {
  /** The clauses. */
  cnf: Cnf;
  /** What a point costs: see {@link maxSat}. */
  cost?: 'ratio' | 'count';
}

/** What an assignment leaves unsatisfied. */
export interface MaxSatCount {
  /** Satisfied clauses. */
  readonly satisfied: number;
  /** Unsatisfied clauses. */
  readonly unsatisfied: number;
  /** Weight of the unsatisfied clauses. */
  readonly unsatisfiedWeight: number;
}

/** How long a search is: see {@link MaxSat.searchOptions}. */
export interface MaxSatSearch {
  /** Sweeps over all variables; default 334. */
  sweeps?: number;
  /** `'default'`: steps that draw; `'paper'`: the published settings, three steps for each sweep. */
  preset?: 'default' | 'paper';
}

/** A MAX-SAT problem as an objective: coordinate i is variable i + 1, true when it is above zero. */
export class MaxSat extends NativeObjective {
  /** Whether blocks are best updated one after the other. */
  readonly sequential = true;
  /** Number of variables. */
  readonly variables: number;
  /** Number of clauses. */
  readonly clauseCount: number;
  readonly #literals: Int32Array;
  readonly #starts: Int32Array;
  readonly #weights: Float64Array | undefined;
  readonly #clauseCost: number;

  /** @internal */
  constructor(
    handle: NativeObjectiveHandle,
    variables: number,
    literals: Int32Array,
    starts: Int32Array,
    weights: Float64Array | undefined,
    cost: 'ratio' | 'count',
  ) {
    super(handle, variables);
    this.variables = variables;
    this.clauseCount = starts.length - 1;
    this.#literals = literals;
    this.#starts = starts;
    this.#weights = weights;
    const total = weights?.reduce((sum, weight) => sum + weight, 0) ?? this.clauseCount;
    this.#clauseCost = (cost === 'ratio' || total === 0 ? 1 : total) / Math.max(this.clauseCount, 1);
  }

  /**
   * Options of `minimize` and `createOptimizer` that find good assignments: one pair of variables after the other is
   * drawn anew with probabilities that fall with the clauses it would break, at a temperature from 1 to 0.1 times what a
   * clause of mean weight costs. The default preset takes them by itself for the steps of the run; give
   * `maxSteps: sweeps` beside them.
   *
   * With `preset: 'paper'` the published settings below a million variables: all pairs move at once towards softmax
   * averages, with momentum, and two of three steps coast: give `maxSteps: 3 * sweeps - 2`. They satisfy about 98 % where
   * the default satisfies 99.7 %.
   *
   * @param options  see {@link MaxSatSearch}
   * @throws ERR_OUT_OF_RANGE       `sweeps` below 1
   * @throws ERR_INVALID_ARG_VALUE  an unknown preset
   * Source: arXiv 2605.01928, Section 5 and the settings of its published runs.
   */
  searchOptions(options: MaxSatSearch = {}): OptimizerOptions {
    const { sweeps, preset } = parse(
      options,
      'options',
      object({
        sweeps: withDefault(integer({ min: 1 }), 334),
        preset: withDefault(oneOf(['default', 'paper']), 'default'),
      }),
    );
    if (preset === 'paper') return this.#published();
    return {
      update: 'sequential',
      rule: 'sample',
      scaleCost: this.#clauseCost,
      lower: -0.7,
      upper: 0.7,
      stepRadius: 1,
      probeRadius: 2,
      adaptiveRadius: false,
      initial: { normal: 0.1 },
      epsilon: { kind: 'geometric', initial: 1, target: 0.1, steps: Math.max(1, sweeps - 1) },
    };
  }

  /** Those of `searchOptions`, which the default preset takes as a whole or not at all. @internal */
  suitableOptions(sweeps: number): {
    options: OptimizerOptions;
    together: (keyof OptimizerOptions)[];
  } {
    const options = this.searchOptions({ sweeps });
    const together = (Object.keys(options) as (keyof OptimizerOptions)[]).filter((name) => name !== 'initial');
    const others = ['radiusDecay', 'radiusMode', 'momentum', 'amortizeSteps', 'biasedRotation', 'trustRegion'] as const;
    return { options, together: [...together, ...others, 'newtonRefinement'] };
  }

  /** As its runs were made: the schedules were handed over in swapped order, so that only the first step has small values. */
  #published(): OptimizerOptions {
    const size = Math.sqrt(this.variables / 100_000);
    const first = (initial: number, target: number) => ({ kind: 'geometric', initial, target, steps: 1 }) as const;
    return {
      preset: 'paper',
      particleDimension: 2,
      rule: 'softmax',
      // Costs as shares, however the problem counts.
      scaleCost: this.#clauseCost * Math.max(this.clauseCount, 1),
      momentum: true,
      amortizeSteps: 3,
      initial: { normal: 0.1 },
      epsilon: first(0.5, 5),
      stepRadius: first(600 * size, 3000 * size),
      probeRadius: first(20 * size, 100 * size),
    };
  }

  /**
   * The truth values that a point stands for: 1 where a coordinate is above zero.
   *
   * @param point  variables numbers
   */
  assignment(point: ArrayLike<number>): Uint8Array {
    return parse(point, 'point', assignmentSchema(this.variables));
  }

  /**
   * Counts clause by clause, from the clauses as they were given: a check of what the optimizer says.
   *
   * @param point  variables numbers, or truth values 0 and 1
   * Cost: one pass over the literals.
   */
  count(point: ArrayLike<number>): MaxSatCount {
    const truth = this.assignment(point);
    let unsatisfied = 0;
    let unsatisfiedWeight = 0;
    for (let c = 0; c < this.clauseCount; c += 1) {
      let satisfied = false;
      for (let i = this.#starts[c] as number; i < (this.#starts[c + 1] as number) && !satisfied; i += 1) {
        const literal = this.#literals[i] as number;
        satisfied = literal > 0 === (truth[Math.abs(literal) - 1] === 1);
      }
      if (satisfied) continue;
      unsatisfied += 1;
      unsatisfiedWeight += this.#weights?.[c] ?? 1;
    }
    return { satisfied: this.clauseCount - unsatisfied, unsatisfied, unsatisfiedWeight };
  }
}

/** Truth values from numbers of any array. @internal */
export function assignmentSchema(variables: number): Schema<Uint8Array> {
  return (value, argument) => {
    const given = value as ArrayLike<number> | null;
    if ((!Array.isArray(value) && !ArrayBuffer.isView(value)) || value instanceof DataView || given === null) {
      fail('ERR_INVALID_ARG_TYPE', argument, 'an array of numbers', value);
    }
    if (given.length !== variables) {
      fail('ERR_SHAPE_MISMATCH', argument, `an array of length ${variables} (one per variable)`, value);
    }
    return Uint8Array.from(given, (x) => (x > 0 ? 1 : 0));
  };
}

const anything: Schema<unknown> = (value) => value;
const costSchema = withDefault(oneOf(['ratio', 'count']), 'ratio');
/** @internal */
export const variablesSchema = integer({ min: 1, max: 2 ** 31 - 1 });

interface CheckedClauses {
  variables: number;
  literals: Int32Array;
  starts: Int32Array;
  weights: Float64Array | undefined;
  cost: 'ratio' | 'count';
}

function weightsSchema(clauses: number): Schema<Float64Array | undefined> {
  return (value, argument) => {
    if (value === undefined) return undefined;
    const weights = typedArray(['Float64Array'], { length: clauses, per: 'one per clause' })(value, argument);
    const bad = weights.findIndex((weight) => weight < 0);
    if (bad >= 0) fail('ERR_OUT_OF_RANGE', `${argument}[${bad}]`, 'at least 0', weights[bad]);
    return weights;
  };
}

function clausesOfCnf(options: unknown): CheckedClauses {
  const { cnf, cost } = parse(options, 'options', object({ cnf: anything, cost: costSchema }));
  const given = parse(
    cnf,
    'options.cnf',
    object({
      variables: variablesSchema,
      literals: typedArray(['Int32Array']),
      clauseStarts: typedArray(['Int32Array']),
      weights: anything,
      top: optional(number({ above: 0 })),
    }),
  );
  const { variables, literals, clauseStarts } = given;
  const ascending = clauseStarts.every((start, c) => c === 0 || start >= (clauseStarts[c - 1] as number));
  if (!ascending || clauseStarts[0] !== 0 || clauseStarts.at(-1) !== literals.length) {
    fail('ERR_SHAPE_MISMATCH', 'options.cnf.clauseStarts', `ascending from 0 to ${literals.length}`, clauseStarts);
  }
  const weights = weightsSchema(clauseStarts.length - 1)(given.weights, 'options.cnf.weights');
  return { variables, literals: literals.slice(), starts: clauseStarts.slice(), weights: weights?.slice(), cost };
}

function clausesOfOneLength(options: unknown): CheckedClauses {
  const given = parse(
    options,
    'options',
    object({
      variables: variablesSchema,
      clauses: typedArray(['Int32Array']),
      literalsPerClause: withDefault(integer({ min: 1, max: 255 }), 3),
      weights: anything,
      cost: costSchema,
    }),
  );
  const { variables, clauses, literalsPerClause, cost } = given;
  if (clauses.length % literalsPerClause !== 0) {
    fail('ERR_SHAPE_MISMATCH', 'options.clauses', `rows of ${literalsPerClause} literals`, clauses);
  }
  const count = clauses.length / literalsPerClause;
  const weights = weightsSchema(count)(given.weights, 'options.weights');
  const starts = Int32Array.from({ length: count + 1 }, (_, c) => c * literalsPerClause);
  return { variables, literals: clauses.slice(), starts, weights: weights?.slice(), cost };
}

/**
 * A MAX-SAT problem as an objective.
 *
 * Coordinate i is variable i + 1, true when it is above zero. A point costs the weight of the clauses it leaves
 * unsatisfied: as a share of all weight (`cost: 'ratio'`, the default) or as it is (`'count'`). Weights are kept as
 * multiples of a power of two so small that their sum is below 2^53 of it, so that costs are exact sums.
 *
 * @param options  clauses of one length, or `{ cnf }`
 * @throws ERR_OUT_OF_RANGE    a literal that is 0 or beyond `variables`, a clause of more than 255 distinct literals, a
 *                             negative weight
 * @throws ERR_SHAPE_MISMATCH  arrays that do not fit together
 * Cost: a candidate that flips variables costs their clauses only, about 0.03 microseconds; memory about 40 bytes a
 * clause of three literals. Source: arXiv 2605.01928, Section 5.
 */
export function maxSat(options: MaxSatClauses | MaxSatCnf): MaxSat {
  const isCnf = Object.hasOwn(Object(options) as object, 'cnf');
  const { variables, literals, starts, weights, cost } = isCnf ? clausesOfCnf(options) : clausesOfOneLength(options);
  const argument = isCnf ? 'options.cnf.literals' : 'options.clauses';
  const handle = callNative(() => nativeObjectives.createMaxSat({ variables, literals, starts, weights, cost }), {
    ...homes({ options: ['weights', 'variables'] }),
    clauses: argument,
  });
  return new MaxSat(handle, variables, literals, starts, weights, cost);
}
