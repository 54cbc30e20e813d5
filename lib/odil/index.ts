// Optimise a discrete loss: PDE residuals on grids as sparse least squares.
export {
  abs,
  AxisPosition,
  clip,
  Condition,
  cos,
  exp,
  Expression,
  Field,
  log,
  max,
  mean,
  min,
  Parameter,
  type Shift,
  sigmoid,
  sin,
  sqrt,
  sum,
  tanh,
  total,
  type TotalOptions,
  type Value,
  where,
} from './expression';
export * as glioma from './glioma';
export { type Axis, type AxisOptions, Grid, grid } from './grid';
export { type Activation, Network } from './network';
export {
  type AxesOf,
  type FieldOptions,
  type FieldsOf,
  type NetworkOptions,
  type NetworksOf,
  type ParameterOptions,
  type ParametersOf,
  problem,
  type ProblemOptions,
  type Residual,
  type Residuals,
  type Symbols,
  type Tools,
} from './definition';
export { type EvaluateOptions, Problem, type ProgramOptions } from './problem';
export { type Entries, laplace, type LaplaceOptions, type LaplaceResult, laplaceSync } from './laplace';
export type { ParameterRangeOptions } from './parameter-range';
export * as problems from './problems';
export type { Checkpoint } from './solve/checkpoint';
export type {
  AdamOptions,
  FirstOrderOptions,
  FirstOrderRecord,
  FirstOrderReport,
  GradientDescentOptions,
  LbfgsOptions,
  LineSearchOptions,
  MultigridOptions,
} from './solve/first-order';
export type {
  ControlSpaceOptions,
  ControlSpaceRecord,
  ControlSpaceReport,
  EvolutionOptions,
  GridRecord,
  MarchingOptions,
  MarchingReport,
} from './solve/evolution';
export type { GaussNewtonOptions, GaussNewtonRecord, GaussNewtonReport, LinearSolver } from './solve/gauss-newton';
export type {
  CommonSolveOptions,
  CommonSolveReport,
  SolveRunOptions,
  SolveStatus,
  SolveSyncRunOptions,
} from './solve/method';
export type { MethodName } from './solve/method-name';
export type { BlockWeights, DecayingWeight } from './solve/weights';
export type {
  AutoOptions,
  MethodOptions,
  Solution,
  SolveOptions,
  SolveReport,
  SolveSyncOptions,
  StartOptions,
} from './solve/solution';
export type { BlockSummary, Normalization, ProblemEvaluation, State } from './state';
export type { Reals } from './native';
