// The public surface of discrete-descent: re-exports only.
export * as dmmv from './dmmv';
export * as formats from './formats';
export * as odil from './odil';
export * as polystep from './polystep';
export * as quantize from './quantize';
export * as report from './report';
export { type BackendDevice, type BackendStatus, backends } from './runtime/backends';
export {
  ArgumentRangeError,
  ArgumentTypeError,
  type ErrorCode,
  type ErrorDetails,
  OperationError,
} from './runtime/errors';
export { type DenseMatrix, denseMatrix, type Matrix, type SparseMatrix, sparseMatrix } from './runtime/matrix';
export type { BackendChoice, Progress, RunOptions, SyncRunOptions } from './runtime/run';
