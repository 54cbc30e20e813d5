// problem.solve: picks a method, refuses options that are another one's, runs it, and turns what it found into a solution.
import { makeError } from '../../runtime/errors';
import type { NativeProgress } from '../../runtime/native';
import { requireBackend, runAsync, runSync } from '../../runtime/run';
import { fail, oneOf, optional, parse } from '../../runtime/validate';
import type { Reals } from '../native';
import type { State } from '../state';
import { type Checkpoint, checkpointSchema } from './checkpoint';
import { controlSpace, findEvolution, marching } from './evolution';
import { adam, gradientDescent, lbfgs } from './first-order';
import { gaussNewton } from './gauss-newton';
import { gridSequence } from './grid-sequence';
import { everybodys, type Method, type NativeOutcome, type Prepared, type Task } from './method';
import type { MethodName } from './method-name';
import type { Solution, SolveReport } from './solution';
import type { Solvable } from './solvable';
import { weightsSchema } from './weights';

/** Every method by its name: the only place that lists them. */
const methods: Readonly<Record<MethodName, Method>> = {
  'gauss-newton': gaussNewton,
  marching,
  'control-space': controlSpace,
  lbfgs,
  adam,
  'gradient-descent': gradientDescent,
};
const methodNames = Object.keys(methods) as MethodName[];

interface Choice {
  readonly name: MethodName;
  readonly reason: string;
}

const methodSchema = oneOf(['auto', ...methodNames]);

/** The method for this problem, with the reason in a sentence. */
function choose(problem: Solvable, asked: 'auto' | MethodName, wishes: Wishes): Choice {
  const { options, single } = wishes;
  if (asked !== 'auto') return { name: asked, reason: 'asked for' };
  const raw = problem.rawBlockNames[0];
  if (raw !== undefined) return { name: 'lbfgs', reason: `the block ${raw} is raw: the loss is no sum of squares` };
  if ('multigrid' in options) return { name: 'lbfgs', reason: 'a multigrid decomposition is for gradient methods' };
  if (problem.hasTotals) return { name: 'lbfgs', reason: 'a total reads all points at once: J^T J would be dense' };
  const evolution = chooseEvolution(problem, wishes);
  if (typeof evolution === 'object') return evolution;
  if (single) return { name: 'lbfgs', reason: 'the initial state is in single precision' };
  return { name: 'gauss-newton', reason: `the loss is a sum of squares, and it does not march: ${evolution}` };
}

/** More parameters than this make dense systems and one field each too large to be chosen unasked. */
const mostParameters = 64;

/** The method that marches through time, or why none does. */
function chooseEvolution(problem: Solvable, { options, decays }: Wishes): Choice | string {
  const foreign = Object.keys(options).find(
    (key) => methods['gauss-newton'].own.includes(key) && !methods['control-space'].own.includes(key),
  );
  if (foreign !== undefined) return `${foreign} is an option of Gauss-Newton`;
  if ('compat' in options) return 'the published code does not';
  if (decays) return 'weights decay';
  const tolerance = ['gradientTolerance', 'stepTolerance'].find((key) => key in options);
  if (tolerance !== undefined) return `${tolerance} is none of its tolerances`;
  const found = findEvolution(problem);
  if (found.block < 0) return found.reason;
  const name = problem.blockNames[found.block] as string;
  const parameters = problem.ranges.lower.length;
  if (!found.hasData && parameters === 0) {
    if ('lossTolerance' in options) return 'rows that are solved exactly have no tolerance of the loss';
    return { name: 'marching', reason: `${name} determines every row of time from earlier ones` };
  }
  if (!found.hasData) return 'there are parameters and no data';
  if (found.otherPoints !== '') return `${found.otherPoints} has other points in a row of time than the field`;
  if (parameters > mostParameters) return `there are more than ${mostParameters} parameters`;
  return { name: 'control-space', reason: `${name} marches through time, and the rest are data` };
}

interface Wishes {
  /** Those that were given, runs' apart. */
  readonly options: object;
  readonly single: boolean;
  /** Whether a weight changes on the way. */
  readonly decays: boolean;
}

