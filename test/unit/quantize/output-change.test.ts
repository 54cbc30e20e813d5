// How far outputs move: against the definition, however much of the original's outputs is kept.
import type { OnnxModel } from '../../../lib/formats';
import type { OnnxRuntime, OnnxValues } from '../../../lib/quantize';
import { ModelOutputs } from '../../../lib/quantize/output-change';
import { uniforms } from '../../support/philox-random';

/** A model that is its factor: y = factor x, z = factor x^2 in float64, and whole numbers, which do not count. */
const modelOf = (factor: number): Pick<OnnxModel, 'outputs' | 'serialize'> => ({
  outputs: ['y', 'z', 'n'],
  serialize: () => new Uint8Array(Float64Array.of(factor).buffer),
});

let runs: number[];
const runtime: OnnxRuntime = (bytes) => {
  const factor = new Float64Array(Uint8Array.from(bytes).buffer)[0] as number;
  return Promise.resolve({
    run: ({ x }) => {
      runs.push(factor);
      const data = x?.data as Float32Array;
      const values: OnnxValues = {
        y: { data: data.map((value) => factor * value), shape: [data.length] },
        z: { data: Float64Array.from(data, (value) => factor * value * value), shape: [data.length] },
        n: { data: Int32Array.from(data, () => factor), shape: [data.length] },
      };
      return Promise.resolve(values);
    },
    release: () => Promise.resolve(),
  });
};

const next = uniforms(3);
const inputs = [5, 7, 9].map((length) => ({
  x: { data: Float32Array.from({ length }, () => next() - 0.5), shape: [length] },
}));

// A run's outputs take 12 bytes a number.
test.each([
  [Infinity, [1, 1, 1]],
  [12 * 21, [1, 1, 1]],
  [12 * 12, [1, 1, 2]],
  [12 * 5, [1, 2, 2]],
  [0, [2, 2, 2]],
])('with room for %d bytes', async (bytes, made) => {
  runs = [];
  const outputs = new ModelOutputs(modelOf(1), runtime, () => inputs, bytes);
  // The same relative change in both outputs of floats.
  expect(await outputs.changeOf(modelOf(1.5))).toBeCloseTo(2 * 0.25, 6);
  expect(await outputs.changeOf(modelOf(1))).toBe(0);
  const own = runs.filter((factor) => factor === 1).length;
  expect(own).toBe(made.reduce((sum, count) => sum + count, 0) + 3);
});

test('an abort ends it, and nothing of floats is no number', async () => {
  runs = [];
  const signal = AbortSignal.abort(new Error('enough'));
  const outputs = new ModelOutputs(modelOf(1), runtime, () => inputs);
  await expect(outputs.changeOf(modelOf(2), signal)).rejects.toThrow('enough');
  const whole = { ...modelOf(1), outputs: ['n'] };
  expect(await new ModelOutputs(whole, runtime, () => inputs).changeOf(modelOf(2))).toBeNaN();
});
