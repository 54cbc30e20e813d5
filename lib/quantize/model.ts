// Quantising a whole model, layer by layer: calibration, layers kept on disk as they are done, the written model, the
// report. A run that was cut goes on where it stopped and gives the same bytes.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { makeError } from '../runtime/errors';
import type { Progress, RunOptions } from '../runtime/run';
import { fail, parse } from '../runtime/validate';
import { type AcrossLayersReport, chooseRates, type LayerImportance } from './across-layers';
import { createHessian, type Hessian } from './hessian';
import { quantizeLayer } from './layer';
import {
  check,
  importanceOf,
  layerOptions,
  type ModelRequest,
  probedRate,
  ratesOf,
  type Request,
  requestSchema,
} from './model-request';
import { type ModelSource, openModel } from './model-source';
import { type LayerRecord, ModelWork } from './model-work';

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
  /** Layers in their order; none while the choice between rates (`acrossLayers`) waits for other shards. */
  readonly layers: readonly ModelLayerReport[];
  /** Weights in quantised layers. */
  readonly weights: number;
  /** Mean of log2(levels) over those weights. */
  readonly averageBits: number;
  /** Bits per weight with side information. */
  readonly bitsPerWeight: number;
  /** Bytes that these layers take in a packed file, padding included. */
  readonly storedBytes: number;
  /** What was measured and chosen with `acrossLayers`; else, and for shards, null. */
  readonly acrossLayers: AcrossLayersReport | null;
  /** Of this run. */
  readonly seconds: number;
}

/** Options of a run over a model: progress speaks of layers (with `acrossLayers` of layers at each rate). */
export type ModelRunOptions = Pick<RunOptions, 'threads' | 'signal'> & {
  /** Called before and during each layer. */
  onProgress?: (progress: Progress) => void;
};

// Hessians of one pass over the calibration stay below this.
const hessianBytes = 2 ** 30;

