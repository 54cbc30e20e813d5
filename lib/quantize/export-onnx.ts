// Quantised layers back in their ONNX model: as float32 values, as codes that the model itself turns into values, or as
// the packed matrices of ONNX Runtime's MatMulNBits.
import type { OnnxModel, OnnxNodeEntry, OnnxTensor } from '../formats';
import { makeError } from '../runtime/errors';
import type { CodedWeights } from './coded-weights';
import { dequantize, rangeStep } from './dequantize';
import { affineWeights, blockGroups, notExpressible } from './export-common';
import { type OnnxLayer, withOnnxWeights } from './onnx-model';

/**
 * How quantised layers lie in a model.
 * - `float`: values in place of the original ones. Every runtime, every layer, no smaller file.
 * - `dequantize`: codes of 4 or 8 bits and DequantizeLinear, one per number of levels; needs operator set 13 (21 for 4 bits
 *   and groups). Values are bit for bit those of `dequantize`.
 * - `matmulNBits`: ONNX Runtime's `com.microsoft.MatMulNBits` with 4 bits (fewer levels take as many), for MatMul layers. Its
 *   8 bits are not written: up to version 1.22 the processor kernels compute them with rounded inputs only.
 */
export type OnnxExportForm = 'float' | 'dequantize' | 'matmulNBits';

interface Parts {
  /** Nodes that make the weight or its packed parts. */
  first: OnnxNodeEntry[];
  /** Replacements of the nodes that use it. */
  nodes: Map<number, OnnxNodeEntry[]>;
}

const constantNode = (name: string, value: OnnxTensor): OnnxNodeEntry => ({
  opType: 'Constant',
  inputs: [],
  outputs: [name],
  attributes: { value },
});

/** Codes below 16, two to a byte, the first in the low half. */
function nibbles(codes: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(codes.length / 2));
  for (let at = 0; at < codes.length; ++at)
    bytes[at >> 1] = (bytes[at >> 1] ?? 0) | ((codes[at] ?? 0) << (4 * (at & 1)));
  return bytes;
}

function unsigned(shape: number[], codes: ArrayLike<number>, bits: 4 | 8): OnnxTensor {
  if (bits === 8) return { dataType: 'uint8', shape, data: Uint8Array.from(codes) };
  return { dataType: 'uint4', shape, data: nibbles(codes) };
}

/** Largest of codes and zeros says how many bits they take. */
function bitsOf(format: string, ...lists: ArrayLike<number>[]): 4 | 8 {
  let largest = 0;
  for (const list of lists) {
    for (let at = 0; at < list.length; ++at) {
      const value = list[at] ?? 0;
      if (value < 0 || value > 255) throw notExpressible(format, `the code or zero point ${value} is not in 0 to 255`);
      largest = Math.max(largest, value);
    }
  }
  return largest < 16 ? 4 : 8;
}

const matmulDomain = 'com.microsoft';
const bits = 4;

/** Width of the blocks of MatMulNBits: the groups', or one block for the whole row. */
function blockWidth(columns: number, grid: { groups: number; groupOfColumn: Int32Array }): number {
  if (grid.groups === 1) return Math.max(16, 2 ** Math.ceil(Math.log2(columns)));
  const first = grid.groupOfColumn.findIndex((group) => group !== grid.groupOfColumn[0]);
  const width = first < 0 ? columns : first;
  if (width < 16 || !Number.isInteger(Math.log2(width))) {
    throw notExpressible('MatMulNBits', `groups of ${width} columns are not a power of two of at least 16`);
  }
  return width;
}

function matmulNBits(model: OnnxModel, layer: OnnxLayer, weights: CodedWeights): Parts {
  const format = 'MatMulNBits';
  if (layer.kind !== 'MatMul') throw notExpressible(format, `\`${layer.name}\` is a ${layer.kind}, not a MatMul`);
  const affine = affineWeights(weights, format);
  const { rows, columns, codes, grid } = affine;
  if (bitsOf(format, codes, grid.zero) > bits) {
    throw notExpressible(
      format,
      'codes or zero points above 15 need 8 bits, which ONNX Runtime does not compute exactly',
    );
  }
  const block = blockWidth(columns, grid);
  const groups = blockGroups(affine, block, format);
  const blocks = groups.length;
  const perBlock = block / 2;
  const zeroRow = Math.ceil(blocks / 2);
  const packed = new Uint8Array(rows * blocks * perBlock);
  const zeros = new Uint8Array(rows * zeroRow);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; ++row) {
    const rowZeros = Array.from(groups, (group) => grid.zero[row * grid.groups + group] ?? 0);
    zeros.set(nibbles(rowZeros), row * zeroRow);
    groups.forEach((group, at) => {
      const start = row * columns + at * block;
      packed.set(
        nibbles(codes.subarray(start, Math.min(start + block, (row + 1) * columns))),
        (row * blocks + at) * perBlock,
      );
      scales[row * blocks + at] = grid.scale[row * grid.groups + group] ?? 0;
    });
  }
  const name = (part: string): string => `${layer.constant}.${part}`;
  const first = [
    constantNode(name('packed'), { dataType: 'uint8', shape: [rows, blocks, perBlock], data: packed }),
    constantNode(name('scales'), { dataType: 'float32', shape: [rows * blocks], data: scales }),
    constantNode(name('zeros'), { dataType: 'uint8', shape: [rows * zeroRow], data: zeros }),
  ];
  const nodes = layer.uses.map(({ node, input }): [number, OnnxNodeEntry[]] => {
    const original = model.nodes[node];
    return [
      node,
      [
        {
          opType: 'MatMulNBits',
          domain: matmulDomain,
          name: original?.name ?? '',
          inputs: [input, name('packed'), name('scales'), name('zeros')],
          outputs: original?.outputs ?? [],
          attributes: { K: columns, N: rows, bits, block_size: block },
        },
      ],
    ];
  });
  return { first, nodes: new Map(nodes) };
}

