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
  type EvaluateOptions,
  type FieldOptions,
  type NetworkOptions,
  type Normalization,
  type ParameterOptions,
  Problem,
  problem,
  type ProblemEvaluation,
  type ProblemOptions,
  type Residual,
  type Residuals,
  type Solution,
  type State,
  type Symbols,
  type Tools,
} from './problem';
export * as problems from './problems';
export type { GaussNewtonOptions, SolveOptions, SolveReport, SolveStatus, SolveStep, SolveSyncOptions } from './solve';
