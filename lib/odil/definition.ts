// odil.problem: what a user declares - fields, parameters, residuals - becomes one native object.
import { callNative } from '../runtime/errors';
import {
  arrayOf,
  boolean,
  fail,
  functionOf,
  integer,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { AxisPosition, Expression, Field, Parameter, where } from './expression';
import { GraphWriter, locationOf } from './graph-writer';
import { Grid, gridSchema, locationSchema, nameSchema } from './grid';
import { nativeOdil } from './native';
import { type Activation, drawWeights, Network, networkSize } from './network';
import { type ParameterRangeOptions, type ParameterRanges, RangeList, rangeMembers } from './parameter-range';
import { type Block, type Part, Problem } from './problem';
import { recordSchema } from './state';

/** An unknown field: its location, or that and its initial values. */
export type FieldOptions =
  | string
  | {
      /** One character per axis, `'c'` or `'n'`. */ location: string;
      /** Values at the start; default zeros. */ initial?: Float64Array | readonly number[];
    };

/** An array of unknown numbers. */
export interface ParameterOptions extends ParameterRangeOptions {
  /** How many; default: the length of `initial`, else 1. */
  size?: number;
  /** Initial values; default zeros. */
  initial?: Float64Array | readonly number[];
}

/** A small fully connected network of a pointwise argument. */
export interface NetworkOptions {
  /** Neurons of each layer, inputs and outputs included: [1, 5, 5, 1]. */
  layers: readonly number[];
  /** Nonlinearity between layers; default `'tanh'`. */
  activation?: Activation;
  /**
   * Initial values: the weights of all layers (outputs x inputs each), then their biases. Default: weights uniform within
   * +-sqrt(3 / inputs of the layer), biases zero, as in the published code.
   */
  initial?: Float64Array | readonly number[];
  /** Of the default initial values, 0 to 2^31 - 1; default 0. */
  seed?: number;
}

/** What a problem is made of. */
export interface ProblemOptions {
  /** Made by `grid()`. */
  grid: Grid;
  /** Unknown fields by name. */
  fields: Readonly<Record<string, FieldOptions>>;
  /** Unknown numbers by name; default none. */
  parameters?: Readonly<Record<string, ParameterOptions>>;
  /** Unknown functions by name; default none. */
  networks?: Readonly<Record<string, NetworkOptions>>;
  /** Makes the same problem on a coarser grid, with parameters of the same names, for `solve({ gridSequence: true })`. */
  coarser?: () => Problem;
}

/** What the author of residuals is given beside fields, parameters and networks. */
export interface Tools<Axis extends string = string> {
  /** The point, axis by axis. */
  at: Readonly<Record<Axis, AxisPosition>>;
  /** Cell widths, axis by axis. */
  step: Readonly<Record<Axis, number>>;
  /** The same as `odil.where`. */
  where: typeof where;
  /**
   * A known array as an expression. `location`: `'c'`, `'n'`, or `'.'` for axes it does not have; default all cells.
   * The values are copied.
   */
  constant: (values: Float64Array | readonly number[], location?: string) => Expression;
}

/** A residual with what cannot be guessed. */
export interface Residual {
  /** Zero where the problem is solved. */
  value: Expression;
  /** Points it has a value at; default: the location of the fields in it, where they agree. */
  location?: string;
  /** Contributes its mean instead of the mean of its squares: gradient methods only. Default false. */
  raw?: boolean;
}

/** Blocks by name: one value per point, or a list of single numbers. */
export type Residuals = Readonly<Record<string, Expression | Residual | readonly Expression[]>>;

/** The fields among the symbols. */
export type FieldsOf<Options> = Options extends {
  /** By name. */
  fields: infer Members;
}
  ? { [Name in keyof Members]: Field }
  : object;
/** The parameters among the symbols. */
export type ParametersOf<Options> = Options extends {
  /** By name. */
  parameters: infer Members;
}
  ? { [Name in keyof Members]: Parameter }
  : object;
/** The networks among the symbols. */
export type NetworksOf<Options> = Options extends {
  /** By name. */
  networks: infer Members;
}
  ? { [Name in keyof Members]: Network }
  : object;
/** Names of the axes. */
export type AxesOf<Options> = Options extends {
  /** Made by `grid()`. */
  grid: Grid<infer Axis>;
}
  ? Axis
  : string;
/** Everything a builder of residuals gets. */
export type Symbols<Options> = FieldsOf<Options> & ParametersOf<Options> & NetworksOf<Options> & Tools<AxesOf<Options>>;
const reservedNames = ['at', 'step', 'where', 'constant'];

const numbersOf = (length: number, per: string): Schema<Float64Array> => typedArray(['Float64Array'], { length, per });
const parameterSchema = object({
  ...rangeMembers,
  size: optional(integer({ min: 1 })),
  initial: optional(typedArray(['Float64Array'])),
});
const networkSchema = object({
  layers: arrayOf(integer({ min: 1, max: 1024 }), { min: 2 }),
  activation: withDefault(oneOf(['tanh', 'sigmoid']), 'tanh'),
  initial: optional(typedArray(['Float64Array'])),
  seed: withDefault(integer({ min: 0, max: 2 ** 31 - 1 }), 0),
});

const problemSchema = object({
  grid: gridSchema,
  fields: recordSchema,
  parameters: optional(recordSchema),
  networks: optional(recordSchema),
  coarser: optional(functionOf<() => Problem>()),
});

/** Collects the unknowns and hands out what stands for them in expressions. */
class Unknowns {
  readonly symbols: Record<string, unknown> = {};
  readonly parts: Part[] = [];
  readonly fields = new Map<string, { number: number; location: string }>();
  readonly parameters = new Map<string, { offset: number; size: number }>();
  parameterCount = 0;
  readonly #ranges = new RangeList();
  readonly #grid: Grid;
  #offset = 0;

  constructor(of: Grid) {
    this.#grid = of;
  }

  addField(name: string, options: unknown): void {
    const argument = `fields.${name}`;
    const given =
      typeof options === 'string'
        ? { location: options, initial: undefined }
        : parse(options, argument, object({ location: (value: unknown) => value, initial: (value: unknown) => value }));
    const location = parse(
      given.location,
      typeof options === 'string' ? argument : `${argument}.location`,
      locationSchema(this.#grid, { gaps: false }),
    );
    const length = this.#grid.counts(location).reduce((product, count) => product * count, 1);
    const initial =
      given.initial === undefined
        ? undefined
        : parse(given.initial, `${argument}.initial`, numbersOf(length, 'one per point'));
    this.#name(name, argument, new Field(name, location));
    this.fields.set(name, { number: this.fields.size, location });
    this.#add({ group: 'fields', name, length, initial, location });
  }

  addParameter(name: string, options: unknown): void {
    const argument = `parameters.${name}`;
    const given = parse(options, argument, parameterSchema);
    const size = given.size ?? given.initial?.length ?? 1;
    const initial =
      given.initial === undefined
        ? new Float64Array(size)
        : parse(given.initial, `${argument}.initial`, numbersOf(size, 'size'));
    this.#name(name, argument, this.#numbers(name, size));
    this.#ranges.add(given, initial, argument);
    this.#add({ group: 'parameters', name, length: size, initial });
  }

  get ranges(): ParameterRanges {
    return this.#ranges.ranges;
  }

  addNetwork(name: string, options: unknown): void {
    const argument = `networks.${name}`;
    const { layers, activation, initial, seed } = parse(options, argument, networkSchema);
    const size = networkSize(layers);
    this.#name(name, argument, new Network(layers, activation, this.#numbers(`${name} weights`, size)));
    this.#ranges.addFree(size);
    this.#add({
      group: 'networks',
      name,
      length: size,
      initial:
        initial === undefined
          ? drawWeights(layers, seed)
          : parse(initial, `${argument}.initial`, numbersOf(size, 'weights and biases')),
    });
  }

  #numbers(name: string, size: number): Parameter {
    this.parameters.set(name, { offset: this.parameterCount, size });
    this.parameterCount += size;
    return new Parameter(name, size);
  }

  #name(name: string, argument: string, symbol: unknown): void {
    parse(name, argument, nameSchema);
    if (reservedNames.includes(name) || name in this.symbols) {
      fail('ERR_INVALID_ARG_VALUE', argument, `a name that is not taken (${reservedNames.join(', ')} are)`, name);
    }
    this.symbols[name] = symbol;
  }

  #add(part: Omit<Part, 'offset'>): void {
    this.parts.push({ ...part, offset: this.#offset });
    this.#offset += part.length;
  }
}

