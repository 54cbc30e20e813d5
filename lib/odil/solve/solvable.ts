// What solvers ask of a problem, so that a problem may solve itself without solvers knowing its class.
import type { Grid } from '../grid';
import type { NativeProblem, Reals } from '../native';
import type { ParameterRanges } from '../parameter-range';
import type { Normalization, ProblemEvaluation, State } from '../state';

/** @internal */
export interface Solvable {
  readonly grid: Grid;
  /** The native object. */
  readonly handle: NativeProblem;
  /** Number of unknowns. */
  readonly unknowns: number;
  readonly ranges: ParameterRanges;
  /** Makes the problem on the next coarser grid. */
  readonly coarser: (() => Solvable) | undefined;
  /** Whether a residual reads all points at once. */
  readonly hasTotals: boolean;
  readonly blockNames: string[];
  /** Of blocks that are no squares. */
  readonly rawBlockNames: string[];
  /** All unknowns one after the other, or those from number `first` on, a copy; all are checked. */
  pack(state: State, argument?: string, first?: number): Reals;
  packInitial(single: boolean): Reals;
  unpack<Array_ extends Reals>(packed: Array_): State<Array_>;
  /** Throws for a parameter outside its range; `packed` came from `argument`. */
  checkRanges(packed: Reals, argument: string): void;
  /** The name of parameter number `number`, counted over all. */
  parameterName(number: number): string;
  /** What each block contributes at packed unknowns. */
  summarise(
    unknowns: Reals,
    options: { normalization: Normalization; weights: Float64Array; threads: number },
  ): Pick<ProblemEvaluation, 'blocks' | 'loss'>;
  dispose(): void;
}
