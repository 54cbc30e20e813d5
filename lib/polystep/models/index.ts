// Native objectives.
export { argmaxAttention, type ArgmaxAttentionOptions } from './argmax-attention';
export { acrobot, acrobotStep, cartPole, cartPoleStep, type ControlOptions, type ControlStep, Policy } from './control';
export { type Activation, type ParameterTensor, type WeightKind } from './graph';
export { LifNetwork, lifNetwork, type LifNetworkOptions } from './lif-network';
export { MaxSat, maxSat, type MaxSatClauses, type MaxSatCnf, type MaxSatCount, type MaxSatSearch } from './max-sat';
export { mixtureOfExperts, type MixtureOfExpertsOptions } from './mixture-of-experts';
export { mlp, type MlpOptions } from './mlp';
export { NativeObjective, type Points, type ScoringOptions } from './native-objective';
export {
  type InitialOptions,
  type LabelledData,
  Network,
  type NetworkOptions,
  type NetworkSearch,
  type TargetData,
} from './network';
export { obliqueTree, type ObliqueTreeOptions } from './oblique-tree';
export {
  polishMaxSat,
  polishMaxSatSync,
  type PolishOptions,
  type PolishResult,
  type PolishSchedule,
  type PolishSyncOptions,
} from './polish-max-sat';
export { type RandomKSat, randomKSat, type RandomKSatOptions } from './random-k-sat';
