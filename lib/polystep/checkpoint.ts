// Where a run stands, as a plain object that can be stored and cloned.
import { makeError } from '../runtime/errors';
import { fail } from '../runtime/validate';
import type { OptimizerState } from './native';
import type { OptimizerOptions } from './options';
import type { ProgressiveState } from './schedules';

/** Version of the checkpoints that this release writes and reads. */
export const checkpointVersion = 2;

/** What {@link restore} needs to go on with the same bytes. */
export interface Checkpoint {
  /** Tells what this object is. */
  readonly format: 'discrete-descent polystep';
  /** Other versions are not read. */
  readonly version: number;
  /** Type of the arrays that hold points. */
  readonly dtype: 'float32' | 'float64';
  /** The options that were given, without functions and objectives. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Names of the options that were functions or objectives: they must be given again. */
  readonly functions: readonly string[];
  /** Step that comes next. */
  readonly step: number;
  /** Where the progressive temperature stands, if there is one. */
  readonly progressive: ProgressiveState | null;
  /** Arrays. */
  readonly state: OptimizerState;
}

/** Options that can be stored, and the names of the others. @internal */
export function storable(options: OptimizerOptions): { plain: Record<string, unknown>; functions: string[] } {
  const plain: Record<string, unknown> = {};
  const functions: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (typeof value === 'function' || name === 'objective') functions.push(name);
    else plain[name] = structuredClone(value);
  }
  return { plain, functions };
}

const stateNames = {
  x: 'reals',
  base: 'reals',
  velocity: 'reals',
  average: 'reals',
  direction: 'reals',
  best: 'reals',
  history: 'Float64Array',
  leading: 'Float64Array',
  covariance: 'Float64Array',
  f: 'Float64Array',
  g: 'Float64Array',
  particleRadii: 'Float64Array',
  counters: 'Float64Array',
} as const;

function broken(member: string, text: string): never {
  throw makeError('ERR_INVALID_FORMAT', `checkpoint${member}`, `\`checkpoint${member}\` ${text}`);
}

/** Reads a checkpoint, or says what is wrong with it. @internal */
export function parseCheckpoint(value: unknown): Checkpoint {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', 'checkpoint', 'a checkpoint', value);
  const given = value as { readonly [Name in keyof Checkpoint]?: unknown };
  if (given.format !== 'discrete-descent polystep') broken('.format', 'says that this is not a checkpoint of polystep');
  if (given.version !== checkpointVersion) {
    broken('.version', `must be ${checkpointVersion}, got ${String(given.version)}`);
  }
  if (given.dtype !== 'float32' && given.dtype !== 'float64') broken('.dtype', "must be 'float32' or 'float64'");
  if (typeof given.options !== 'object' || given.options === null) broken('.options', 'is missing');
  if (!Array.isArray(given.functions)) broken('.functions', 'is missing');
  if (!Number.isSafeInteger(given.step)) broken('.step', 'is missing');
  const { state } = given;
  if (typeof state !== 'object' || state === null) broken('.state', 'is missing');
  for (const [name, kind] of Object.entries(stateNames)) {
    const expected = kind === 'reals' ? (given.dtype === 'float32' ? 'Float32Array' : 'Float64Array') : kind;
    const tag = Object.prototype.toString.call((state as Record<string, unknown>)[name]).slice(8, -1);
    if (tag !== expected) broken(`.state.${name}`, `must be a ${expected}, got ${tag}`);
  }
  return value as Checkpoint;
}
