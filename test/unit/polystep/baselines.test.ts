// The searches that polystep is compared with: what they find, what they are given, what they count.
import fc from 'fast-check';
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const { baselines, functions } = polystep;

type Run = (objective: polystep.Objective, options?: polystep.baselines.BaselineOptions) => Promise<polystep.Minimum>;
/** Every method, with what it needs for ten numbers. */
const methods: Record<string, Run> = {
  openAiEs: (objective, options) => baselines.openAiEs(objective, { sigmaDecay: 0.995, ...options }),
  eggroll: (objective, options) =>
    baselines.eggroll(objective, {
      tensors: [{ shape: [4, 2] }, { shape: [2] }],
      sigmaDecay: 0.99,
      learningRateDecay: 0.99,
      ...options,
    }),
  'full cmaEs': (objective, options) => baselines.cmaEs(objective, options),
  'separable cmaEs': (objective, options) => baselines.cmaEs(objective, { covariance: 'separable', ...options }),
  spsa: (objective, options) => baselines.spsa(objective, options),
  meZo: (objective, options) => baselines.meZo(objective, { learningRate: 0.01, ...options }),
  randomSearch: (objective, options) => baselines.randomSearch(objective, { sigmaDecay: 0.99, ...options }),
};
const each = test.each(Object.entries(methods));
const common = { dimension: 10, initial: 1, dtype: 'float64', seed: 4 } as const;

/** What `functions.sphere` computes, in the same order. */
const sphere: polystep.BatchedLoss = (view, count, out) => {
  const d = view.length / count;
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (let j = 0; j < d; j += 1) sum += (view[i * d + j] as number) * (view[i * d + j] as number);
    out[i] = sum;
  }
};
/** The same, changed by `change` and counted. */
const counting = (change: (loss: number, x: number) => number = (loss) => loss) => {
  const calls = { candidates: 0 };
  const loss: polystep.BatchedLoss = (view, count, out) => {
    void sphere(view, count, out);
    calls.candidates += count;
    for (let i = 0; i < count; i += 1) out[i] = change(out[i] as number, view[i * (view.length / count)] as number);
  };
  return { loss, calls };
};

each('%s finds the minimum of a sphere', async (_, run) => {
  const found = await run(functions.sphere({ dimension: 10 }), { ...common, maxEvaluations: 12000 });
  expect(found.value).toBeLessThan(1e-2); // 10 at the start
  expect(found.status).toBe('evaluations');
  expect(found.evaluations).toBeLessThanOrEqual(12000);
  expect(found.history.best.at(-1)).toBeGreaterThanOrEqual(found.value);
  expect(found.history.step.length).toBe(found.steps);
});

each('%s: threads, chunks, callbacks and promises give the bytes of the native objective', async (_, run) => {
  const options = { ...common, maxSteps: 20 };
  const native = await run(functions.sphere({ dimension: 10 }), { ...options, threads: 1 });
  const others = await Promise.all([
    run(functions.sphere({ dimension: 10 }), { ...options, threads: 3 }),
    run(sphere, options),
    run(sphere, { ...options, bufferBytes: 300, threads: 2 }),
    run(
      async (view, count, out) => {
        await new Promise((resolve) => setTimeout(resolve, 2 * Math.random()));
        return sphere(view, count, out);
      },
      { ...options, bufferBytes: 300, concurrency: 3 },
    ),
  ]);
  for (const other of others) {
    expect(other.iterate).toEqual(native.iterate);
    expect(other.x).toEqual(native.x);
    expect(other.value).toBe(native.value);
    expect(other.history).toEqual(native.history);
  }
  expect((await run(sphere, { ...options, seed: 5 })).iterate).not.toEqual(native.iterate);
  const short = await run(sphere, { ...options, dtype: 'float32' });
  expect(short.iterate.BYTES_PER_ELEMENT).toBe(4);
  expect(short.iterate).not.toEqual(native.iterate);
});

each('%s never exceeds its budget and counts what was scored', async (_, run) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 200 }), fc.boolean(), async (maxEvaluations, scoreFinal) => {
      const { loss, calls } = counting();
      const found = await run(loss, { ...common, maxEvaluations, scoreFinal });
      expect(found.evaluations).toBe(calls.candidates);
      expect(found.evaluations).toBeLessThanOrEqual(maxEvaluations);
      expect(found.status).toBe('evaluations');
    }),
    { numRuns: 15 },
  );
});