const whyNot: Readonly<Record<string, string>> = {
  multigrid: ': a decomposition has more unknowns than the fields have points, so that J^T J is singular',
};

/** Throws for an option of another method, which would be ignored otherwise. */
function refuseOthers(options: object, { name, reason }: Choice): void {
  for (const key of Object.keys(options)) {
    if (methods[name].own.includes(key) || everybodys.includes(key)) continue;
    const owners = methodNames.filter((other) => methods[other].own.includes(key));
    if (owners.length === 0) continue; // nobody's: the schema says so
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      `options.${key}`,
      `\`options.${key}\` is an option of ${owners.map((owner) => `'${owner}'`).join(', ')}, not of '${name}' ` +
        `(${reason})${whyNot[key] ?? ''}`,
    );
  }
}

interface Call {
  readonly choice: Choice;
  readonly task: Task;
  /** Options that are left for the method. */
  readonly rest: object;
  /** Those a checkpoint keeps. */
  readonly kept: Record<string, unknown>;
}

const withoutUndefined = (given: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));

/** Methods whose runs go on from the state alone. */
const startsFromState: readonly MethodName[] = ['marching', 'control-space'];

/** What a checkpoint does not keep: what belongs to one call. */
const ofOneCall = [...'backend threads seed signal onAbort onProgress timeLimitMs cancelFlag maxIterations'.split(' ')];

function resumed(problem: Solvable, given: Record<string, unknown>): [Checkpoint | undefined, Record<string, unknown>] {
  const checkpoint = parse(
    given['resume'],
    'options.resume',
    optional(checkpointSchema(methodNames, problem.unknowns)),
  );
  if (checkpoint === undefined) return [undefined, given];
  for (const key of ['initial', 'multigrid']) {
    if (key in given) {
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        `options.${key}`,
        `\`options.${key}\` cannot be given with \`options.resume\`, which brings its own`,
      );
    }
  }
  const asked = given['method'] ?? 'auto';
  if (asked !== 'auto' && asked !== checkpoint.method) {
    fail('ERR_INVALID_ARG_VALUE', 'options.method', `'${checkpoint.method}', that of \`options.resume\``, asked);
  }
  return [checkpoint, { ...checkpoint.options, ...given, method: checkpoint.method }];
}

/** `parameters`: where parameters start instead, those of all names one after the other. */
function prepareCall(problem: Solvable, options: unknown, parameters?: Reals): Call {
  if (typeof options !== 'object' || options === null) fail('ERR_INVALID_ARG_TYPE', 'options', 'an object', options);
  const [checkpoint, given] = resumed(problem, withoutUndefined(options));
  const { method: asked = 'auto', initial, resume: _, weights: weighed, ...rest } = given;
  if (rest['multigrid'] === false) delete rest['multigrid'];
  const unknowns =
    checkpoint === undefined
      ? initial === undefined
        ? problem.packInitial(parameters instanceof Float32Array)
        : problem.pack(initial as State, 'options.initial')
      : new (checkpoint.precision === 'float32' ? Float32Array : Float64Array)(problem.unknowns);
  if (checkpoint !== undefined && startsFromState.includes(checkpoint.method)) {
    if (checkpoint.values.length !== problem.unknowns) {
      fail('ERR_SHAPE_MISMATCH', 'options.resume.values', `of length ${problem.unknowns}`, checkpoint.values);
    }
    unknowns.set(checkpoint.values);
  }
  if (parameters !== undefined) unknowns.set(parameters, unknowns.length - parameters.length);
  const single = unknowns instanceof Float32Array;
  const weights = parse(given['weights'], 'options.weights', weightsSchema(problem.blockNames));
  const choice = choose(problem, parse(asked, 'options.method', methodSchema), {
    options: rest,
    single,
    decays: weights.halfLives.some((halfLife) => halfLife < Infinity),
  });
  refuseOthers(rest, choice);
  if (single && choice.name === 'gauss-newton') {
    fail('ERR_INVALID_ARG_TYPE', 'options.initial', "made of Float64Arrays for 'gauss-newton'", initial);
  }
  if (choice.name === 'control-space') problem.checkRanges(unknowns, 'options.initial');
  const kept = Object.fromEntries(
    Object.entries({ ...rest, weights: weighed }).filter(([key]) => !ofOneCall.includes(key)),
  );
  return {
    choice: checkpoint === undefined ? choice : { ...choice, reason: 'that of the checkpoint' },
    task: {
      problem,
      handle: problem.handle,
      unknowns,
      weights,
      resume: checkpoint,
    },
    rest,
    kept: withoutUndefined(kept),
  };
}

