/// <reference lib="esnext.disposable" preserve="true" />
// A discrete loss on a grid, compiled: it evaluates itself and its derivatives, and solves itself.
import { callNative, makeError } from '../runtime/errors';
import { type SparseMatrix, sparseMatrix } from '../runtime/matrix';
import {
  fail,
  integer,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import type { Grid } from './grid';
import { nativeOdil, type NativeProblem, type Reals } from './native';
import { checkRange, type ParameterRanges } from './parameter-range';
import { solve, solveSync } from './solve';
import type { Solution, SolveOptions, SolveSyncOptions } from './solve/solution';
import { fixedWeightsSchema } from './solve/weights';
import { type Normalization, type ProblemEvaluation, type State, stateSchema } from './state';

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

/** Unknowns of one name. @internal */
export interface Part {
  readonly group: 'fields' | 'parameters' | 'networks';
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** None for zeros, which a large field need not keep. */
  readonly initial: Float64Array | undefined;
  /** Of a field. */
  readonly location?: string;
}

/** @internal */
export interface Block {
  readonly name: string;
  readonly offset: number;
  readonly count: number;
  readonly raw: boolean;
}

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
  /** Whether a residual reads all points at once. @internal */
  readonly hasTotals: boolean;
  #disposed = false;

  /** @internal */
  constructor(
    of: Grid,
    { parts, ranges }: { readonly parts: readonly Part[]; readonly ranges: ParameterRanges },
    blocks: readonly Block[],
    handle: NativeProblem,
    { coarser, hasTotals }: { readonly coarser: (() => Problem) | undefined; readonly hasTotals: boolean },
  ) {
    this.grid = of;
    this.#parts = parts;
    this.ranges = ranges;
    this.coarser = coarser;
    this.hasTotals = hasTotals;
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
    for (const { initial, offset } of this.#parts) if (initial !== undefined) packed.set(initial, offset);
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
   * Minimises the loss, from `options.initial`, from the checkpoint `options.resume`, or from the initial state. The
   * state that is returned is the best one seen, however the run ended.
   *
   * @param options  `method`: `'auto'` (default) picks one by what the problem is, and the solution's `reason` says why
   * @throws ERR_INVALID_ARG_VALUE  an option of another method, a raw block with Gauss-Newton
   * @throws ERR_NOT_FINITE         a residual that is not finite at the start (its block and index are named)
   * @throws ERR_OUT_OF_MEMORY      a sparse factor that would not fit, before it is allocated
   * @throws ERR_SINGULAR           linear equations of the first step that no damping makes solvable
   * @throws the signal's reason, or an exception of `onProgress`, after the run has stopped
   * The same bytes for any number of threads. Sources: arXiv 2205.04611 and 2303.04679;
   * Nielsen, IMM-REP-1999-05; Liu and Nocedal, Math. Programming 45, 1989; Kingma and Ba, arXiv 1412.6980.
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

  /** All unknowns one after the other, or those from number `first` on, a copy; all are checked. @internal */
  pack(state: State, argument = 'state', first = 0): Reals {
    const field = Object.values(parse(state, argument, stateSchema).fields)[0];
    const single = Object.prototype.toString.call(field) === '[object Float32Array]';
    const packed = single ? new Float32Array(this.unknowns - first) : new Float64Array(this.unknowns - first);
    for (const part of this.#parts) {
      const given = (state[part.group] as Record<string, unknown> | undefined)?.[part.name];
      const schema = typedArray([single ? 'Float32Array' : 'Float64Array'], { length: part.length });
      const values = parse(given, `${argument}.${part.group}.${part.name}`, schema);
      if (part.offset >= first) packed.set(values, part.offset - first);
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
/** A problem made by `problem()`. @internal */
export const problemOf: Schema<Problem> = (value, argument) => {
  if (!(value instanceof Problem)) fail('ERR_INVALID_ARG_TYPE', argument, 'a problem made by problem()', value);
  return value;
};
