// Methods that march through time: the state from its equations, and Gauss-Newton over model errors and parameters.
import { callNative, makeError } from '../../runtime/errors';
import { boolean, integer, number, object, oneOf, optional, withDefault } from '../../runtime/validate';
import { nativeOdil } from '../native';
import { type CommonSolveOptions, type CommonSolveReport, method, type Task } from './method';
import type { Solvable } from './solvable';

/** Which residuals determine the state row by row; default: found by what they read. */
export interface EvolutionOptions {
  /** The block that determines most rows. */
  block?: string;
  /** The axis of time, which must be the first one of the grid; for readers. */
  axis?: string;
}

/** Options of `'marching'`: square problems in time, solved row by row, at a cost linear in the points. */
export interface MarchingOptions extends CommonSolveOptions {
  /** How. */
  method: 'marching';
  /** What marches. */
  evolution?: EvolutionOptions;
}

/**
 * Options of `'control-space'`: Gauss-Newton whose unknowns are the errors of the model and the parameters, while the
 * state marches. For time-dependent problems with data, regularisation or parameters. `lossTolerance`: default 1e-4;
 * `maxIterations`: default 50.
 */
export interface ControlSpaceOptions extends CommonSolveOptions {
  /** How. */
  method: 'control-space';
  /**
   * `'weak'` (default): the equations may be missed, at their weight, where data ask for it. `'strong'`: they hold, and
   * only parameters move.
   */
  constraint?: 'weak' | 'strong';
  /** What marches. */
  evolution?: EvolutionOptions;
  /** Conjugate gradients stop when their residual is this share of the first; default 0.1. */
  linearTolerance?: number;
  /** Or after so many iterations; default 50. */
  linearIterations?: number;
  /** Damping of the parameters at the start, in units of the loss at one step of their scale; default 1. */
  initialLambda?: number;
  /** How often a step is halved at most when it does not lower the loss; default 3. */
  halvings?: number;
  /**
   * Solves on coarser grids first and takes the parameters from there; default false. For problems that know how they
   * are made on a coarser grid (`coarser` of `odil.problem`), as `odil.problems.glioma` does.
   */
  gridSequence?: boolean;
}

/** How a march went. */
export interface MarchingReport extends CommonSolveReport {
  /** What has run. */
  method: 'marching';
  /** Sweeps of row solves, all rows together; 0 where rows are solved directly. */
  sweeps: number;
  /** Empty: rows are solved one after the other, `iterations` counts their Newton steps. */
  history: never[];
}

/** One iteration of `'control-space'`. */
export interface ControlSpaceRecord {
  /** After it. */
  loss: number;
  /** Damping of the parameters it was made with. */
  lambda: number;
  /** Share of the step that was taken; 0 where none lowered the loss. */
  alpha: number;
  /** Of conjugate gradients. */
  linearIterations: number;
  /** Where they ended, relative to where they began. */
  linearResidual: number;
  /** Marches through time: forwards, backwards and nonlinear. */
  marches: number;
  /** Sweeps of the row that needed most; 0 where rows are solved directly. */
  sweeps: number;
  /** Parameters at a bound that they would have left. */
  activeBounds: string[];
  /** Parameters that were held because the loss jumps as they move: those in the condition of a `where`. */
  frozen: string[];
}

/** One grid of a sequence. */
export interface GridRecord {
  /** Points of each axis. */
  cells: number[];
  /** On that grid. */
  loss: number;
  /** On that grid. */
  iterations: number;
  /** On that grid. */
  marches: number;
  /** On that grid. */
  seconds: number;
}

/** How a run of `'control-space'` went. */
export interface ControlSpaceReport extends CommonSolveReport {
  /** What has run. */
  method: 'control-space';
  /** Of the state it began with: the one that marches from the parameters, or the given one where that is much better. */
  initialLoss: number;
  /** Of conjugate gradients, all together. */
  linearIterations: number;
  /** All together. */
  marches: number;
  /** One entry per iteration. */
  history: ControlSpaceRecord[];
  /** Coarser grids that came first. */
  grids: GridRecord[];
}

/** What marches in a problem. @internal */
export interface FoundEvolution {
  /** Number of the block, or -1. */
  block: number;
  hasData: boolean;
  /** A block of data that 'control-space' cannot use, or ''. */
  otherPoints: string;
  /** Why there is none. */
  reason: string;
}

/** @internal */
export const findEvolution = (problem: Solvable): FoundEvolution =>
  callNative(() => nativeOdil.evolution(problem.handle, -1));

const evolutionMembers = object({
  block: optional((value: unknown) => value),
  axis: optional((value: unknown) => value),
});

/** The number of the block that was named, or -1. */
function blockOf({ problem }: Task, evolution: ReturnType<typeof evolutionMembers> | undefined): number {
  if (evolution?.axis !== undefined) {
    oneOf([problem.grid.names[0] as string])(evolution.axis, 'options.evolution.axis');
  }
  if (evolution?.block === undefined) return -1;
  return problem.blockNames.indexOf(oneOf(problem.blockNames)(evolution.block, 'options.evolution.block'));
}

/** Throws for a tolerance that this method has no use for. */
function refuse(options: object, names: readonly string[], of: string): void {
  for (const name of names) {
    if ((options as Record<string, unknown>)[name] === 0) continue;
    throw makeError('ERR_INVALID_ARG_VALUE', `options.${name}`, `\`options.${name}\` is not an option of '${of}'`);
  }
}

const noTolerances = { gradientTolerance: 0, stepTolerance: 0, official: { normalization: 'mean' } } as const;

/** @internal */
export const marching = method(
  { evolution: optional(evolutionMembers) },
  { ...noTolerances, maxIterations: 50, lossTolerance: 0, argumentsAt: { method: 'options.method' } },
  (task, options, run) => {
    refuse(options, ['gradientTolerance', 'stepTolerance', 'lossTolerance'], 'marching');
    const block = blockOf(task, options.evolution);
    return nativeOdil.march(task.handle, task.unknowns, { block, newtonSteps: options.maxIterations }, run);
  },
);

/** @internal */
export const controlSpace = method(
  {
    constraint: withDefault(oneOf(['weak', 'strong']), 'weak'),
    evolution: optional(evolutionMembers),
    linearTolerance: withDefault(number({ above: 0, max: 1 }), 0.1),
    linearIterations: withDefault(integer({ min: 1 }), 50),
    initialLambda: withDefault(number({ min: 0 }), 1),
    halvings: withDefault(integer({ min: 0, max: 60 }), 3),
    gridSequence: withDefault(boolean, false),
  },
  { ...noTolerances, maxIterations: 50, lossTolerance: 1e-4, argumentsAt: { method: 'options.method' } },
  (task, options, run) => {
    refuse(options, ['gradientTolerance', 'stepTolerance'], 'control-space');
    const { problem, weights } = task;
    if (weights.halfLives.some((halfLife) => Number.isFinite(halfLife))) {
      throw makeError(
        'ERR_INVALID_ARG_VALUE',
        'options.weights',
        "`options.weights` must not decay with 'control-space', which compares losses of all its steps",
      );
    }
    return nativeOdil.controlSpace(
      task.handle,
      task.unknowns,
      {
        ...problem.ranges,
        block: blockOf(task, options.evolution),
        normalization: options.normalization,
        weights: weights.weights,
        weak: options.constraint === 'weak',
        maxIterations: options.maxIterations,
        lossTolerance: options.lossTolerance,
        linearTolerance: options.linearTolerance,
        linearIterations: options.linearIterations,
        initialLambda: options.initialLambda,
        halvings: options.halvings,
      },
      run,
    );
  },
);