/**
 * A problem: unknowns on a grid and residuals that are zero where it is solved. The builder is called once; what it
 * returns is compiled to native code with exact derivatives.
 *
 * @param options  grid, fields (name to location, for example `'cc'`), parameters, networks
 * @param build    gets every unknown by name and `{ at, step, where, constant }`, returns the residual blocks
 * @throws ERR_INVALID_ARG_VALUE  names that collide, locations that do not fit, a block without unknowns
 * @throws ERR_OUT_OF_RANGE       a shift that leaves an axis that is not periodic, or more than 65 536 operations
 * Cost: milliseconds. Source: arXiv 2205.04611; docs/odil.md.
 */
export function problem<const Options extends ProblemOptions>(
  options: Options,
  build: (symbols: Symbols<Options>) => Residuals,
): Problem {
  const given = parse(options, 'options', problemSchema);
  parse(build, 'build', functionOf());
  const unknowns = new Unknowns(given.grid);
  for (const [name, one] of Object.entries(given.fields)) unknowns.addField(name, one);
  for (const [name, one] of Object.entries(given.parameters ?? {})) unknowns.addParameter(name, one);
  for (const [name, one] of Object.entries(given.networks ?? {})) unknowns.addNetwork(name, one);
  if (unknowns.fields.size === 0) fail('ERR_INVALID_ARG_VALUE', 'options.fields', 'at least one field', given.fields);

  const { grid } = given;
  const cells = 'c'.repeat(grid.axes.length);
  const tools: Tools = {
    at: Object.fromEntries(grid.names.map((name) => [name, new AxisPosition(name)])),
    step: grid.step,
    where,
    constant: (values, location = cells) => {
      const checked = parse(location, 'location', locationSchema(grid));
      const length = grid.counts(checked).reduce((product, count) => product * count, 1);
      const array = parse(values, 'values', numbersOf(length, `one per point of '${checked}'`));
      return new Expression({ kind: 'array', location: checked, values: array.slice() });
    },
  };
  const residuals = build({ ...unknowns.symbols, ...tools } as Symbols<Options>);
  const entries = Object.entries(parse(residuals, 'residuals', recordSchema));
  if (entries.length === 0) fail('ERR_INVALID_ARG_VALUE', 'residuals', 'at least one block', residuals);

  const writer = new GraphWriter({ grid, fields: unknowns.fields, parameters: unknowns.parameters });
  const blocks: Block[] = [];
  let offset = 0;
  const native = entries.map(([name, entry]) => {
    const scalar = Array.isArray(entry);
    const { value, location, raw } = scalar
      ? { value: undefined, location: undefined, raw: false }
      : parse(entry instanceof Expression ? { value: entry } : entry, `residuals.${name}`, residualSchema(grid));
    const at = value === undefined ? undefined : (location ?? locationOf(value, unknowns.fields, name));
    const values =
      value === undefined ? parse(entry, `residuals.${name}`, arrayOf(expressionSchema, { min: 1 })) : [value];
    const roots = values.map((one) => writer.write(one, at, name));
    const counts = at === undefined ? [] : grid.counts(at);
    const count = at === undefined ? roots.length : counts.reduce((product, points) => product * points, 1);
    blocks.push({ name, offset, count, raw });
    offset += count;
    return { name, scalar, raw, counts: Int32Array.from(counts), roots: Int32Array.from(roots) };
  });
  const handle = callNative(() =>
    nativeOdil.createProblem({
      axes: grid.axes.map(({ name, periodic }) => ({ name, periodic })),
      fields: [...unknowns.fields].map(([name, { location }]) => ({
        name,
        location,
        counts: Int32Array.from(grid.counts(location)),
      })),
      arrays: writer.arrays.map((array) => ({ ...array, counts: Int32Array.from(array.counts) })),
      parameters: unknowns.parameterCount,
      totals: writer.totals.map(({ root, counts }) => ({ root, counts: Int32Array.from(counts) })),
      blocks: native,
      graph: writer.graph(),
    }),
  );
  return new Problem(grid, unknowns, blocks, handle, { coarser: given.coarser, hasTotals: writer.totals.length > 0 });
}

const expressionSchema: Schema<Expression> = (value, argument) => {
  if (!(value instanceof Expression)) fail('ERR_INVALID_ARG_TYPE', argument, 'an expression', value);
  return value;
};

function residualSchema(of: Grid): Schema<{ value: Expression; location: string | undefined; raw: boolean }> {
  return object({
    value: expressionSchema,
    location: optional(locationSchema(of, { gaps: false })),
    raw: withDefault(boolean, false),
  });
}
