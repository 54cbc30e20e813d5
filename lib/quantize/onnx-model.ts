// The layers of an ONNX model that can be quantised: their weights as matrices, what goes into them, and the way back.
import { isFloat32Array } from 'node:util/types';
import { type OnnxModel, type OnnxNode } from '../formats';
import { makeError } from '../runtime/errors';
import { convolutionPatches, type ConvolutionWindow, type SampleRows, spread } from './im2col';
import type { OnnxRuntime, OnnxValue, OnnxValues } from './onnx-runtime';

/** Operators whose weights can be quantised. */
export type OnnxLayerKind = 'MatMul' | 'Gemm' | 'Conv';

/** A weight matrix of a model: outputs x inputs. A convolution of several groups has one layer per group. */
export interface OnnxLayer {
  /** Name of the constant; with the group behind it where there are several. */
  readonly name: string;
  /** Operator. */
  readonly kind: OnnxLayerKind;
  /** Outputs of the layer (of the group). */
  readonly rows: number;
  /** Inputs of the layer; for a convolution channels of the group times positions of the kernel. */
  readonly columns: number;
  /** Name of the constant in the model. */
  readonly constant: string;
  /** Group of the convolution, from 0. */
  readonly group: number;
  /** Groups of the convolution. */
  readonly groups: number;
  /** Whether the constant lies inputs x outputs. */
  readonly transposed: boolean;
  /** The nodes that use the constant; more than one where weights are shared. */
  readonly uses: readonly OnnxLayerUse[];
}

/** One node that multiplies by a layer's weights. */
export interface OnnxLayerUse {
  /** Index of the node in the model. */
  readonly node: number;
  /** Name of the value that is multiplied. */
  readonly input: string;
  /** Whether that value lies inputs x samples (Gemm with transA). */
  readonly inputTransposed: boolean;
  /** How a convolution's kernel moves. */
  readonly window?: ConvolutionWindow;
}

/** Which layers are meant. */
export interface OnnxLayerFilter {
  /** Smallest number of weights of the whole constant (default 5000): small layers cost more than they save. */
  readonly minimumWeights?: number;
  /** Convolutions: none, those with a kernel of one point (default), or all. */
  readonly convolutions?: 'none' | 'pointwise' | 'all';
}

type Layout = Pick<OnnxLayer, 'kind' | 'rows' | 'columns' | 'groups' | 'transposed'>;

function matrixLayout(kind: 'MatMul' | 'Gemm', shape: readonly number[], transposed: boolean): Layout | undefined {
  const [first, second] = shape;
  if (shape.length !== 2 || first === undefined || second === undefined) return undefined;
  const [rows, columns] = transposed ? [second, first] : [first, second];
  return { kind, rows, columns, groups: 1, transposed };
}

function convolutionLayout(shape: readonly number[], groups: number): Layout | undefined {
  const [outputs = 0, ...rest] = shape;
  if (shape.length < 3 || groups < 1 || outputs % groups !== 0) return undefined;
  const columns = rest.reduce((product, extent) => product * extent, 1);
  return { kind: 'Conv', rows: outputs / groups, columns, groups, transposed: false };
}

function layoutOf(node: OnnxNode, shape: readonly number[]): Layout | undefined {
  if (node.opType === 'MatMul') return matrixLayout('MatMul', shape, true);
  if (node.opType === 'Gemm') return matrixLayout('Gemm', shape, node.integer('transB', 0) === 0);
  return node.opType === 'Conv' ? convolutionLayout(shape, node.integer('group', 1)) : undefined;
}

function windowOf(node: OnnxNode, kernel: readonly number[]): ConvolutionWindow {
  const ones = kernel.map(() => 1);
  const padding = node.text('auto_pad', 'NOTSET');
  return {
    kernel,
    strides: node.integers('strides') ?? ones,
    dilations: node.integers('dilations') ?? ones,
    padding:
      padding === 'VALID' || padding === 'SAME_UPPER' || padding === 'SAME_LOWER'
        ? padding
        : (node.integers('pads') ?? [...kernel, ...kernel].map(() => 0)),
  };
}

function useOf(node: OnnxNode, shape: readonly number[]): OnnxLayerUse {
  const use = { node: node.index, input: node.inputs[0] ?? '', inputTransposed: node.integer('transA', 0) !== 0 };
  return node.opType === 'Conv' ? { ...use, window: windowOf(node, shape.slice(2)) } : use;
}

const isStandard = ({ domain }: OnnxNode): boolean => domain === '' || domain === 'ai.onnx';
const sameLayout = (a: Layout, b: Layout): boolean =>
  a.kind === b.kind && a.groups === b.groups && a.transposed === b.transposed;

/**
 * The quantisable layers of a model, in the order of its nodes: MatMul, Gemm and Conv whose second input is a constant
 * of floating-point numbers that nothing else uses but nodes of the same form.
 */
