// Networks from TypeScript: what they refuse, layouts, first parameters, and what they say about data.
import { polystep } from '../../../lib';
import { digits } from '../../support/digits';
import { errorWith } from '../../support/errors';

const { models } = polystep;
const data = { inputs: [1, 2, -1, 0.5, 3, -2], labels: [0, 1, 2] };

test('parameters lie in declared order', () => {
  using network = models.mlp({ layers: [2, 4, 3], data });
  expect(network.tensors).toEqual([
    { name: 'fc1.weight', shape: [4, 2], offset: 0, fanIn: 2 },
    { name: 'fc1.bias', shape: [4], offset: 8, fanIn: 2 },
    { name: 'fc2.weight', shape: [3, 4], offset: 12, fanIn: 4 },
    { name: 'fc2.bias', shape: [3], offset: 24, fanIn: 4 },
  ]);
  expect(network.dimension).toBe(27);
  using attention = models.argmaxAttention({ inputs: 2, hidden: 4, outputs: 3, data });
  expect(attention.tensors.map(({ name, shape }) => [name, ...shape])).toEqual([
    ['fc1.weight', 4, 2],
    ['fc1.bias', 4],
    ['attn.keys', 8, 4],
    ['attn.values.weight', 4, 4],
    ['attn.values.bias', 4],
    ['fc2.weight', 3, 4],
    ['fc2.bias', 3],
  ]);
});

test('first parameters: range, seed, output bias', () => {
  using network = models.mlp({ layers: [2, 50, 3], data });
  const first = network.initialParameters({ seed: 3 });
  expect(first).toEqual(network.initialParameters({ seed: 3 }));
  expect(first).not.toEqual(network.initialParameters({ seed: 4 }));
  const weights = first.subarray(0, 100);
  expect(Math.max(...weights)).toBeLessThan(Math.SQRT1_2);
  expect(Math.max(...weights)).toBeGreaterThan(0.6);
  expect(Math.min(...weights)).toBeLessThan(-0.6);
  expect([...network.initialParameters({ outputBias: 0.5 }).subarray(-3)]).toEqual([0.5, 0.5, 0.5]);
  expect(Math.abs(network.initialParameters({ scale: 0.01 })[0] as number)).toBeLessThan(0.0071);
  using spiking = models.lifNetwork({ layers: [2, 5, 3], data });
  spiking
    .initialParameters()
    .subarray(-3)
    .forEach((bias) => expect(bias).toBeCloseTo(0.15, 6));
});

test('predictions, classes, accuracy, confusion', () => {
  // One layer that passes its inputs on: outputs are x0, x1, 0.
  using network = models.mlp({ layers: [2, 3], data });
  const parameters = [1, 0, 0, 1, 0, 0, 0, 0, 0];
  expect([...network.predictions(parameters)]).toEqual([1, 2, 0, -1, 0.5, 0, 3, -2, 0]);
  expect([...network.predict(parameters)]).toEqual([1, 1, 0]);
  expect(network.accuracy(parameters)).toBe(1 / 3);
  expect([...network.confusion(parameters)]).toEqual([0, 1, 0, 0, 1, 0, 1, 0, 0]);
  expect(network.accuracy(parameters, { inputs: [5, 0], labels: [0] })).toBe(1);
  using single = models.mlp({ layers: [2, 1], loss: 'zeroOne', data: { ...data, labels: [0, 0, 1] } });
  expect([...single.predict([1, 0, -1])]).toEqual([0, 0, 1]); // 0 is not above 0
  expect(single.evaluate([1, 0, -1])).toEqual(Float64Array.of(0));
  expect([...single.confusion([1, 0, -1])]).toEqual([2, 0, 0, 1]);
});