/** One DequantizeLinear: codes rows x columns with a scale and a zero per row, or per row and equal group of columns. */
interface Piece {
  columns: number[];
  scale: Float32Array;
  zero: Float32Array;
  groups: number;
}

function everyColumn(count: number): number[] {
  return Array.from({ length: count }, (_, column) => column);
}

function piecesOf(weights: CodedWeights): Piece[] {
  const { rows, columns, levels, grid } = weights;
  const counts = [...new Set(levels)].sort((a, b) => a - b);
  const groups = grid.groups ?? 1;
  if (grid.kind !== 'range' || (groups > 1 && counts.length === 1)) {
    const affine = affineWeights(weights, 'DequantizeLinear').grid;
    return [{ columns: everyColumn(columns), scale: affine.scale, zero: affine.zero, groups }];
  }
  const pieces = counts.flatMap((count) => Array.from({ length: groups }, (_, group) => ({ count, group })));
  return pieces.flatMap(({ count, group }) => {
    const own = everyColumn(columns).filter((j) => levels[j] === count && (grid.groupOfColumn?.[j] ?? 0) === group);
    if (own.length === 0) return [];
    // Dropped columns: code 0, zero 0, so that the value is 0.
    const steps = Array.from({ length: rows }, (_, row) =>
      count === 1 ? { scale: 1, zero: 0 } : rangeStep(grid, row, group, count),
    );
    return [
      {
        columns: own,
        scale: Float32Array.from(steps, ({ scale }) => scale),
        zero: Float32Array.from(steps, ({ zero }) => zero),
        groups: 1,
      },
    ];
  });
}

function transposed<Values extends number[] | Float32Array>(values: Values, rows: number, columns: number): Values {
  const result = values.slice() as Values;
  for (let i = 0; i < rows; ++i) for (let j = 0; j < columns; ++j) result[j * rows + i] = values[i * columns + j] ?? 0;
  return result;
}

function requireOpset(model: OnnxModel, version: number, why: string): void {
  const found = model.opsets.get('') ?? 0;
  if (found >= version) return;
  throw makeError(
    'ERR_NOT_EXPRESSIBLE',
    'model',
    `DequantizeLinear ${why} needs operator set ${version}, the model imports ${found}: convert the model first, or export as float`,
  );
}

/** The nodes that make one piece of the weight matrix, in the orientation of the layer's constant. */
function dequantizePiece(
  model: OnnxModel,
  layer: OnnxLayer,
  { rows, columns: all, codes, levels, grid }: CodedWeights,
  piece: Piece,
  name: string,
): OnnxNodeEntry[] {
  const { columns, groups, zero, scale } = piece;
  const width = columns.length / groups;
  if (groups > 1) {
    const found = grid.groupOfColumn ?? [];
    if (!Number.isInteger(width) || found.some((group, column) => group !== Math.floor(column / width))) {
      throw notExpressible('DequantizeLinear', 'groups are not equal runs of columns');
    }
  }
  const part: number[] = [];
  for (let i = 0; i < rows; ++i) {
    for (const [at, j] of columns.entries()) {
      // The code of a dropped column of a scale grid is its zero.
      const dropped = (levels[j] ?? 1) <= 1;
      part.push(dropped ? (zero[i * groups + Math.floor(at / width)] ?? 0) : (codes[i * all + j] ?? 0));
    }
  }
  const needed = bitsOf('DequantizeLinear', part, zero);
  const bits = needed === 4 && (model.opsets.get('') ?? 0) >= 21 ? 4 : 8;
  if (groups > 1) requireOpset(model, 21, 'with groups');
  else requireOpset(model, 13, 'with a scale per row');
  const turn = layer.transposed;
  const shape = turn ? [columns.length, rows] : [rows, columns.length];
  const sideShape = groups === 1 ? [rows] : turn ? [groups, rows] : [rows, groups];
  const side = (values: Float32Array): Float32Array => (turn && groups > 1 ? transposed(values, rows, groups) : values);
  return [
    constantNode(`${name}.codes`, unsigned(shape, turn ? transposed(part, rows, columns.length) : part, bits)),
    constantNode(`${name}.scale`, { dataType: 'float32', shape: sideShape, data: side(scale) }),
    constantNode(`${name}.zero`, unsigned(sideShape, side(zero), bits)),
    {
      opType: 'DequantizeLinear',
      inputs: [`${name}.codes`, `${name}.scale`, `${name}.zero`],
      outputs: [name],
      attributes: groups === 1 ? { axis: turn ? 1 : 0 } : { axis: turn ? 0 : 1, block_size: width },
    },
  ];
}

