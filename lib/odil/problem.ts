/// <reference lib="esnext.disposable" preserve="true" />
// odil.problem: fields, parameters and residuals become one native object that evaluates itself and its derivatives.
import { callNative, makeError } from '../runtime/errors';
import { type SparseMatrix, sparseMatrix } from '../runtime/matrix';
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
import { GraphWriter } from './graph-writer';
import { Grid, gridSchema, locationSchema, nameSchema } from './grid';
import { nativeOdil, type NativeProblem, type Reals } from './native';
import { type Activation, Network, networkSize } from './network';
import {
  checkRange,
  rangeMembers,
  RangeList,
  type ParameterRangeOptions,
  type ParameterRanges,
} from './parameter-range';
import { type Solution, solve, type SolveOptions, solveSync, type SolveSyncOptions } from './solve';
import { fixedWeightsSchema } from './solve/weights';
import type { Normalization, ProblemEvaluation, State } from './state';

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
  /** Initial values: the weights of all layers (outputs x inputs each), then their biases. Default zeros. */
  initial?: Float64Array | readonly number[];
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

/** Options of evaluations. */
export interface EvaluateOptions {
  /** Default `'mean'`. */
  normalization?: Normalization;
  /** What the residuals of a block are multiplied with in the loss (of a raw block: its mean); default 1. */
  weights?: Readonly<Record<string, number>>;
  /** Threads to use; default: the processors this process may run on, at most 16. Results do not depend on it. */
  threads?: number;
}

/** Options of `program`. */
export interface ProgramOptions {
  /** Default `'listing'`. */
  format?: 'listing' | 'cuda';
  /** Of the fields in CUDA source; default `'float64'`. */
  precision?: 'float64' | 'float32';
}

interface Part {
  readonly group: 'fields' | 'parameters' | 'networks';
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly initial: Float64Array;
  /** Of a field. */
  readonly location?: string;
}

interface Block {
  readonly name: string;
  readonly offset: number;
  readonly count: number;
  readonly raw: boolean;
}

const reservedNames = ['at', 'step', 'where', 'constant'];

const numbersOf = (length: number, per: string): Schema<Float64Array> => typedArray(['Float64Array'], { length, per });

const evaluateSchema = (
  blocks: readonly string[],
): Schema<{ normalization: Normalization; threads: number | undefined; weights: Float64Array }> =>
  object({
    normalization: withDefault(oneOf(['mean', 'sum']), 'mean'),
    threads: optional(integer({ min: 1, max: 256 })),
    weights: fixedWeightsSchema(blocks),
  });

const programSchema = object({
  format: withDefault(oneOf(['listing', 'cuda']), 'listing'),
  precision: withDefault(oneOf(['float64', 'float32']), 'float64'),
});

/** A discrete loss, compiled. Made by {@link problem}. */
export class Problem {
  /** The grid it was made on. */
  readonly grid: Grid;
  /** Number of unknowns. */
  readonly unknowns: number;
  /** Number of residuals. */
  readonly residuals: number;
  readonly #evaluateSchema: ReturnType<typeof evaluateSchema>;
  readonly #parts: readonly Part[];
  readonly #blocks: readonly Block[];
  readonly #handle: NativeProblem;
  /** @internal */
  readonly ranges: ParameterRanges;
  /** @internal */
  readonly coarser: (() => Problem) | undefined;
  #disposed = false;

  /** @internal */
  constructor(
    of: Grid,
    { parts, ranges }: Pick<Unknowns, 'parts' | 'ranges'>,
    blocks: readonly Block[],
    handle: NativeProblem,
    coarser: (() => Problem) | undefined,
  ) {
    this.grid = of;
    this.#parts = parts;
    this.ranges = ranges;
    this.coarser = coarser;
    this.#blocks = blocks;
    this.#evaluateSchema = evaluateSchema(blocks.map((block) => block.name));
    this.#handle = handle;
    this.unknowns = parts.reduce((total, part) => total + part.length, 0);
    this.residuals = blocks.reduce((total, block) => total + block.count, 0);
  }

  /** Names of the blocks that contribute their mean, not their squares. */
  get rawBlockNames(): string[] {
    return this.#blocks.filter((block) => block.raw).map((block) => block.name);
  }

  /** Names of the blocks, in order. */
  get blockNames(): string[] {
    return this.#blocks.map((block) => block.name);
  }

  /** Location of each field by name: `'c'` or `'n'` per axis of the grid. */
  get locations(): Record<string, string> {
    const fields = this.#parts.filter((part) => part.location !== undefined);
    return Object.fromEntries(fields.map(({ name, location }) => [name, location as string]));
  }

