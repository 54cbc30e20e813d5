// Directions that are screened on a part of the data.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const inputs = Float32Array.from({ length: 3 * 120 }, (_, i) => Math.sin(12.9898 * i));
const labels = Int32Array.from({ length: 120 }, (_, i) =>
  (inputs[3 * i] as number) * (inputs[3 * i + 1] as number) > 0 ? 1 : 0,
);
const network = polystep.models.mlp({ layers: [3, 8, 2], activation: 'tanh', data: { inputs, labels } });
const parameters = 8 * 4 + 2 * 9;
const options = { particleDimension: 4, stepRadius: 0.3, probeRadius: 0.6, seed: 3, scoreFinal: false } as const;

afterAll(() => network.dispose());

test('with all directions kept the run is the one without screening', async () => {
  for (const rule of ['softmax', 'greedy', 'rank'] as const) {
    for (const subspace of [undefined, { kind: 'hybrid', rank: 1 }] as const) {
      const common = { ...options, rule, ...(subspace && { subspace }), maxSteps: 12 };
      const plain = await polystep.minimize(network, common);
      const screened = await polystep.minimize(network, { ...common, screening: { keep: 1 } });
      // Softmax of rows one by one or many at once: the same to rounding.
      screened.iterate.forEach((x, i) => expect(x).toBeCloseTo(plain.iterate[i] as number, 4));
      expect(screened.evaluations).toBe(2 * plain.evaluations);
      expect(screened.warnings.join()).toContain('screening');
    }
  }
});

test('evaluations are counted, budgets kept, and results do not depend on threads', async () => {
  const rows = Math.ceil(parameters / 4);
  for (const [probes, keep] of [
    [1, 0.5],
    [2, 0.25],
    [3, 0.6],
  ] as const) {
    const each = rows * (8 + 2 * Math.ceil(4 * keep) * probes);
    const screening = { keep, fidelity: 0.3 };
    const common = { ...options, probes, screening, maxEvaluations: 10 * each + 1 };
    const one = await polystep.minimize(network, { ...common, threads: 1 });
    const many = await polystep.minimize(network, { ...common, threads: 3 });
    expect(one.evaluations).toBe(10 * each);
    expect(one.steps).toBe(10);
    expect(many.iterate).toEqual(one.iterate);
    expect(many.value).toBe(one.value);
    // The best candidate is one that was scored on all data.
    expect(network.evaluate(one.x)[0]).toBeCloseTo(one.value, 5);
    const start = network.evaluate(network.initialParameters({ seed: 3 }))[0] as number;
    expect(one.value).toBeLessThan(start);
  }
});

test('it goes on from a checkpoint', async () => {
  const settings = { ...options, objective: network, screening: { keep: 0.5 } };
  const { scoreFinal: _, ...rest } = settings;
  const whole = polystep.createOptimizer(rest);
  const first = polystep.createOptimizer(rest);
  for (let k = 0; k < 6; k += 1) await whole.step();
  for (let k = 0; k < 3; k += 1) await first.step();
  const second = polystep.restore(first.checkpoint(), { objective: network });
  for (let k = 3; k < 6; k += 1) await second.step();
  expect(second.checkpoint().state).toEqual(whole.checkpoint().state);
  for (const optimizer of [whole, first, second]) optimizer.dispose();
});

test.each([
  ['screening', { objective: (_view: polystep.Reals, _count: number, out: polystep.Reals) => void out.fill(0) }],
  ['screening', { polytope: 'simplex' as const }],
  ['screening', { rule: 'sinkhorn' as const }],
  ['screening', { scaleCost: 'mean' as const }],
  ['screening', { newtonRefinement: true }],
  ['screening', { objective: polystep.functions.sphere({ dimension: 50 }) }],
] as [string, Partial<polystep.OptimizerOptions>][])('%s is refused where it cannot be done', (argument, extra) => {
  const { scoreFinal: _, ...rest } = options;
  expect(() =>
    polystep.createOptimizer({
      ...rest,
      dimension: parameters,
      mode: 'block',
      objective: network,
      screening: {},
      ...extra,
    }),
  ).toThrow(errorWith('ERR_INVALID_ARG_VALUE', `options.${argument}`));
});

test('shares are numbers in (0, 1]', () => {
  const { scoreFinal: _, ...rest } = options;
  for (const screening of [{ keep: 0 }, { fidelity: 1.5 }]) {
    expect(() => polystep.createOptimizer({ ...rest, objective: network, screening })).toThrow(
      errorWith('ERR_OUT_OF_RANGE', `options.screening.${Object.keys(screening)[0] as string}`),
    );
  }
});
