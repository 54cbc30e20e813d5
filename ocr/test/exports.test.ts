// Exported ONNX models in ONNX Runtime: every form of a quantised layer computes what its values say.
import { type OnnxModel, openOnnx, parseOnnx } from '../../lib/formats';
import {
  type CodedWeights,
  dequantize,
  findOnnxLayers,
  type OnnxExportForm,
  type OnnxLayer,
  onnxLayerWeights,
  onnxRuntime,
  type OnnxValues,
  type QuantizationGrid,
  withOnnxWeights,
  withQuantizedLayers,
} from '../../lib/quantize';
import { floatTensor, integerAttribute, model as modelBytes, node, value } from '../../test/support/onnx-file';
import { evaluate, modelFiles, onnxruntime, recognise, testLines } from '../index.cjs';

jest.setTimeout(300_000);
const runtime = onnxRuntime({ module: onnxruntime });

/** Numbers without pattern, the same every time. */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

function handMade(opset: number): OnnxModel {
  const weights = (name: string, shape: number[], seed: number): Uint8Array =>
    floatTensor(name, shape, [
      ...noise(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
    ]);
  return parseOnnx(
    modelBytes(
      {
        nodes: [
          node('MatMul', ['x', 'first'], ['a']),
          node('Gemm', ['a', 'second', 'bias'], ['b'], integerAttribute('transB', 1)),
          node('Conv', ['image', 'kernel'], ['c']),
        ],
        initializers: [
          weights('first', [48, 40], 1),
          weights('second', [24, 40], 2),
          weights('bias', [24], 3),
          weights('kernel', [6, 4, 3, 3], 4),
        ],
        inputs: [value('x', [5, 48]), value('image', [1, 4, 8, 8])],
        outputs: [value('b', [5, 24]), value('c', [1, 6, 6, 6])],
      },
      opset,
    ),
  );
}

const input = {
  x: { data: noise(5 * 48, 11), shape: [5, 48] },
  image: { data: noise(4 * 64, 12), shape: [1, 4, 8, 8] },
};

/** Random codes on a grid of the given kind. */
function coded(
  { rows, columns }: OnnxLayer,
  kind: 'range' | 'mixed' | 'scale' | 'groups',
  levels: number,
): CodedWeights {
  const mixed = [1, 2, 3, levels];
  const counts = Uint32Array.from({ length: columns }, (_, j) => (kind === 'mixed' ? (mixed[j % 4] ?? 1) : levels));
  const draws = noise(rows * columns, 5);
  const codes = Uint8Array.from(draws, (draw, at) => Math.floor(((draw + 1) / 2) * (counts[at % columns] ?? 1)));
  const groups = kind === 'groups' ? columns / 8 : 1;
  const grid: QuantizationGrid =
    kind === 'range' || kind === 'mixed'
      ? {
          kind: 'range',
          range: noise(rows, 6).map((v) => 1.5 + v),
          ratio: noise(rows, 7).map((v) => 0.5 + v / 4),
        }
      : {
          kind: 'scale',
          groups,
          scale: noise(rows * groups, 8).map((v) => (1.1 + v) / levels),
          zero: noise(rows * groups, 9).map((v) => Math.floor(((v + 1) / 2) * levels)),
          groupOfColumn: Int32Array.from({ length: columns }, (_, j) => Math.floor((j * groups) / columns)),
        };
  return { rows, columns, codes, levels: counts, grid };
}

async function outputs(model: OnnxModel, inputs: OnnxValues): Promise<Record<string, Float32Array>> {
  const session = await runtime(model.serialize());
  const results = await session.run(inputs);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

/** Largest difference of two outputs, relative to the largest value. */
function distance(a: Float32Array, b: Float32Array): number {
  const largest = a.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  return a.reduce((max, x, i) => Math.max(max, Math.abs(x - (b[i] ?? NaN))), 0) / largest;
}

test.each([
  [13, 'range', 16], [13, 'mixed', 16], [13, 'scale', 200], [21, 'range', 16], [21, 'mixed', 12], [21, 'mixed', 100],
  [21, 'scale', 4], [21, 'groups', 16], [21, 'groups', 256],
] as const)('operator set %d, DequantizeLinear, %s grid, %d levels: the same numbers as values', async (opset, kind, levels) => {
  const model = handMade(opset);
  const layers = findOnnxLayers(model, { minimumWeights: 100, convolutions: 'all' });
  expect(layers.map(({ name }) => name)).toEqual(['first', 'second', 'kernel']);
  const chosen = kind === 'groups' ? layers.slice(0, 2) : layers;
  const weights = new Map(chosen.map((layer) => [layer, coded(layer, kind, levels)]));
  const expected = await outputs(withQuantizedLayers(model, weights, 'float'), input);
  const original = await outputs(model, input);
  const found = await outputs(withQuantizedLayers(model, weights, 'dequantize'), input);
  for (const name of ['b', 'c']) {
    const [wanted = new Float32Array(), got = new Float32Array()] = [expected[name], found[name]];
    expect(distance(wanted, got)).toBeLessThan(2e-6);
    // The test can fail: the original computes something else.
    if (name === 'b') expect(distance(wanted, original[name] ?? new Float32Array())).toBeGreaterThan(0.1);
  }
}); // prettier-ignore

test('DequantizeLinear: what it has no form for', () => {
  const model = handMade(13);
  const [first] = findOnnxLayers(model, { minimumWeights: 100 });
  if (first === undefined) throw new Error('no layer');
  const attempt =
    (weights: CodedWeights, form: OnnxExportForm = 'dequantize', from = model) =>
    () =>
      withQuantizedLayers(from, new Map([[first, weights]]), form);
  const refused = (text: string) => expect.objectContaining({ code: 'ERR_NOT_EXPRESSIBLE', message: expect.stringContaining(text) as string }) as Error; // prettier-ignore
  expect(attempt(coded(first, 'groups', 16))).toThrow(refused('needs operator set 21'));
  expect(attempt(coded(first, 'range', 16), 'dequantize', handMade(11))).toThrow(refused('needs operator set 13'));
  expect(attempt(coded(first, 'mixed', 16), 'matmulNBits')).toThrow(refused('different numbers of levels'));
  expect(attempt(coded(first, 'groups', 16), 'matmulNBits')).toThrow(refused('not a power of two'));
  const negative = coded(first, 'scale', 16);
  if (negative.grid.kind === 'scale') negative.grid.zero.fill(-1);
  expect(attempt(negative)).toThrow(refused('-1'));
  expect(() => withQuantizedLayers(model, new Map([[first, { ...negative, rows: 1 }]]))).toThrow(
    expect.objectContaining({ code: 'ERR_SHAPE_MISMATCH' }) as Error,
  );
});

/** The nearest codes of a grid with one range per row; rows of zeros get a range of 1. */
function nearest(values: Float32Array, { rows, columns }: OnnxLayer, levels: number): CodedWeights {
  const range = new Float32Array(rows);
  const ratio = new Float32Array(rows);
  const codes = new Uint8Array(rows * columns);
  for (let i = 0; i < rows; ++i) {
    const row = values.subarray(i * columns, (i + 1) * columns);
    const low = row.reduce((a, b) => Math.min(a, b), 0);
    range[i] = row.reduce((a, b) => Math.max(a, b), 0) - low || 1;
    ratio[i] = -low / (range[i] ?? 1);
    const scale = (range[i] ?? 1) / (levels - 1);
    const zero = Math.round((ratio[i] ?? 0) * (levels - 1));
    row.forEach((w, j) => (codes[i * columns + j] = Math.min(levels - 1, Math.max(0, Math.round(w / scale) + zero))));
  }
  return { rows, columns, codes, levels: new Uint32Array(columns).fill(levels), grid: { kind: 'range', range, ratio } };
}

test('the recogniser with MatMulNBits: smaller, and reads as its values do', async () => {
  const model = openOnnx(modelFiles.recognition);
  const layers = findOnnxLayers(model, { convolutions: 'none' });
  expect(layers).toHaveLength(9);
  const weights = new Map(layers.map((layer) => [layer, nearest(onnxLayerWeights(model, layer), layer, 16)]));
  const lines = testLines(12);
  const float = withQuantizedLayers(model, weights, 'float');
  const packed = withQuantizedLayers(model, weights, 'matmulNBits');
  const count = layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const saved = float.serialize().length - packed.serialize().length;
  expect(saved).toBeGreaterThan(3.2 * count);
  const reference = await recognise(float.serialize(), lines);
  const result = await evaluate(packed.serialize(), lines, reference);
  expect(result.divergence).toBeLessThan(1e-4);
  expect(result.results.map(({ text }) => text)).toEqual(reference.map(({ text }) => text));
  // The test can fail: the original differs by far more.
  const original = await evaluate(model.serialize(), lines, reference);
  expect(original.divergence).toBeGreaterThan(1e-2);
  const fine = new Map(layers.map((layer) => [layer, nearest(onnxLayerWeights(model, layer), layer, 256)]));
  expect(() => withQuantizedLayers(model, fine, 'matmulNBits')).toThrow(/need 8 bits/);
});

test('MatMulNBits with groups, and an odd number of them', async () => {
  const bytes = modelBytes({
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    initializers: [floatTensor('w', [80, 24], [...noise(80 * 24, 1)])],
    inputs: [value('x', [3, 80])],
    outputs: [value('y', [3, 24])],
  });
  const model = parseOnnx(bytes);
  const [layer] = findOnnxLayers(model, { minimumWeights: 100 });
  if (layer === undefined) throw new Error('no layer');
  const groups = 5;
  const grid = {
    kind: 'scale' as const,
    groups,
    scale: noise(24 * groups, 8).map((v) => 1.1 + v),
    zero: noise(24 * groups, 9).map((v) => Math.floor((v + 1) * 7.99)),
    groupOfColumn: Int32Array.from({ length: 80 }, (_, j) => j >> 4),
  };
  const weights = new Map([[layer, { ...coded(layer, 'scale', 16), grid }]]);
  const inputs = { x: { data: noise(240, 3), shape: [3, 80] } };
  const expected = await outputs(withQuantizedLayers(model, weights), inputs);
  const found = await outputs(withQuantizedLayers(model, weights, 'matmulNBits'), inputs);
  expect(distance(expected['y'] ?? new Float32Array(), found['y'] ?? new Float32Array())).toBeLessThan(2e-6);
  expect(found['y']).toHaveLength(72);
});

test('values put in by hand and by export are the same model', () => {
  const model = openOnnx(modelFiles.recognition);
  const layers = findOnnxLayers(model).slice(0, 3);
  const weights = new Map(layers.map((layer) => [layer, nearest(onnxLayerWeights(model, layer), layer, 16)]));
  const values = new Map([...weights].map(([layer, codes]) => [layer, dequantize(codes)]));
  const a = withQuantizedLayers(model, weights).serialize();
  expect(Buffer.compare(a, withOnnxWeights(model, values).serialize())).toBe(0);
  expect(a).toHaveLength(model.serialize().length);
  expect(() => withQuantizedLayers(model, weights, 'dequantize')).toThrow(/operator set 13, the model imports 9/);
});
