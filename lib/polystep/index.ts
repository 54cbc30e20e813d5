// Gradient-free training by polytope steps with soft assignment.
export {
  type CostScale,
  type Costs,
  plan,
  type Plan,
  type PlanOptions,
  type Rule,
  scaleCosts,
  type TransportOptions,
} from './plan';
export {
  biasRotation,
  haarFromGaussian,
  haarRotation,
  polytope,
  type Polytope,
  type PolytopeName,
  type RandomAddress,
  randomNormals,
  type RandomStream,
} from './geometry';
export {
  type CosineSchedule,
  type GeometricSchedule,
  type LinearSchedule,
  type PowerSchedule,
  type ProgressiveSchedule,
  type ProgressiveState,
  progressiveStep,
  rankAt,
  type RankSchedule,
  type Schedule,
  scheduleValue,
  type StepSchedule,
} from './schedules';
export {
  adaptRadius,
  type AdaptiveRadius,
  type AdaptiveRadiusOptions,
  momentumCoefficient,
  quadraticModel,
  type QuadraticModel,
  trustRegionMultiplier,
} from './dynamics';
export { adaptVariances, type CovarianceConstants, covarianceConstants, evolvePath, pathStalled } from './covariance';
export { type GroupOptions, type RowGroup, rowGroups } from './groups';
export { transportDirections } from './transport-directions';
export { createSubspace, type Subspace, type SubspaceEntry, type SubspaceKind, type SubspaceOptions } from './subspace';
export type { OptimizerState, Reals } from './native';
export type { BatchedLoss, DeltaLoss, NativeLoss, Objective } from './objective';
export type { History, StepRecord } from './history';
export type { MomentumOptions, OptimizerOptions } from './options';
export type { Start } from './start';
export type { LoopOptions, Minimum } from './loop';
export type { Checkpoint } from './checkpoint';
export { createOptimizer, restore } from './create-optimizer';
export { Optimizer } from './optimizer';
export { minimize, type MinimizeOptions, type RestartOptions } from './minimize';
export * as baselines from './baselines';
export * as functions from './functions';
export * as models from './models';
