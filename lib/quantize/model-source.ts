// What quantiseModel needs of a model file, whatever its format: layers, their weights, what goes into them, and the
// way back into a file of the same format.
import path from 'node:path';
import { OnnxModel, openOnnx, openSafetensors, SafetensorsFile } from '../formats';
import { makeError } from '../runtime/errors';
import { findOnnxLayers, type OnnxLayer, onnxLayerInputs, onnxLayerWeights, withOnnxWeights } from './onnx-model';
import { type OnnxRuntime, onnxRuntime, type OnnxValues } from './onnx-runtime';
import { ModelOutputs } from './output-change';
import { findSafetensorsLayers, writeSafetensorsModel } from './safetensors-model';

/** Inputs of the model itself (ONNX): it is run on them, and what goes into its layers is what layers are fitted to. */
export interface ModelInputs {
  /** One set of input tensors per run; a function gives the same ones each time it is called. */
  readonly inputs: readonly OnnxValues[] | (() => Iterable<OnnxValues> | AsyncIterable<OnnxValues>);
  /** What runs the model; default: `onnxRuntime()`, that is onnxruntime-node where it is installed. */
  readonly runtime?: OnnxRuntime;
  /** Most samples per layer and run, spread evenly over all positions; default 1024. */
  readonly samplesPerRun?: number;
}

/** Inputs of layers by the name of the layer, tokens x columns; or the path of a safetensors file of them. */
export interface LayerActivations {
  /** Arrays by layer, or a file. */
  readonly activations: Readonly<Record<string, Float32Array>> | string;
}

/** What is known of the inputs. Without it every layer takes all inputs for equally likely: rounding to the nearest. */
export type Calibration = ModelInputs | LayerActivations;

/** A weight matrix of the model. */
export interface ModelLayer {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
}

/** Some of what goes into a layer: tokens x columns. */
export interface LayerSamples {
  readonly layer: number;
  readonly rows: Float32Array;
}

/** A model that can be quantised layer by layer. @internal */
export interface ModelSource {
  readonly layers: readonly ModelLayer[];
  /** Layers with the same inputs have the same key. */
  inputKey(layer: number): string;
  weights(layer: number): Float32Array;
  /** Samples of the inputs of `layers`, with `replaced` weights in place of the model's own. */
  samples(
    layers: readonly number[],
    replaced: ReadonlyMap<number, () => Float32Array>,
  ): AsyncIterable<LayerSamples> | undefined;
  /**
   * How much the model's outputs change when one layer has these values: the sum over outputs of |y - y'|^2 / |y|^2.
   * Only for models that can be run, with inputs to run them on.
   */
  outputChange(layer: number, values: Float32Array, signal?: AbortSignal): Promise<number>;
  /** Bytes that tell this model and calibration from others. */
  fingerprint(): AsyncIterable<Uint8Array>;
  write(file: string, weights: ReadonlyMap<number, () => Float32Array>): void;
  close(): void;
}

