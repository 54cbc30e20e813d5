// The one mechanism by which arguments are checked: a schema says what is expected, and the error names the argument,
// what was expected and what came. Nothing is allocated or started before all arguments of a call have passed.
//
//   const { taps, bands } = parse(options, 'options', object({ taps: integer({ min: 1 }), bands: arrayOf(band) }));
import { isProxy, isTypedArray } from 'node:util/types';
import { type ErrorCode, makeError } from './errors';
import { native } from './native';

/** Reads `value`, called `argument` in messages, or throws. @internal */
export type Schema<Result> = (value: unknown, argument: string) => Result;

/** A value in words: what came. @internal */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return `the number ${Object.is(value, -0) ? '-0' : String(value)}`;
  if (typeof value === 'bigint') return `the bigint ${value}n`;
  if (typeof value === 'string')
    return value.length > 40 ? `a string of length ${value.length}` : JSON.stringify(value);
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (isTypedArray(value)) return `${value.constructor.name} of length ${value.length}`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  const { constructor } = value as { constructor?: { name?: string } };
  const name = isProxy(value) ? undefined : constructor?.name;
  return name === undefined || name === 'Object' ? 'an object' : `a ${name}`;
}

/** Throws: `argument` must be `expected`, got `value`. @internal */
export function fail(code: ErrorCode, argument: string, expected: string, value: unknown): never {
  throw makeError(code, argument, `\`${argument}\` must be ${expected}, got ${describe(value)}`);
}

/** Reads one value by its schema. @internal */
export function parse<Result>(value: unknown, argument: string, schema: Schema<Result>): Result {
  return schema(value, argument);
}

interface NumberRange {
  /** Smallest allowed value. */
  min?: number;
  /** Largest allowed value. */
  max?: number;
  /** The value must be greater than this. */
  above?: number;
  /** Allow infinities (NaN never passes). */
  infinite?: boolean;
}

function rangeText({ min, max, above }: NumberRange): string {
  if (above !== undefined) return max === undefined ? ` greater than ${above}` : ` in (${above}, ${max}]`;
  if (min !== undefined && max !== undefined) return ` in [${min}, ${max}]`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
}

function inRange(value: number, { min = -Infinity, max = Infinity, above = -Infinity }: NumberRange): boolean {
  return value >= min && value <= max && (above === -Infinity || value > above);
}

/** A number, finite unless said otherwise. @internal */
export function number(range: NumberRange = {}): Schema<number> {
  const expected = `a ${range.infinite === true ? '' : 'finite '}number${rangeText(range)}`;
  return (value, argument) => {
    if (typeof value !== 'number') fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if (Number.isNaN(value) || (range.infinite !== true && !Number.isFinite(value))) {
      fail('ERR_NOT_FINITE', argument, expected, value);
    }
    if (!inRange(value, range)) fail('ERR_OUT_OF_RANGE', argument, expected, value);
    return value;
  };
}

/** A safe integer. @internal */
export function integer(range: NumberRange = {}): Schema<number> {
  const expected = `an integer${rangeText(range)}`;
  return (value, argument) => {
    if (typeof value !== 'number') fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if (!Number.isSafeInteger(value) || !inRange(value, range)) fail('ERR_OUT_OF_RANGE', argument, expected, value);
    return value;
  };
}

/** true or false. @internal */
export const boolean: Schema<boolean> = (value, argument) => {
  if (typeof value !== 'boolean') fail('ERR_INVALID_ARG_TYPE', argument, 'true or false', value);
  return value;
};

/** One of a few strings. @internal */
export function oneOf<const Choices extends readonly string[]>(choices: Choices): Schema<Choices[number]> {
  const expected = `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`;
  return (value, argument) => {
    if (typeof value !== 'string') fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if (!choices.includes(value)) fail('ERR_INVALID_ARG_VALUE', argument, expected, value);
    return value;
  };
}

/** A function. @internal */
export function functionOf<Signature extends (...arguments_: never[]) => unknown>(): Schema<Signature> {
  return (value, argument) => {
    if (typeof value !== 'function') fail('ERR_INVALID_ARG_TYPE', argument, 'a function', value);
    return value as Signature;
  };
}

/** Absent, or what `schema` says. @internal */
export function optional<Result>(schema: Schema<Result>): Schema<Result | undefined> {
  return (value, argument) => (value === undefined ? undefined : schema(value, argument));
}

/** Absent means `fallback`. @internal */
export function withDefault<Result>(schema: Schema<Result>, fallback: Result): Schema<Result> {
  return (value, argument) => (value === undefined ? fallback : schema(value, argument));
}

