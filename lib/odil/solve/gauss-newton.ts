// Gauss-Newton with Levenberg-Marquardt damping: second order, for sums of squares.
import { availableMemory } from '../../runtime/memory';
import { integer, number, oneOf, optional, withDefault } from '../../runtime/validate';
import { nativeOdil } from '../native';
import { type CommonSolveOptions, type CommonSolveReport, method } from './method';

/**
 * How the linear step is found. `'cholesky'`: sparse, of J^T J. `'lu'`: of square J. `'qr'`: dense and rank-revealing,
 * for small problems. `'bordered'`: parameters and networks as a dense border of the fields' factor.
 * `'block-tridiagonal'`: dense blocks, one per level of the first axis. `'multigrid'`: square J that couples neighbours
 * of one field. `'conjugate-gradient'`: on J^T J, preconditioned by the square block among the residuals.
 */
export type LinearSolver =
  'auto' | 'cholesky' | 'lu' | 'qr' | 'bordered' | 'block-tridiagonal' | 'multigrid' | 'conjugate-gradient';

const linearSolvers = [
  'auto',
  'cholesky',
  'lu',
  'qr',
  'bordered',
  'block-tridiagonal',
  'multigrid',
  'conjugate-gradient',
] as const satisfies readonly LinearSolver[];

/** Options of Gauss-Newton. */
export interface GaussNewtonOptions extends CommonSolveOptions {
  /** How; `'auto'` (default) picks by what the problem is, and the report says why. */
  method?: 'auto' | 'gauss-newton';
  /** How the linear step is found; default `'auto'`, which the report explains. */
  linearSolver?: LinearSolver;
  /**
   * `'levenberg-marquardt'` (default): steps are damped until the loss falls as predicted; those of `'lu'` and
   * `'multigrid'` are shortened instead. `'none'`: every step is taken as it is, as the official code does; frozen
   * terms need it.
   */
  damping?: 'levenberg-marquardt' | 'none';
  /** Damping at the start, relative to the diagonal of J^T J; default 1e-6. */
  initialLambda?: number;
  /** Adds damp^2 to the diagonal of J^T J; default 0. */
  damp?: number;
  /** Then adds its square times the diagonal; default 0. */
  dampDiagonal?: number;
  /**
   * The history holds one step in so many, and the last. Default: every one at first, thinned by half whenever there are
   * more than 2048.
   */
  historyEvery?: number;
  /** Memory that the sparse factor may take; ERR_OUT_OF_MEMORY, with the estimate, if it needs more. Default: what is free. */
  memoryLimitBytes?: number;
}

/** One accepted step. */
export interface GaussNewtonRecord {
  /** Counted over all calls since the run began, this one included. */
  iteration: number;
  /** After it. */
  loss: number;
  /** max |J^T F| before it. */
  gradient: number;
  /** Damping it was made with. */
  lambda: number;
  /** Its length. */
  step: number;
}

/** How a run of Gauss-Newton went. */
export interface GaussNewtonReport extends CommonSolveReport {
  /** What has run. */
  method: 'gauss-newton';
  /** Factorisations, those of rejected steps included; solutions where the solver is an iterative one. */
  factorizations: number;
  /** The one used last. */
  linearSolver: LinearSolver;
  /** Why that one. */
  linearSolverReason: string;
  /** Iterations of `'conjugate-gradient'` or cycles of `'multigrid'`, of all steps. */
  linearIterations: number;
  /** One entry per step taken. */
  history: GaussNewtonRecord[];
}

/** @internal */
export const gaussNewton = method(
  {
    linearSolver: withDefault(oneOf(linearSolvers), 'auto'),
    damping: optional(oneOf(['levenberg-marquardt', 'none'])),
    initialLambda: withDefault(number({ min: 0 }), 1e-6),
    damp: withDefault(number({ min: 0 }), 0),
    dampDiagonal: withDefault(number({ min: 0 }), 0),
    historyEvery: withDefault(integer({ min: 1 }), 0),
    memoryLimitBytes: optional(number({ min: 0 })),
  },
  {
    maxIterations: 100,
    gradientTolerance: 1e-10,
    stepTolerance: 1e-12,
    lossTolerance: 1e-14,
    official: { normalization: 'sum' },
    argumentsAt: {
      linearSolver: 'options.linearSolver',
      memoryLimitBytes: 'options.memoryLimitBytes',
      checkpoint: 'options.resume',
    },
  },
  (task, options, run) => {
    const damping = options.damping ?? (options.compat === 'official' ? 'none' : 'levenberg-marquardt');
    return nativeOdil.gaussNewton(
      task.handle,
      task.unknowns as Float64Array,
      {
        normalization: options.normalization,
        linearSolver: options.linearSolver,
        levenbergMarquardt: damping === 'levenberg-marquardt',
        maxIterations: options.maxIterations,
        initialLambda: options.initialLambda,
        damp: options.damp,
        dampDiagonal: options.dampDiagonal,
        gradientTolerance: options.gradientTolerance,
        stepTolerance: options.stepTolerance,
        lossTolerance: options.lossTolerance,
        historyEvery: options.historyEvery,
        memoryLimitBytes: options.memoryLimitBytes ?? availableMemory(),
        ...task.weights,
        checkpoint: task.resume,
      },
      run,
    );
  },
);
