// MAX-SAT: as many satisfied clauses as possible, by an optimizer or by local search.
import type { Cnf } from '../../formats/dimacs';
import { callNative, homes } from '../../runtime/errors';
import {
  type RunOptions,
  type SyncRunOptions,
  requireBackend,
  runAsync,
  runMembers,
  runSync,
  syncRunMembers,
} from '../../runtime/run';
import type { NativeRun } from '../../runtime/native';
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
function assignmentSchema(variables: number): Schema<Uint8Array> {
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
const variablesSchema = integer({ min: 1, max: 2 ** 31 - 1 });

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

/** A random instance. */
export interface RandomKSatOptions {
  /** Number of variables n. */
  variables: number;
  /** Clauses per variable; default 4.27, where random 3-SAT is hardest. There are trunc(ratio * n) clauses. */
  ratio?: number;
  /** Distinct variables of each clause; default 3. */
  literalsPerClause?: number;
  /** Seed; default 0. */
  seed?: number;
}

/** Clauses of one length, as {@link maxSat} takes them. */
export interface RandomKSat {
  /** Number of variables. */
  variables: number;
  /** DIMACS literals, clause after clause. */
  clauses: Int32Array;
  /** Literals of each clause. */
  literalsPerClause: number;
}

/**
 * Random clauses for {@link maxSat}: distinct variables drawn uniformly, each negated with probability 1/2. Clause c is
 * a function of the seed and c alone.
 *
 * @throws ERR_OUT_OF_RANGE  more literals per clause than variables, or no clause
 */
export function randomKSat(options: RandomKSatOptions): RandomKSat {
  const { variables, ratio, literalsPerClause, seed } = parse(
    options,
    'options',
    object({
      variables: variablesSchema,
      ratio: withDefault(number({ above: 0 }), 4.27),
      literalsPerClause: withDefault(integer({ min: 1, max: 255 }), 3),
      seed: withDefault(integer({ min: 0 }), 0),
    }),
  );
  if (literalsPerClause > variables) {
    fail('ERR_OUT_OF_RANGE', 'options.literalsPerClause', `at most ${variables} (one per variable)`, literalsPerClause);
  }
  const count = Math.trunc(ratio * variables);
  if (count < 1 || count * literalsPerClause > 2 ** 31 - 1) {
    fail('ERR_OUT_OF_RANGE', 'options.ratio', 'such that there are between 1 and 2^31 / k clauses', ratio);
  }
  const clauses = callNative(() => nativeObjectives.randomClauses(variables, literalsPerClause, count, seed));
  return { variables, clauses, literalsPerClause };
}

/** Options of {@link polishMaxSat}. */
export interface PolishOptions extends RunOptions {
  /** Flips after which the search ends; default 100 per variable. */
  maxFlips?: number;
}

/** Options of {@link polishMaxSatSync}. */
export interface PolishSyncOptions extends SyncRunOptions {
  /** Flips after which the search ends; default 100 per variable. */
  maxFlips?: number;
}

/** What local search found. */
export interface PolishResult {
  /** The best assignment seen, 0 or 1 each variable. */
  readonly assignment: Uint8Array;
  /** Its cost, as the objective counts. */
  readonly cost: number;
  /** Weight of its unsatisfied clauses, recounted from scratch. */
  readonly unsatisfiedWeight: number;
  /** Unsatisfied clauses. */
  readonly unsatisfied: number;
  /** Satisfied clauses. */
  readonly satisfied: number;
  /** Flips made. */
  readonly flips: number;
  /** Why it ended: nothing was left to do, all flips were made, or it was stopped. */
  readonly status: 'satisfied' | 'finished' | 'time-limit' | 'cancelled';
  /** Seconds it took. */
  readonly seconds: number;
}

type NativePolish = Omit<PolishResult, 'satisfied' | 'unsatisfied'> & { unsatisfiedClauses: number };

const problemSchema: Schema<MaxSat> = (value, argument) => {
  if (!(value instanceof MaxSat)) fail('ERR_INVALID_ARG_TYPE', argument, 'a problem made by maxSat()', value);
  return value;
};

const polishMembers = { maxFlips: optional(integer({ min: 0 })) };

interface CheckedPolish {
  backend: 'auto' | 'cpu' | 'cuda';
  seed: number;
  maxFlips: number | undefined;
}

function startPolish(problem: MaxSat, start: Uint8Array, options: CheckedPolish): (run: NativeRun) => unknown {
  requireBackend(options.backend, 'local search runs on the CPU only');
  const handle = problem.nativeObjective;
  const settings = { maxFlips: options.maxFlips ?? 100 * problem.variables, seed: options.seed };
  return (run) => nativeObjectives.polishMaxSat(handle, start, settings, run);
}

function polished(problem: MaxSat, { unsatisfiedClauses, ...found }: NativePolish): PolishResult {
  return { ...found, unsatisfied: unsatisfiedClauses, satisfied: problem.clauseCount - unsatisfiedClauses };
}

/**
 * Takes an assignment further by local search (probSAT): flips variables of unsatisfied clauses, those that break little
 * more often. The result is never worse than the start.
 *
 * The same seed gives the same flips; one thread. Progress reports carry the flips as `iterations` and the best cost.
 *
 * @param problem     made by {@link maxSat}
 * @param assignment  a point or truth values to start from, one per variable
 * @param options     see {@link PolishOptions}
 * @throws the signal's reason, or an exception of `onProgress`, after the run has stopped
 * Cost: a flip costs the clauses of one variable. Source: Balint and Schoening, SAT 2012.
 */
export async function polishMaxSat(
  problem: MaxSat,
  assignment: ArrayLike<number>,
  options: PolishOptions = {},
): Promise<PolishResult> {
  parse(problem, 'problem', problemSchema);
  const start = parse(assignment, 'assignment', assignmentSchema(problem.variables));
  const checked = parse(options, 'options', object({ ...runMembers, ...polishMembers }));
  return polished(problem, await runAsync<NativePolish>(checked, startPolish(problem, start, checked)));
}

/** The synchronous twin of {@link polishMaxSat}: blocks the calling thread. */
export function polishMaxSatSync(
  problem: MaxSat,
  assignment: ArrayLike<number>,
  options: PolishSyncOptions = {},
): PolishResult {
  parse(problem, 'problem', problemSchema);
  const start = parse(assignment, 'assignment', assignmentSchema(problem.variables));
  const checked = parse(options, 'options', object({ ...syncRunMembers, ...polishMembers }));
  return polished(problem, runSync<NativePolish>(checked, startPolish(problem, start, checked)));
}
