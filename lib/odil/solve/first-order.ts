// Gradient methods: for losses that are no sums of squares, for single precision, and for problems that are too large to
// factor.
import type { NativeRun } from '../../runtime/native';
import { arrayOf, boolean, integer, number, object, optional, type Schema, withDefault } from '../../runtime/validate';
import { type NativeFirstOrder, nativeOdil } from '../native';
import { type CommonSolveOptions, type CommonSolveReport, type Defaults, method, type Task } from './method';

/** Multigrid decomposition of the fields: u = f_1 u_1 + T(f_2 u_2 + T(...)), each level half as fine as the one before. */
export interface MultigridOptions {
  /** How many; default: as many as the axis of fewest cells allows, round(log2 cells). Cells must halve exactly. */
  levels?: number;
  /** f_1, f_2, ..., one for each level; default all 1. Larger ones let a level move faster. */
  factors?: readonly number[];
}

/** What gradient methods take. */
export interface FirstOrderOptions extends CommonSolveOptions {
  /**
   * Moves the fields on all levels of a multigrid decomposition at once, so that what is wrong on a large scale is
   * repaired as quickly as the rest; default false. Source: arXiv 2303.04679.
   */
  multigrid?: boolean | MultigridOptions;
  /**
   * The history holds one entry in so many iterations, and the last. Default: every one at first, thinned by half
   * whenever there are more than 2048.
   */
  historyEvery?: number;
}

/** Adam, arXiv 1412.6980, as the published code has it: epsilon outside the corrected step. */
export interface AdamOptions extends FirstOrderOptions {
  /** How. */
  method: 'adam';
  /** About how far each unknown moves in an iteration; default 1e-3. */
  learningRate?: number;
  /** Memory of the gradient; default 0.9. */
  beta1?: number;
  /** Memory of its square; default 0.999. */
  beta2?: number;
  /** Added to the root of the latter; default 1e-7. */
  epsilon?: number;
}

/** Gradient descent: z - learningRate * gradient. */
export interface GradientDescentOptions extends FirstOrderOptions {
  /** How. */
  method: 'gradient-descent';
  /** Default 1e-3. */
  learningRate?: number;
}

/** Constants of the strong Wolfe line search. */
export interface LineSearchOptions {
  /** c1: the loss must fall by this share of what the slope promises; default 1e-4. */
  decrease?: number;
  /** c2: the slope must shrink to this share; default 0.9. */
  curvature?: number;
  /** Evaluations in one search at most; default 50. */
  evaluations?: number;
}

/** Limited-memory BFGS with a strong Wolfe line search. */
export interface LbfgsOptions extends FirstOrderOptions {
  /** How. */
  method: 'lbfgs';
  /** Pairs of steps and gradient changes that are kept; default 50. */
  memory?: number;
  /** Constants of the line search. */
  lineSearch?: LineSearchOptions;
}

/** The state after so many steps. */
export interface FirstOrderRecord {
  /** Counted over all calls since the run began. */
  iteration: number;
  /** There. */
  loss: number;
  /** max |gradient| there, by the unknowns of the method: the levels where there are some. */
  gradient: number;
  /** max |step| that led there; 0 at the start of a call. */
  step: number;
  /** Evaluations of loss and gradient so far. */
  evaluations: number;
}

/** How a run of a gradient method went. The state is the best one seen. */
export interface FirstOrderReport extends CommonSolveReport {
  /** What has run. */
  method: 'adam' | 'lbfgs' | 'gradient-descent';
  /** Evaluations of loss and gradient since the run began, line searches included. */
  evaluations: number;
  /** Iterations of this call, thinned as `historyEvery` says. */
  history: FirstOrderRecord[];
}

const openUnit: Schema<number> = (value, argument) => number({ above: 0, max: 1 - 2 ** -53 })(value, argument);
const positive = number({ above: 0 });
const multigridMembers = object({
  levels: optional(integer({ min: 1, max: 32 })),
  factors: optional(arrayOf(positive, { min: 1 })),
});

const firstOrderMembers = {
  multigrid: optional((value: unknown, argument: string) =>
    typeof value === 'boolean' ? boolean(value, argument) : multigridMembers(value, argument),
  ),
  historyEvery: withDefault(integer({ min: 1 }), 0),
};
const beta = number({ min: 0, max: 1 - 2 ** -53 });

const defaults: Defaults = {
  maxIterations: 1000,
  gradientTolerance: 1e-10,
  stepTolerance: 0,
  lossTolerance: 0,
  official: { normalization: 'mean' },
};

interface Common {
  normalization: string;
  maxIterations: number;
  gradientTolerance: number;
  stepTolerance: number;
  lossTolerance: number;
  historyEvery: number;
  multigrid: boolean | { levels: number | undefined; factors: number[] | undefined } | undefined;
}

/** Starts the native run; `own`: what only this method has. */
function start(
  task: Task,
  options: Common,
  run: NativeRun,
  own: Partial<NativeFirstOrder> & { method: string },
): unknown {
  const { multigrid } = options;
  const levels = typeof multigrid === 'object' ? multigrid : undefined;
  return nativeOdil.firstOrder(
    task.handle,
    task.unknowns,
    {
      ...own,
      ...task.weights,
      normalization: options.normalization,
      maxIterations: options.maxIterations,
      gradientTolerance: options.gradientTolerance,
      stepTolerance: options.stepTolerance,
      lossTolerance: options.lossTolerance,
      historyEvery: options.historyEvery,
      multigrid: multigrid !== undefined && multigrid !== false,
      levels: levels?.levels ?? levels?.factors?.length ?? 0,
      factors: Float64Array.from(levels?.factors ?? []),
      checkpoint: task.resume,
    },
    run,
  );
}

const argumentsAt = {
  levels: 'options.multigrid.levels',
  factors: 'options.multigrid.factors',
  lineSearch: 'options.lineSearch',
  checkpoint: 'options.resume',
  resume: 'options.resume',
};

/** @internal */
export const adam = method(
  {
    ...firstOrderMembers,
    learningRate: withDefault(positive, 1e-3),
    beta1: withDefault(beta, 0.9),
    beta2: withDefault(beta, 0.999),
    epsilon: withDefault(positive, 1e-7),
  },
  { ...defaults, argumentsAt },
  (task, options, run) => {
    const { learningRate, beta1, beta2, epsilon } = options;
    return start(task, options, run, { method: 'adam', learningRate, beta1, beta2, epsilon });
  },
);

/** @internal */
export const gradientDescent = method(
  { ...firstOrderMembers, learningRate: withDefault(positive, 1e-3) },
  { ...defaults, argumentsAt },
  (task, options, run) => start(task, options, run, { method: 'gradient-descent', learningRate: options.learningRate }),
);

const lineSearchMembers = object({
  decrease: withDefault(openUnit, 1e-4),
  curvature: withDefault(openUnit, 0.9),
  evaluations: withDefault(integer({ min: 1 }), 50),
});

/** @internal */
export const lbfgs = method(
  {
    ...firstOrderMembers,
    memory: withDefault(integer({ min: 1 }), 50),
    lineSearch: withDefault(lineSearchMembers, { decrease: 1e-4, curvature: 0.9, evaluations: 50 }),
  },
  { ...defaults, argumentsAt },
  (task, options, run) => {
    const { decrease, curvature, evaluations } = options.lineSearch;
    return start(task, options, run, {
      method: 'lbfgs',
      memory: options.memory,
      decrease,
      curvature,
      searchEvaluations: evaluations,
    });
  },
);
