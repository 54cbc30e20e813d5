// Invariants of budgeted assignment on random problems, with shrinking.
import fc from 'fast-check';
import { quantize } from '../../lib';

const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -10, max: 10, noNaN: true }));

const problems = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), fc.boolean())
  .chain(([groups, options, shared]) => {
    const cost = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: options, maxLength: options });
    return fc.record({
      values: fc.array(fc.array(value, { minLength: options, maxLength: options }), {
        minLength: groups,
        maxLength: groups,
      }),
      costs: shared
        ? cost.map((row) => Array.from({ length: groups }, () => row))
        : fc.array(cost, { minLength: groups, maxLength: groups }),
      extra: fc.integer({ min: 0, max: 40 }),
    });
  })
  .map(({ extra, ...rest }) => ({
    ...rest,
    budget: extra + rest.costs.reduce((sum, row) => sum + Math.min(...row), 0),
  }));

function optimum({ values, costs, budget }: { values: number[][]; costs: number[][]; budget: number }): number {
  let states = new Map([[0, 0]]);
  for (const [i, row] of values.entries()) {
    const next = new Map<number, number>();
    for (const [cost, sum] of states) {
      for (const [k, added] of row.entries()) {
        const total = cost + (costs[i]?.[k] as number);
        next.set(total, Math.min(next.get(total) ?? Infinity, sum + added));
      }
    }
    states = next;
  }
  return Math.min(...[...states].filter(([cost]) => cost <= budget).map(([, sum]) => sum));
}

test('exact methods are optimal, the others bracket the optimum, costs are never exceeded', () => {
  fc.assert(
    fc.property(problems, (problem) => {
      const best = optimum(problem);
      for (const method of ['auto', 'dynamic-programming', 'core', 'hull', 'lagrangian'] as const) {
        const found = quantize.solveKnapsackSync({ ...problem, method });
        expect(found.cost).toBeLessThanOrEqual(problem.budget);
        expect(found.value).toBeGreaterThanOrEqual(best - 1e-9);
        expect(found.lowerBound).toBeLessThanOrEqual(best + 1e-9);
        if (method === 'dynamic-programming' || method === 'core') expect(found.value).toBeCloseTo(best, 9);
      }
    }),
    { numRuns: 300 },
  );
});

test('a larger budget is never worse; what one budget reaches exactly, equality gives back', () => {
  fc.assert(
    fc.property(problems, fc.nat(20), (problem, more) => {
      const tight = quantize.solveKnapsackSync(problem);
      const loose = quantize.solveKnapsackSync({ ...problem, budget: problem.budget + more });
      expect(loose.value).toBeLessThanOrEqual(tight.value + 1e-9);
      const same = quantize.solveKnapsackSync({ ...problem, budget: tight.cost, equality: true });
      expect(same.value).toBeCloseTo(tight.value, 9);
      const fullest = quantize.solveKnapsackSync({ ...problem, equality: 'largest-reachable' });
      expect(fullest.cost).toBeGreaterThanOrEqual(tight.cost);
    }),
    { numRuns: 200 },
  );
});

test('allocation keeps its mean and is monotone in the sensitivities', () => {
  const sensitivity = fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(
      fc.array(sensitivity, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (c, maxBits, part) => {
        for (const mode of ['continuous', 'int', 'levels'] as const) {
          const found = quantize.allocateBits(c, { averageBits: part * maxBits, maxBits, mode });
          expect(found.achievedBits).toBeLessThanOrEqual(part * maxBits + 1e-3);
          c.forEach((one, i) => {
            expect(found.bits[i]).toBeLessThanOrEqual(maxBits + 1e-12);
            c.forEach((other, j) => {
              if (one > other) expect(found.bits[i]).toBeGreaterThanOrEqual((found.bits[j] as number) - 1e-9);
            });
          });
        }
      },
    ),
    { numRuns: 100 },
  );
});