  /** Throws for a parameter outside its range; `packed` came from `argument`. @internal */
  checkRanges(packed: Reals, argument: string): void {
    const { lower, upper, logarithm } = this.ranges;
    const first = this.unknowns - lower.length;
    for (const part of this.#parts) {
      if (part.group === 'fields') continue;
      for (let i = 0; i < part.length; i += 1) {
        const k = part.offset + i - first;
        const range: [number, number, boolean] = [lower[k] as number, upper[k] as number, logarithm[k] === 1];
        checkRange(packed[part.offset + i] as number, range, `${argument}.${part.group}.${part.name}[${i}]`);
      }
    }
  }

  /** The name of parameter number `number`, counted over all. @internal */
  parameterName(number: number): string {
    const first = this.unknowns - this.ranges.lower.length;
    const part = this.#parts.find(({ offset, length }) => first + number >= offset && first + number < offset + length);
    if (part === undefined) return `parameter ${number}`;
    return part.length === 1 ? part.name : `${part.name}[${first + number - part.offset}]`;
  }

  /** The initial values of all unknowns, a copy, in double or single precision. */
  initialState(): State<Float64Array>;
  /** The initial values of all unknowns, a copy, in double or single precision. */
  initialState(precision: 'float32'): State<Float32Array>;
  initialState(precision: 'float64' | 'float32' = 'float64'): State {
    return this.unpack(this.packInitial(parse(precision, 'precision', oneOf(['float64', 'float32'])) === 'float32'));
  }