test('cross-entropy of one output, mean square of targets', () => {
  using single = models.mlp({ layers: [2, 1], data: { ...data, labels: [0, 0, 1] } });
  const z = [0, -2, 2];
  const expected = z.reduce((sum, v, i) => sum + Math.log1p(Math.exp(i === 2 ? -v : v)), 0) / 3;
  expect(single.evaluate([1, 0, -1])[0]).toBeCloseTo(expected, 14);
  using square = models.mlp({ layers: [2, 2], data: { inputs: [1, 2, 3, 4], targets: [0, 2, 3, 1] } });
  expect(square.evaluate([1, 0, 0, 1, 0, 0])).toEqual(Float64Array.of((1 + 9) / 4));
  expect(() => square.accuracy([1, 0, 0, 1, 0, 0])).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'data'));
});

test('spike trains and silent outputs', () => {
  using network = models.lifNetwork({ layers: [1, 2, 2], ticks: 4, data: { inputs: [1, 0.5], labels: [0, 1] } });
  // Hidden: the input itself, and nothing; the first output fires with the first hidden neuron.
  const parameters = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0];
  expect([...network.spikes(parameters)]).toEqual([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  expect([...network.predictions(parameters)]).toEqual([4, 0, 1, 0]);
  expect(network.silentOutputs(parameters)).toBe(0.5);
  expect(() => network.spikes(parameters, undefined, 2)).toThrow(errorWith('ERR_OUT_OF_RANGE', 'layer'));
});

test('a candidate that changes nothing has the loss of the base', () => {
  const { train } = digits();
  using network = models.mlp({ layers: [64, 16, 10], weights: 'ternary', activation: 'sign', data: train });
  const base = network.initialParameters({ scale: 4 });
  const loss = network.evaluate(base);
  const first = 100;
  const nudged = base.subarray(first, first + 8).map((w) => (Math.abs(w) < 0.5 ? w / 2 : 1.01 * w));
  expect(network.evaluateReplacements(base, first, 8, nudged)).toEqual(loss);
});

test('whole points and replacements agree on real data, in both precisions', () => {
  const { train } = digits();
  using network = models.lifNetwork({ layers: [64, 32, 10], batchSize: 128, data: train });
  const single = network.initialParameters({ seed: 1 });
  for (const base of [single, Float64Array.from(single)]) {
    for (const first of [0, 8, 2040, 2072, 2400]) {
      const width = 8;
      const rows = Array.from({ length: 4 * width }, (_, i) => 0.4 * Math.sin(7 * i + first));
      const replacements = base instanceof Float32Array ? Float32Array.from(rows) : Float64Array.from(rows);
      const points = Array.from({ length: 4 }, (_, r) =>
        [...base].map((w, i) =>
          i >= first && i < first + width ? (replacements[r * width + i - first] as number) : w,
        ),
      ).flat();
      const whole = network.evaluate(base instanceof Float32Array ? Float32Array.from(points) : points, { step: 3 });
      const changed = network.evaluateReplacements(base, first, width, replacements, { step: 3, threads: 2 });
      changed.forEach((loss, i) => expect(Math.abs(loss - (whole[i] as number))).toBeLessThan(1e-5));
    }
  }
});

test.each([
  [{ layers: [2] }, 'ERR_SHAPE_MISMATCH', 'options.layers'],
  [{ layers: [2, 0, 3] }, 'ERR_OUT_OF_RANGE', 'options.layers[1]'],
  [{ layers: [4, 3] }, 'ERR_SHAPE_MISMATCH', 'options.data.inputs'],
  [{ layers: [2, 3], data: { inputs: [], labels: [] } }, 'ERR_SHAPE_MISMATCH', 'options.data.inputs'],
  [{ layers: [2, 3], data: { inputs: [1, NaN], labels: [0] } }, 'ERR_NOT_FINITE', 'options.data.inputs[1]'],
  [{ layers: [2, 3], data: { inputs: [1, 2], labels: [3] } }, 'ERR_OUT_OF_RANGE', 'options.data.labels[0]'],
  [{ layers: [2, 3], data: { inputs: [1, 2], labels: [0, 1] } }, 'ERR_SHAPE_MISMATCH', 'options.data.labels'],
  [{ layers: [2, 3], data: { inputs: [1, 2] } }, 'ERR_INVALID_ARG_VALUE', 'options.data'],
  [{ layers: [2, 3], data: { inputs: [1, 2], targets: [1] } }, 'ERR_SHAPE_MISMATCH', 'options.data.targets'],
  [{ layers: [2, 3], loss: 'meanSquare' }, 'ERR_INVALID_ARG_VALUE', 'options.loss'],
  [{ layers: [2, 3], loss: 'hinge' }, 'ERR_INVALID_ARG_VALUE', 'options.loss'],
  [{ layers: [2, 3], batchSize: 0 }, 'ERR_OUT_OF_RANGE', 'options.batchSize'],
  [{ layers: [2, 4, 3], activation: ['relu', 'relu'] }, 'ERR_SHAPE_MISMATCH', 'options.activation'],
  [{ layers: [2, 4, 3], activation: 'gelu' }, 'ERR_INVALID_ARG_VALUE', 'options.activation'],
  [{ layers: [2, 4, 3], weights: ['real'] }, 'ERR_SHAPE_MISMATCH', 'options.weights'],
  [{ layers: [2, 4, 3], weights: 'int4' }, 'ERR_INVALID_ARG_VALUE', 'options.weights'],
])('mlp(%j) is refused', (options, code, argument) => {
  expect(() => models.mlp({ data, ...options } as never)).toThrow(errorWith(code, argument));
});

test('arguments of what a network is asked', () => {
  using network = models.mlp({ layers: [2, 3], data });
  const parameters = new Float64Array(9);
  expect(() => network.predictions([1])).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'parameters'));
  expect(() => network.predict(parameters, [1])).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'inputs'));
  expect(() => network.accuracy(parameters, { inputs: [1, 2], labels: [7] })).toThrow(
    errorWith('ERR_OUT_OF_RANGE', 'data.labels[0]'),
  );
  expect(() => models.lifNetwork({ layers: [2, 3], ticks: 0, data })).toThrow(
    errorWith('ERR_OUT_OF_RANGE', 'options.ticks'),
  );
  expect(() => models.obliqueTree({ inputs: 2, depth: 0, data })).toThrow(
    errorWith('ERR_OUT_OF_RANGE', 'options.depth'),
  );
  network.dispose();
  expect(() => network.predict(parameters)).toThrow(errorWith('ERR_DISPOSED', 'objective'));
});