/** Which layers are quantised. */
export interface LayerSelection {
  /** Smallest number of weights of a layer; default 5000. */
  minimumWeights?: number;
  /** ONNX: convolutions, `'none'`, `'pointwise'` (default) or `'all'`. */
  convolutions?: 'none' | 'pointwise' | 'all';
  /** Whether to quantise a layer of this name; default all. */
  include?: (name: string) => boolean;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function activationsOf(given: LayerActivations['activations'], layer: ModelLayer): Float32Array | undefined {
  if (typeof given !== 'string') return Object.hasOwn(given, layer.name) ? given[layer.name] : undefined;
  const file = openSafetensors(given);
  try {
    return file.names.includes(layer.name) ? file.float32(layer.name) : undefined;
  } finally {
    file.close();
  }
}

async function* givenSamples(
  given: LayerActivations['activations'],
  layers: readonly ModelLayer[],
  wanted: readonly number[],
): AsyncGenerator<LayerSamples> {
  await Promise.resolve();
  for (const layer of wanted) {
    const one = layers[layer] as ModelLayer;
    const rows = activationsOf(given, one);
    if (rows === undefined) {
      const message = `\`request.calibration.activations\` has nothing for layer \`${one.name}\``;
      throw makeError('ERR_INVALID_ARG_VALUE', 'request.calibration.activations', message);
    }
    if (rows.length === 0 || rows.length % one.columns !== 0) {
      const message = `\`request.calibration.activations\` of layer \`${one.name}\` must be tokens x ${one.columns}, got ${rows.length} numbers`;
      throw makeError('ERR_SHAPE_MISMATCH', 'request.calibration.activations', message);
    }
    yield { layer, rows };
  }
}

function* givenFingerprint(given: LayerActivations['activations']): Generator<Uint8Array> {
  if (typeof given === 'string') {
    const file = openSafetensors(given);
    try {
      for (const name of file.names) {
        yield Buffer.from(name);
        yield file.bytes(name);
      }
    } finally {
      file.close();
    }
    return;
  }
  for (const [name, rows] of Object.entries(given)) {
    yield Buffer.from(name);
    yield bytesOf(rows);
  }
}

function runsOf({ inputs }: ModelInputs): Iterable<OnnxValues> | AsyncIterable<OnnxValues> {
  return typeof inputs === 'function' ? inputs() : inputs;
}

class OnnxSource implements ModelSource {
  readonly #model: OnnxModel;
  readonly #calibration: Calibration | undefined;
  #outputs: ModelOutputs | undefined;
  readonly layers: readonly OnnxLayer[];

