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
  min,
  Parameter,
  type Shift,
  sigmoid,
  sin,
  sqrt,
  sum,
  tanh,
  type Value,
  where,
} from './expression';
export * as glioma from './glioma';
export { type Axis, type AxisOptions, Grid, grid } from './grid';
export { type Activation, Network } from './network';
export {
  type AxesOf,
  type BlockSummary,
  type EvaluateOptions,
  type FieldOptions,
  type FieldsOf,
  type NetworkOptions,
  type NetworksOf,
  type Normalization,
  type ParameterOptions,
  type ParametersOf,
  Problem,
  problem,
  type ProblemEvaluation,
  type ProblemOptions,
  type ProgramOptions,
  type Residual,
  type Residuals,
  type Solution,
  type State,
  type Symbols,
  type Tools,
} from './problem';
export * as problems from './problems';
export type { GaussNewtonOptions, SolveOptions, SolveReport, SolveStatus, SolveStep, SolveSyncOptions } from './solve';
export type { Reals } from './native';
