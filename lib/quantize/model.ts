// Quantising a whole model, layer by layer: calibration, layers kept on disk as they are done, the written model, the
// report. A run that was cut goes on where it stopped and gives the same bytes.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { makeError } from '../runtime/errors';
import type { Progress, RunOptions } from '../runtime/run';
import {
  boolean,
  fail,
  functionOf,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  withDefault,
} from '../runtime/validate';
import { createHessian, type Hessian } from './hessian';
import { quantizeLayer, type QuantizeOptions } from './layer';
import { type LayerRecord, ModelWork } from './model-work';
import { type Calibration, type LayerSelection, type ModelSource, openModel } from './model-source';

/** What is quantised and how. */
export interface ModelRequest
  extends LayerSelection, Omit<QuantizeOptions, keyof RunOptions | 'levels' | 'measureEnergy'> {
  /** The model: .onnx or .safetensors. */
  input: string;
  /** The model to write, of the same format; appears whole or not at all. */
  output: string;
  /** What is known of the inputs; default: nothing, and then only method `'rtn'` makes sense. */
  calibration?: Calibration;
  /**
   * Layers see inputs made by the layers before them as quantised (true), or by the original model (default false).
   * Takes a run of the model per layer, and cannot be sharded.
   */
  sequential?: boolean;
  /**
   * `'values'` (default): the same format with quantised values, which loads anywhere and is no smaller; `'packed'`: a
   * safetensors file of codes, for `formats` and `quantize.readQuantizedLayer`.
   */
  format?: 'values' | 'packed';
  /** Folder of finished layers; default: the output's name with `.layers` behind it. Removed when the model is whole. */
  workFolder?: string;
  /** Keep that folder; default false, but true with `shard`. */
  keepWork?: boolean;
  /** Only layers number `index`, `index + count`, ...: another machine does the others; then `mergeModel`. */
  shard?: {
    /** From 0. */
    index: number;
    /** Number of shards. */
    count: number;
  };
}

/** How a layer came out. */
export interface ModelLayerReport extends LayerRecord {
  /** Whether an earlier run had done it. */
  readonly resumed: boolean;
}

/** How a model came out. */
export interface ModelReport {
  /** `'partial'`: some layers belong to other shards; no model was written. */
  readonly status: 'complete' | 'partial';
  /** The model that was read. */
  readonly input: string;
  /** The model that was written, or is to be. */
  readonly output: string;
  /** Method, with the mode of BAQ. */
  readonly method: string;
  /** Layers in their order. */
  readonly layers: readonly ModelLayerReport[];
  /** Weights in quantised layers. */
  readonly weights: number;
  /** Mean of log2(levels) over those weights. */
  readonly averageBits: number;
  /** Bits per weight with side information. */
  readonly bitsPerWeight: number;
  /** Of this run. */
  readonly seconds: number;
}

/** Options of a run over a model: progress speaks of layers. */
export type ModelRunOptions = Pick<RunOptions, 'threads' | 'signal'> & {
  /** Called before and during each layer. */
  onProgress?: (progress: Progress) => void;
};

// Hessians of one pass over the calibration stay below this.
const hessianBytes = 2 ** 30;

const text = (value: unknown, argument: string): string => {
  if (typeof value !== 'string' || value === '') fail('ERR_INVALID_ARG_TYPE', argument, 'the path of a file', value);
  return value;
};
const anything = (value: unknown): unknown => value;

// What quantizeLayer says about these is what counts.
const passedOn = {
  mode: anything,
  groupSize: anything,
  allowTail: anything,
  staticGroups: anything,
  exactGroups: anything,
  blockSize: anything,
  symmetric: anything,
  search: anything,
  ternary: anything,
  perTensor: anything,
  actOrder: anything,
  damping: anything,
  rounds: anything,
  rangeFits: anything,
  maxBits: anything,
  coordinateDescent: anything,
  refitScales: anything,
};

