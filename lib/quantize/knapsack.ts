// Budgeted discrete assignment: one option per group, integer costs under a budget.
import { homes, makeError } from '../runtime/errors';
import type { NativeRun } from '../runtime/native';
import {
  type BackendChoice,
  type RunOptions,
  requireBackend,
  runAsync,
  runMembers,
  runSync,
  type SyncRunOptions,
  syncRunMembers,
} from '../runtime/run';
import { fail, integer, object, oneOf, parse, type Schema, typedArray, withDefault } from '../runtime/validate';
import { type NativeKnapsack, nativeQuantize } from './native';
import { type FlatTable, type Numbers, type NumberTable, tableSchema } from './table';

const methods: readonly KnapsackMethod[] = ['auto', 'dynamic-programming', 'hull', 'lagrangian', 'core'];

/**
 * How a knapsack is solved. `'dynamic-programming'` and `'core'` are exact (on hard problems the latter goes over to the
 * former where that takes seconds, and else says by its gap that it gave up); `'hull'` and `'lagrangian'` are within one step of the optimum, for any size.
 */
export type KnapsackMethod = 'auto' | 'dynamic-programming' | 'hull' | 'lagrangian' | 'core';

/** A multiple-choice knapsack with N groups of K options. */
export interface KnapsackProblem {
  /** Value of each option, N rows of K finite numbers; the sum over groups is minimised. */
  values: NumberTable;
  /** Cost of each option: K whole numbers (the same for all groups) or N rows of K; at least 0. */
  costs: Numbers | NumberTable;
  /** What the costs of the chosen options may add up to: a whole number. */
  budget: number;
  /** Default `'auto'`: exact wherever that is affordable. */
  method?: KnapsackMethod;
  /**
   * false (default): at most the budget. true: exactly the budget. `'largest-reachable'`: exactly the largest total
   * up to the budget that some assignment has.
   */
  equality?: boolean | 'largest-reachable';
}

/** Result of {@link solveKnapsack}. */
export interface KnapsackSolution {
  /** Option of each group, N integers. */
  readonly choices: Int32Array;
  /** Sum of the values. */
  readonly value: number;
  /** Sum of the costs. */
  readonly cost: number;
  /** No assignment within the budget has a smaller value. */
  readonly lowerBound: number;
  /** value - lowerBound; 0 when the solution is proven optimal. */
  readonly gap: number;
  /** The method that gave the solution. */
  readonly method: Exclude<KnapsackMethod, 'auto'>;
  /** `'optimal'`: proven. `'feasible'`: within `gap`. Otherwise why the search ended early. */
  readonly status: 'optimal' | 'feasible' | 'cancelled' | 'time-limit';
}

/** One of the three constraints, as its native number. @internal */
export const equalitySchema: Schema<0 | 1 | 2> = (value, argument) => {
  if (value === undefined || value === false) return 0;
  if (value === true) return 1;
  if (value === 'largest-reachable') return 2;
  fail(
    typeof value === 'string' ? 'ERR_INVALID_ARG_VALUE' : 'ERR_INVALID_ARG_TYPE',
    argument,
    "true, false or 'largest-reachable'",
    value,
  );
};

const vectorSchema = typedArray(['Float64Array']);

/** Costs as K or N x K whole numbers. @internal */
export function costsSchema(values: FlatTable): Schema<Float64Array> {
  return (value, argument) => {
    const isTable =
      (Array.isArray(value) && typeof value[0] === 'object') ||
      (typeof value === 'object' && value !== null && 'kind' in value);
    const { rows, columns } = values;
    let data: Float64Array;
    if (isTable) {
      const table = tableSchema(value, argument);
      if (table.rows !== rows || table.columns !== columns) {
        throw makeError(
          'ERR_SHAPE_MISMATCH',
          argument,
          `\`${argument}\` must have the shape of the values, ${rows} x ${columns}, got ${table.rows} x ${table.columns}`,
        );
      }
      data = table.data;
    } else {
      data = vectorSchema(value, argument);
      if (data.length !== columns) {
        fail('ERR_SHAPE_MISMATCH', argument, `${columns} numbers (one per option), or a row per group`, value);
      }
    }
    const bad = data.findIndex((cost) => !Number.isSafeInteger(cost) || cost < 0);
    if (bad >= 0) {
      const where = isTable ? `[${Math.floor(bad / columns)}][${bad % columns}]` : `[${bad}]`;
      fail('ERR_OUT_OF_RANGE', `${argument}${where}`, 'a whole number of at least 0', data[bad]);
    }
    return data;
  };
}

function parseProblem(problem: KnapsackProblem): NativeKnapsack {
  const any: Schema<unknown> = (value) => value;
  const checked = parse(
    problem,
    'problem',
    object({
      values: tableSchema,
      costs: any,
      budget: integer({ min: 0 }),
      method: withDefault(oneOf(methods), 'auto'),
      equality: equalitySchema,
    }),
  );
  const costs = costsSchema(checked.values)(checked.costs, 'problem.costs');
  return {
    groups: checked.values.rows,
    options: checked.values.columns,
    values: checked.values.data,
    costs,
    budget: checked.budget,
    constraint: checked.equality,
    method: methods.indexOf(checked.method),
  };
}

interface NativeSolution extends Omit<KnapsackSolution, 'status'> {
  stopped: '' | 'cancelled' | 'time-limit';
}

function solution({ stopped, ...found }: NativeSolution): KnapsackSolution {
  const proven = found.gap === 0 ? 'optimal' : 'feasible';
  return { ...found, status: stopped === '' ? proven : stopped };
}

function start(problem: NativeKnapsack, backend: BackendChoice): (run: NativeRun) => unknown {
  requireBackend(backend, 'the knapsack solvers run on the CPU only');
  return (run) => nativeQuantize.solveKnapsack(problem, run);
}

const argumentsAt = homes({ problem: ['values', 'costs', 'budget', 'method'] });

/**
 * Chooses one option per group with the smallest sum of values under a budget on the sum of costs.
 *
 * @example
 * const { choices } = await solveKnapsack({ values: [[9, 4, 1], [6, 5, 4]], costs: [0, 1, 2], budget: 2 });
 * // choices is [2, 0]: the whole budget goes to the first group
 *
 * @param problem  see {@link KnapsackProblem}
 * @param options  see {@link RunOptions}; `seed` plays no part
 * @throws ERR_NOT_CONVERGED  the run was stopped before any assignment was found that costs exactly the budget
 * @throws ERR_OUT_OF_RANGE  no assignment keeps `budget`: the message says what the smallest one is
 * Cost: N K for `'hull'` and, with rare exceptions, `'core'`; N K B for `'dynamic-programming'`, B the budget divided
 * by the greatest common divisor of all differences of costs. Source: Kellerer, Pferschy, Pisinger (2004), chapter 11.
 */
export async function solveKnapsack(problem: KnapsackProblem, options: RunOptions = {}): Promise<KnapsackSolution> {
  const parsed = parseProblem(problem);
  const checked = parse(options, 'options', object(runMembers));
  return solution(await runAsync<NativeSolution>(checked, start(parsed, checked.backend), argumentsAt));
}

/** The synchronous twin of {@link solveKnapsack}. */
export function solveKnapsackSync(problem: KnapsackProblem, options: SyncRunOptions = {}): KnapsackSolution {
  const parsed = parseProblem(problem);
  const checked = parse(options, 'options', object(syncRunMembers));
  return solution(runSync<NativeSolution>(checked, start(parsed, checked.backend), argumentsAt));
}