each('%s takes candidates without a finite loss for bad ones', async (_, run) => {
  const { loss } = counting((value, x) => (x > 1.05 ? NaN : x < -0.5 ? Infinity : value));
  const found = await run(loss, { ...common, maxEvaluations: 3000 });
  expect(found.value).toBeLessThan(10);
  expect([...found.x].every(Number.isFinite)).toBe(true);
  const nowhere = await run(counting(() => NaN).loss, { ...common, maxSteps: 3 });
  expect(nowhere).toMatchObject({ value: Infinity, steps: 3 });
  expect([...nowhere.iterate]).toEqual(new Array(10).fill(1));
  expect(nowhere.warnings).toEqual(['no loss of step 0 was finite: nothing moved']);
});

each('%s stays in its box', async (_, run) => {
  let outside = 0;
  const loss: polystep.BatchedLoss = (view, count, out) => {
    for (const x of view) if (x < 0.25 || x > 2) outside += 1;
    return sphere(view, count, out);
  };
  const found = await run(loss, { ...common, lower: 0.25, upper: new Float64Array(10).fill(2), maxEvaluations: 3000 });
  expect(outside).toBe(0);
  expect([...found.iterate].every((x) => x >= 0.25 && x <= 2)).toBe(true);
  expect(found.value).toBeLessThan(1.5); // 0.625 at the corner
});

each('%s is stopped by the caller, a signal, a time limit, patience', async (_, run) => {
  const f = functions.sphere({ dimension: 10 });
  const stopped = await run(sphere, { ...common, onStep: ({ step }, search) => search.steps === 3 && step === 2 });
  expect(stopped).toMatchObject({ status: 'stopped', steps: 3 });
  for (const objective of [f, sphere]) {
    const controller = new AbortController();
    const limits = { ...common, maxSteps: 1e9, signal: controller.signal };
    const rejected = run(objective, limits);
    const returned = run(objective, { ...limits, onAbort: 'return' });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(rejected).rejects.toThrow('enough');
    expect(await returned).toMatchObject({ status: 'cancelled' });
    expect(await run(objective, { ...common, timeLimitMs: 20 })).toMatchObject({ status: 'time-limit' });
    await expect(run(objective, { ...common, signal: controller.signal })).rejects.toThrow('enough');
  }
  const flat = await run(() => new Float64Array(0).fill(1), { ...common }).catch((reason: unknown) => reason);
  expect(flat).toMatchObject({ code: 'ERR_SHAPE_MISMATCH' });
  const constant = counting(() => 1);
  const patient = await run(constant.loss, { ...common, patience: 4 });
  expect(patient).toMatchObject({ status: 'patience', steps: 5 });
  expect(patient.warnings).toEqual(['in step 0, all candidates cost the same']);
});

test.each(['openAiEs', 'full cmaEs', 'separable cmaEs', 'randomSearch'])(
  '%s sees the order of losses only',
  async (name) => {
    const run = methods[name] as Run;
    const options = { ...common, maxSteps: 30 };
    const plain = await run(sphere, options);
    for (const change of [(value: number) => value + 1000, (value: number) => Math.exp(value / 4)]) {
      expect((await run(counting(change).loss, options)).iterate).toEqual(plain.iterate);
    }
  },
);

test('the full covariance solves what the diagonal cannot, in any coordinates', async () => {
  const valley = functions.rosenbrock({ dimension: 10 });
  const options = { ...common, initial: 0, maxEvaluations: 12000 };
  expect((await baselines.cmaEs(valley, options)).value).toBeLessThan(1e-8);
  expect((await baselines.cmaEs(valley, { ...options, covariance: 'separable' })).value).toBeGreaterThan(1e-4);

  // sum_i 10^(4 i / 9) (R x)_i^2, R the identity or a rotation: evaluations until 1e-6.
  const rotation = polystep.haarRotation({ seed: 1, dimension: 10 });
  const needed = async (rotated: boolean, covariance: 'full' | 'separable'): Promise<number> => {
    const ellipsoid: polystep.BatchedLoss = (view, count, out) => {
      for (let i = 0; i < count; i += 1) {
        let sum = 0;
        for (let j = 0; j < 10; j += 1) {
          let y = 0;
          for (let k = 0; k < 10; k += 1)
            y += (rotated ? (rotation[10 * j + k] as number) : Number(j === k)) * (view[10 * i + k] as number);
          sum += 10 ** ((4 * j) / 9) * y * y;
        }
        out[i] = sum;
      }
    };
    const limits = { ...common, covariance, maxEvaluations: 20000 };
    return (await baselines.cmaEs(ellipsoid, { ...limits, onStep: ({ best }) => best < 1e-6 })).evaluations;
  };
  const straight = await needed(false, 'full');
  const turned = await needed(true, 'full');
  expect(turned / straight).toBeGreaterThan(0.7);
  expect(turned / straight).toBeLessThan(1.4);
  expect(await needed(false, 'separable')).toBeLessThan(straight);
  expect(await needed(true, 'separable')).toBeGreaterThan(2 * straight);
});

