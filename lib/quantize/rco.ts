// RCO: minimises a loss of a whole assignment under a budget, for losses that are not sums over groups.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ArgumentHomes, callNative, errorFromRecord, homes, makeError } from '../runtime/errors';
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
import { equalitySchema } from './knapsack';
import { type NativeRcoOptions, type NativeRcoProblem, type NativeRcoResult, nativeQuantize } from './native';
import { type FlatTable, type Numbers, type NumberTable, tableSchema } from './table';

/** sum_i e_i + e^T Q e with e_i = table[i][choice_i]: evaluated natively. */
export interface TableObjective {
  /** D, N rows of K numbers. */
  table: NumberTable;
  /** Q, N rows of N numbers; default: none, the loss is a sum over groups. */
  interactions?: NumberTable;
}

/** What a callback may give back: the loss, and its gradient where that was asked for. */
export type Evaluation =
  | number
  | {
      /** Loss of the assignment. */
      loss: number;
      /** d loss / d P, N x K row by row. */
      gradient?: Float64Array;
    };

/** What is asked of a callback, besides the assignment. */
export interface Question {
  /** `'proxy'`, `'sample'`, `'rounding'` or `'swaps'`; `'start'` in a run that is stopped before its first answer. */
  readonly phase: string;
  /** Whether d loss / d P (N x K, row by row) is needed, P being the one-hot rows of the assignment. */
  readonly wantsGradient: boolean;
}

/** Computes the loss of an assignment (option of each group, N integers). It may be called many times. */
export type AssignmentLoss = (choices: Int32Array, question: Question) => Evaluation | Promise<Evaluation>;

/** A problem of {@link rco}: N groups, K options. */
export interface RcoProblem {
  /** Size of each group, N positive numbers: choosing option k for group i costs weights[i] * costs[k]. */
  weights: Numbers;
  /** Cost of each option per unit of weight, K numbers, strictly increasing. */
  costs: Numbers;
  /** What everything may cost together; one number per block where there are blocks. */
  budget: number | Numbers;
  /** Block of each group, N integers from 0; every block keeps its own budget. Default: one block. */
  blocks?: Int32Array | readonly number[];
  /** As for `solveKnapsack`; default false: at most the budget. */
  equality?: boolean | 'largest-reachable';
  /**
   * Units that a cost of 1 has, where weights times costs are not whole numbers: costs are rounded to units. The
   * official code uses 500.
   */
  resolution?: number;
  /** The loss: a table that native code evaluates, or a function. */
  objective: TableObjective | AssignmentLoss;
  /** A separable stand-in for the loss, N rows of K numbers; default: the table of a native objective. */
  proxy?: NumberTable;
}

interface RcoSettings {
  /** Gradient steps; default 300. */
  steps?: number;
  /** Assignments per step; default 1. */
  samples?: number;
  /** Every second sample takes the noise of the one before with the other sign; default false. */
  antithetic?: boolean;
  /** Of Adam; default 0.1. */
  learningRate?: number;
  /** Decay rates of Adam's moments; default [0.9, 0.999]. */
  decay?: readonly [number, number];
  /** Of Adam; default 1e-8. */
  epsilon?: number;
  /** Temperature at the first and the last step, geometric between; default [1, 0.01]. */
  tau?: readonly [number, number];
  /** First logits: `'uniform'` (default), by `'sensitivity'` (needs a proxy), or N rows of K numbers. */
  start?: 'uniform' | 'sensitivity' | NumberTable;
  /** Whether a callback gives gradients when asked; default false: losses alone steer, which takes many more. */
  gradients?: boolean;
  /** Evaluations that the last phase (single changes and pair swaps) may take; default: no limit, 2 N K for a callback. */
  swapEvaluations?: number;
  /** Uniform numbers in (0, 1) in place of random ones, steps x samples x N x K: reproduces other implementations. */
  uniforms?: Numbers;
}

/** Options of {@link rco}. */
export interface RcoOptions extends RunOptions<Int32Array>, RcoSettings {}

/** Options of {@link rcoSync}. */
export interface RcoSyncOptions extends SyncRunOptions<Int32Array>, RcoSettings {}

