// The knapsack as its user meets it: forms of input, equalities, statuses, and every bad input by name.
import { denseMatrix, quantize } from '../../../lib';
import { errorWith } from '../../support/errors';
import { uniforms } from '../../support/philox-random';

const small = {
  values: [
    [9, 4, 1],
    [6, 5, 4],
  ],
  costs: [0, 1, 2],
  budget: 2,
} as const;

test('one option per group, the budget goes where it gains most', async () => {
  const found = await quantize.solveKnapsack(small);
  expect([...found.choices]).toEqual([2, 0]);
  expect(found).toMatchObject({ value: 7, cost: 2, gap: 0, lowerBound: 7, status: 'optimal' });
  expect(quantize.solveKnapsackSync(small)).toEqual(found);
});

test('rows, typed rows and dense matrices of both orders and types are the same table', () => {
  const expected = quantize.solveKnapsackSync(small);
  const flat = [9, 4, 1, 6, 5, 4];
  const columnOrder = [9, 6, 4, 5, 1, 4];
  const forms = [
    small.values.map((row) => Float64Array.from(row)),
    denseMatrix(2, 3, flat),
    denseMatrix(2, 3, Float32Array.from(flat)),
    denseMatrix(2, 3, columnOrder, { order: 'column' }),
  ];
  for (const values of forms) expect(quantize.solveKnapsackSync({ ...small, values })).toEqual(expected);
  const costs = [
    [0, 1, 2],
    [0, 1, 2],
  ];
  expect(quantize.solveKnapsackSync({ ...small, costs })).toEqual(expected);
});

test('equalities: exactly the budget, or the largest reachable total', () => {
  const problem = {
    values: [
      [0, 5],
      [0, 7],
    ],
    costs: [
      [0, 3],
      [0, 5],
    ],
    budget: 7,
  };
  expect(() => quantize.solveKnapsackSync({ ...problem, equality: true })).toThrow(
    /must be the cost of an assignment, the next below being 5, got 7/,
  );
  expect(quantize.solveKnapsackSync({ ...problem, equality: 'largest-reachable' })).toMatchObject({
    cost: 5,
    value: 7,
  });
  expect(quantize.solveKnapsackSync({ ...problem, budget: 8, equality: true })).toMatchObject({ cost: 8, value: 12 });
  expect(quantize.solveKnapsackSync(problem)).toMatchObject({ cost: 0, value: 0 });
});

test('a budget that is too small names the smallest that would do', async () => {
  const problem = { values: [[1, 0]], costs: [4, 9], budget: 3 };
  await expect(quantize.solveKnapsack(problem)).rejects.toEqual(errorWith('ERR_OUT_OF_RANGE', 'problem.budget'));
  expect(() => quantize.solveKnapsackSync(problem)).toThrow(/at least 4, the cost of the cheapest assignment/);
});

test('twenty thousand groups: core and hull agree with the bound', async () => {
  const groups = 20_000;
  const scattered = Float64Array.from({ length: groups * 9 }, (_, i) => {
    const wild = Math.sin(i * 12.9898 + 78.233) * 43758.5453;
    return wild - Math.floor(wild);
  });
  const values = denseMatrix(groups, 9, scattered);
  const costs = Array.from({ length: 9 }, (_, k) => 7 * k * k + k);
  const budget = 18 * groups + 5;
  const core = await quantize.solveKnapsack({ values, costs, budget, method: 'core' });
  const hull = await quantize.solveKnapsack({ values, costs, budget, method: 'hull' });
  expect(core.status).toBe('optimal');
  expect(core.cost).toBeLessThanOrEqual(budget);
  expect(hull.value - core.value).toBeLessThanOrEqual(hull.gap + 1e-9);
  expect(hull.gap).toBeLessThan(1);
});

