// problem.solve: picks a method, refuses options that are another one's, runs it, and turns what it found into a solution.
import { requireBackend, runAsync, runSync } from '../../runtime/run';
import { makeError } from '../../runtime/errors';
import type { NativeProgress } from '../../runtime/native';
import { fail, oneOf, parse, withDefault } from '../../runtime/validate';
import type { Reals } from '../native';
import type { Problem } from '../problem';
import type { BlockSummary, Normalization, State } from '../state';
import { gaussNewton, type GaussNewtonOptions, type GaussNewtonReport } from './gauss-newton';
import type { Method, MethodName, NativeOutcome, SolveRunOptions, SolveSyncRunOptions, Task } from './method';

/** Every method by its name: the only place that lists them. */
const methods: Readonly<Record<MethodName, Method>> = { 'gauss-newton': gaussNewton };

/** Options of the methods; `method` tells which of them. */
export type MethodOptions = GaussNewtonOptions;

/** Where to start. */
export interface StartOptions<Array_ extends Reals = Float64Array> {
  /** Default: the initial state of the problem. */
  initial?: State<Array_>;
}

/** Options of `problem.solve`. */
export type SolveOptions<Array_ extends Reals = Float64Array> = MethodOptions &
  StartOptions<Array_> &
  SolveRunOptions<Array_>;
/** Options of `problem.solveSync`. */
export type SolveSyncOptions<Array_ extends Reals = Float64Array> = MethodOptions &
  StartOptions<Array_> &
  SolveSyncRunOptions<Array_>;

/** How a run went; `method` tells what else is in it. */
export type SolveReport = GaussNewtonReport;

/** What `solve` finds: a state, and how it was found. */
export type Solution<Array_ extends Reals = Float64Array> = State<Array_> &
  SolveReport & {
    /** Per block: number of residuals, root of their mean square, contribution to the loss. */
    blocks: Record<string, BlockSummary>;
  };

const methodSchema = withDefault(oneOf(['auto', ...(Object.keys(methods) as MethodName[])]), 'auto');

interface Choice {
  readonly name: MethodName;
  readonly reason: string;
}

/** The method for this problem, with the reason in a sentence. */
function choose(asked: 'auto' | MethodName): Choice {
  if (asked !== 'auto') return { name: asked, reason: 'asked for' };
  return { name: 'gauss-newton', reason: 'the loss is a sum of squares' };
}

/** Throws for an option of another method, which would be ignored otherwise. */
function refuseOthers(options: object, { name, reason }: Choice): void {
  for (const key of Object.keys(options)) {
    if (methods[name].own.includes(key)) continue;
    const owners = Object.entries(methods).filter(([, other]) => other.own.includes(key));
    if (owners.length === 0) continue; // everybody's, or nobody's: the schema says so
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      `options.${key}`,
      `\`options.${key}\` is an option of ${owners.map(([owner]) => `'${owner}'`).join(', ')}, not of '${name}' (${reason})`,
    );
  }
}

interface Call {
  readonly choice: Choice;
  readonly task: Task;
  /** Options that are left for the method. */
  readonly rest: object;
}

function prepareCall(problem: Problem, options: unknown): Call {
  if (typeof options !== 'object' || options === null) fail('ERR_INVALID_ARG_TYPE', 'options', 'an object', options);
  const { method: asked, initial, ...rest } = options as { method?: unknown; initial?: State };
  const choice = choose(parse(asked, 'options.method', methodSchema));
  refuseOthers(rest, choice);
  const unknowns = problem.pack(initial ?? problem.initialState(), 'options.initial');
  if (unknowns instanceof Float32Array) {
    fail('ERR_INVALID_ARG_TYPE', 'options.initial', `made of Float64Arrays for '${choice.name}'`, initial);
  }
  return { choice, task: { handle: problem.handle, unknowns }, rest };
}

/** The run's options, with progress that brings states. */
function withStates<Run extends { onProgress: ((progress: never) => void) | undefined }>(
  problem: Problem,
  run: Run,
): Run {
  const { onProgress } = run;
  if (onProgress === undefined) return run;
  const tell = onProgress as (progress: NativeProgress) => void;
  const wrapped = (progress: NativeProgress): void => {
    tell({ ...progress, best: progress.best === undefined ? undefined : problem.unpack(progress.best as Reals) });
  };
  return { ...run, onProgress: wrapped };
}

function solutionOf(problem: Problem, choice: Choice, normalization: Normalization, outcome: NativeOutcome): Solution {
  const { unknowns, ...report } = outcome;
  const state = problem.unpack(unknowns as Float64Array);
  const { blocks, loss } = problem.evaluate(state, { normalization });
  const { name: method, reason } = choice;
  return { ...state, blocks, ...(report as unknown as SolveReport), method, reason, loss };
}

/** @internal */
export async function solve(problem: Problem, options: unknown): Promise<Solution> {
  const { choice, task, rest } = prepareCall(problem, options);
  const call = methods[choice.name].prepare(rest);
  requireBackend(call.run.backend, 'odil solves on the CPU');
  const outcome = await runAsync<NativeOutcome>(withStates(problem, call.run), (run) => call.start(task, run));
  return solutionOf(problem, choice, call.normalization, outcome);
}

/** @internal */
export function solveSync(problem: Problem, options: unknown): Solution {
  const { choice, task, rest } = prepareCall(problem, options);
  const call = methods[choice.name].prepareSync(rest);
  requireBackend(call.run.backend, 'odil solves on the CPU');
  const outcome = runSync<NativeOutcome>(withStates(problem, call.run), (run) => call.start(task, run));
  return solutionOf(problem, choice, call.normalization, outcome);
}
