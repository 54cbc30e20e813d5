// Uncertainty of a solution: a normal distribution around it, from the second derivatives that Gauss-Newton knows.
import { availableMemory } from '../runtime/memory';
import type { NativeRun } from '../runtime/native';
import { requireBackend, runAsync, runMembers, type RunOptions, runSync, syncRunMembers } from '../runtime/run';
import {
  arrayOf,
  boolean,
  fail,
  integer,
  number,
  object,
  optional,
  parse,
  type Schema,
  withDefault,
} from '../runtime/validate';
import { nativeOdil } from './native';
import { type Problem, problemOf } from './problem';
import { fixedWeightsSchema } from './solve/weights';
import type { State } from './state';

/** Indices of unknowns, by the name of their field, parameter or network. */
export type Entries = Readonly<Record<string, readonly number[]>>;

/** Options of `laplace`. */
export interface LaplaceOptions extends Pick<RunOptions, 'backend' | 'threads' | 'seed' | 'signal'> {
  /**
   * Standard deviation of the residuals of each block, one for all or by block; default 1, which is right where residuals
   * have been divided by theirs already. The block of an equation has one too: how far the equation may be violated.
   */
  noise?: number | Readonly<Record<string, number>>;
  /** Whether the variance of every unknown is wanted, three times the cost of the rest; default true. */
  variances?: boolean;
  /** Unknowns whose covariance matrix is wanted; default: all parameters and networks. */
  covarianceOf?: Entries;
  /** States drawn from the distribution; default 0. */
  samples?: number;
  /** Memory that the factor may take; default: what is free. */
  memoryLimitBytes?: number;
}

/** What `laplace` finds. */
export interface LaplaceResult {
  /** Of each unknown by itself, in the shape of a state; Infinity where no residual reads it. */
  variances?: State<Float64Array>;
  /** Between the unknowns asked for. */
  covariance: {
    /** Whose rows and columns: `['k', 0]` is element 0 of k. */
    entries: (readonly [name: string, index: number])[];
    /** Row-major. */
    values: Float64Array;
  };
  /** Independent states; an unknown that no residual reads keeps its value. */
  samples: State<Float64Array>[];
  /** log det of the precision matrix, without unknowns that no residual reads. */
  logDeterminant: number;
  /** Wall-clock time. */
  seconds: number;
}

interface NativeResult {
  variances: Float64Array;
  covariance: Float64Array;
  samples: Float64Array;
  logDeterminant: number;
  seconds: number;
}

const positive = number({ above: 0 });

const noiseSchema =
  (blocks: readonly string[]): Schema<Float64Array> =>
  (value, argument) => {
    const sigmas = new Float64Array(blocks.length).fill(1);
    if (value === undefined) return sigmas;
    if (typeof value === 'number') return sigmas.fill(positive(value, argument));
    return fixedWeightsSchema(blocks, positive)(value, argument);
  };

const entriesSchema: Schema<Record<string, number[]>> = (value, argument) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an object of indices by name', value);
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, arrayOf(integer({ min: 0 }))(one, `${argument}.${name}`)]),
  );
};

const ownMembers = (blocks: readonly string[]) => ({
  noise: noiseSchema(blocks),
  variances: withDefault(boolean, true),
  covarianceOf: optional(entriesSchema),
  samples: withDefault(integer({ min: 0, max: 2 ** 32 - 1 }), 0),
  memoryLimitBytes: optional(number({ min: 0 })),
});

/** Names, first unknowns and lengths of what is asked for. */
function chosen(problem: Problem, given: Record<string, number[]> | undefined): (readonly [string, number, number])[] {
  const parts = problem.layout();
  if (given === undefined) {
    return parts
      .filter(({ group }) => group !== 'fields')
      .flatMap(({ name, offset, length }) =>
        Array.from({ length }, (_, index) => [name, index, offset + index] as const),
      );
  }
  return Object.entries(given).flatMap(([name, indices]) => {
    const part = parts.find((one) => one.name === name);
    const argument = `options.covarianceOf.${name}`;
    if (part === undefined) fail('ERR_INVALID_ARG_VALUE', argument, 'a field, parameter or network', name);
    return indices.map((index, k) => {
      if (index >= part.length) fail('ERR_OUT_OF_RANGE', `${argument}[${k}]`, `below ${part.length}`, index);
      return [name, index, part.offset + index] as const;
    });
  });
}

