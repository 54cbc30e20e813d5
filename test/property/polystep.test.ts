// Invariants of the optimizer on random problems.
import fc from 'fast-check';
import { polystep } from '../../lib';
import { errorWith } from '../support/errors';

const finite = fc.double({ min: -100, max: 100, noNaN: true });
const anything = fc.oneof(
  { weight: 8, arbitrary: finite },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e308, -1e308) },
);
const matrix = (numbers: fc.Arbitrary<number>): fc.Arbitrary<number[][]> =>
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 8 }))
    .chain(([rows, vertices]) =>
      fc.array(fc.array(numbers, { minLength: vertices, maxLength: vertices }), { minLength: rows, maxLength: rows }),
    );
const rowRules = ['softmax', 'temperedSoftmax', 'greedy', 'topK', 'rank', 'sample', 'kl'] as const;
const scales = ['none', 'mean', 'max', 'std', 'rowStd', 'rank', 2.5] as const;

test('plan: rows sum to their mass whatever the costs', () => {
  fc.assert(
    fc.property(
      matrix(anything),
      fc.constantFrom(...rowRules),
      fc.constantFrom(...scales),
      fc.double({ min: 1e-3, max: 100, noNaN: true }),
      (costs, rule, scaleCost, epsilon) => {
        const { plan } = polystep.plan(costs, { rule, scaleCost, epsilon, maxIterations: 50 });
        const vertices = (costs[0] as number[]).length;
        costs.forEach((_, i) => {
          const row = plan.subarray(i * vertices, (i + 1) * vertices);
          expect(row.every((weight) => weight >= 0)).toBe(true);
          expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1 / costs.length, 9);
        });
      },
    ),
  );
});

test('plan: a constant added to all costs changes nothing', () => {
  fc.assert(
    fc.property(
      matrix(fc.integer({ min: -50, max: 50 })),
      fc.constantFrom(...rowRules),
      fc.constantFrom(...scales),
      (costs, rule, scaleCost) => {
        const options = { rule, scaleCost, epsilon: 0.7, maxIterations: 50 };
        const shifted = costs.map((row) => row.map((cost) => cost + 1024));
        const [one, other] = [polystep.plan(costs, options).plan, polystep.plan(shifted, options).plan];
        one.forEach((weight, i) => expect(other[i]).toBeCloseTo(weight, 9));
      },
    ),
  );
});

test('plan: Sinkhorn meets both marginals when it converges', () => {
  fc.assert(
    fc.property(
      matrix(fc.double({ min: -3, max: 3, noNaN: true })),
      fc.integer({ min: 0, max: 5 }),
      fc.boolean(),
      (costs, andersonDepth, adaptiveOmega) => {
        const found = polystep.plan(costs, { rule: 'sinkhorn', epsilon: 0.5, andersonDepth, adaptiveOmega });
        const vertices = (costs[0] as number[]).length;
        if (!found.converged) return;
        for (let n = 0; n < vertices; n += 1) {
          const column = costs.reduce((sum, _row, i) => sum + (found.plan[i * vertices + n] as number), 0);
          expect(Math.abs(column - 1 / vertices)).toBeLessThan(1e-5);
        }
        expect(found.error).toBeLessThan(1e-6);
      },
    ),
  );
});

interface Case {
  dimension: number;
  options: Omit<polystep.MinimizeOptions, 'restarts'>;
}
const cases: fc.Arbitrary<Case> = fc
  .record({
    dimension: fc.integer({ min: 1, max: 9 }),
    mode: fc.constantFrom('population' as const, 'block' as const),
    particles: fc.integer({ min: 1, max: 3 }),
    particleDimension: fc.integer({ min: 1, max: 4 }),
    polytope: fc.constantFrom('orthoplex' as const, 'simplex' as const),
    probes: fc.integer({ min: 1, max: 2 }),
    rule: fc.constantFrom('softmax' as const, 'greedy' as const, 'topK' as const, 'linear' as const, 'sample' as const),
    momentum: fc.boolean(),
    amortizeSteps: fc.integer({ min: 1, max: 3 }),
    biasedRotation: fc.boolean(),
    adaptCovariance: fc.boolean(),
    groups: fc.constantFrom(undefined, {
      by: 'rows' as const,
      count: 2,
      epsilonFactors: [1, 0.5],
      radiusFactors: [2, 1],
    }),
    adaptive: fc.constantFrom(true, false, { perParticle: true }),
    dtype: fc.constantFrom('float32' as const, 'float64' as const),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ dimension, mode, particles, particleDimension, adaptive, groups, adaptCovariance, ...rest }) => ({
    dimension,
    options: {
      ...rest,
      ...(mode === 'block' && dimension > particleDimension && { groups }),
      adaptCovariance: adaptCovariance && mode === 'block' && rest.rule !== 'linear',
      dimension,
      mode,
      ...(mode === 'population' ? { particles } : { particleDimension }),
      adaptiveRadius: adaptive,
      initial: { normal: 1 },
      maxSteps: 8,
    },
  }));

/** Integers with plateaus, so that adding a constant is exact. */
const steps = (constant: number): polystep.BatchedLoss => {
  return (view, count, out) => {
    const d = view.length / count;
    for (let i = 0; i < count; i += 1) {
      let sum = constant;
      for (let j = 0; j < d; j += 1) sum += Math.floor(Math.abs(8 * (view[i * d + j] as number)));
      out[i] = sum;
    }
  };
};

test('a constant added to the loss changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ options }) => {
      // The adaptive radius reads relative changes of the loss itself.
      const fixed = { ...options, adaptiveRadius: false };
      const [one, other] = await Promise.all([
        polystep.minimize(steps(0), fixed),
        polystep.minimize(steps(4096), fixed),
      ]);
      expect(other.iterate).toEqual(one.iterate);
    }),
    { numRuns: 40 },
  );
});