export function findOnnxLayers(
  model: OnnxModel,
  { minimumWeights = 5000, convolutions = 'pointwise' }: OnnxLayerFilter = {},
): OnnxLayer[] {
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of model.nodes) {
    for (const name of new Set(node.inputs)) consumers.set(name, [...(consumers.get(name) ?? []), node]);
  }
  const layers: OnnxLayer[] = [];
  const seen = new Set<string>();
  for (const node of model.nodes) {
    const name = node.inputs[1] ?? '';
    const constant = model.constants.get(name);
    if (constant === undefined || !constant.isFloat || constant.size < minimumWeights || seen.has(name)) continue;
    if (!isStandard(node)) continue;
    const { shape } = constant;
    const layout = layoutOf(node, shape);
    if (layout === undefined || layout.rows < 1 || layout.columns < 1) continue;
    const pointwise = shape.slice(2).every((extent) => extent === 1);
    if (layout.kind === 'Conv' && (convolutions === 'none' || (convolutions === 'pointwise' && !pointwise))) continue;
    const users = consumers.get(name) ?? [];
    const alike = users.every((user) => {
      const other = isStandard(user) ? layoutOf(user, shape) : undefined;
      const asWeight = user.inputs.filter((input) => input === name).length === 1 && user.inputs[1] === name;
      return asWeight && other !== undefined && sameLayout(layout, other);
    });
    if (!alike || model.outputs.includes(name)) continue;
    seen.add(name);
    const uses = users.map((user) => useOf(user, shape));
    for (let group = 0; group < layout.groups; ++group) {
      layers.push({ name: layout.groups === 1 ? name : `${name}[${group}]`, ...layout, constant: name, group, uses });
    }
  }
  return layers;
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; ++row) {
    for (let column = 0; column < columns; ++column) result[column * rows + row] = values[row * columns + column] ?? 0;
  }
  return result;
}

/** The weights of a layer, rows x columns, row-major. */
export function onnxLayerWeights(model: OnnxModel, layer: OnnxLayer): Float32Array {
  const { rows, columns, group } = layer;
  const values = model.constants.get(layer.constant)?.float32();
  if (values === undefined) {
    throw makeError('ERR_INVALID_ARG_VALUE', 'layer', `the model has no constant \`${layer.constant}\``);
  }
  if (layer.transposed) return transpose(values, columns, rows);
  return values.slice(group * rows * columns, (group + 1) * rows * columns);
}

/**
 * The model with these weights (rows x columns) in place of its own; layers that are not named keep theirs. Constants
 * keep their element type: 16-bit ones round.
 */
export function withOnnxWeights(model: OnnxModel, weights: ReadonlyMap<OnnxLayer, Float32Array>): OnnxModel {
  const constants = new Map<string, Float32Array>();
  for (const [layer, values] of weights) {
    const { rows, columns, group, constant } = layer;
    if (values.length !== rows * columns) {
      const message = `layer \`${layer.name}\` has ${rows} x ${columns} weights, got ${values.length}`;
      throw makeError('ERR_SHAPE_MISMATCH', 'weights', message);
    }
    if (layer.groups === 1) {
      constants.set(constant, layer.transposed ? transpose(values, rows, columns) : values);
      continue;
    }
    const whole = constants.get(constant) ?? model.constants.get(constant)?.float32();
    whole?.set(values, group * rows * columns);
    if (whole !== undefined) constants.set(constant, whole);
  }
  return model.edit({ constants });
}

function matrixRows(
  { data, shape }: OnnxValue,
  { columns, name }: OnnxLayer,
  use: OnnxLayerUse,
  limit: number,
): SampleRows {
  const values = data as Float32Array;
  const total = values.length / columns;
  const [last = 0] = use.inputTransposed ? shape : shape.slice(-1);
  if (last !== columns) {
    const message = `the input [${shape.join(', ')}] of layer \`${name}\` does not end in ${columns}`;
    throw makeError('ERR_SHAPE_MISMATCH', 'layer', message);
  }
  const chosen = spread(total, limit);
  const rows = new Float32Array(chosen.length * columns);
  chosen.forEach((sample, row) => {
    if (!use.inputTransposed) rows.set(values.subarray(sample * columns, (sample + 1) * columns), row * columns);
    else for (let j = 0; j < columns; ++j) rows[row * columns + j] = values[j * total + sample] ?? 0;
  });
  return { count: chosen.length, rows };
}

/** What went into a layer in one run of the model. */
export interface OnnxLayerSamples extends SampleRows {
  /** The layer. */
  readonly layer: OnnxLayer;
}

/** How many samples are taken. */
export interface OnnxLayerSampling {
  /** Most samples per layer, use and run, spread evenly over all positions (default all). */
  readonly samplesPerRun?: number;
}

/**
 * Runs the model on each of `batches` and gives what goes into the layers, run by run, layer by layer: rows of
 * `layer.columns` numbers. Works through a copy of the model that hands out the values in question; they must be
 * float32. All of one run are in memory at once: pass fewer layers where that is too much.
 */
export async function* onnxLayerInputs(
  model: OnnxModel,
  layers: readonly OnnxLayer[],
  runtime: OnnxRuntime,
  batches: Iterable<OnnxValues> | AsyncIterable<OnnxValues>,
  { samplesPerRun = Infinity }: OnnxLayerSampling = {},
): AsyncGenerator<OnnxLayerSamples, void, undefined> {
  const wanted = new Set(layers.flatMap(({ uses }) => uses.map(({ input }) => input)));
  // What is fed needs no handing out.
  const outputs = [...wanted].filter((name) => !model.inputs.includes(name));
  const session = await runtime(model.edit({ outputs }).serialize());
  try {
    for await (const inputs of batches) {
      const results = await session.run(inputs);
      for (const layer of layers) {
        for (const use of layer.uses) {
          yield { layer, ...samplesOf(results[use.input] ?? inputs[use.input], layer, use, samplesPerRun) };
        }
      }
    }
  } finally {
    await session.release();
  }
}

function samplesOf(value: OnnxValue | undefined, layer: OnnxLayer, use: OnnxLayerUse, limit: number): SampleRows {
  if (value === undefined || !isFloat32Array(value.data)) {
    const message = `the input \`${use.input}\` of layer \`${layer.name}\` did not come as float32`;
    throw makeError('ERR_INVALID_ARG_VALUE', 'runtime', message);
  }
  if (use.window === undefined) return matrixRows(value, layer, use, limit);
  return convolutionPatches(value.data, value.shape, use.window, { groups: layer.groups, group: layer.group, limit });
}
