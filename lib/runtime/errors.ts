// The classes of everything this package throws. Native code throws plain records { code, argument, message };
// `callNative` and `errorFromRecord` turn them into these, so that `instanceof` works in every realm.

/** Codes by which errors can be told apart; `error.code` holds one of them. */
export type ErrorCode =
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_SHAPE_MISMATCH'
  | 'ERR_NOT_FINITE'
  | 'ERR_NOT_CONVERGED'
  | 'ERR_SINGULAR'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_BACKEND_UNAVAILABLE'
  | 'ERR_BACKEND_FAILED'
  | 'ERR_NATIVE_UNAVAILABLE'
  | 'ERR_DISPOSED'
  | 'ERR_NOT_TRANSFERABLE'
  | 'ERR_INVALID_FORMAT'
  | 'ERR_NOT_EXPRESSIBLE'
  | 'ERR_INTERNAL';

/** What an error of this package carries beside its message. */
export interface ErrorDetails {
  /** Which kind of error this is. */
  readonly code: ErrorCode;
  /** Name of the argument that was wrong, for example `options.bands[1].from`; empty where none was. */
  readonly argument: string;
}

function named(error: Error, code: ErrorCode): void {
  // As Node does: the stack starts with "RangeError [ERR_OUT_OF_RANGE]: message".
  const { name } = error;
  Object.defineProperty(error, 'name', { value: `${name} [${code}]`, configurable: true, writable: true });
  Reflect.get(error, 'stack'); // the first read formats it
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true, enumerable: false });
}

/** An argument of the wrong type (`ERR_INVALID_ARG_TYPE`). */
export class ArgumentTypeError extends TypeError implements ErrorDetails {
  readonly code: ErrorCode;
  readonly argument: string;
  constructor(code: ErrorCode, argument: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.argument = argument;
    named(this, code);
  }
}

/** An argument outside what is allowed: value, range, shape or finiteness. */
export class ArgumentRangeError extends RangeError implements ErrorDetails {
  readonly code: ErrorCode;
  readonly argument: string;
  constructor(code: ErrorCode, argument: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.argument = argument;
    named(this, code);
  }
}

/** Everything that goes wrong while arguments are right: a singular matrix, a missing back end, a disposed handle. */
export class OperationError extends Error implements ErrorDetails {
  readonly code: ErrorCode;
  readonly argument: string;
  constructor(code: ErrorCode, argument: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.argument = argument;
    named(this, code);
  }
}

const argumentCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
  'ERR_SHAPE_MISMATCH',
  'ERR_NOT_FINITE',
]);

/** Makes the error of the right class for `code`. @internal */
export function makeError(
  code: ErrorCode,
  argument: string,
  message: string,
  options?: ErrorOptions,
): Error & ErrorDetails {
  if (code === 'ERR_INVALID_ARG_TYPE') return new ArgumentTypeError(code, argument, message, options);
  if (argumentCodes.has(code)) return new ArgumentRangeError(code, argument, message, options);
  return new OperationError(code, argument, message, options);
}

interface NativeErrorRecord {
  code: ErrorCode;
  argument: string;
  message: string;
}

function isRecord(thrown: unknown): thrown is NativeErrorRecord {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    typeof (thrown as NativeErrorRecord).code === 'string' &&
    typeof (thrown as NativeErrorRecord).argument === 'string' &&
    typeof (thrown as NativeErrorRecord).message === 'string' &&
    !('stack' in thrown)
  );
}

/**
 * Where the user gave what native code names by itself: `{ averageBits: 'options.averageBits' }`. See `homes`.
 * @internal
 */
export type ArgumentHomes = Readonly<Record<string, string>>;

/** Members of the objects that a call takes, by what the call names these objects. @internal */
export function homes(members: Readonly<Record<string, readonly string[]>>): ArgumentHomes {
  return Object.fromEntries(
    Object.entries(members).flatMap(([object, names]) => names.map((name) => [name, `${object}.${name}`])),
  );
}

/**
 * A thrown native record as an error of the right class, its arguments named as the user gave them; anything else
 * unchanged. @internal
 */
export function errorFromRecord(thrown: unknown, at: ArgumentHomes = {}): unknown {
  if (!isRecord(thrown)) return thrown;
  const { code, argument, message } = thrown;
  const given = (text: string, name: RegExp): string =>
    text.replace(name, (root) => (Object.hasOwn(at, root) ? (at[root] as string) : root));
  return makeError(code, given(argument, /^\w+/), given(message, /(?<=`)\w+/g));
}

/** Runs a native call and rethrows its record as an error whose stack is the caller's. @internal */
export function callNative<Result>(call: () => Result, at?: ArgumentHomes): Result {
  try {
    return call();
  } catch (thrown) {
    throw errorFromRecord(thrown, at);
  }
}