function dequantizeLinear(model: OnnxModel, layer: OnnxLayer, weights: CodedWeights): Parts {
  if (layer.groups > 1) {
    throw notExpressible(
      'DequantizeLinear',
      `\`${layer.constant}\` is a convolution of several groups, one layer each`,
    );
  }
  const constant = model.constants.get(layer.constant);
  if (constant?.dataType !== 1) throw notExpressible('DequantizeLinear', `\`${layer.constant}\` is not float32`);
  const pieces = piecesOf(weights);
  const { shape } = constant;
  const reshaped = shape.length > 2;
  const inputAxis = layer.transposed ? 0 : 1;
  const first: OnnxNodeEntry[] = [];
  const name = layer.constant;
  const matrix = reshaped ? `${name}.matrix` : name;
  const names = pieces.map((_, at) => (pieces.length === 1 ? matrix : `${name}.run${at}`));
  pieces.forEach((piece, at) => first.push(...dequantizePiece(model, layer, weights, piece, names[at] ?? '')));
  const integers = (part: string, values: number[]): void => {
    const data = BigInt64Array.from(values, BigInt);
    first.push(constantNode(`${name}.${part}`, { dataType: 'int64', shape: [values.length], data }));
  };
  if (pieces.length > 1) {
    // Runs of columns one after another, then every column to its place.
    const order = pieces.flatMap(({ columns }) => columns);
    const place = new Array<number>(order.length).fill(0);
    order.forEach((column, at) => (place[column] = at));
    integers('place', place);
    first.push(
      { opType: 'Concat', inputs: names, outputs: [`${name}.sorted`], attributes: { axis: inputAxis } },
      {
        opType: 'Gather',
        inputs: [`${name}.sorted`, `${name}.place`],
        outputs: [matrix],
        attributes: { axis: inputAxis },
      },
    );
  }
  if (reshaped) {
    integers('shape', [...shape]);
    first.push({ opType: 'Reshape', inputs: [matrix, `${name}.shape`], outputs: [name] });
  }
  return { first, nodes: new Map() };
}

/**
 * The model with quantised layers in the given form; layers that are not named keep their weights. Throws
 * `ERR_NOT_EXPRESSIBLE`, with the reason, where a form has no place for a layer: nothing is rounded silently.
 */
export function withQuantizedLayers(
  model: OnnxModel,
  layers: ReadonlyMap<OnnxLayer, CodedWeights>,
  form: OnnxExportForm = 'float',
): OnnxModel {
  for (const [{ name, rows, columns }, weights] of layers) {
    if (weights.rows !== rows || weights.columns !== columns) {
      const message = `layer \`${name}\` is ${rows} x ${columns}, got ${weights.rows} x ${weights.columns}`;
      throw makeError('ERR_SHAPE_MISMATCH', 'layers', message);
    }
  }
  if (form === 'float') {
    return withOnnxWeights(model, new Map([...layers].map(([layer, weights]) => [layer, dequantize(weights)])));
  }
  const firstNodes: OnnxNodeEntry[] = [];
  const nodes = new Map<number, readonly OnnxNodeEntry[]>();
  const removeInitializers = new Set<string>();
  for (const [layer, weights] of layers) {
    if (model.inputs.includes(layer.constant)) {
      throw notExpressible(form, `\`${layer.constant}\` is also an input of the model`);
    }
    const parts = (form === 'dequantize' ? dequantizeLinear : matmulNBits)(model, layer, weights);
    firstNodes.push(...parts.first);
    for (const [index, entries] of parts.nodes) nodes.set(index, entries);
    const maker = model.nodes.find(({ outputs }) => outputs[0] === layer.constant);
    if (maker === undefined) removeInitializers.add(layer.constant);
    else nodes.set(maker.index, []);
  }
  const opsets = new Map(form === 'matmulNBits' && layers.size > 0 ? [[matmulDomain, 1]] : []);
  return model.edit({ firstNodes, nodes, removeInitializers, opsets });
}
