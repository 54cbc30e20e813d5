// What options mean, and what is wrong with them.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const loss: polystep.BatchedLoss = (view, count, out) => {
  const d = view.length / count;
  for (let i = 0; i < count; i += 1) {
    let sum = 0;
    for (let j = 0; j < d; j += 1) sum += ((view[i * d + j] as number) - 1) ** 2;
    out[i] = sum;
  }
};

type Bad = [polystep.OptimizerOptions, string, string];
const bad: Bad[] = [
  [{ dimension: 0 }, 'ERR_OUT_OF_RANGE', 'options.dimension'],
  [{}, 'ERR_INVALID_ARG_VALUE', 'options.dimension'],
  [{ initial: [] as number[] }, 'ERR_SHAPE_MISMATCH', 'options.initial'],
  [{ dimension: 2, particles: 0 }, 'ERR_OUT_OF_RANGE', 'options.particles'],
  [{ dimension: 2, probes: 0, objective: loss }, 'ERR_OUT_OF_RANGE', 'options.probes'],
  [{ dimension: 2, epsilon: 0 }, 'ERR_OUT_OF_RANGE', 'options.epsilon'],
  [{ dimension: 2, epsilon: NaN }, 'ERR_NOT_FINITE', 'options.epsilon'],
  [{ dimension: 2, stepRadius: -1 }, 'ERR_OUT_OF_RANGE', 'options.stepRadius'],
  [{ dimension: 2, stepRadius: Infinity }, 'ERR_NOT_FINITE', 'options.stepRadius'],
  [{ dimension: 2, probeRadius: 0 }, 'ERR_OUT_OF_RANGE', 'options.probeRadius'],
  [{ dimension: 3, initial: [1, 2] }, 'ERR_SHAPE_MISMATCH', 'options.initial'],
  [{ initial: [1, NaN], dimension: 2 }, 'ERR_NOT_FINITE', 'options.initial[1]'],
  [{ initial: Float64Array.of(1, 1e300), dimension: 2 }, 'ERR_NOT_FINITE', 'options.initial[1]'],
  [{ dimension: 2, rule: 'best' as 'greedy' }, 'ERR_INVALID_ARG_VALUE', 'options.rule'],
  [{ dimension: 2, polytope: 'ball' as 'cube' }, 'ERR_INVALID_ARG_VALUE', 'options.polytope'],
  [{ dimension: 17, polytope: 'cube' }, 'ERR_OUT_OF_RANGE', 'options.polytope'],
  [{ dimension: 2, lower: [0, 2], upper: [1, 1] }, 'ERR_OUT_OF_RANGE', 'options.lower'],
  [{ dimension: 2, lower: [0] }, 'ERR_SHAPE_MISMATCH', 'options.lower'],
  [{ dimension: 2, scaleCost: -2 }, 'ERR_OUT_OF_RANGE', 'options.scaleCost'],
  [{ dimension: 2, transport: { omega: 1.96 } }, 'ERR_OUT_OF_RANGE', 'options.transport.omega'],
  [{ dimension: 2, step: 1 } as never, 'ERR_INVALID_ARG_VALUE', 'options.step'],
  [{ dimension: 2, objective: 5 as never }, 'ERR_INVALID_ARG_TYPE', 'options.objective'],
  [{ dimension: 2, update: 'sequential', objective: loss }, 'ERR_INVALID_ARG_VALUE', 'options.update'],
  [{ dimension: 2, newtonRefinement: true, polytope: 'simplex' }, 'ERR_INVALID_ARG_VALUE', 'options.newtonRefinement'],
  [{ dimension: 2, trustRegion: true }, 'ERR_INVALID_ARG_VALUE', 'options.trustRegion'],
  [{ dimension: 2, amortizeSteps: 3, probeRadiusJitter: 0.1 }, 'ERR_INVALID_ARG_VALUE', 'options.amortizeSteps'],
  [{ dimension: 2, epsilon: { kind: 'progressive' } }, 'ERR_INVALID_ARG_VALUE', 'options.epsilon'],
  [
    { dimension: 2, epsilon: { kind: 'linear', initial: 1, target: 0, decay: -1 } },
    'ERR_OUT_OF_RANGE',
    'options.epsilon.decay',
  ],
  [{ dimension: 4, subspace: { rank: 2 } }, 'ERR_INVALID_ARG_VALUE', 'options.subspace.shapes'],
  [{ dimension: 4, subspace: { shapes: [[2, 2]], rank: 0 } }, 'ERR_OUT_OF_RANGE', 'options.subspace.rank'],
  [{ dimension: 5, subspace: { shapes: [[2, 2]] } }, 'ERR_SHAPE_MISMATCH', 'options.subspace.shapes'],
  [{ subspace: { shapes: [[2, 2]], rank: 1, bases: [[1, 2]] } }, 'ERR_SHAPE_MISMATCH', 'options.subspace.bases'],
  [{ dimension: 2, mode: 'block', particles: 3 }, 'ERR_INVALID_ARG_VALUE', 'options.particles'],
];
test.each(bad.map(([options, code, argument], i) => [i, argument, code, options] as const))(
  'refused before any work: %i, %s',
  (_, argument, code, options) => {
    expect(() => polystep.createOptimizer(options)).toThrow(errorWith(code, argument));
  },
);