/** The run's options, with progress that brings states. */
function withStates<Run extends { onProgress: ((progress: never) => void) | undefined }>(
  problem: Solvable,
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

function solutionOf(
  problem: Solvable,
  { choice, task, kept }: Call,
  { normalization }: Prepared<unknown>,
  outcome: NativeOutcome,
): Solution {
  const { unknowns, weights = task.weights.weights, checkpoint, ...report } = outcome;
  const { blocks, loss } = problem.summarise(unknowns, { normalization, weights, threads: 0 });
  return {
    ...problem.unpack(unknowns as Float64Array),
    blocks,
    ...(report as unknown as SolveReport),
    method: choice.name,
    reason: choice.reason,
    loss,
    // Made when it is asked for: where the state says all, a copy of it.
    get checkpoint(): Checkpoint {
      return {
        method: choice.name,
        precision: task.unknowns instanceof Float32Array ? 'float32' : 'float64',
        unknowns: problem.unknowns,
        options: kept,
        ...(checkpoint ?? { values: Float64Array.from(unknowns), counters: new Float64Array(0) }),
      };
    },
  } as Solution;
}

/** Names of parameters instead of their numbers. */
function named(problem: Solvable, outcome: NativeOutcome): NativeOutcome {
  const { history } = outcome as { history?: object[] };
  const names = (numbers: unknown): string[] => (numbers as number[]).map((number) => problem.parameterName(number));
  const entries = history?.map((entry) =>
    'frozen' in entry && 'activeBounds' in entry
      ? { ...entry, frozen: names(entry.frozen), activeBounds: names(entry.activeBounds) }
      : entry,
  );
  return entries === undefined ? outcome : ({ ...outcome, history: entries } as NativeOutcome);
}

async function solveOne(problem: Solvable, options: unknown, parameters?: Reals): Promise<Solution> {
  const call = prepareCall(problem, options, parameters);
  const method = methods[call.choice.name];
  const prepared = method.prepare(call.rest);
  requireBackend(prepared.run.backend, 'odil solves on the CPU');
  const run = withStates(problem, prepared.run);
  const outcome = await runAsync<NativeOutcome>(run, (native) => prepared.start(call.task, native), method.argumentsAt);
  return solutionOf(problem, call, prepared, named(problem, outcome));
}

function solveOneSync(problem: Solvable, options: unknown, parameters?: Reals): Solution {
  const call = prepareCall(problem, options, parameters);
  const method = methods[call.choice.name];
  const prepared = method.prepareSync(call.rest);
  requireBackend(prepared.run.backend, 'odil solves on the CPU');
  const run = withStates(problem, prepared.run);
  const outcome = runSync<NativeOutcome>(run, (native) => prepared.start(call.task, native), method.argumentsAt);
  return solutionOf(problem, call, prepared, named(problem, outcome));
}

/** @internal */
export async function solve(problem: Solvable, options: unknown): Promise<Solution> {
  const sequence = gridSequence(problem, options);
  if (sequence === undefined) return solveOne(problem, options);
  for (const grid of sequence.coarse()) {
    sequence.add(grid, await solveOne(grid, sequence.options(), sequence.parameters));
  }
  return sequence.finish(await solveOne(problem, sequence.options(), sequence.parameters));
}

/** @internal */
export function solveSync(problem: Solvable, options: unknown): Solution {
  const sequence = gridSequence(problem, options);
  if (sequence === undefined) return solveOneSync(problem, options);
  for (const grid of sequence.coarse()) {
    sequence.add(grid, solveOneSync(grid, sequence.options(), sequence.parameters));
  }
  return sequence.finish(solveOneSync(problem, sequence.options(), sequence.parameters));
}