type Parsed<Members extends Record<string, Schema<unknown>>> = { [Key in keyof Members]: ReturnType<Members[Key]> };

/** An object with these members and no other: a misspelt option is an error, not a silent default. @internal */
export function object<Members extends Record<string, Schema<unknown>>>(members: Members): Schema<Parsed<Members>> {
  const known = Object.keys(members);
  return (value, argument) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
      fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
    }
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) {
        const list = known.map((name) => `\`${name}\``).join(', ');
        throw makeError(
          'ERR_INVALID_ARG_VALUE',
          `${argument}.${key}`,
          `\`${argument}.${key}\` is not an option; the options are ${list}`,
        );
      }
    }
    const result: Record<string, unknown> = {};
    for (const key of known) {
      const schema = members[key] as Schema<unknown>;
      result[key] = schema((value as Record<string, unknown>)[key], `${argument}.${key}`);
    }
    return result as Parsed<Members>;
  };
}

/** A plain array whose elements all follow `schema`. @internal */
export function arrayOf<Result>(schema: Schema<Result>, { min = 0 }: { min?: number } = {}): Schema<Result[]> {
  const expected = min === 0 ? 'an array' : `an array of at least ${min} element${min === 1 ? '' : 's'}`;
  return (value, argument) => {
    if (!Array.isArray(value)) fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if (value.length < min) fail('ERR_SHAPE_MISMATCH', argument, expected, value);
    return value.map((element, index) => schema(element, `${argument}[${index}]`));
  };
}

interface ArrayShape {
  /** Required number of elements. */
  length?: number;
  /** Where that number comes from, in words: "one entry per row of `matrix`". */
  per?: string;
  /** Allow infinities. */
  infinite?: boolean;
}

interface TypedArrays {
  Float64Array: Float64Array;
  Float32Array: Float32Array;
  Int32Array: Int32Array;
}

const constructors = { Float64Array, Float32Array, Int32Array } as const;

function isResizable(value: ArrayBufferView): boolean {
  const buffer = value.buffer as { resizable?: boolean; growable?: boolean };
  return buffer.resizable === true || buffer.growable === true;
}

/** Index of the first NaN (or infinity, unless allowed), or -1; the native scan where only finite numbers pass. */
function firstBad(values: ArrayLike<number>, infinite: boolean): number {
  if (!infinite && ArrayBuffer.isView(values)) return native.firstNonFinite(values as unknown as Float64Array);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    if (infinite ? Number.isNaN(value) : !Number.isFinite(value)) return i;
  }
  return -1;
}

/**
 * A typed array of one of `types`, not copied; or a plain array of numbers, which is converted (a copy) to the first
 * of them. Compared by tag, not by `instanceof`, which fails across realms. @internal
 */
export function typedArray<Name extends keyof TypedArrays>(
  types: readonly [Name, ...Name[]],
  { length, per, infinite = false }: ArrayShape = {},
): Schema<TypedArrays[Name]> {
  const kind = types.map((type) => `${/^[AEIOU]/.test(type) ? 'an' : 'a'} ${type}`).join(' or ');
  const lengthText = length === undefined ? '' : ` of length ${length}${per === undefined ? '' : ` (${per})`}`;
  const expected = `${kind}${lengthText}`;
  return (value, argument) => {
    const tag = Object.prototype.toString.call(value).slice(8, -1) as Name;
    const plain = Array.isArray(value);
    if (!plain && !types.includes(tag)) fail('ERR_INVALID_ARG_TYPE', argument, expected, value);
    if (!plain && isResizable(value as ArrayBufferView)) {
      fail('ERR_INVALID_ARG_VALUE', argument, `${expected} on a buffer of fixed size`, value);
    }
    const given = value as ArrayLike<number>;
    if (length !== undefined && given.length !== length) fail('ERR_SHAPE_MISMATCH', argument, expected, value);
    if (plain) {
      for (let i = 0; i < given.length; i += 1) {
        if (typeof given[i] !== 'number') fail('ERR_INVALID_ARG_TYPE', `${argument}[${i}]`, 'a number', given[i]);
        if (types[0] === 'Int32Array' && given[i] !== ((given[i] as number) | 0)) {
          fail('ERR_OUT_OF_RANGE', `${argument}[${i}]`, 'a 32-bit integer', given[i]);
        }
      }
    }
    const bad = tag === 'Int32Array' ? -1 : firstBad(given, infinite);
    if (bad >= 0) {
      fail('ERR_NOT_FINITE', `${argument}[${bad}]`, infinite ? 'a number other than NaN' : 'finite', given[bad]);
    }
    return (plain ? constructors[types[0]].from(given as number[]) : value) as TypedArrays[Name];
  };
}
