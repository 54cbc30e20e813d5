// Access to real ONNX models: every layer's inputs times its weights must be what the runtime computes.
import fs from 'node:fs';
import { openOnnx } from '../../lib/formats';
import {
  findOnnxLayers,
  onnxLayerInputs,
  onnxLayerWeights,
  onnxRuntime,
  type OnnxLayer,
  type OnnxValue,
  withOnnxWeights,
} from '../../lib/quantize';
import { batches, evaluate, modelFiles, onnxruntime, recognise, testLines } from '../index.cjs';

jest.setTimeout(300_000);
const runtime = onnxRuntime({ module: onnxruntime });

test.each(Object.entries(modelFiles))('%s comes back byte for byte', (_, file) => {
  expect(Buffer.compare(openOnnx(file).serialize(), fs.readFileSync(file))).toBe(0);
});

test('27 layers with 2.33 million weights, and back without moving a byte', () => {
  const model = openOnnx(modelFiles.recognition);
  const layers = findOnnxLayers(model);
  expect(layers.filter(({ kind }) => kind === 'MatMul')).toHaveLength(9);
  expect(layers.filter(({ kind }) => kind === 'Conv')).toHaveLength(18);
  expect(layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0)).toBeGreaterThan(2.32e6);
  expect(layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0)).toBeLessThan(2.34e6);
  const same = withOnnxWeights(model, new Map(layers.map((layer) => [layer, onnxLayerWeights(model, layer)])));
  expect(Buffer.compare(same.serialize(), model.serialize())).toBe(0);
});

/** Largest difference between rows times weights and what the node put out, relative to the latter's size. */
function difference(
  layer: OnnxLayer,
  weights: Float32Array,
  bias: Float32Array,
  rows: Float32Array,
  output: OnnxValue,
): number {
  const { rows: outputs, columns, group, groups } = layer;
  const data = output.data as Float32Array;
  const samples = rows.length / columns;
  const positions = layer.kind === 'Conv' ? output.shape.slice(2).reduce((a, b) => a * b, 1) : 1;
  const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  let worst = 0;
  for (let sample = 0; sample < samples; sample += 37) {
    for (let i = 0; i < outputs; ++i) {
      let sum = bias[group * outputs + i] ?? 0;
      for (let j = 0; j < columns; ++j) sum += (rows[sample * columns + j] ?? NaN) * (weights[i * columns + j] ?? NaN);
      const image = Math.floor(sample / positions);
      const at = ((image * groups + group) * outputs + i) * positions + (sample % positions);
      worst = Math.max(worst, Math.abs(sum - (data[at] ?? NaN)));
    }
  }
  return worst / largest;
}

test.each([['recognition'], ['classification']] as const)(
  '%s: inputs times weights are the outputs of all matrices and convolutions, grouped ones too',
  async (name) => {
    const model = openOnnx(modelFiles[name]);
    // Depthwise convolutions have hundreds of groups: the first and last few speak for all.
    const layers = findOnnxLayers(model, { minimumWeights: 100, convolutions: 'all' }).filter(
      ({ group, groups }) => group < 2 || group === groups - 1,
    );
    expect(layers.some(({ groups }) => groups > 1)).toBe(true);
    expect(layers.some(({ uses }) => (uses[0]?.window?.kernel[0] ?? 1) > 1)).toBe(true);
    const nodes = layers.map(({ uses }) => model.nodes[uses[0]?.node ?? -1]);
    const outputs = nodes.map((node) => node?.outputs[0] ?? '');
    const [input] = batches(testLines(1));
    const session = await runtime(model.edit({ outputs }).serialize());
    const results = await session.run(input ?? {});
    await session.release();
    let checked = 0;
    for await (const { layer, rows } of onnxLayerInputs(model, layers, runtime, [input ?? {}])) {
      const node = nodes[checked];
      const bias = model.constants.get(node?.inputs[2] ?? '')?.float32() ?? new Float32Array(0);
      const output = results[outputs[checked] ?? ''] as OnnxValue;
      expect(difference(layer, onnxLayerWeights(model, layer), bias, rows, output)).toBeLessThan(1e-4);
      checked += 1;
    }
    expect(checked).toBe(layers.length);
    expect(checked).toBeGreaterThan(25);
  },
);

/** Rounds each row to `levels` evenly spaced values from its smallest to its largest. */
function rounded(values: Float32Array, columns: number, levels: number): Float32Array {
  const result = Float32Array.from(values);
  for (let start = 0; start < values.length; start += columns) {
    const row = values.subarray(start, start + columns);
    const low = row.reduce((a, b) => Math.min(a, b), 0);
    const scale = (row.reduce((a, b) => Math.max(a, b), 0) - low) / (levels - 1);
    if (scale === 0) continue; // rows of zeros exist
    for (let j = 0; j < columns; ++j) result[start + j] = low + scale * Math.round(((row[j] ?? 0) - low) / scale);
  }
  return result;
}

test('other weights change the model as much as they should: 16 bits hardly, 2 bits beyond recognition', async () => {
  const model = openOnnx(modelFiles.recognition);
  const lines = testLines(16);
  const reference = await recognise(model.serialize(), lines);
  const layers = findOnnxLayers(model);
  const quantised = (levels: number) => {
    const weights = layers.map(
      (layer) => [layer, rounded(onnxLayerWeights(model, layer), layer.columns, levels)] as const,
    );
    return evaluate(withOnnxWeights(model, new Map(weights)).serialize(), lines, reference);
  };
  // Rows have outliers of a hundred standard deviations: 8 bits on their range still cost 0.2 nats.
  const fine = await quantised(65536);
  expect(fine.characterErrorRate).toBeLessThan(0.03);
  expect(fine.divergence).toBeLessThan(1e-3);
  expect(fine.divergence).toBeGreaterThan(0);
  const coarse = await quantised(4);
  expect(coarse.characterErrorRate).toBeGreaterThan(0.9);
  expect(coarse.divergence).toBeGreaterThan(5);
});