test('a network is trained through its tensors, a minibatch a step', async () => {
  const inputs = Float32Array.from({ length: 400 }, (_, i) => Math.sin(12.9898 * i));
  const labels = Int32Array.from({ length: 100 }, (_, i) => Number((inputs[4 * i] as number) > 0));
  const network = polystep.models.mlp({ data: { inputs, labels }, layers: [4, 6, 2], batchSize: 50 });
  const options = { maxEvaluations: 6000, population: 20, learningRate: 0.05, restoreBest: false };
  for (const run of [baselines.openAiEs, baselines.eggroll]) {
    const { x } = await run(network, options);
    const outputs = network.predictions(x);
    let right = 0;
    labels.forEach((label, i) => {
      if (Number((outputs[2 * i + 1] as number) > (outputs[2 * i] as number)) === label) right += 1;
    });
    expect(right).toBeGreaterThanOrEqual(95);
  }
});

const delta: polystep.DeltaLoss = { start: () => undefined, replacements: () => undefined };
const bad: [string, () => Promise<unknown>, string, string][] = [
  ['delta', () => baselines.spsa(delta, { dimension: 2 }), 'ERR_INVALID_ARG_TYPE', 'objective'],
  ['objective', () => baselines.spsa(3 as never, { dimension: 2 }), 'ERR_INVALID_ARG_TYPE', 'objective'],
  ['no dimension', () => baselines.meZo(sphere), 'ERR_INVALID_ARG_VALUE', 'options.dimension'],
  ['initial', () => baselines.meZo(sphere, { initial: [1, NaN] }), 'ERR_NOT_FINITE', 'options.initial[1]'],
  ['odd', () => baselines.openAiEs(sphere, { dimension: 2, population: 3 }), 'ERR_OUT_OF_RANGE', 'options.population'],
  ['sigma', () => baselines.openAiEs(sphere, { dimension: 2, sigma: 0 }), 'ERR_OUT_OF_RANGE', 'options.sigma'],
  ['scale', () => baselines.openAiEs(sphere, { dimension: 2, scaleCost: -1 }), 'ERR_OUT_OF_RANGE', 'options.scaleCost'],
  ['few', () => baselines.cmaEs(sphere, { dimension: 2, population: 3 }), 'ERR_OUT_OF_RANGE', 'options.population'],
  ['large', () => baselines.cmaEs(sphere, { dimension: 5000 }), 'ERR_OUT_OF_RANGE', 'options.covariance'],
  ['tensors', () => baselines.eggroll(sphere, { dimension: 4 }), 'ERR_INVALID_ARG_VALUE', 'options.tensors'],
  [
    'other tensors',
    () => baselines.eggroll(sphere, { dimension: 4, tensors: [{ shape: [3] }] }),
    'ERR_SHAPE_MISMATCH',
    'options.tensors',
  ],
  [
    'extent',
    () => baselines.eggroll(sphere, { dimension: 4, tensors: [{ shape: [0] }] }),
    'ERR_OUT_OF_RANGE',
    'options.tensors[0].shape[0]',
  ],
  [
    'no box',
    () => baselines.randomSearch(sphere, { dimension: 4, sampling: 'uniform', lower: 0 }),
    'ERR_INVALID_ARG_VALUE',
    'options.sampling',
  ],
  ['box', () => baselines.spsa(sphere, { dimension: 2, lower: 1, upper: 0 }), 'ERR_OUT_OF_RANGE', 'options.lower'],
  ['misspelt', () => baselines.spsa(sphere, { rank: 1 } as never), 'ERR_INVALID_ARG_VALUE', 'options.rank'],
  [
    'back end',
    () => baselines.spsa(sphere, { dimension: 2, backend: 'cuda' }),
    'ERR_BACKEND_UNAVAILABLE',
    'options.backend',
  ],
];
test.each(bad)('refused before any work: %s', async (_, call, code, argument) => {
  await expect(call()).rejects.toThrow(errorWith(code, argument));
});

test('uniform random search covers its box', async () => {
  const seen: number[] = [];
  const loss: polystep.BatchedLoss = (view, count, out) => {
    for (let i = 1; i < count; i += 1) seen.push(view[2 * i + 1] as number);
    return sphere(view, count, out);
  };
  const box = { dimension: 2, lower: [-1, 2], upper: [1, 6], maxSteps: 200, population: 11, initial: [0, 3] };
  const { x } = await baselines.randomSearch(loss, { ...box, sampling: 'uniform', scoreFinal: false });
  const mean = seen.reduce((sum, value) => sum + value, 0) / seen.length;
  expect(Math.abs(mean - 4)).toBeLessThan(0.11); // four standard errors
  expect(Math.min(...seen)).toBeLessThan(2.05);
  expect(x[1]).toBeLessThan(2.1);
});
