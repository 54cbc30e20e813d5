// Gauss-Newton with Levenberg-Marquardt damping: second order, for sums of squares.
import { number, oneOf, optional, withDefault } from '../../runtime/validate';
import { nativeOdil } from '../native';
import { type CommonSolveOptions, type CommonSolveReport, method } from './method';

/** Options of Gauss-Newton. */
export interface GaussNewtonOptions extends CommonSolveOptions {
  /** How; `'auto'` (default) picks by what the problem is, and the report says why. */
  method?: 'auto' | 'gauss-newton';
  /**
   * `'levenberg-marquardt'` (default): steps are damped until the loss falls as predicted. `'none'`: every step is
   * taken as it is, as the official code does; frozen terms need it.
   */
  damping?: 'levenberg-marquardt' | 'none';
  /** Damping at the start, relative to the diagonal of J^T J; default 1e-6. */
  initialLambda?: number;
  /** Adds damp^2 to the diagonal of J^T J; default 0. */
  damp?: number;
  /** Then adds its square times the diagonal; default 0. */
  dampDiagonal?: number;
}

/** One accepted step. */
export interface GaussNewtonRecord {
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
  /** Factorisations, those of rejected steps included. */
  factorizations: number;
  /** One entry per step taken. */
  history: GaussNewtonRecord[];
}

/** @internal */
export const gaussNewton = method(
  {
    damping: optional(oneOf(['levenberg-marquardt', 'none'])),
    initialLambda: withDefault(number({ min: 0 }), 1e-6),
    damp: withDefault(number({ min: 0 }), 0),
    dampDiagonal: withDefault(number({ min: 0 }), 0),
  },
  {
    maxIterations: 100,
    gradientTolerance: 1e-10,
    stepTolerance: 1e-12,
    lossTolerance: 1e-14,
    official: { normalization: 'sum' },
  },
  (task, options, run) => {
    const damping = options.damping ?? (options.compat === 'official' ? 'none' : 'levenberg-marquardt');
    return nativeOdil.gaussNewton(
      task.handle,
      task.unknowns as Float64Array,
      {
        normalization: options.normalization,
        levenbergMarquardt: damping === 'levenberg-marquardt',
        maxIterations: options.maxIterations,
        initialLambda: options.initialLambda,
        damp: options.damp,
        dampDiagonal: options.dampDiagonal,
        gradientTolerance: options.gradientTolerance,
        stepTolerance: options.stepTolerance,
        lossTolerance: options.lossTolerance,
      },
      run,
    );
  },
);
