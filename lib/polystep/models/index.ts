// Native objectives.
export {
  MaxSat,
  maxSat,
  type MaxSatClauses,
  type MaxSatCnf,
  type MaxSatCount,
  polishMaxSat,
  polishMaxSatSync,
  type PolishOptions,
  type PolishResult,
  type PolishSyncOptions,
  randomKSat,
  type RandomKSatOptions,
} from './max-sat';
export { NativeObjective, type Points, type ScoringOptions } from './native-objective';
