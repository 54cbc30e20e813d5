// What `problem.solve` takes and gives, over all methods.
import type { Reals } from '../native';
import type { BlockSummary, State } from '../state';
import type { Checkpoint } from './checkpoint';
import type { ControlSpaceOptions, ControlSpaceReport, MarchingOptions, MarchingReport } from './evolution';
import type { AdamOptions, FirstOrderReport, GradientDescentOptions, LbfgsOptions } from './first-order';
import type { GaussNewtonOptions, GaussNewtonReport } from './gauss-newton';
import type { SolveRunOptions, SolveSyncRunOptions } from './method';

/** Options where the method is left open: those of the one that is picked. */
export interface AutoOptions
  extends Omit<GaussNewtonOptions, 'method'>, Omit<LbfgsOptions, 'method'>, Omit<ControlSpaceOptions, 'method'> {
  /** Picks by what the problem is; the report says which and why. */
  method?: 'auto';
}

/** Options of the methods; `method` tells which of them. */
export type MethodOptions =
  | AutoOptions
  | GaussNewtonOptions
  | MarchingOptions
  | ControlSpaceOptions
  | AdamOptions
  | LbfgsOptions
  | GradientDescentOptions;

/** Where to start. */
export interface StartOptions<Array_ extends Reals = Float64Array> {
  /**
   * A state, for example that of another solution; default: the initial one of the problem. Of Float32Arrays: a
   * gradient method computes in single precision.
   */
  initial?: State<Array_>;
  /**
   * The checkpoint of a solution: goes on as if it had never stopped, to the bit, with the options of that run where no
   * new ones are given.
   */
  resume?: Checkpoint;
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
export type SolveReport = GaussNewtonReport | MarchingReport | ControlSpaceReport | FirstOrderReport;

/** What `solve` finds: a state, and how it was found. */
export type Solution<Array_ extends Reals = Float64Array> = State<Array_> &
  SolveReport & {
    /** Per block: number of residuals, root of their mean square, contribution to the loss. */
    blocks: Record<string, BlockSummary>;
  };