test('a schedule that reaches zero or a population that takes too much memory is an error that says so', async () => {
  const run = polystep.minimize(loss, { dimension: 2, epsilon: (step) => 1 - step / 4, maxSteps: 10 });
  await expect(run).rejects.toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.epsilon'));
  await expect(run).rejects.toThrow('step 4');
  const large = polystep.createOptimizer({ dimension: 100, particles: 10, bufferBytes: 1000 });
  expect(() => large.ask()).toThrow(errorWith('ERR_OUT_OF_MEMORY', 'options.bufferBytes'));
  large.dispose();
});

test('radii are absolute by default and multiples of the temperature in the paper preset', async () => {
  const first = async (options: polystep.OptimizerOptions): Promise<polystep.StepRecord> => {
    const optimizer = polystep.createOptimizer({ dimension: 4, mode: 'block', objective: loss, ...options });
    const record = (await optimizer.step()) as polystep.StepRecord;
    optimizer.dispose();
    return record;
  };
  expect(await first({})).toMatchObject({ epsilon: 0.5, stepRadius: 0.5, probeRadius: 1 });
  expect(await first({ preset: 'paper' })).toMatchObject({ epsilon: 0.1, stepRadius: 0.1, probeRadius: 0.2 });
  const geometric = { kind: 'geometric', initial: 3, target: 1, steps: 10 } as const;
  expect(await first({ preset: 'paper', stepRadius: geometric })).toMatchObject({ stepRadius: 3, probeRadius: 0.2 });
  expect(await first({ radiusMode: 'relative', stepRadius: 4 })).toMatchObject({ stepRadius: 2, probeRadius: 4 });
});

test('one particle cannot follow a column marginal: softmax, and a warning', async () => {
  const options = { dimension: 3, maxSteps: 5, dtype: 'float64' } as const;
  const asked = await polystep.minimize(loss, { ...options, rule: 'sinkhorn' });
  const soft = await polystep.minimize(loss, { ...options, rule: 'softmax' });
  expect(asked.iterate).toEqual(soft.iterate);
  expect(asked.warnings.join()).toContain('softmax');
});

test.each(['softmax', 'temperedSoftmax', 'greedy', 'topK', 'linear', 'rank', 'sinkhorn', 'kl', 'sample'] as const)(
  'rule %s descends in both modes on every polytope',
  async (rule) => {
    for (const mode of ['population', 'block'] as const) {
      for (const polytope of ['orthoplex', 'simplex', 'cube'] as const) {
        const particles = mode === 'population' ? 4 : 1;
        const found = await polystep.minimize(loss, {
          dimension: 4,
          mode,
          particles,
          polytope,
          rule,
          initial: 3,
          k: 2,
          // Two-sided plans move particles by their relative costs only.
          ...(rule === 'sinkhorn' && { mode: 'block' as const, particles: 1 }),
          maxSteps: 60,
          radiusDecay: 0.97,
          probeRadiusJitter: 0.05,
        });
        expect(found.value).toBeLessThan(8);
        expect(found.steps).toBe(60);
      }
    }
  },
);