const requestSchema = object({
  input: text,
  output: text,
  calibration: (value: unknown, argument: string): Calibration | undefined => {
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || value === null || !('inputs' in value || 'activations' in value)) {
      fail('ERR_INVALID_ARG_TYPE', argument, 'an object with `inputs` or `activations`', value);
    }
    return value as Calibration;
  },
  sequential: withDefault(boolean, false),
  format: withDefault(oneOf(['values', 'packed']), 'values'),
  workFolder: optional(text),
  keepWork: optional(boolean),
  shard: optional(object({ index: integer({ min: 0 }), count: integer({ min: 1 }) })),
  minimumWeights: optional(integer({ min: 1 })),
  convolutions: optional(oneOf(['none', 'pointwise', 'all'])),
  include: optional(functionOf<(name: string) => boolean>()),
  method: withDefault(oneOf(['rtn', 'gptq', 'baq']), 'baq'),
  averageBits: withDefault(number({ above: 0, max: 8 }), 4),
  ...passedOn,
});

type Request = ReturnType<typeof requestSchema>;

const layerOptionNames = ['method', 'averageBits', ...(Object.keys(passedOn) as (keyof typeof passedOn)[])] as const;

function layerOptions(request: Request): QuantizeOptions {
  const given = layerOptionNames.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]]));
  return Object.fromEntries(given) as QuantizeOptions;
}

async function fingerprintOf(source: ModelSource, request: Request): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([1, layerOptions(request), request.sequential, source.layers]));
  for await (const bytes of source.fingerprint()) hash.update(bytes);
  return hash.digest('hex');
}

/** Layers with the same inputs, in the order of their first one. */
function groupsOf(source: ModelSource, layers: readonly number[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const layer of layers) {
    const key = source.inputKey(layer);
    groups.set(key, [...(groups.get(key) ?? []), layer]);
  }
  return [...groups.values()];
}

/** Groups whose Hessians fit in memory together. */
function passesOf(source: ModelSource, groups: readonly (readonly number[])[], sequential: boolean): number[][][] {
  const passes: number[][][] = [];
  let bytes = Infinity;
  for (const group of groups) {
    const columns = (source.layers[group[0] as number] as { columns: number }).columns;
    const needed = 8 * columns * columns;
    if (sequential || bytes + needed > hessianBytes) {
      passes.push([]);
      bytes = 0;
    }
    bytes += needed;
    (passes.at(-1) as number[][]).push([...group]);
  }
  return passes;
}

class Run {
  readonly #source: ModelSource;
  readonly #work: ModelWork;
  readonly #request: Request;
  readonly #options: ModelRunOptions;
  readonly #begin = performance.now();
  readonly #total: number;
  #done = 0;

  constructor(source: ModelSource, work: ModelWork, request: Request, options: ModelRunOptions, total: number) {
    this.#source = source;
    this.#work = work;
    this.#request = request;
    this.#options = options;
    this.#total = total;
  }

