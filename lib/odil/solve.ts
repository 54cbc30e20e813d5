// problem.solve: minimises the discrete loss.
import {
  requireBackend,
  runAsync,
  runMembers,
  type RunOptions,
  runSync,
  syncRunMembers,
  type SyncRunOptions,
} from '../runtime/run';
import { integer, number, object, oneOf, parse, type Schema, withDefault } from '../runtime/validate';
import { type NativeGaussNewton, nativeOdil, type NativeProblem } from './native';

/**
 * How the linear step is found. `'cholesky'`: sparse, of J^T J. `'lu'`: of square J. `'qr'`: dense and rank-revealing,
 * for small problems. `'bordered'`: parameters and networks as a dense border of the fields' factor.
 * `'block-tridiagonal'`: dense blocks, one per level of the first axis. `'multigrid'`: square J that couples neighbours
 * of one field. `'conjugate-gradient'`: on J^T J, preconditioned by the square block among the residuals.
 */
export type LinearSolver = (typeof linearSolvers)[number];

const linearSolvers = [
  'auto',
  'cholesky',
  'lu',
  'qr',
  'bordered',
  'block-tridiagonal',
  'multigrid',
  'conjugate-gradient',
] as const;

/** What every way of calling `solve` takes. */
export interface GaussNewtonOptions {
  /** How; `'auto'` (default) and `'gauss-newton'` are the same today. */
  method?: 'auto' | 'gauss-newton';
  /** How the linear step is found; default `'auto'`, which the report explains. */
  linearSolver?: LinearSolver;
  /** How blocks of different sizes are weighed; default `'mean'`. */
  normalization?: 'mean' | 'sum';
  /**
   * `'levenberg-marquardt'` (default): steps are damped until the loss falls as predicted; those of `'lu'` and
   * `'multigrid'` are shortened instead. `'none'`: every step is taken as it is, as the official code does; frozen
   * terms need it.
   */
  damping?: 'levenberg-marquardt' | 'none';
  /** Steps at most; default 100. */
  maxIterations?: number;
  /** Damping at the start, relative to the diagonal of J^T J; default 1e-6. */
  initialLambda?: number;
  /** Adds damp^2 to the diagonal of J^T J; default 0. */
  damp?: number;
  /** Then adds its square times the diagonal; default 0. */
  dampDiagonal?: number;
  /** Stops when max |J^T F| is this share of its first value; default 1e-10. */
  gradientTolerance?: number;
  /** Stops when a step is this share of the unknowns; default 1e-12. */
  stepTolerance?: number;
  /** Stops when the loss falls by less than this share; default 1e-14. */
  lossTolerance?: number;
}

/** Options of `problem.solve`. */
export interface SolveOptions extends RunOptions, GaussNewtonOptions {}
/** Options of `problem.solveSync`. */
export interface SolveSyncOptions extends SyncRunOptions, GaussNewtonOptions {}

/** Why a run ended: a tolerance was met, or something stopped it before. */
export type SolveStatus = 'gradient' | 'step' | 'loss' | 'max-iterations' | 'stalled' | 'cancelled' | 'time';

/** One accepted step. */
export interface SolveStep {
  /** After it. */
  loss: number;
  /** max |J^T F| before it. */
  gradient: number;
  /** Damping it was made with. */
  lambda: number;
  /** Its length. */
  step: number;
}

/** How a run went. */
export interface SolveReport {
  /** Why it ended. */
  status: SolveStatus;
  /** At the end. */
  loss: number;
  /** Steps taken. */
  iterations: number;
  /** Factorisations, those of rejected steps included; solutions where the solver is an iterative one. */
  factorizations: number;
  /** The one used last. */
  linearSolver: LinearSolver;
  /** Why that one. */
  reason: string;
  /** Iterations of `'conjugate-gradient'` or cycles of `'multigrid'`, of all steps. */
  linearIterations: number;
  /** Wall-clock time. */
  seconds: number;
  /** One entry per step taken. */
  history: SolveStep[];
}

const solveMembers = {
  method: withDefault(oneOf(['auto', 'gauss-newton']), 'auto'),
  linearSolver: withDefault(oneOf(linearSolvers), 'auto'),
  normalization: withDefault(oneOf(['mean', 'sum']), 'mean'),
  damping: withDefault(oneOf(['levenberg-marquardt', 'none']), 'levenberg-marquardt'),
  maxIterations: withDefault(integer({ min: 0 }), 100),
  initialLambda: withDefault(number({ min: 0 }), 1e-6),
  damp: withDefault(number({ min: 0 }), 0),
  dampDiagonal: withDefault(number({ min: 0 }), 0),
  gradientTolerance: withDefault(number({ min: 0 }), 1e-10),
  stepTolerance: withDefault(number({ min: 0 }), 1e-12),
  lossTolerance: withDefault(number({ min: 0 }), 1e-14),
};
const asyncSchema = object({ ...runMembers, ...solveMembers });
const syncSchema = object({ ...syncRunMembers, ...solveMembers });

type Checked = { [Key in keyof typeof solveMembers]: ReturnType<(typeof solveMembers)[Key]> };

function nativeOptions(options: Checked): NativeGaussNewton {
  return { ...options, levenbergMarquardt: options.damping === 'levenberg-marquardt' };
}

function checked<Options extends { backend: 'auto' | 'cpu' | 'cuda' }>(
  options: unknown,
  schema: Schema<Options>,
): Options {
  const parsed = parse(options, 'options', schema);
  requireBackend(parsed.backend, 'odil solves on the CPU');
  return parsed;
}

/** What the native run gives back. @internal */
export type NativeSolution = SolveReport & { unknowns: Float64Array };

/** @internal */
export async function solveNative(
  problem: NativeProblem,
  unknowns: Float64Array,
  options: SolveOptions,
): Promise<NativeSolution> {
  const given = checked(options, asyncSchema);
  return runAsync(given, (run) => nativeOdil.gaussNewton(problem, unknowns, nativeOptions(given), run));
}

/** @internal */
export function solveNativeSync(
  problem: NativeProblem,
  unknowns: Float64Array,
  options: SolveSyncOptions,
): NativeSolution {
  const given = checked(options, syncSchema);
  return runSync(given, (run) => nativeOdil.gaussNewton(problem, unknowns, nativeOptions(given), run));
}