test('budget: a step that does not fit is not begun; coasting is free', async () => {
  const options = { dimension: 5, mode: 'block', maxSteps: 1000 } as const; // 12 evaluations a step: 3 blocks of 2
  for (const maxEvaluations of [0, 11, 12, 13, 100]) {
    const found = await polystep.minimize(loss, { ...options, maxEvaluations });
    expect(found.evaluations).toBeLessThanOrEqual(maxEvaluations);
    expect(found.steps).toBe(Math.floor(maxEvaluations / 12));
    expect(found.status).toBe('evaluations');
  }
  const coasting = await polystep.minimize(loss, { ...options, amortizeSteps: 3, maxSteps: 9, scoreFinal: false });
  expect(coasting.evaluations).toBe(36);
  const centred = await polystep.minimize(loss, { ...options, newtonRefinement: true, maxSteps: 4, scoreFinal: false });
  expect(centred.evaluations).toBe(4 * 13);
});

test('patience, convergence, restarts, onStep, time and abort end a run', async () => {
  const flat: polystep.BatchedLoss = (_view, _count, out) => void out.fill(1);
  const options = { dimension: 2, initial: 1, maxSteps: 500 } as const;
  const still = await polystep.minimize(flat, { ...options, patience: 10 });
  expect(still).toMatchObject({ status: 'patience', steps: 11 });
  expect(still.warnings.join()).toContain('plateau');
  const again = await polystep.minimize(flat, {
    ...options,
    patience: 10,
    restarts: { count: 2, lower: -1, upper: 1 },
  });
  expect(again).toMatchObject({ status: 'patience', restarts: 2 });
  expect(again.steps).toBeGreaterThan(22);
  expect(again.iterate).not.toEqual(still.iterate);
  const settled = await polystep.minimize(loss, { ...options, radiusDecay: 0.9, convergence: { threshold: 0.5 } });
  expect(settled.status).toBe('converged');
  const told = await polystep.minimize(loss, { ...options, onStep: ({ step }) => step === 6 });
  expect(told).toMatchObject({ status: 'stopped', steps: 7 });
  expect([...told.history.step]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  const controller = new AbortController();
  const reason = new Error('enough');
  const aborted = polystep.minimize(loss, {
    ...options,
    signal: controller.signal,
    onStep: ({ step }) => {
      if (step === 3) controller.abort(reason);
    },
  });
  await expect(aborted).rejects.toBe(reason);
  const kept = await polystep.minimize(loss, {
    ...options,
    onAbort: 'return',
    signal: AbortSignal.timeout(30),
    maxSteps: 1e9,
  });
  expect(kept.status).toBe('cancelled');
  const timed = await polystep.minimize(loss, { ...options, timeLimitMs: 20, maxSteps: 1e9 });
  expect(timed.status).toBe('time-limit');
  expect(timed.value).toBeLessThan(2);
});

test('progress reports what is best so far', async () => {
  const seen: number[] = [];
  await polystep.minimize(loss, {
    dimension: 2,
    maxSteps: 1e9,
    timeLimitMs: 150,
    onProgress: ({ objective, best }) => {
      seen.push(objective);
      expect(best).toHaveLength(2);
    },
  });
  expect(seen.length).toBeGreaterThan(0);
});

test('subspaces: every kind descends, absorbs leave the point alone', async () => {
  const shapes = [[4, 3], [4]];
  for (const kind of ['hybrid', 'linear', 'factored', 'sparse', 'adaptive'] as const) {
    const found = await polystep.minimize(loss, {
      subspace: { kind, shapes, rank: 2, absorbEvery: 3 },
      maxSteps: 80,
      radiusDecay: 0.97,
      dtype: 'float64',
    });
    expect(found.value).toBeLessThan(13);
  }
  const optimizer = polystep.createOptimizer({ objective: loss, subspace: { shapes, rank: 1 }, dtype: 'float64' });
  await optimizer.step();
  const before = optimizer.iterate;
  optimizer.absorb();
  expect(optimizer.iterate).toEqual(before);
  expect(optimizer.checkpoint().state.x.every((c) => c === 0)).toBe(true);
  optimizer.dispose();
  const ranks = await polystep.minimize(loss, {
    subspace: {
      shapes,
      rankSchedule: [
        [0, 1],
        [3, 3],
      ],
    },
    maxSteps: 6,
    scoreFinal: false,
    particleDimension: 1,
  });
  expect(ranks.evaluations).toBe(3 * 2 * (7 + 4) + 3 * 2 * (12 + 4));
});
