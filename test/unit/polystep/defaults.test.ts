// What the default preset takes from native objectives themselves, and what it says about outputs that fall silent.
import { polystep } from '../../../lib';
import { digits } from '../../support/digits';

const { models } = polystep;
const { train, test: held } = digits();
const lif = (batchSize = 128): polystep.models.LifNetwork =>
  models.lifNetwork({ layers: [64, 32, 10], data: train, batchSize });

test('a spiking network learns digits with nothing but a number of steps', async () => {
  using network = lif();
  const found = await polystep.minimize(network, { maxSteps: 60, seed: 1, restoreBest: false });
  expect(network.accuracy(found.x, held)).toBeGreaterThan(0.88);
  expect(found.warnings).toEqual([]);
  expect(found.history.silentOutputs.every((share) => share === 0)).toBe(true);
});

test.each([
  ['a network', () => lif(), (steps: number) => lif().searchOptions({ steps })],
  [
    'MAX-SAT',
    () => models.maxSat(models.randomKSat({ variables: 64, seed: 1 })),
    (sweeps: number) => models.maxSat(models.randomKSat({ variables: 64, seed: 1 })).searchOptions({ sweeps }),
  ],
])('%s brings the settings of its search, for the steps of the run', async (_name, make, settings) => {
  const objective = make();
  const plain = await polystep.minimize(objective, { maxSteps: 6, seed: 2 });
  const spelled = await polystep.minimize(objective, { ...settings(6), maxSteps: 6, seed: 2 });
  expect(plain.iterate).toEqual(spelled.iterate);
  const each = (plain.evaluations - 1) / 6;
  const budget = await polystep.minimize(objective, { maxEvaluations: plain.evaluations, seed: 2 });
  expect(Math.floor(plain.evaluations / each)).toBe(6);
  expect(budget.history.epsilon).toEqual(plain.history.epsilon);
  // A radius of one's own, and the settings of the search are left as a whole.
  const own = await polystep.minimize(objective, { stepRadius: 0.25, maxSteps: 2, seed: 2 });
  expect([...own.history.stepRadius]).toEqual([0.25, 0.25]);
  expect([...own.history.epsilon]).toEqual([0.5, 0.5]);
});

test('a checkpoint carries them', async () => {
  using network = lif();
  const whole = polystep.createOptimizer({ objective: network, maxEvaluations: 5 * 4832, seed: 3 });
  for (let step = 0; step < 4; step += 1) await whole.step();
  const half = polystep.createOptimizer({ objective: network, maxEvaluations: 5 * 4832, seed: 3 });
  for (let step = 0; step < 2; step += 1) await half.step();
  const again = polystep.restore(half.checkpoint(), { objective: network });
  for (let step = 0; step < 2; step += 1) await again.step();
  expect(again.iterate).toEqual(whole.iterate);
});

test('radii too large for a spiking network: a warning names its silent outputs', async () => {
  using network = lif();
  const wide = { stepRadius: 0.5, probeRadius: 1, maxSteps: 3, seed: 1 };
  const { history, warnings } = await polystep.minimize(network, wide);
  expect(history.silentOutputs[0]).toBe(0);
  expect(history.silentOutputs[2]).toBeGreaterThanOrEqual(0.5);
  expect(warnings.join()).toContain('of the outputs fire for no sample');
  // In a subspace it is the whole network that is asked.
  const subspace = { kind: 'factored', rank: 1 } as const;
  const inside = await polystep.minimize(network, { subspace, stepRadius: 20, probeRadius: 40, maxSteps: 2, seed: 1 });
  expect(inside.history.silentOutputs[1]).toBeGreaterThan(0);
});

test('networks without spikes have no silent outputs', async () => {
  using network = models.mlp({ layers: [64, 8, 10], data: train, batchSize: 32 });
  const { history } = await polystep.minimize(network, { maxSteps: 1 });
  expect(history.silentOutputs).toEqual(Float64Array.of(NaN));
});

test("preset 'paper' with a scheduled step radius on spikes: a warning", async () => {
  using network = lif(16);
  const options = { preset: 'paper', particleDimension: 8, rule: 'softmax', maxSteps: 1 } as const;
  const scheduled = { kind: 'cosine', initial: 2, target: 0.5, steps: 10 } as const;
  const { warnings } = await polystep.minimize(network, { ...options, stepRadius: scheduled });
  expect(warnings.join()).toContain('scheduled step radius');
  const fixed = await polystep.minimize(network, { ...options, stepRadius: 2 });
  expect(fixed.warnings.join()).not.toContain('scheduled step radius');
});