/** Result of {@link rco}. */
export interface RcoResult {
  /** The best assignment ever evaluated: option of each group, N integers. */
  readonly choices: Int32Array;
  /** Its loss. */
  readonly loss: number;
  /** Its cost, sum_i weights[i] * costs[choice_i]. */
  readonly cost: number;
  /** cost over the sum of weights. */
  readonly averageCost: number;
  /** Last logits, N x K, row by row: on the budget manifold. */
  readonly logits: Float64Array;
  /** Per step: temperature, mean loss of the samples, best loss so far. */
  readonly history: {
    /** Temperature. */
    readonly tau: Float64Array;
    /** Mean loss of the samples. */
    readonly loss: Float64Array;
    /** Best loss so far. */
    readonly best: Float64Array;
  };
  /** Loss of the assignment that is best for the proxy, or null without one. */
  readonly proxyLoss: number | null;
  /** Loss of the rounding of the last logits (what the official code returns), or null when the run was stopped. */
  readonly finalLoss: number | null;
  /** Evaluations of the objective. */
  readonly evaluations: number;
  /** Gradient steps made. */
  readonly steps: number;
  /** How the run ended. */
  readonly status: 'completed' | 'cancelled' | 'time-limit';
}

const vector = typedArray(['Float64Array']);

function shaped(rows: number, columns: number): Schema<FlatTable> {
  return (value, argument) => {
    const table = tableSchema(value, argument);
    if (table.rows !== rows || table.columns !== columns) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        argument,
        `\`${argument}\` must be ${rows} x ${columns}, got ${table.rows} x ${table.columns}`,
      );
    }
    return table;
  };
}

const pair: Schema<readonly [number, number]> = (value, argument) => {
  if (!Array.isArray(value) || value.length !== 2) fail('ERR_INVALID_ARG_TYPE', argument, 'two numbers', value);
  return [number()(value[0], `${argument}[0]`), number()(value[1], `${argument}[1]`)];
};

type NativeObjective = { table: Float64Array; interactions: Float64Array | undefined };

interface Checked {
  problem: NativeRcoProblem;
  objective: NativeObjective | AssignmentLoss;
  groups: number;
  options: number;
  totalWeight: number;
}

function parseProblem(given: RcoProblem): Checked {
  const any: Schema<unknown> = (value) => value;
  const checked = parse(
    given,
    'problem',
    object({
      weights: vector,
      costs: vector,
      budget: any,
      blocks: optional(typedArray(['Int32Array'])),
      equality: equalitySchema,
      resolution: withDefault(number({ above: 0 }), 0),
      objective: any,
      proxy: any,
    }),
  );
  const groups = checked.weights.length;
  const options = checked.costs.length;
  const budgets =
    typeof checked.budget === 'number'
      ? Float64Array.of(number()(checked.budget, 'problem.budget'))
      : vector(checked.budget, 'problem.budget');
  const table = shaped(groups, options);
  let objective: NativeObjective | AssignmentLoss;
  if (typeof checked.objective === 'function') {
    objective = checked.objective as AssignmentLoss;
  } else {
    if (typeof checked.objective !== 'object' || checked.objective === null) {
      fail('ERR_INVALID_ARG_TYPE', 'problem.objective', 'a function, or an object with a table', checked.objective);
    }
    const parts = parse(
      checked.objective,
      'problem.objective',
      object({ table, interactions: optional(shaped(groups, groups)) }),
    );
    objective = { table: parts.table.data, interactions: parts.interactions?.data };
  }
  const own = typeof objective === 'function' ? undefined : objective.table;
  return {
    problem: {
      weights: checked.weights,
      costs: checked.costs,
      budgets,
      blocks: checked.blocks,
      resolution: checked.resolution,
      constraint: checked.equality,
      proxy: checked.proxy === undefined ? own : table(checked.proxy, 'problem.proxy').data,
    },
    objective,
    groups,
    options,
    totalWeight: checked.weights.reduce((sum, weight) => sum + weight, 0),
  };
}

