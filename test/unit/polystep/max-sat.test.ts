// MAX-SAT from TypeScript: what it refuses, what it counts, local search with its options.
import { formats, polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

const { maxSat, polishMaxSat, polishMaxSatSync, randomKSat } = polystep.models;

describe('maxSat', () => {
  test('clauses of any length from a CNF, with weights', () => {
    const cnf = formats.parseDimacs('p wcnf 3 4 100\n100 1 2 3 0\n0.5 -1 0\n2 1 -1 0\n7 0\n');
    using count = maxSat({ cnf, cost: 'count' });
    expect(count.dimension).toBe(3);
    expect(count.clauseCount).toBe(4);
    // The tautology is always satisfied, the empty clause never.
    expect(count.evaluate([-1, -1, -1, 1, -1, -1, 0, 1, 0])).toEqual(Float64Array.of(107, 7.5, 7));
    using ratio = maxSat({ cnf });
    expect(ratio.evaluate([0, 1, 0])).toEqual(Float64Array.of(7 / 109.5));
    expect(count.count([1, 0, 0])).toEqual({ satisfied: 2, unsatisfied: 2, unsatisfiedWeight: 7.5 });
  });

  test('a literal twice counts once', () => {
    using problem = maxSat({ variables: 2, clauses: [1, 1, -2], cost: 'count' });
    expect(problem.evaluateReplacements([1, 1], 0, 2, [-1, 1, -1, -1, 1, -1])).toEqual(Float64Array.of(1, 0, 0));
  });

  test('weights far apart and that are no binary fractions', () => {
    using problem = maxSat({
      variables: 1,
      clauses: [1, 1],
      literalsPerClause: 1,
      weights: [0.2, 1e15],
      cost: 'count',
    });
    expect(problem.evaluate([-1])[0]).toBe(1e15 + 0.25);
    expect(problem.evaluate([1])[0]).toBe(0);
  });

  test.each([
    [{ variables: 2, clauses: [1, 2, 3] }, 'ERR_OUT_OF_RANGE', 'options.clauses'],
    [{ variables: 2, clauses: [1, 2, 0] }, 'ERR_OUT_OF_RANGE', 'options.clauses'],
    [{ variables: 2, clauses: [1, 2] }, 'ERR_SHAPE_MISMATCH', 'options.clauses'],
    [{ variables: 2, clauses: [1.5, 2, 1] }, 'ERR_OUT_OF_RANGE', 'options.clauses[0]'],
    [{ variables: 0, clauses: [] }, 'ERR_OUT_OF_RANGE', 'options.variables'],
    [{ variables: 3, clauses: [1, 2, 3], weights: [1, 2] }, 'ERR_SHAPE_MISMATCH', 'options.weights'],
    [{ variables: 3, clauses: [1, 2, 3], weights: [-1] }, 'ERR_OUT_OF_RANGE', 'options.weights[0]'],
    [{ variables: 3, clauses: [1, 2, 3], weights: [NaN] }, 'ERR_NOT_FINITE', 'options.weights[0]'],
    [
      { variables: 2, clauses: [1, 2, 2, -1], weights: [1e308, 1e308], literalsPerClause: 2 },
      'ERR_OUT_OF_RANGE',
      'options.weights',
    ],
    [{ variables: 2, clauses: [1, 2, 2], cost: 'sum' }, 'ERR_INVALID_ARG_VALUE', 'options.cost'],
    [{ variables: 2, clauses: [1, 2, 2], mode: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.mode'],
    [{ cnf: { variables: 2, literals: [5], clauseStarts: [0, 1] } }, 'ERR_OUT_OF_RANGE', 'options.cnf.literals'],
    [
      { cnf: { variables: 2, literals: [1], clauseStarts: [0, 2, 1] } },
      'ERR_SHAPE_MISMATCH',
      'options.cnf.clauseStarts',
    ],
    [{ cnf: { variables: 2, literals: [1], clauseStarts: [] } }, 'ERR_SHAPE_MISMATCH', 'options.cnf.clauseStarts'],
  ])('%j is refused', (options, code, argument) => {
    expect(() => maxSat(options as never)).toThrow(errorWith(code, argument));
  });

  test('a clause of 256 literals is refused, of 255 not', () => {
    const clauses = Array.from({ length: 255 }, (_, i) => i + 1);
    using problem = maxSat({ variables: 256, clauses, literalsPerClause: 255 });
    const point = Array<number>(256).fill(1);
    const all = problem.evaluateReplacements(point, 0, 256, Array<number>(256).fill(-1));
    expect(all).toEqual(Float64Array.of(1));
    const cnf = { variables: 256, literals: Int32Array.from([...clauses, 256]), clauseStarts: Int32Array.of(0, 256) };
    expect(() => maxSat({ cnf })).toThrow('at most 255 literals');
  });

  test('arguments of scoring', () => {
    using problem = maxSat({ variables: 3, clauses: [1, 2, 3] });
    const refused = (call: () => unknown, code: string, argument: string): void =>
      expect(call).toThrow(errorWith(code, argument));
    refused(() => problem.evaluate([1, 2]), 'ERR_SHAPE_MISMATCH', 'points');
    refused(() => problem.evaluate([1, NaN, 2]), 'ERR_NOT_FINITE', 'points[1]');
    refused(() => problem.evaluate([1, 2, 3], { threads: 0 }), 'ERR_OUT_OF_RANGE', 'options.threads');
    refused(() => problem.evaluateReplacements([1, 2], 0, 1, [1]), 'ERR_SHAPE_MISMATCH', 'base');
    refused(() => problem.evaluateReplacements([1, 2, 3], 3, 1, [1]), 'ERR_OUT_OF_RANGE', 'first');
    refused(() => problem.evaluateReplacements([1, 2, 3], 0, 0, [1]), 'ERR_OUT_OF_RANGE', 'width');
    refused(() => problem.evaluateReplacements([1, 2, 3], 0, 2, [1]), 'ERR_SHAPE_MISMATCH', 'replacements');
    refused(
      () => problem.evaluateReplacements([1, 2, 3], 0, 1, Float32Array.of(1)),
      'ERR_INVALID_ARG_TYPE',
      'replacements',
    );
    expect(problem.evaluateReplacements([1, -2, -3], 0, 5, [-1, -1, -1, 9, 9])).toEqual(Float64Array.of(1));
  });

  test('after dispose', () => {
    const problem = maxSat({ variables: 3, clauses: [1, 2, 3] });
    problem.dispose();
    problem.dispose();
    expect(problem.disposed).toBe(true);
    expect(() => problem.evaluate([1, 2, 3])).toThrow(errorWith('ERR_DISPOSED', 'objective'));
  });
});

describe('randomKSat', () => {
  test('the number of clauses is truncated, clauses are distinct variables, a seed is an instance', () => {
    expect(randomKSat({ variables: 100 }).clauses).toHaveLength(426 * 3);
    expect(randomKSat({ variables: 10_000 }).clauses).toHaveLength(42_699 * 3);
    const { clauses, literalsPerClause } = randomKSat({ variables: 6, ratio: 50, literalsPerClause: 5, seed: 9 });
    expect(literalsPerClause).toBe(5);
    let negated = 0;
    for (let c = 0; c < 300; c += 1) {
      const of = [...clauses.subarray(5 * c, 5 * c + 5)];
      expect(new Set(of.map(Math.abs)).size).toBe(5);
      expect(of.every((literal) => Math.abs(literal) >= 1 && Math.abs(literal) <= 6)).toBe(true);
      negated += of.filter((literal) => literal < 0).length;
    }
    expect(negated).toBeGreaterThan(600);
    expect(negated).toBeLessThan(900);
    expect(randomKSat({ variables: 6, ratio: 50, literalsPerClause: 5, seed: 9 }).clauses).toEqual(clauses);
    expect(randomKSat({ variables: 6, ratio: 50, literalsPerClause: 5, seed: 10 }).clauses).not.toEqual(clauses);
  });

  test('what is refused', () => {
    expect(() => randomKSat({ variables: 2 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.literalsPerClause'));
    expect(() => randomKSat({ variables: 3, ratio: 0.1 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.ratio'));
  });
});

describe('polishMaxSat', () => {
  const shape = randomKSat({ variables: 200, seed: 3 });
  const start = Float32Array.from({ length: 200 }, (_, i) => ((i * 7919) % 13) - 6);

  test('is better than the start, the same for the same seed, and honest', async () => {
    using problem = maxSat({ ...shape, cost: 'count' });
    const found = await polishMaxSat(problem, start, { seed: 5 });
    expect(found).toEqual({ ...polishMaxSatSync(problem, start, { seed: 5 }), seconds: found.seconds });
    expect(problem.count(found.assignment)).toMatchObject({
      unsatisfied: found.unsatisfied,
      satisfied: found.satisfied,
      unsatisfiedWeight: found.cost,
    });
    expect(found.unsatisfied).toBeLessThan(problem.count(start).unsatisfied);
    expect(found.unsatisfied).toBeLessThanOrEqual(4);
    expect(polishMaxSatSync(problem, start, { seed: 6 }).assignment).not.toEqual(found.assignment);
  });

  test('no flip leaves the start', () => {
    using problem = maxSat(shape);
    const found = polishMaxSatSync(problem, start, { maxFlips: 0 });
    expect(found).toMatchObject({ flips: 0, status: 'finished', unsatisfied: problem.count(start).unsatisfied });
    expect(found.assignment).toEqual(problem.assignment(start));
  });

  test('an easy problem is satisfied; weights and long clauses', () => {
    using easy = maxSat({ ...randomKSat({ variables: 100, ratio: 2 }) });
    expect(polishMaxSatSync(easy, new Float64Array(100))).toMatchObject({ status: 'satisfied', cost: 0 });
    const long = randomKSat({ variables: 60, ratio: 30, literalsPerClause: 6 });
    const weights = Float64Array.from({ length: 1800 }, (_, i) => 1 + (i % 7) / 3);
    using weighted = maxSat({ ...long, weights, cost: 'count' });
    const found = polishMaxSatSync(weighted, new Float64Array(60), { maxFlips: 2000 });
    expect(weighted.count(found.assignment).unsatisfiedWeight).toBeCloseTo(found.unsatisfiedWeight, 9);
    expect(found.cost).toBeLessThan(weighted.evaluate(new Float64Array(60))[0] as number);
  });

  test('a time limit, an abort and progress', async () => {
    // Clauses and their opposites: never satisfied.
    using problem = maxSat({ variables: 1, clauses: [1, -1], literalsPerClause: 1 });
    const limited = await polishMaxSat(problem, [1], { maxFlips: 1e12, timeLimitMs: 20 });
    expect(limited.status).toBe('time-limit');
    const stop = new AbortController();
    const objectives: number[] = [];
    const aborted = await polishMaxSat(problem, [1], {
      maxFlips: 1e12,
      signal: stop.signal,
      onAbort: 'return',
      onProgress: ({ phase, objective }) => {
        expect(phase).toBe('polish');
        objectives.push(objective);
        stop.abort();
      },
    });
    expect(aborted.status).toBe('cancelled');
    expect(objectives[0]).toBe(0.5);
    const again = AbortSignal.abort(new Error('enough'));
    await expect(polishMaxSat(problem, [1], { signal: again })).rejects.toThrow('enough');
  });

  test('what is refused', async () => {
    using problem = maxSat(shape);
    await expect(polishMaxSat(problem, [1])).rejects.toThrow(errorWith('ERR_SHAPE_MISMATCH', 'assignment'));
    await expect(polishMaxSat({} as never, [1])).rejects.toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'problem'));
    expect(() => polishMaxSatSync(problem, start, { maxFlips: -1 })).toThrow(
      errorWith('ERR_OUT_OF_RANGE', 'options.maxFlips'),
    );
    await expect(polishMaxSat(problem, start, { backend: 'cuda' })).rejects.toThrow(
      errorWith('ERR_BACKEND_UNAVAILABLE', 'options.backend'),
    );
  });
});

test('a search takes the same way whatever a clause costs', async () => {
  const clauses = randomKSat({ variables: 128, ratio: 4, seed: 5 }); // 512 clauses: shares are exact
  const points = [];
  for (const more of [
    { cost: 'count' },
    { cost: 'ratio' },
    { cost: 'count', weights: new Float64Array(512).fill(4) },
  ] as const) {
    using problem = maxSat({ ...clauses, ...more });
    const options = { ...problem.searchOptions({ sweeps: 30 }), maxSteps: 30, seed: 2 };
    points.push((await polystep.minimize(problem, options)).x);
  }
  expect(points[1]).toEqual(points[0]);
  expect(points[2]).toEqual(points[0]);
});

test('options of a search: temperatures over all sweeps, and an assignment that satisfies nearly all', async () => {
  using problem = maxSat({ ...randomKSat({ variables: 200, seed: 5 }), cost: 'count' });
  expect(problem.searchOptions().epsilon).toEqual({ kind: 'geometric', initial: 1, target: 0.1, steps: 333 });
  expect(problem.searchOptions({ sweeps: 1 }).epsilon).toMatchObject({ steps: 1 });
  expect(() => problem.searchOptions({ sweeps: 0 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.sweeps'));
  const sweeps = 100;
  const found = await polystep.minimize(problem, { ...problem.searchOptions({ sweeps }), maxSteps: sweeps, seed: 2 });
  const { satisfied, unsatisfied } = problem.count(found.x);
  expect(found.value).toBe(unsatisfied);
  expect(satisfied).toBeGreaterThan(0.98 * problem.clauseCount);
});

test.each(['ratio', 'count'] as const)('the published settings, costs as %s: 97.8 %% of 4270 clauses', async (cost) => {
  using problem = maxSat({ ...randomKSat({ variables: 1000, seed: 1 }), cost });
  expect(() => problem.searchOptions({ preset: 'fast' } as never)).toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'options.preset'),
  );
  const options = problem.searchOptions({ preset: 'paper' });
  const found = await polystep.minimize(problem, { ...options, maxSteps: 1000, seed: 1 });
  expect(found.evaluations).toBe(334 * 2000 + 1); // the final iterate is scored, too
  const { satisfied } = problem.count(found.x);
  expect(satisfied / problem.clauseCount).toBeGreaterThan(0.978);
  expect(satisfied / problem.clauseCount).toBeLessThan(0.99); // the default's are 99.7: it is another rule
});
