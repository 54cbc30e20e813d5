// Test functions: options, noise that belongs to the point, replacements.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const { functions } = polystep;

test('noise depends on seed, step and point, not on what is scored beside it', () => {
  using noisy = functions.sphere({ dimension: 3, noise: 0.5 });
  const points = Array.from({ length: 3 * 1000 }, (_, i) => Math.sin(i));
  const together = noisy.evaluate(points, { seed: 4, step: 2 });
  expect(noisy.evaluate(points.slice(300, 303), { seed: 4, step: 2 })[0]).toBe(together[100]);
  expect(noisy.evaluate(points, { seed: 4, step: 2, threads: 3 })).toEqual(together);
  expect(noisy.evaluate(points, { seed: 4, step: 3 })).not.toEqual(together);
  expect(noisy.evaluate(points, { seed: 5, step: 2 })).not.toEqual(together);
  using plain = functions.sphere({ dimension: 3 });
  const exact = plain.evaluate(points);
  const noise = [...together].map((value, i) => value - (exact[i] as number));
  const mean = noise.reduce((sum, x) => sum + x, 0) / 1000;
  const variance = noise.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 999;
  expect(Math.abs(mean)).toBeLessThan(0.06); // four standard errors
  expect(Math.abs(variance - 0.25)).toBeLessThan(0.05);
});

test('replacements are whole points', () => {
  using f = functions.rosenbrock({ dimension: 5 });
  const base = [0.5, 1, -1, 2, 0];
  expect(f.evaluateReplacements(base, 3, 3, [1, 1, 9, 2, 0, 9])).toEqual(f.evaluate([0.5, 1, -1, 1, 1, ...base]));
});

test('searchOptions find valleys and the best of many minima, anywhere', async () => {
  const run = async (f: polystep.functions.FunctionObjective, seed: number): Promise<number> => {
    const { value, evaluations } = await polystep.minimize(f, {
      ...f.searchOptions({ evaluations: 12000 }),
      maxEvaluations: 12000,
      seed,
    });
    expect(evaluations).toBeLessThanOrEqual(12000);
    return value;
  };
  expect(await run(functions.sphere({ dimension: 20 }), 1)).toBeLessThan(1e-8);
  expect(await run(functions.ackley({ dimension: 20 }), 1)).toBeLessThan(1e-3);
  expect(await run(functions.rosenbrock({ dimension: 20 }), 1)).toBeLessThan(16);
  expect(await run(functions.rastrigin({ dimension: 20 }), 1)).toBeLessThan(20); // 330 at random points
  expect(await run(functions.branin(), 1)).toBeLessThan(0.3979);
  expect(() => functions.sphere({ dimension: 20 }).searchOptions({ evaluations: 20 })).toThrow(
    errorWith('ERR_OUT_OF_RANGE', 'options.evaluations'),
  );
});

test('what is refused', () => {
  expect(() => functions.ackley({ dimension: 0 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.dimension'));
  expect(() => functions.rosenbrock({ dimension: 1 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.dimension'));
  expect(() => functions.levy({ noise: -1 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.noise'));
  expect(() => functions.beale({ dimension: 2 } as object)).toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'options.dimension'),
  );
});