  /** All initial values one after the other, a copy. @internal */
  packInitial(single: boolean): Reals {
    const packed = single ? new Float32Array(this.unknowns) : new Float64Array(this.unknowns);
    for (const part of this.#parts) packed.set(part.initial, part.offset);
    return packed;
  }

  /** What each block contributes at packed unknowns, without making arrays of residuals. @internal */
  summarise(
    unknowns: Reals,
    { normalization, weights, threads }: { normalization: Normalization; weights: Float64Array; threads: number },
  ): Pick<ProblemEvaluation, 'blocks' | 'loss'> {
    const sums = callNative(() => nativeOdil.blockSums(this.handle, unknowns, threads));
    const blocks: ProblemEvaluation['blocks'] = {};
    let total = 0;
    for (const [k, { name, count, raw }] of this.#blocks.entries()) {
      const weight = weights[k] ?? 1;
      const scale = (normalization === 'mean' || raw ? 1 / count : 1) * (raw ? weight : weight ** 2);
      const [plain, squares] = [sums[2 * k] as number, sums[2 * k + 1] as number];
      const loss = scale * (raw ? plain : squares);
      blocks[name] = { count, norm: Math.sqrt(squares / count), loss };
      total += loss;
    }
    return { blocks, loss: total };
  }

  /**
   * Residuals of all blocks and the loss at a state.
   *
   * @param state  all fields, parameters and networks; Float64Arrays, or Float32Arrays for single precision
   * @throws ERR_SHAPE_MISMATCH  an array of the wrong length, or a field that is missing
   * @throws ERR_NOT_FINITE      NaN or infinity in the state
   * Cost: one pass over the grid per block. Source: specs of arXiv 2205.04611, the sum of means of squares.
   */
  evaluate<Array_ extends Reals>(state: State<Array_>, options: EvaluateOptions = {}): ProblemEvaluation<Array_> {
    const { normalization, threads, weights } = parse(options, 'options', this.#evaluateSchema);
    const unknowns = this.pack(state);
    const all = unknowns instanceof Float32Array ? new Float32Array(this.residuals) : new Float64Array(this.residuals);
    const loss = callNative(() =>
      nativeOdil.evaluate(this.handle, unknowns, all, normalization, threads ?? 0, weights),
    );
    const residuals: Record<string, Array_> = {};
    const blocks: ProblemEvaluation['blocks'] = {};
    for (const [k, block] of this.#blocks.entries()) {
      const own = all.subarray(block.offset, block.offset + block.count) as Array_;
      let squares = 0;
      let total = 0;
      for (let i = 0; i < own.length; i += 1) {
        const value = own[i] as number;
        squares += value * value;
        total += value;
      }
      const weight = weights[k] ?? 1;
      const scale = (normalization === 'mean' || block.raw ? 1 / block.count : 1) * (block.raw ? weight : weight ** 2);
      residuals[block.name] = own;
      blocks[block.name] = {
        count: block.count,
        norm: Math.sqrt(squares / block.count),
        loss: scale * (block.raw ? total : squares),
      };
    }
    return { residuals, blocks, loss };
  }

  /**
   * Derivatives of the loss, in the shape of a state. Frozen terms contribute none, so where there are some this is
   * not the slope of the loss.
   *
   * Throws and costs as `evaluate`, about three times as much.
   */
  gradient<Array_ extends Reals>(
    state: State<Array_>,
    options: EvaluateOptions = {},
  ): {
    /** As `evaluate` finds it. */
    loss: number;
    /** d loss / d unknowns. */
    gradient: State<Array_>;
  } {
    const { normalization, threads, weights } = parse(options, 'options', this.#evaluateSchema);
    const unknowns = this.pack(state);
    const slope = unknowns instanceof Float32Array ? new Float32Array(this.unknowns) : new Float64Array(this.unknowns);
    const loss = callNative(() =>
      nativeOdil.gradient(this.handle, unknowns, slope, normalization, threads ?? 0, weights),
    );
    return { loss, gradient: this.unpack(slope) as State<Array_> };
  }

  /**
   * The exact derivatives of all residuals (rows, blocks in order) by all unknowns (columns: fields in order, then
   * parameters, then networks), without weights for the size of blocks.
   *
   * Throws as `evaluate`; float64 only.
   */
  jacobian(state: State<Float64Array>, options: { threads?: number } = {}): SparseMatrix {
    const { threads } = parse(options, 'options', object({ threads: optional(integer({ min: 1, max: 256 })) }));
    const unknowns = this.pack(state);
    if (unknowns instanceof Float32Array) {
      fail('ERR_INVALID_ARG_TYPE', 'state', 'made of Float64Arrays for a Jacobian', state);
    }
    return sparseMatrix(callNative(() => nativeOdil.jacobian(this.handle, unknowns, threads ?? 0)));
  }

  /**
   * Minimises the loss by Gauss-Newton with Levenberg-Marquardt damping, from `options.initial` or the initial state.
   * The linear step is a sparse Cholesky factorisation of J^T J with one correction; its analysis is made once.
   *
   * @throws ERR_INVALID_ARG_VALUE  a raw block, which only gradient methods can minimise
   * @throws ERR_NOT_FINITE         a residual that is not finite at the start (its block and index are named)
   * @throws the signal's reason, or an exception of `onProgress`, after the run has stopped
   * The same bytes for any number of threads. Source: arXiv 2205.04611; Nielsen, IMM-REP-1999-05.
   */
  async solve<Array_ extends Reals = Float64Array>(options: SolveOptions<Array_> = {}): Promise<Solution<Array_>> {
    return (await solve(this, options)) as unknown as Solution<Array_>;
  }

  /** The synchronous twin of `solve`: blocks the calling thread. */
  solveSync<Array_ extends Reals = Float64Array>(options: SolveSyncOptions<Array_> = {}): Solution<Array_> {
    return solveSync(this, options) as unknown as Solution<Array_>;
  }

  /**
   * How the residuals were compiled. `'listing'` (default), for people: each block's regions, instructions, registers
   * and rows read. `'cuda'`: CUDA C++ source of all blocks, a kernel per region, straight-line code in the order of the
   * interpreter, for nvcc or NVRTC; its head says what the arguments are. Nothing runs it here.
   */
  program(options: ProgramOptions = {}): string {
    const { format, precision } = parse(options, 'options', programSchema);
    if (format === 'cuda') return callNative(() => nativeOdil.source(this.handle, precision));
    return this.#blocks.map((_, k) => callNative(() => nativeOdil.listing(this.handle, k))).join('');
  }

  /** Whether `dispose` has been called. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Frees the native memory now; runs that use it keep their share. Calling it again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    nativeOdil.disposeProblem(this.#handle);
  }

  /** For `using`: the same as `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  get handle(): NativeProblem {
    if (this.#disposed) throw makeError('ERR_DISPOSED', 'problem', '`problem` has been disposed');
    return this.#handle;
  }

  /** Where the unknowns lie in a packed state. @internal */
  layout(): readonly { group: string; name: string; offset: number; length: number }[] {
    return this.#parts;
  }

  /** All unknowns one after the other, a copy. @internal */
  pack(state: State, argument = 'state'): Reals {
    const first = Object.values(parse(state, argument, stateSchema).fields)[0];
    const single = Object.prototype.toString.call(first) === '[object Float32Array]';
    const packed = single ? new Float32Array(this.unknowns) : new Float64Array(this.unknowns);
    for (const part of this.#parts) {
      const given = (state[part.group] as Record<string, unknown> | undefined)?.[part.name];
      const schema = typedArray([single ? 'Float32Array' : 'Float64Array'], { length: part.length });
      packed.set(parse(given, `${argument}.${part.group}.${part.name}`, schema), part.offset);
    }
    return packed;
  }

  /** The arrays of a state as views of `packed`. @internal */
  unpack<Array_ extends Reals>(packed: Array_): State<Array_> {
    const state: State<Array_> = { fields: {} };
    for (const part of this.#parts) {
      const group = (state[part.group] ??= {});
      group[part.name] = packed.subarray(part.offset, part.offset + part.length) as Array_;
    }
    return state;
  }
}

const anyRecord: Schema<Record<string, unknown>> = (value, argument) => {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) {
    fail('ERR_INVALID_ARG_TYPE', argument, 'an object of arrays by name', value);
  }
  return value as Record<string, unknown>;
};

const stateMembers = object({ fields: anyRecord, parameters: optional(anyRecord), networks: optional(anyRecord) });

/** A state, or anything that is one beside other things: a solution. */
const stateSchema: typeof stateMembers = (value, argument) => {
  if (typeof value !== 'object' || value === null) fail('ERR_INVALID_ARG_TYPE', argument, 'an object', value);
  const { fields, parameters, networks } = value as Record<string, unknown>;
  return stateMembers({ fields, parameters, networks }, argument);
};

const parameterSchema = object({
  ...rangeMembers,
  size: optional(integer({ min: 1 })),
  initial: optional(typedArray(['Float64Array'])),
});
const networkSchema = object({
  layers: arrayOf(integer({ min: 1, max: 1024 }), { min: 2 }),
  activation: withDefault(oneOf(['tanh', 'sigmoid']), 'tanh'),
  initial: optional(typedArray(['Float64Array'])),
});

const problemSchema = object({
  grid: gridSchema,
  fields: anyRecord,
  parameters: optional(anyRecord),
  networks: optional(anyRecord),
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
        ? new Float64Array(length)
        : parse(given.initial, `${argument}.initial`, numbersOf(length, 'one per point'));
    this.#name(name, argument, new Field(name, location));
    this.fields.set(name, { number: this.fields.size, location });
    this.#add('fields', name, initial, location);
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
    this.#add('parameters', name, initial);
  }

  get ranges(): ParameterRanges {
    return this.#ranges.ranges;
  }

  addNetwork(name: string, options: unknown): void {
    const argument = `networks.${name}`;
    const { layers, activation, initial } = parse(options, argument, networkSchema);
    const size = networkSize(layers);
    this.#name(name, argument, new Network(layers, activation, this.#numbers(`${name} weights`, size)));
    this.#ranges.addFree(size);
    this.#add(
      'networks',
      name,
      initial === undefined
        ? new Float64Array(size)
        : parse(initial, `${argument}.initial`, numbersOf(size, 'weights and biases')),
    );
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

  #add(group: Part['group'], name: string, initial: Float64Array, location?: string): void {
    const place = location === undefined ? {} : { location };
    this.parts.push({ group, name, offset: this.#offset, length: initial.length, initial, ...place });
    this.#offset += initial.length;
  }
}

/** The location of the fields in an expression, where they agree. */
function locationOf(value: Expression, fields: Unknowns['fields'], block: string): string {
  const seen = new Set<Expression>();
  const found = new Set<string>();
  const stack = [value];
  while (stack.length > 0) {
    const next = stack.pop() as Expression;
    if (seen.has(next)) continue;
    seen.add(next);
    const { node } = next;
    if (node.kind === 'field') found.add(fields.get(node.name)?.location ?? '');
    if ('children' in node) stack.push(...node.children);
  }
  if (found.size !== 1) {
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      block,
      `\`${block}\` reads fields of ${found.size === 0 ? 'no location' : `locations ${[...found].join(', ')}`}: give it one by { value, location }`,
    );
  }
  return [...found][0] as string;
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
  const entries = Object.entries(parse(residuals, 'residuals', anyRecord));
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
      blocks: native,
      graph: writer.graph(),
    }),
  );
  return new Problem(grid, unknowns, blocks, handle, given.coarser);
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

/** A problem made by `problem()`. @internal */
export const problemOf: Schema<Problem> = (value, argument) => {
  if (!(value instanceof Problem)) fail('ERR_INVALID_ARG_TYPE', argument, 'a problem made by problem()', value);
  return value;
};
