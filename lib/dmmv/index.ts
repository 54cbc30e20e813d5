// Discrete min-max violation: choose discrete values that minimise the largest constraint violation, with certificates.
export {
  checkCertificate,
  type LowerBound,
  lowerBound,
  type LowerBoundOptions,
  lowerBoundSync,
  type LowerBoundSyncOptions,
} from './bound';
export { type Evaluation, evaluate, oneFlipTable } from './evaluate';
export { type ExactOptions, type ExactResult, type ExactSeconds, solveExact } from './exact';
export { designFir, designFirSync, type FirDesign, type FirOptions, type FirSyncOptions } from './fir';
export { designFirBatch, type FirBatchOptions } from './fir-batch';
export type { FirBand, FirSpecification, FirType, GainRange } from './fir-specification';
export {
  createProblem,
  type Levels,
  levelValues,
  nearestLevels,
  type Numbers,
  Problem,
  type ProblemOptions,
  type SoftRows,
  type UniformLevels,
} from './problem';
export type {
  EngineName,
  Improvement,
  MoveName,
  PhaseSeconds,
  SearchOptions,
  SearchResult,
  SolveStatus,
} from './search';
export { type SolveOptions, type SolveResult, solve, solveSync, type SolveSyncOptions } from './solve';
export {
  type Beams,
  dart,
  projector,
  reconstructTomography,
  sirt,
  type Tomography,
  type TomographyOptions,
  type TomographyProblem,
} from './tomography';
export {
  type RoundedWeights,
  type RoundingSeconds,
  type RowGrids,
  roundWeights,
  type RoundWeightsOptions,
  type WeightsToRound,
} from './weights';
