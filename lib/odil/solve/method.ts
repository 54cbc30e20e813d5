// What the methods of `problem.solve` share: options, reports, and the way a method is added: a file that defines one, and
// its line in index.ts.
import { runMembers, type RunOptions, syncRunMembers, type SyncRunOptions } from '../../runtime/run';
import { integer, number, object, oneOf, optional, parse, type Schema } from '../../runtime/validate';
import type { NativeRun } from '../../runtime/native';
import type { NativeProblem, Reals } from '../native';
import type { Normalization, State } from '../state';

/** The ways to minimise. */
export type MethodName = 'gauss-newton';

/** What every method takes. */
export interface CommonSolveOptions {
  /**
   * How blocks of different sizes are weighed. Default `'mean'`; with `compat: 'official'` `'sum'` for Gauss-Newton.
   */
  normalization?: Normalization;
  /** The defaults of the published code for the method. */
  compat?: 'official';
  /** Iterations of this call at most. */
  maxIterations?: number;
  /** Stops when max |gradient of the loss| is this share of its first value; default 1e-10. */
  gradientTolerance?: number;
  /** Stops when a step is this share of the unknowns. */
  stepTolerance?: number;
  /** Stops when the loss falls by less than this share in an iteration. */
  lossTolerance?: number;
}

/** Why a run ended: a tolerance was met, or something stopped it before. */
export type SolveStatus = 'gradient' | 'step' | 'loss' | 'max-iterations' | 'stalled' | 'cancelled' | 'time';

/** How a run went, whatever the method. */
export interface CommonSolveReport {
  /** Why that method. */
  reason: string;
  /** Why the run ended. */
  status: SolveStatus;
  /** At the end, computed from scratch. */
  loss: number;
  /** Iterations of this call. */
  iterations: number;
  /** Wall-clock time. */
  seconds: number;
}

/** A problem and where to start. @internal */
export interface Task {
  readonly handle: NativeProblem;
  readonly unknowns: Reals;
}

/** What native methods give back beside what is their own. @internal */
export interface NativeOutcome {
  unknowns: Reals;
}

/** Schemas of the options all methods take; defaults that differ are those of the methods. @internal */
export const commonMembers = {
  normalization: optional(oneOf(['mean', 'sum'])),
  compat: optional(oneOf(['official'])),
  maxIterations: optional(integer({ min: 0 })),
  gradientTolerance: optional(number({ min: 0 })),
  stepTolerance: optional(number({ min: 0 })),
  lossTolerance: optional(number({ min: 0 })),
};

type Members = Record<string, Schema<unknown>>;
type Parsed<Of extends Members> = { [Key in keyof Of]: ReturnType<Of[Key]> };
type RunMembers = typeof runMembers | typeof syncRunMembers;

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
  prepare(options: unknown): Prepared<Parsed<typeof runMembers>>;
  prepareSync(options: unknown): Prepared<Parsed<typeof syncRunMembers>>;
}

/**
 * A method of these options.
 * @internal
 *
 * @param members         schemas of the options that are its own
 * @param normalization   what the published code minimises with it
 * @param start           computes, now or as a job
 */
export function method<Own extends Members>(
  members: Own,
  normalization: Normalization,
  start: (
    task: Task,
    options: Parsed<Own> & Parsed<typeof commonMembers> & { normalization: Normalization },
    run: NativeRun,
  ) => unknown,
): Method {
  const prepared = <Run extends RunMembers>(options: unknown, run: Run): Prepared<Parsed<Run>> => {
    const given = parse(
      options,
      'options',
      object({ ...run, ...commonMembers, ...members }),
    ) as unknown as Parsed<Own> & Parsed<typeof commonMembers> & Parsed<Run>;
    const chosen = given.normalization ?? (given.compat === 'official' ? normalization : 'mean');
    return {
      run: given,
      normalization: chosen,
      start: (task, nativeRun) => start(task, { ...given, normalization: chosen }, nativeRun),
    };
  };
  return {
    own: Object.keys(members),
    prepare: (options) => prepared(options, runMembers),
    prepareSync: (options) => prepared(options, syncRunMembers),
  };
}

/** Options of runs, whose progress brings the best state so far. */
export type SolveRunOptions<Array_ extends Reals = Reals> = RunOptions<State<Array_>>;
/** The same for the synchronous twin. */
export type SolveSyncRunOptions<Array_ extends Reals = Reals> = SyncRunOptions<State<Array_>>;