/** What tells finished layers of one run from those of another. The budget of `acrossLayers` is no part of it. */
async function fingerprintOf(source: ModelSource, request: Request): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([2, layerOptions(request), ratesOf(request), request.sequential, source.layers]));
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
  readonly #rates: readonly number[];
  readonly #begin = performance.now();
  #total = 0;
  #done = 0;

  constructor(source: ModelSource, work: ModelWork, request: Request, options: ModelRunOptions) {
    this.#source = source;
    this.#work = work;
    this.#request = request;
    this.#options = options;
    this.#rates = ratesOf(request);
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
    const before = this.#request.sequential ? this.#source.layers.keys() : [];
    const replaced = [...before].filter((layer) => this.#work.has(layer, 0)).map((layer) => [layer, 0] as const);
    const samples = this.#source.samples(first, valuesOf(this.#work, replaced));
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
          await hessian.addAsync(rows, this.#shared());
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

  /** What every part of the run gets. */
  #shared(): { threads?: number; signal?: AbortSignal } {
    const { threads, signal } = this.#options;
    return { ...(threads !== undefined && { threads }), ...(signal !== undefined && { signal }) };
  }

  async #quantize(layer: number, rate: number, hessian: Hessian | undefined): Promise<void> {
    const { rows, columns, name } = this.#source.layers[layer] as { rows: number; columns: number; name: string };
    this.#report(name, 0);
    const begin = performance.now();
    try {
      const quantized = await quantizeLayer(
        { weights: this.#source.weights(layer), rows, columns, ...(hessian !== undefined && { hessian }) },
        {
          ...layerOptions(this.#request),
          averageBits: this.#rates[rate] as number,
          measureEnergy: true,
          ...this.#shared(),
          onProgress: ({ fraction }) => this.#report(name, Number.isFinite(fraction) ? fraction : 0),
        },
      );
      this.#work.keep(layer, rate, quantized, (performance.now() - begin) / 1000);
    } catch (cause) {
      throw namedLayer(cause, name);
    }
    this.#done += 1;
  }

  async #probe(layer: number, rate: number): Promise<void> {
    const { name } = this.#source.layers[layer] as { name: string };
    this.#report(`${name} alone`, 0);
    const { signal } = this.#options;
    this.#work.keepProbe(layer, rate, await this.#source.outputChange(layer, this.#work.values(layer, rate), signal));
    this.#done += 1;
  }

  /** Everything of `layers` that is not on disk yet. */
  async finish(layers: readonly number[]): Promise<void> {
    const probed = probedRate(this.#request);
    this.#total = layers.length * (this.#rates.length + (probed === undefined ? 0 : 1));
    const groups = groupsOf(this.#source, layers);
    for (const pass of passesOf(this.#source, groups, this.#request.sequential)) {
      const missing = pass.flatMap((group) => {
        const left = group.filter((layer) => !this.#work.hasAll(layer));
        this.#done += (group.length - left.length) * this.#rates.length;
        return left.length === 0 ? [] : [left];
      });
      if (missing.length === 0) continue;
      const hessians = await this.#hessians(missing);
      try {
        for (const group of missing) {
          const hessian = hessians?.get(group[0] as number);
          for (const layer of group) {
            for (const rate of this.#rates.keys()) {
              if (this.#work.has(layer, rate)) this.#done += 1;
              else await this.#quantize(layer, rate, hessian);
            }
          }
          hessian?.dispose();
        }
      } finally {
        for (const hessian of hessians?.values() ?? []) hessian.dispose();
      }
    }
    if (probed === undefined) return;
    for (const layer of layers) {
      if (this.#work.probe(layer, probed) === undefined) await this.#probe(layer, probed);
      else this.#done += 1;
    }
  }
}

/** Values of finished layers, each at the rate it is given with, read when they are asked for. */
function valuesOf(
  work: ModelWork,
  chosen: Iterable<readonly [layer: number, rate: number]>,
): Map<number, () => Float32Array> {
  return new Map([...chosen].map(([layer, rate]) => [layer, () => work.values(layer, rate)]));
}

/** Chooses between the rates that all layers are there at. */
function choose(
  layers: readonly number[],
  work: ModelWork,
  request: Request,
  importance: LayerImportance,
  { threads, signal }: ModelRunOptions,
): Promise<AcrossLayersReport> {
  const rates = ratesOf(request);
  const probed = probedRate(request);
  const measured = layers.map((layer) => {
    const change = probed === undefined ? undefined : work.probe(layer, probed);
    return {
      records: [...rates.keys()].map((rate) => work.record(layer, rate)),
      probe: probed === undefined || change === undefined ? undefined : { rate: probed, change },
    };
  });
  return chooseRates(
    measured,
    { rates, importance, averageBits: request.averageBits },
    { ...(threads !== undefined && { threads }), ...(signal !== undefined && { signal }) },
  );
}

/** The same error with the layer's name in front of what it says, and options by the name they were given under. */
function namedLayer(cause: unknown, name: string): unknown {
  if (!(cause instanceof Error && 'code' in cause && 'argument' in cause)) return cause;
  const given = (text: string): string => text.replaceAll(/\boptions\.(?!threads)/g, 'request.');
  cause.message = `layer \`${name}\`: ${given(cause.message)}`;
  cause.argument = given(String(cause.argument));
  return cause;
}

function reportOf(
  request: Request,
  records: readonly ModelLayerReport[],
  acrossLayers: AcrossLayersReport | null,
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
    storedBytes: records.reduce((sum, record) => sum + record.storedBytes, 0),
    acrossLayers,
    seconds,
  };
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
    const names = source.layers.map(({ name }) => name);
    const work = new ModelWork(folder, await fingerprintOf(source, request), names, ratesOf(request));
    const probed = probedRate(request);
    const isDone = (layer: number): boolean =>
      work.hasAll(layer) && (probed === undefined || work.probe(layer, probed) !== undefined);
    const resumed = new Set(all.filter(isDone));
    const own = all.filter((layer) => layer % count === index);
    if (!mergeOnly) await new Run(source, work, request, options).finish(own);
    const present = all.filter(isDone);
    const missing = all.length - present.length;
    if (mergeOnly && missing > 0) {
      const first = names[all.find((layer) => !isDone(layer)) as number] as string;
      const message = `${missing} of ${all.length} layers are not in ${folder} yet, the first is \`${first}\``;
      throw makeError('ERR_INVALID_ARG_VALUE', 'request.workFolder', message);
    }
    const whole = missing === 0;
    const importance = importanceOf(request);
    const choice = importance !== undefined && whole ? await choose(all, work, request, importance, options) : null;
    const reported = importance !== undefined && !whole ? [] : present;
    const chosen = new Map(reported.map((layer) => [layer, choice?.layers[layer]?.choice ?? 0]));
    if (whole) {
      if (request.format === 'packed') work.writePacked(request.output, chosen);
      else source.write(request.output, valuesOf(work, chosen));
    }
    const records = [...chosen].map(([layer, rate]) => ({ ...work.record(layer, rate), resumed: resumed.has(layer) }));
    const keep = request.keepWork ?? (request.shard !== undefined && !mergeOnly);
    if (whole && !keep) work.remove();
    const seconds = (performance.now() - begin) / 1000;
    return reportOf(request, records, choice, whole ? 'complete' : 'partial', seconds);
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
export async function quantizeModel(request: ModelRequest, options: ModelRunOptions = {}): Promise<ModelReport> {
  return run(parse(request, 'request', requestSchema), options, false);
}

/**
 * Writes the model from layers that shards of {@link quantizeModel} have left in `workFolder` (copy all of them there).
 * Takes the request of the shards; `shard` plays no part.
 *
 * @throws ERR_INVALID_ARG_VALUE  a layer is missing; the message says how many
 */
export async function mergeModel(request: ModelRequest): Promise<ModelReport> {
  const { shard: _, ...rest } = parse(request, 'request', requestSchema);
  return run({ ...rest, shard: undefined }, {}, true);
}