const settingMembers = {
  steps: withDefault(integer({ min: 0, max: 1e9 }), 300),
  samples: withDefault(integer({ min: 1, max: 1e6 }), 1),
  antithetic: withDefault(boolean, false),
  learningRate: withDefault(number({ above: 0 }), 0.1),
  decay: withDefault(pair, [0.9, 0.999] as const),
  epsilon: withDefault(number({ above: 0 }), 1e-8),
  tau: withDefault(pair, [1, 0.01] as const),
  start: withDefault<unknown>((value) => value, 'uniform'),
  gradients: optional(boolean),
  swapEvaluations: optional(integer({ min: 0 })),
  uniforms: optional(vector),
};

type Members = { [Key in keyof typeof settingMembers]: ReturnType<(typeof settingMembers)[Key]> };

function nativeOptions(settings: Members & { seed: number }, checked: Checked): NativeRcoOptions {
  const { groups, options, objective } = checked;
  const native = typeof objective !== 'function';
  const named = typeof settings.start === 'string';
  if (named) parse(settings.start, 'options.start', oneOf(['uniform', 'sensitivity']));
  for (const [index, decay] of settings.decay.entries()) {
    parse(decay, `options.decay[${index}]`, number({ min: 0, max: 1 - 2 ** -53 }));
  }
  for (const [index, tau] of settings.tau.entries()) parse(tau, `options.tau[${index}]`, number({ above: 0 }));
  return {
    steps: settings.steps,
    samples: settings.samples,
    antithetic: settings.antithetic,
    learningRate: settings.learningRate,
    firstDecay: settings.decay[0],
    secondDecay: settings.decay[1],
    epsilon: settings.epsilon,
    tauFirst: settings.tau[0],
    tauLast: settings.tau[1],
    start: named ? ['uniform', 'sensitivity'].indexOf(settings.start as string) : 2,
    logits: named ? undefined : shaped(groups, options)(settings.start, 'options.start').data,
    uniforms: settings.uniforms,
    seed: settings.seed,
    gradients: settings.gradients ?? native,
    swapEvaluations: settings.swapEvaluations ?? (native ? Infinity : 2 * groups * options),
  };
}

function finished({ stopped, ...found }: NativeRcoResult, totalWeight: number): RcoResult {
  return {
    ...found,
    averageCost: found.cost / totalWeight,
    proxyLoss: Number.isNaN(found.proxyLoss) ? null : found.proxyLoss,
    finalLoss: Number.isNaN(found.finalLoss) ? null : found.finalLoss,
    status: stopped === '' ? 'completed' : stopped,
  };
}

/** The loss, and the gradient where it was asked for, of what a callback gave back. */
function answer(given: Evaluation, question: Question): [number, Float64Array | undefined] {
  const loss = typeof given === 'number' ? given : (given as { loss?: unknown } | null)?.loss;
  if (typeof loss !== 'number') {
    fail('ERR_INVALID_ARG_TYPE', 'problem.objective', 'a function that gives a number or { loss, gradient }', given);
  }
  if (!Number.isFinite(loss)) fail('ERR_NOT_FINITE', 'problem.objective', 'a function that gives a finite loss', loss);
  if (!question.wantsGradient) return [loss, undefined];
  const gradient = typeof given === 'number' ? undefined : given.gradient;
  if (gradient === undefined) {
    fail('ERR_INVALID_ARG_TYPE', 'problem.objective', 'a function that gives { loss, gradient } when asked', given);
  }
  return [loss, parse(gradient, 'problem.objective.gradient', vector)];
}

const argumentsAt: ArgumentHomes = {
  ...homes({
    problem: ['weights', 'costs', 'budget', 'blocks', 'objective', 'proxy'],
    options: ['steps', 'samples', 'learningRate', 'tau', 'start', 'uniforms', 'swapEvaluations'],
  }),
  logits: 'options.start',
};

/** Pauses between calls of a callback that never waits, so that timers and signals get their turn. */
const turnMs = 20;

