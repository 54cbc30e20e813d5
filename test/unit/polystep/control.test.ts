// Policies: starts shared within a step, returns in their range, the physics of both environments.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const { models } = polystep;

test('a policy that does nothing but push left falls soon, the horizon ends the others', () => {
  using policy = models.cartPole({ episodes: 20 });
  const left = new Float64Array(policy.dimension);
  expect(policy.meanReturn(left)).toBeGreaterThan(5);
  expect(policy.meanReturn(left)).toBeLessThan(15);
  // Follow the pole: action 1 where theta + 0.3 theta' > 0.
  using linear = models.cartPole({ hidden: [], horizon: 100, episodes: 33 });
  const follow = [0, 0, 0, 0, 0, 0, 1, 0.3, 0, 0];
  expect(linear.dimension).toBe(10);
  expect(linear.meanReturn(follow)).toBe(100);
  expect(linear.meanReturn(Float32Array.from(follow))).toBe(100);
});

test('starts belong to seed and step, not to the candidate', () => {
  using policy = models.cartPole({ weights: ['binary', 'real'], activation: 'sign' });
  const parameters = policy.initialParameters({ seed: 8 });
  const twice = Float32Array.from([...parameters, ...parameters]);
  const [a, b] = policy.evaluate(twice, { seed: 1, step: 4 });
  expect(a).toBe(b);
  expect(policy.evaluate(twice, { seed: 1, step: 4, threads: 2 })[0]).toBe(a);
  const others = [0, 1, 2, 3, 5, 6].map((step) => policy.evaluate(parameters, { seed: 1, step })[0]);
  expect(new Set(others).size).toBeGreaterThan(1);
  const row = parameters.slice(3, 5);
  expect(policy.evaluateReplacements(parameters, 3, 2, row, { seed: 1, step: 4 })[0]).toBe(a);
});

test('the acrobot: hanging still stays, energy is kept without a torque, swinging with the speed lifts it', () => {
  expect([...models.acrobotStep([0, 0, 0, 0], 1).state]).toEqual(
    [0, 0, 0, 0].map((x) => expect.closeTo(x, 12) as number),
  );
  const energy = ([a, b, va, vb]: readonly number[]): number => {
    const [t1, t2, v1, v2] = [a, b, va, vb] as [number, number, number, number];
    const d1 = 0.25 + 1.25 + Math.cos(t2) + 2;
    const d2 = 0.25 + 0.5 * Math.cos(t2) + 1;
    const kinetic = 0.5 * d1 * v1 * v1 + d2 * v1 * v2 + 0.5 * 1.25 * v2 * v2;
    return kinetic - 9.8 * (1.5 * Math.cos(t1) + 0.5 * Math.cos(t1 + t2));
  };
  let state: readonly number[] = [0.3, -0.2, 0.1, 0];
  const start = energy(state);
  for (let i = 0; i < 20; i += 1) state = [...models.acrobotStep(state, 1).state];
  expect(energy(state)).toBeCloseTo(start, 2);
  // A torque along the second joint's speed pumps energy: a linear policy on sign(theta2').
  using policy = models.acrobot({ hidden: [] });
  const pump = [0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
  expect(policy.dimension).toBe(21);
  const swung = policy.meanReturn(pump);
  expect(swung).toBeGreaterThan(-300);
  expect(policy.meanReturn(new Float64Array(21))).toBe(-500);
});

test('a step that lifts the tip ends the episode', () => {
  expect(models.acrobotStep([Math.PI, 0, 0, 0], 1).done).toBe(true);
  expect(models.acrobotStep([0, 0, 0, 0], 1).done).toBe(false);
});

test.each([
  ['real', {}],
  ['int8', { weights: ['int8', 'real'] }],
  ['binary', { weights: ['binary', 'real'] }],
] as const)('a policy of %s weights learns to balance for 500 steps', async (_kind, weights) => {
  using policy = models.cartPole({ ...weights });
  const falling = (initial: number, target: number) => ({ kind: 'geometric', initial, target, steps: 23 }) as const;
  const found = await polystep.minimize(policy, {
    particleDimension: 8,
    polytope: 'simplex',
    stepRadius: falling(0.5, 0.1),
    probeRadius: falling(2, 0.4),
    adaptiveRadius: false,
    maxSteps: 23,
    restoreBest: false,
    scoreFinal: false,
    seed: 1,
  });
  expect(found.evaluations).toBeLessThan(3216); // the published number
  using judge = models.cartPole({ ...weights, episodes: 100 });
  expect(judge.meanReturn(found.x, { seed: 1001 })).toBe(500);
});

test('what is refused', () => {
  expect(() => models.cartPole({ episodes: 0 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.episodes'));
  expect(() => models.acrobot({ weights: ['real'] })).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'options.weights'));
  expect(() => models.cartPoleStep([0, 0, 0], 1)).toThrow(errorWith('ERR_SHAPE_MISMATCH', 'state'));
  expect(() => models.cartPoleStep([0, 0, 0, 0], 2)).toThrow(errorWith('ERR_OUT_OF_RANGE', 'action'));
});