test('onEpoch is called after all data, and may stop a run', async () => {
  using network = models.mlp({ layers: [2, 3], data, batchSize: 1 });
  const samples = network.stepsPerEpoch;
  const options = { maxSteps: 3 * samples + 1, seed: 1, stepRadius: 0.1 };
  const seen: number[][] = [];
  await polystep.minimize(network, {
    ...options,
    onEpoch: (epoch, record, search) => void seen.push([epoch, record.step, search.steps]),
  });
  expect(seen).toEqual([1, 2, 3].map((epoch) => [epoch, epoch * samples - 1, epoch * samples]));
  const whole = await polystep.minimize(network, { ...options, maxSteps: 2 * samples, scoreFinal: false });
  const stopped = await polystep.minimize(network, { ...options, onEpoch: (epoch) => epoch === 2, scoreFinal: false });
  expect(stopped).toMatchObject({ status: 'stopped', steps: 2 * samples });
  expect(stopped.iterate).toEqual(whole.iterate);
  const counted: number[] = [];
  const flat: polystep.BatchedLoss = (_view, _count, out) => void out.fill(1);
  const loop = { dimension: 2, maxSteps: 5, onEpoch: (epoch: number) => void counted.push(epoch) };
  await polystep.minimize(flat, { ...loop, stepsPerEpoch: 2 });
  expect(counted).toEqual([1, 2]);
  await expect(polystep.minimize(flat, loop)).rejects.toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'options.stepsPerEpoch'),
  );
});
