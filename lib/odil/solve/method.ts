// What the methods of `problem.solve` share: options, reports, and the way a method is added: a file that defines one, and
// its line in index.ts.
import type { ArgumentHomes } from '../../runtime/errors';
import type { NativeRun } from '../../runtime/native';
import { runMembers, type RunOptions, syncRunMembers, type SyncRunOptions } from '../../runtime/run';
import { integer, number, object, oneOf, optional, parse, type Schema } from '../../runtime/validate';
import type { NativeProblem, NativeWeights, Reals } from '../native';
import type { Normalization, State } from '../state';
import type { Checkpoint } from './checkpoint';
import type { Solvable } from './solvable';
import type { BlockWeights } from './weights';

/** What every method takes. */
export interface CommonSolveOptions {
  /**
   * How blocks of different sizes are weighed; default `'mean'`. With `compat: 'official'` `'sum'` for Gauss-Newton.
   */
  normalization?: Normalization;
  /** The defaults of the published code for the method. */
  compat?: 'official';
  /**
   * What the residuals of a block are multiplied with (of a raw block: what it contributes); default 1. Weights with a
   * half-life decay from iteration to iteration.
   */
  weights?: BlockWeights;
  /** Iterations of this call at most; default 100 for Gauss-Newton, 1000 for gradient methods. */
  maxIterations?: number;
  /** Stops when max |gradient of the loss| is this share of its first value; default 1e-10. */
  gradientTolerance?: number;
  /** Stops when a step is this share of the unknowns; default 1e-12 for Gauss-Newton, 0 for gradient methods. */
  stepTolerance?: number;
  /** Stops when the loss falls by less than this share; default 1e-14 for Gauss-Newton, 0 (never) for gradient methods. */
  lossTolerance?: number;
}

/**
 * Why a run ended: a tolerance was met, or something stopped it before. `'solved'`: all equations hold. `'stalled'`: no step lowers the loss, often as
 * far as rounding lets it go. `'not-finite'`: NaN or infinity on the way; the state is the best one before.
 */
export type SolveStatus =
  'solved' | 'gradient' | 'step' | 'loss' | 'max-iterations' | 'stalled' | 'not-finite' | 'cancelled' | 'time';

/** How a run went, whatever the method. */
export interface CommonSolveReport {
  /** Why that method. */
  reason: string;
  /** Why the run ended. */
  status: SolveStatus;
  /** What was not finite, where that is the status: block and index. */
  detail?: string;
  /** Of the state that is returned, computed from scratch, with the weights of the last iteration. */
  loss: number;
  /** Iterations of this call. */
  iterations: number;
  /** Wall-clock time. */
  seconds: number;
  /** Where the run stands: `solve({ resume: checkpoint })` goes on from there. */
  checkpoint: Checkpoint;
}

/** A problem and where to start. @internal */
export interface Task {
  readonly problem: Solvable;
  readonly handle: NativeProblem;
  /** Where to start; only their type counts when a run is resumed. */
  readonly unknowns: Reals;
  readonly weights: NativeWeights;
  readonly resume: Checkpoint | undefined;
}

/** What native methods give back beside what is their own. @internal */
export interface NativeOutcome {
  unknowns: Reals;
  /** At the end; empty where all are 1. Absent where they are those that were given. */
  weights?: Float64Array;
  /** Absent where the state is all that a run needs to go on. */
  checkpoint?: Pick<Checkpoint, 'values' | 'counters'>;
}

const commonMembers = {
  normalization: optional(oneOf(['mean', 'sum'])),
  compat: optional(oneOf(['official'])),
  maxIterations: optional(integer({ min: 0 })),
  gradientTolerance: optional(number({ min: 0 })),
  stepTolerance: optional(number({ min: 0 })),
  lossTolerance: optional(number({ min: 0 })),
};

/** Where all methods have the same options and not the same defaults. @internal */
export interface Defaults {
  readonly maxIterations: number;
  readonly gradientTolerance: number;
  readonly stepTolerance: number;
  readonly lossTolerance: number;
  /** Those of the published code. */
  readonly official: { readonly normalization: Normalization };
}

type Members = Record<string, Schema<unknown>>;
type Parsed<Of extends Members> = { [Key in keyof Of]: ReturnType<Of[Key]> };
type RunMembers = typeof runMembers | typeof syncRunMembers;
type CommonParsed = Omit<Defaults, 'official'> & {
  normalization: Normalization;
  compat: 'official' | undefined;
};

/** A call whose options have been read. @internal */
export interface Prepared<Run> {
  readonly run: Run;
  /** The normalization that the run minimises. */
  readonly normalization: Normalization;
  /** Computes, now or as a job. */
  start(task: Task, run: NativeRun): unknown;
}

/** A way to minimise. @internal */
export interface Method {
  /** Names of the options that are not everybody's. */
  readonly own: readonly string[];
  /** Where the user gave what native errors name. */
  readonly argumentsAt: ArgumentHomes;
  prepare(options: unknown): Prepared<Parsed<typeof runMembers>>;
  prepareSync(options: unknown): Prepared<Parsed<typeof syncRunMembers>>;
}

/** Names of options that every method takes. @internal */
export const everybodys: readonly string[] = Object.keys({ ...runMembers, ...syncRunMembers, ...commonMembers });

/**
 * A method. @internal
 *
 * @param members   schemas of the options that are its own
 * @param defaults  of those it shares with the others; `argumentsAt`: where the user gave what native errors name
 * @param start     computes, now or as a job
 */
export function method<Own extends Members>(
  members: Own,
  { argumentsAt = {}, ...defaults }: Defaults & { argumentsAt?: ArgumentHomes },
  start: (task: Task, options: Parsed<Own> & CommonParsed, run: NativeRun) => unknown,
): Method {
  const prepared = <Run extends RunMembers>(options: unknown, run: Run): Prepared<Parsed<Run>> => {
    const schema = object({ ...run, ...commonMembers, ...members });
    const given = parse(options, 'options', schema) as unknown as Parsed<Own> &
      Parsed<typeof commonMembers> &
      Parsed<Run>;
    const complete = {
      ...given,
      maxIterations: given.maxIterations ?? defaults.maxIterations,
      gradientTolerance: given.gradientTolerance ?? defaults.gradientTolerance,
      stepTolerance: given.stepTolerance ?? defaults.stepTolerance,
      lossTolerance: given.lossTolerance ?? defaults.lossTolerance,
      normalization:
        given.normalization ?? (given.compat === 'official' ? defaults.official.normalization : ('mean' as const)),
    };
    return {
      run: given,
      normalization: complete.normalization,
      start: (task, nativeRun) => start(task, complete, nativeRun),
    };
  };
  return {
    own: Object.keys(members),
    argumentsAt,
    prepare: (options) => prepared(options, runMembers),
    prepareSync: (options) => prepared(options, syncRunMembers),
  };
}

/** Options of runs, whose progress brings the best state so far. */
export type SolveRunOptions<Array_ extends Reals = Reals> = RunOptions<State<Array_>>;
/** The same for the synchronous twin. */
export type SolveSyncRunOptions<Array_ extends Reals = Reals> = SyncRunOptions<State<Array_>>;
