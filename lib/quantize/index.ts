// Quantisation of trained weights, and the budgeted assignments that decide where bits go.
export {
  type AcrossLayersOptions,
  allocateAcrossLayers,
  allocateBits,
  type AllocationMode,
  type AllocationOptions,
  type BitAllocation,
  type LayerAllocation,
  type LayerOptions,
} from './allocate';
export {
  type KnapsackMethod,
  type KnapsackProblem,
  type KnapsackSolution,
  solveKnapsack,
  solveKnapsackSync,
} from './knapsack';
export {
  type AssignmentLoss,
  type Evaluation,
  type Question,
  rco,
  type RcoOptions,
  type RcoProblem,
  type RcoResult,
  rcoSync,
  type RcoSyncOptions,
  type TableObjective,
} from './rco';
export type { Numbers, NumberTable } from './table';