async function askAndTell(
  checked: Checked,
  native: NativeRcoOptions,
  run: RunOptions<Int32Array>,
  objective: AssignmentLoss,
): Promise<NativeRcoResult> {
  const { signal, onProgress } = run;
  const limit = (run.timeLimitMs ?? Infinity) / 1000;
  const search = callNative(() => nativeQuantize.createRco(checked.problem, native, limit), argumentsAt);
  const begun = performance.now();
  let paused = begun;
  let reported = -Infinity;
  let iterations = 0;
  let best: { loss: number; choices: Int32Array } | undefined;
  try {
    for (;;) {
      if (signal?.aborted === true) nativeQuantize.cancelRco(search);
      const question = callNative(() => nativeQuantize.askRco(search), argumentsAt);
      if (question === null) break;
      const [loss, gradient] = answer(await objective(question.choices.slice(), question), question);
      callNative(() => nativeQuantize.tellRco(search, loss, gradient), argumentsAt);
      iterations += 1;
      if (best === undefined || loss < best.loss) best = { loss, choices: question.choices };
      const now = performance.now();
      if (onProgress !== undefined && now - reported >= 50) {
        reported = now;
        const seconds = (now - begun) / 1000;
        const { phase } = question;
        const state = { objective: best.loss, lowerBound: -Infinity, seconds, best: best.choices.slice() };
        onProgress({ phase, fraction: NaN, iterations, ...state });
      }
      if (now - paused >= turnMs) {
        await nextTurn();
        paused = performance.now();
      }
    }
    if (signal?.aborted === true && run.onAbort !== 'return') throw signal.reason;
    return nativeQuantize.rcoResult(search);
  } catch (reason) {
    throw errorFromRecord(reason, argumentsAt);
  } finally {
    nativeQuantize.disposeRco(search);
  }
}

const reason = 'budgeted assignment runs on the CPU only';

/**
 * Looks for the assignment with the smallest loss under a budget, by gradient steps on logits that stay on the budget
 * manifold. Evaluated are: the assignment that is optimal for the proxy; `samples` assignments per step, each within
 * the budget; the rounding of the last logits; then single changes and pair swaps. The best of all is returned.
 *
 * @example
 * const { choices, loss } = await rco({
 *   weights: [4096, 1024, 4096], costs: [2, 3, 4, 8], budget: 3 * 9216,
 *   objective: async (bits) => perplexityWith(bits),
 * }, { steps: 50 });
 *
 * @param problem  see {@link RcoProblem}
 * @param options  see {@link RcoOptions}
 * @throws ERR_OUT_OF_RANGE  the budget is less than the cheapest or more than the dearest assignment costs
 * @throws ERR_NOT_CONVERGED  the run was stopped before any assignment was found that costs exactly the budget (`equality`);
 *   without an equality there is always one, and it is evaluated once even in a run that is stopped at its beginning
 * @throws ERR_NOT_FINITE  the objective gave a loss or a gradient that is not finite
 * @throws whatever the objective throws, after the run has ended
 * Cost per step: N K and `samples` knapsacks, besides the objective. Source: arXiv 2605.00649.
 */
export async function rco(problem: RcoProblem, options: RcoOptions = {}): Promise<RcoResult> {
  const checked = parseProblem(problem);
  const settings = parse(options, 'options', object({ ...runMembers, ...settingMembers }));
  requireBackend(settings.backend, reason);
  const native = nativeOptions(settings, checked);
  const { objective, totalWeight } = checked;
  if (typeof objective === 'function') {
    if (settings.signal?.aborted === true) throw settings.signal.reason;
    return finished(await askAndTell(checked, native, options, objective), totalWeight);
  }
  const found = await runAsync<NativeRcoResult>(
    settings,
    (run) => nativeQuantize.solveRco(checked.problem, native, objective, run),
    argumentsAt,
  );
  return finished(found, totalWeight);
}

/** The synchronous twin of {@link rco} for native objectives; callbacks need {@link rco}. */
export function rcoSync(problem: RcoProblem & { objective: TableObjective }, options: RcoSyncOptions = {}): RcoResult {
  const checked = parseProblem(problem);
  const settings = parse(options, 'options', object({ ...syncRunMembers, ...settingMembers }));
  requireBackend(settings.backend, reason);
  const { objective, totalWeight } = checked;
  if (typeof objective === 'function') {
    fail('ERR_INVALID_ARG_TYPE', 'problem.objective', 'an object with a table (rco takes functions)', objective);
  }
  const native = nativeOptions(settings, checked);
  const found = runSync<NativeRcoResult>(
    settings,
    (run) => nativeQuantize.solveRco(checked.problem, native, objective, run),
    argumentsAt,
  );
  return finished(found, totalWeight);
}