  #report(phase: string, within: number): void {
    this.#options.onProgress?.({
      phase,
      fraction: (this.#done + within) / Math.max(1, this.#total),
      iterations: this.#done,
      objective: NaN,
      lowerBound: -Infinity,
      seconds: (performance.now() - this.#begin) / 1000,
    });
  }

  async #hessians(pass: readonly (readonly number[])[]): Promise<Map<number, Hessian> | undefined> {
    const first = pass.map((group) => group[0] as number);
    const replaced = this.#request.sequential ? this.#work.values() : new Map<number, () => Float32Array>();
    const samples = this.#source.samples(first, replaced);
    if (samples === undefined) return undefined;
    this.#report('calibration', 0);
    const hessians = new Map<number, Hessian>();
    try {
      for await (const { layer, rows } of samples) {
        this.#options.signal?.throwIfAborted();
        const { columns, name } = this.#source.layers[layer] as { columns: number; name: string };
        let hessian = hessians.get(layer);
        if (hessian === undefined) hessians.set(layer, (hessian = createHessian(columns)));
        try {
          hessian.add(rows, this.#threads());
        } catch (cause) {
          throw namedLayer(cause, name);
        }
      }
    } catch (error) {
      for (const hessian of hessians.values()) hessian.dispose();
      throw error;
    }
    return hessians;
  }

  #threads(): { threads?: number } {
    return this.#options.threads === undefined ? {} : { threads: this.#options.threads };
  }

  async #quantize(layer: number, hessian: Hessian | undefined): Promise<void> {
    const { rows, columns, name } = this.#source.layers[layer] as { rows: number; columns: number; name: string };
    this.#report(name, 0);
    const { signal } = this.#options;
    const begin = performance.now();
    try {
      const quantized = await quantizeLayer(
        { weights: this.#source.weights(layer), rows, columns, ...(hessian !== undefined && { hessian }) },
        {
          ...layerOptions(this.#request),
          measureEnergy: true,
          ...this.#threads(),
          ...(signal !== undefined && { signal }),
          onProgress: ({ fraction }) => this.#report(name, Number.isFinite(fraction) ? fraction : 0),
        },
      );
      this.#work.keep(layer, quantized, (performance.now() - begin) / 1000);
    } catch (cause) {
      throw namedLayer(cause, name);
    }
    this.#done += 1;
  }

  /** Everything of `layers` that is not on disk yet. */
  async finish(layers: readonly number[]): Promise<void> {
    const groups = groupsOf(this.#source, layers);
    for (const pass of passesOf(this.#source, groups, this.#request.sequential)) {
      const missing = pass.flatMap((group) => {
        const left = group.filter((layer) => !this.#work.has(layer));
        this.#done += group.length - left.length;
        return left.length === 0 ? [] : [left];
      });
      if (missing.length === 0) continue;
      const hessians = await this.#hessians(missing);
      try {
        for (const group of missing) {
          for (const layer of group) await this.#quantize(layer, hessians?.get(group[0] as number));
        }
      } finally {
        for (const hessian of hessians?.values() ?? []) hessian.dispose();
      }
    }
  }
}

/** The same error with the layer's name in front of what it says. */
function namedLayer(cause: unknown, name: string): unknown {
  if (cause instanceof Error && 'code' in cause) cause.message = `layer \`${name}\`: ${cause.message}`;
  return cause;
}

function reportOf(
  request: Request,
  records: readonly ModelLayerReport[],
  status: 'complete' | 'partial',
  seconds: number,
): ModelReport {
  const weights = records.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const mean = (value: (record: LayerRecord) => number): number =>
    records.reduce((sum, record) => sum + value(record) * record.rows * record.columns, 0) / Math.max(1, weights);
  return {
    status,
    input: request.input,
    output: request.output,
    method: request.method === 'baq' ? `baq ${(request.mode as string | undefined) ?? 'table'}` : request.method,
    layers: records,
    weights,
    averageBits: mean(({ averageBits }) => averageBits),
    bitsPerWeight: mean(({ bitsPerWeight }) => bitsPerWeight),
    seconds,
  };
}

function check(request: Request): void {
  const { shard, sequential, output, input } = request;
  if (shard !== undefined && shard.index >= shard.count) {
    fail('ERR_OUT_OF_RANGE', 'request.shard.index', `below \`count\`, which is ${shard.count}`, shard.index);
  }
  if (shard !== undefined && shard.count > 1 && sequential) {
    fail('ERR_INVALID_ARG_VALUE', 'request.sequential', 'false with `shard`: layers wait for those before', sequential);
  }
  if (path.resolve(input) === path.resolve(output)) {
    fail('ERR_INVALID_ARG_VALUE', 'request.output', 'another file than `input`', output);
  }
  if (request.method !== 'rtn' && request.calibration === undefined) {
    fail('ERR_INVALID_ARG_VALUE', 'request.calibration', `given for method '${request.method}'`, undefined);
  }
  const wanted = request.format === 'packed' ? '.safetensors' : path.extname(input).toLowerCase();
  if (path.extname(output).toLowerCase() !== wanted) {
    fail('ERR_INVALID_ARG_VALUE', 'request.output', `a file that ends in ${wanted}`, output);
  }
}

async function run(request: Request, options: ModelRunOptions, mergeOnly: boolean): Promise<ModelReport> {
  check(request);
  const begin = performance.now();
  if (!fs.existsSync(request.input)) {
    fail('ERR_INVALID_ARG_VALUE', 'request.input', 'a file that exists', request.input);
  }
  const source = openModel(request.input, request.calibration, {
    ...(request.minimumWeights !== undefined && { minimumWeights: request.minimumWeights }),
    ...(request.convolutions !== undefined && { convolutions: request.convolutions }),
    ...(request.include !== undefined && { include: request.include }),
  });
  try {
    const all = source.layers.map((_, layer) => layer);
    if (all.length === 0)
      fail('ERR_INVALID_ARG_VALUE', 'request.input', 'a model with layers to quantise', request.input);
    const { index, count } = request.shard ?? { index: 0, count: 1 };
    const folder = request.workFolder ?? `${request.output}.layers`;
    const work = new ModelWork(
      folder,
      await fingerprintOf(source, request),
      source.layers.map(({ name }) => name),
    );
    const resumed = new Set(all.filter((layer) => work.has(layer)));
    const own = all.filter((layer) => layer % count === index);
    if (!mergeOnly) await new Run(source, work, request, options, own.length).finish(own);
    const present = all.filter((layer) => work.has(layer));
    const missing = all.length - present.length;
    if (mergeOnly && missing > 0) {
      const first = source.layers[all.find((layer) => !work.has(layer)) as number] as { name: string };
      const message = `${missing} of ${all.length} layers are not in ${folder} yet, the first is \`${first.name}\``;
      throw makeError('ERR_INVALID_ARG_VALUE', 'request.workFolder', message);
    }
    const whole = missing === 0;
    if (whole) {
      if (request.format === 'packed') work.writePacked(request.output, present);
      else source.write(request.output, work.values());
    }
    const records = present.map((layer) => ({ ...work.record(layer), resumed: resumed.has(layer) }));
    const keep = request.keepWork ?? (request.shard !== undefined && !mergeOnly);
    if (whole && !keep) work.remove();
    return reportOf(request, records, whole ? 'complete' : 'partial', (performance.now() - begin) / 1000);
  } finally {
    source.close();
  }
}

/**
 * Quantises the weights of a model's layers and writes the model.
 *
 * Layers that are done are kept in `workFolder`; a run with the same model, calibration and options that finds them
 * there does not do them again and gives the same bytes as an uninterrupted one. The output appears whole or not at all.
 *
 * @param request  files, calibration, and the options of `quantizeLayer`
 * @param options  threads, signal, progress (per layer)
 * @throws ERR_INVALID_ARG_VALUE, ERR_INVALID_FORMAT  what was asked for or a file is wrong; no output
 * @throws ERR_BACKEND_UNAVAILABLE  onnxruntime-node is needed and missing
 * Sources: GPTQ, arXiv 2210.17323; BAQ, arXiv 2506.05664.
 */
export function quantizeModel(request: ModelRequest, options: ModelRunOptions = {}): Promise<ModelReport> {
  return run(parse(request, 'request', requestSchema), options, false);
}

/**
 * Writes the model from layers that shards of {@link quantizeModel} have left in `workFolder` (copy all of them there).
 * Takes the request of the shards; `shard` plays no part.
 *
 * @throws ERR_INVALID_ARG_VALUE  a layer is missing; the message says how many
 */
export function mergeModel(request: ModelRequest): Promise<ModelReport> {
  const { shard: _, ...rest } = parse(request, 'request', requestSchema);
  return run({ ...rest, shard: undefined }, {}, true);
}