type Own = { [Key in keyof ReturnType<typeof ownMembers>]: ReturnType<ReturnType<typeof ownMembers>[Key]> };

/** What native code is asked for, and how its answer is read. */
function prepared(
  problem: Problem,
  at: State<Float64Array>,
  given: Own & { backend: 'auto' | 'cpu' | 'cuda'; seed: number },
) {
  requireBackend(given.backend, 'odil computes on the CPU');
  const unknowns = problem.pack(at, 'solution');
  if (unknowns instanceof Float32Array) {
    fail('ERR_INVALID_ARG_TYPE', 'solution', 'made of Float64Arrays', at);
  }
  const entries = chosen(problem, given.covarianceOf);
  return {
    start: (run: NativeRun): unknown =>
      nativeOdil.laplace(
        problem.handle,
        unknowns,
        {
          sigmas: given.noise,
          allVariances: given.variances,
          entries: Float64Array.from(entries, ([, , unknown]) => unknown),
          samples: given.samples,
          seed: given.seed,
          memoryLimitBytes: given.memoryLimitBytes ?? availableMemory(),
        },
        run,
      ),
    read: (found: NativeResult): LaplaceResult => ({
      ...(given.variances ? { variances: problem.unpack(found.variances) } : {}),
      covariance: { entries: entries.map(([name, index]) => [name, index] as const), values: found.covariance },
      samples: Array.from({ length: given.samples }, (_, k) =>
        problem.unpack(found.samples.subarray(k * problem.unknowns, (k + 1) * problem.unknowns)),
      ),
      logDeterminant: found.logDeterminant,
      seconds: found.seconds,
    }),
  };
}

const argumentsAt = { memoryLimitBytes: 'options.memoryLimitBytes' };

/**
 * The distribution exp(-1/2 sum over blocks |F_b / noise_b|^2) of the unknowns, taken for a normal one around its maximum:
 * variances, covariances and samples from the inverse of H = sum J_b^T J_b / noise_b^2, which is never formed.
 *
 * @param at  a minimum of the loss: a solution of `problem.solve`, or any state
 * @throws ERR_SINGULAR           unknowns that the residuals do not determine together (one is named)
 * @throws ERR_INVALID_ARG_VALUE  a raw block
 * @throws ERR_OUT_OF_MEMORY      a factor that would not fit, before it is allocated
 * The same bytes for the same seed and any number of threads. Cost: a sparse Cholesky factorisation of H, about three
 * more for the variances, a solve per entry of `covarianceOf`, half a solve per sample. Sources: arXiv 2510.15664; Erisman
 * and Tinney, Commun. ACM 18(3), 1975.
 */
export async function laplace(
  problem: Problem,
  at: State<Float64Array>,
  options: LaplaceOptions = {},
): Promise<LaplaceResult> {
  const of = parse(problem, 'problem', problemOf);
  const { backend, threads, seed, signal } = runMembers;
  const given = parse(options, 'options', object({ backend, threads, seed, signal, ...ownMembers(of.blockNames) }));
  const { start, read } = prepared(of, at, given);
  const run = { ...given, onAbort: 'reject' as const, onProgress: undefined, timeLimitMs: undefined };
  return read(await runAsync<NativeResult>(run, start, argumentsAt));
}

/** The synchronous twin of `laplace`: blocks the calling thread. */
export function laplaceSync(
  problem: Problem,
  at: State<Float64Array>,
  options: Omit<LaplaceOptions, 'signal'> = {},
): LaplaceResult {
  const of = parse(problem, 'problem', problemOf);
  const { backend, threads, seed } = syncRunMembers;
  const given = parse(options, 'options', object({ backend, threads, seed, ...ownMembers(of.blockNames) }));
  const { start, read } = prepared(of, at, given);
  return read(
    runSync<NativeResult>(
      { ...given, cancelFlag: undefined, onProgress: undefined, timeLimitMs: undefined },
      start,
      argumentsAt,
    ),
  );
}