  constructor(file: string, calibration: Calibration | undefined, { include, ...filter }: LayerSelection) {
    this.#model = openOnnx(file);
    this.#calibration = calibration;
    this.layers = findOnnxLayers(this.#model, filter).filter(({ name }) => include?.(name) ?? true);
  }

  inputKey(layer: number): string {
    const { uses, columns, group, groups } = this.layers[layer] as OnnxLayer;
    if (this.#calibration !== undefined && 'activations' in this.#calibration) return String(layer);
    return JSON.stringify([columns, group, groups, uses.map(({ node: _, ...use }) => use)]);
  }

  weights(layer: number): Float32Array {
    return onnxLayerWeights(this.#model, this.layers[layer] as OnnxLayer);
  }

  samples(
    wanted: readonly number[],
    replaced: ReadonlyMap<number, () => Float32Array>,
  ): AsyncIterable<LayerSamples> | undefined {
    const calibration = this.#calibration;
    if (calibration === undefined) return undefined;
    if ('activations' in calibration) return givenSamples(calibration.activations, this.layers, wanted);
    return this.#run(calibration, wanted, replaced);
  }

  async *#run(
    calibration: ModelInputs,
    wanted: readonly number[],
    replaced: ReadonlyMap<number, () => Float32Array>,
  ): AsyncGenerator<LayerSamples> {
    const model = this.#withWeights(replaced);
    const layers = wanted.map((layer) => this.layers[layer] as OnnxLayer);
    const runtime = calibration.runtime ?? onnxRuntime();
    const { samplesPerRun = 1024 } = calibration;
    for await (const { layer, rows } of onnxLayerInputs(model, layers, runtime, runsOf(calibration), {
      samplesPerRun,
    })) {
      yield { layer: wanted[layers.indexOf(layer)] as number, rows };
    }
  }

  async outputChange(layer: number, values: Float32Array, signal?: AbortSignal): Promise<number> {
    const calibration = this.#calibration as ModelInputs;
    const runtime = calibration.runtime ?? onnxRuntime();
    this.#outputs ??= new ModelOutputs(this.#model, runtime, () => runsOf(calibration));
    const change = await this.#outputs.changeOf(this.#withWeights(new Map([[layer, () => values]])), signal);
    if (Number.isFinite(change)) return change;
    const { name } = this.layers[layer] as ModelLayer;
    const message = `what layer \`${name}\` does to the outputs of the model cannot be measured: they must be finite floats`;
    throw makeError('ERR_INVALID_ARG_VALUE', 'request.acrossLayers.importance', message);
  }

  #withWeights(weights: ReadonlyMap<number, () => Float32Array>): OnnxModel {
    if (weights.size === 0) return this.#model;
    const entries = [...weights].map(([layer, values]) => [this.layers[layer] as OnnxLayer, values()] as const);
    return withOnnxWeights(this.#model, new Map(entries));
  }

  async *fingerprint(): AsyncGenerator<Uint8Array> {
    yield this.#model.serialize();
    const calibration = this.#calibration;
    if (calibration === undefined) return;
    if ('activations' in calibration) {
      yield* givenFingerprint(calibration.activations);
      return;
    }
    yield Buffer.from(String(calibration.samplesPerRun));
    for await (const values of runsOf(calibration)) {
      for (const [name, { data, shape }] of Object.entries(values)) {
        yield Buffer.from(`${name} ${shape.join('x')}`);
        yield bytesOf(data);
      }
    }
  }

  write(file: string, weights: ReadonlyMap<number, () => Float32Array>): void {
    this.#withWeights(weights).write(file);
  }

  close(): void {
    this.#outputs = undefined; // the model lies in memory
  }
}

class SafetensorsSource implements ModelSource {
  readonly #file: SafetensorsFile;
  readonly #calibration: LayerActivations | undefined;
  readonly layers: readonly ModelLayer[];

  constructor(file: string, calibration: Calibration | undefined, { include, minimumWeights }: LayerSelection) {
    if (calibration !== undefined && 'inputs' in calibration) {
      const message = '`request.calibration.inputs` needs a model that can be run; give `calibration.activations`';
      throw makeError('ERR_INVALID_ARG_VALUE', 'request.calibration.inputs', message);
    }
    this.#file = openSafetensors(file);
    this.#calibration = calibration;
    this.layers = findSafetensorsLayers(this.#file, { ...(minimumWeights !== undefined && { minimumWeights }) }).filter(
      ({ name }) => include?.(name) ?? true,
    );
  }

  inputKey(layer: number): string {
    return String(layer);
  }

  weights(layer: number): Float32Array {
    return this.#file.float32((this.layers[layer] as ModelLayer).name);
  }

  outputChange(): Promise<number> {
    const message = 'a safetensors model cannot be run';
    return Promise.reject(makeError('ERR_INVALID_ARG_VALUE', 'request.calibration', message));
  }

  samples(wanted: readonly number[]): AsyncIterable<LayerSamples> | undefined {
    if (this.#calibration === undefined) return undefined;
    return givenSamples(this.#calibration.activations, this.layers, wanted);
  }

  async *fingerprint(): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    for (const name of this.#file.names) {
      yield Buffer.from(name);
      yield this.#file.bytes(name);
    }
    if (this.#calibration !== undefined) yield* givenFingerprint(this.#calibration.activations);
  }

  write(file: string, weights: ReadonlyMap<number, () => Float32Array>): void {
    const named = [...weights].map(([layer, values]) => [(this.layers[layer] as ModelLayer).name, values] as const);
    writeSafetensorsModel(file, this.#file, new Map(named));
  }

  close(): void {
    this.#file.close();
  }
}

/** Opens a model by the ending of its name. Throws ERR_INVALID_ARG_VALUE for others, ERR_INVALID_FORMAT. @internal */
export function openModel(file: string, calibration: Calibration | undefined, selection: LayerSelection): ModelSource {
  const ending = path.extname(file).toLowerCase();
  if (ending === '.onnx') return new OnnxSource(file, calibration, selection);
  if (ending === '.safetensors') return new SafetensorsSource(file, calibration, selection);
  const message = `\`request.input\` must end in .onnx or .safetensors, got ${JSON.stringify(path.basename(file))}`;
  throw makeError('ERR_INVALID_ARG_VALUE', 'request.input', message);
}