test('a run continued from a checkpoint is the run that was not interrupted', async () => {
  await fc.assert(
    fc.asyncProperty(cases, fc.integer({ min: 0, max: 6 }), async ({ options }, split) => {
      const { maxSteps: _, ...rest } = options;
      const objective = steps(0);
      const whole = polystep.createOptimizer({ ...(rest as polystep.OptimizerOptions), objective });
      const first = polystep.createOptimizer({ ...(rest as polystep.OptimizerOptions), objective });
      for (let k = 0; k < 8; k += 1) await whole.step();
      for (let k = 0; k < split; k += 1) await first.step();
      const second = polystep.restore(structuredClone(first.checkpoint()), { objective });
      first.dispose();
      for (let k = split; k < 8; k += 1) await second.step();
      expect(second.checkpoint()).toEqual(whole.checkpoint());
      whole.dispose();
      second.dispose();
    }),
    { numRuns: 40 },
  );
});

test('adaptive subspaces go on from a checkpoint as if nothing had happened', async () => {
  const subspaces = fc.record({
    kind: fc.constant('adaptive' as const),
    rank: fc.integer({ min: 2, max: 9 }),
    directions: fc.constantFrom('random' as const, 'displacements' as const, 'transport' as const),
    directionShare: fc.constantFrom(0.2, 0.5, 1),
    directionSteps: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(subspaces, fc.integer({ min: 0, max: 6 }), fc.boolean(), async (subspace, split, single) => {
      const options = {
        objective: steps(0),
        subspace: { ...subspace, shapes: [[3, 4], [3]] },
        initial: { normal: 1 },
        particleDimension: 3,
        dtype: single ? ('float32' as const) : ('float64' as const),
        groups: { by: 'rows' as const, count: 1 },
      };
      const whole = polystep.createOptimizer(options);
      const first = polystep.createOptimizer(options);
      for (let k = 0; k < 8; k += 1) await whole.step();
      for (let k = 0; k < split; k += 1) await first.step();
      const second = polystep.restore(structuredClone(first.checkpoint()), { objective: options.objective });
      first.dispose();
      for (let k = split; k < 8; k += 1) await second.step();
      expect(second.checkpoint()).toEqual(whole.checkpoint());
      expect(whole.value).toBeLessThan(whole.iterate.length * 40);
      whole.dispose();
      second.dispose();
    }),
    { numRuns: 30 },
  );
});

test('the budget is never exceeded, and constant losses never move anything', async () => {
  await fc.assert(
    fc.asyncProperty(cases, fc.integer({ min: 0, max: 300 }), async ({ options }, maxEvaluations) => {
      let scored = 0;
      const found = await polystep.minimize(
        (_view, count, out) => {
          scored += count;
          out.fill(3);
        },
        { ...options, maxEvaluations },
      );
      expect(found.evaluations).toBe(scored);
      expect(scored).toBeLessThanOrEqual(maxEvaluations);
      const start = await polystep.minimize(steps(0), { ...options, maxSteps: 0 });
      expect(found.iterate).toEqual(start.iterate);
    }),
    { numRuns: 60 },
  );
});

test('candidates that are not finite never stop a run or spoil the point', async () => {
  await fc.assert(
    fc.asyncProperty(cases, fc.infiniteStream(anything), async ({ options }, stream) => {
      const found = await polystep.minimize((_view, count, out) => {
        for (let i = 0; i < count; i += 1) out[i] = stream.next().value as number;
      }, options);
      expect(found.iterate.every(Number.isFinite)).toBe(true);
      expect(found.steps).toBe(8);
    }),
    { numRuns: 60 },
  );
});

test('checkpoints: versions, truncation, missing functions', async () => {
  const objective = steps(0);
  const optimizer = polystep.createOptimizer({ dimension: 4, initial: 1, objective, momentum: true });
  await optimizer.step();
  const checkpoint = optimizer.checkpoint();
  optimizer.dispose();
  const refused = (
    changed: unknown,
    code: string,
    argument: string,
    options: polystep.OptimizerOptions = { objective },
  ): void => {
    expect(() => polystep.restore(changed as polystep.Checkpoint, options)).toThrow(errorWith(code, argument));
  };
  refused({ ...checkpoint, version: 1 }, 'ERR_INVALID_FORMAT', 'checkpoint.version');
  refused({ ...checkpoint, format: 'else' }, 'ERR_INVALID_FORMAT', 'checkpoint.format');
  refused({ ...checkpoint, state: undefined }, 'ERR_INVALID_FORMAT', 'checkpoint.state');
  refused(undefined, 'ERR_INVALID_ARG_TYPE', 'checkpoint');
  refused(checkpoint, 'ERR_INVALID_ARG_VALUE', 'options.objective', {});
  const { state } = checkpoint;
  for (const name of Object.keys(state) as (keyof polystep.OptimizerState)[]) {
    refused(
      { ...checkpoint, state: { ...state, [name]: undefined } },
      'ERR_INVALID_FORMAT',
      `checkpoint.state.${name}`,
    );
    if (state[name].length === 0 || name === 'f' || name === 'g') continue;
    const shorter = { ...state, [name]: state[name].slice(1) };
    refused({ ...checkpoint, state: shorter }, 'ERR_SHAPE_MISMATCH', `checkpoint.state.${name}`);
  }
  const wider = { ...state, x: Float64Array.from(state.x) };
  refused({ ...checkpoint, state: wider }, 'ERR_INVALID_FORMAT', 'checkpoint.state.x');
});