test('an abort rejects with the reason, or returns the best so far', async () => {
  const next = uniforms(4);
  const problem = {
    values: Array.from({ length: 300 }, () => Array.from({ length: 8 }, () => next())),
    costs: Array.from({ length: 300 }, () => [0, ...Array.from({ length: 7 }, () => Math.floor(next() * 1e5))]),
    budget: 3_000_000,
    method: 'dynamic-programming',
  } as const;
  const reason = new Error('enough');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  await expect(quantize.solveKnapsack(problem, { signal: controller.signal })).rejects.toBe(reason);
  const found = await quantize.solveKnapsack(problem, { timeLimitMs: 20 });
  expect(found.status).toBe('time-limit');
  expect(found.choices).toHaveLength(300);
  expect(found.cost).toBeLessThanOrEqual(problem.budget);
  expect(found.gap).toBeGreaterThan(0);
});

test('a table that is solved at once is cut all the same, and leaves a solution', async () => {
  const found = await quantize.solveKnapsack({ ...small, method: 'auto' }, { timeLimitMs: 1e-6 });
  expect(found).toMatchObject({ status: 'time-limit', method: 'hull' });
  expect(found.cost).toBeLessThanOrEqual(small.budget);
  // An equality that the hull does not happen to meet has no solution yet.
  const exact = {
    values: [
      [5, 3, 0],
      [9, 8, 0],
    ],
    costs: [0, 3, 5],
    budget: 8,
    equality: true,
  };
  expect((await quantize.solveKnapsack(exact)).cost).toBe(8);
  await expect(quantize.solveKnapsack(exact, { timeLimitMs: 1e-6 })).rejects.toMatchObject({
    code: 'ERR_NOT_CONVERGED',
  });
});

const bad: [string, Record<string, unknown>, string, string][] = [
  ['no rows', { values: [] }, 'ERR_SHAPE_MISMATCH', 'problem.values'],
  ['not a table', { values: 3 }, 'ERR_INVALID_ARG_TYPE', 'problem.values'],
  ['ragged rows', { values: [[1, 2, 3], [1]] }, 'ERR_SHAPE_MISMATCH', 'problem.values[1]'],
  ['NaN', { values: [[1, NaN, 3]] }, 'ERR_NOT_FINITE', 'problem.values[0][1]'],
  ['too few costs', { costs: [1] }, 'ERR_SHAPE_MISMATCH', 'problem.costs'],
  ['costs of another shape', { costs: [[1, 2, 3]] }, 'ERR_SHAPE_MISMATCH', 'problem.costs'],
  ['a broken cost', { costs: [0, 0.5, 1] }, 'ERR_OUT_OF_RANGE', 'problem.costs[1]'],
  [
    'a negative cost',
    {
      costs: [
        [0, 1, 2],
        [0, -1, 2],
      ],
    },
    'ERR_OUT_OF_RANGE',
    'problem.costs[1][1]',
  ],
  ['no budget', { budget: undefined }, 'ERR_INVALID_ARG_TYPE', 'problem.budget'],
  ['a broken budget', { budget: 1.5 }, 'ERR_OUT_OF_RANGE', 'problem.budget'],
  ['a negative budget', { budget: -1 }, 'ERR_OUT_OF_RANGE', 'problem.budget'],
  ['an unknown method', { method: 'guess' }, 'ERR_INVALID_ARG_VALUE', 'problem.method'],
  ['an unknown equality', { equality: 'maybe' }, 'ERR_INVALID_ARG_VALUE', 'problem.equality'],
  ['a method that knows no equality', { method: 'hull', equality: true }, 'ERR_INVALID_ARG_VALUE', 'problem.method'],
  ['a misspelt option', { bugdet: 3 }, 'ERR_INVALID_ARG_VALUE', 'problem.bugdet'],
];
test.each(bad)('refused: %s', async (_, change, code, argument) => {
  const problem = { ...small, ...change } as unknown as quantize.KnapsackProblem;
  await expect(quantize.solveKnapsack(problem)).rejects.toEqual(errorWith(code, argument));
});

test('there is no CUDA form of it', async () => {
  await expect(quantize.solveKnapsack(small, { backend: 'cuda' })).rejects.toEqual(
    errorWith('ERR_BACKEND_UNAVAILABLE', 'options.backend'),
  );
});
