// allocation.json, rco_dp.json and rco_trajectory.json through the public API.
import { quantize } from '../../lib';
import { vectors } from '../support/vectors';

interface Tensor {
  shape: number[];
  data: number[];
}

function rows({ shape, data }: Tensor): number[][] {
  const columns = shape[1] as number;
  return Array.from({ length: shape[0] as number }, (_, i) => data.slice(i * columns, (i + 1) * columns));
}

interface AllocationCase {
  name: string;
  c?: Tensor;
  R_avg: number;
  b_max: number;
  waterfill: Tensor;
  greedy_int: Tensor;
  T?: Tensor;
  budget_int: number;
  optimal_value: number;
  hull_greedy_value: number;
}
const allocation = vectors<{ cases: AllocationCase[] }>('quant/allocation.json').cases;
const closedForms = allocation.filter(({ c }) => c !== undefined).map((given) => [given.name, given] as const);
const tables = allocation.filter(({ T }) => T !== undefined).map((given) => [given.name, given] as const);

test('there are cases of both kinds', () => {
  expect(closedForms.length).toBeGreaterThanOrEqual(4);
  expect(tables.length).toBeGreaterThanOrEqual(3);
});

test.each(closedForms)('allocateBits: %s', (_, { c, R_avg, b_max, waterfill, greedy_int, optimal_value }) => {
  const sensitivities = (c as Tensor).data;
  const options = { averageBits: R_avg, maxBits: b_max };
  const real = quantize.allocateBits(sensitivities, { ...options, mode: 'continuous' });
  waterfill.data.forEach((bits, j) => expect(real.bits[j]).toBeCloseTo(bits, 9));
  expect(real.achievedBits).toBeCloseTo(R_avg, 9);
  expect(real.levels).toBeNull();
  const whole = quantize.allocateBits(sensitivities, options);
  expect([...whole.bits]).toEqual(greedy_int.data);
  expect(whole.objective / optimal_value).toBeCloseTo(1, 9);
});

test.each(tables)('solveKnapsack: %s', async (_, { T, budget_int, optimal_value, hull_greedy_value }) => {
  const values = rows(T as Tensor);
  const problem = { values, costs: (values[0] as number[]).map((_value, k) => k), budget: budget_int };
  for (const method of ['auto', 'dynamic-programming', 'core'] as const) {
    const found = await quantize.solveKnapsack({ ...problem, method });
    expect(found.value / optimal_value).toBeCloseTo(1, 9);
    expect(found.status).toBe('optimal');
  }
  for (const method of ['hull', 'lagrangian'] as const) {
    const found = quantize.solveKnapsackSync({ ...problem, method });
    expect(found.value).toBeLessThanOrEqual(hull_greedy_value * (1 + 1e-9));
    expect(found.lowerBound).toBeLessThanOrEqual(optimal_value * (1 + 1e-9));
  }
});

interface DpCase {
  params: number[];
  bits: number[];
  target_avg_bits: number;
  logits: Tensor;
  exact_value_logits: number;
  exact_choice_logits: number[];
  exact_avg_bits: number;
}
test.each(vectors<{ cases: DpCase[] }>('quant/rco_dp.json').cases.map((given, i) => [i, given] as const))(
  'solveKnapsack: rco_dp %i',
  async (_, { params, bits, target_avg_bits, logits, ...expected }) => {
    const total = params.reduce((sum, count) => sum + count, 0);
    const found = await quantize.solveKnapsack({
      values: rows(logits).map((row) => row.map((logit) => -Math.fround(logit))),
      costs: params.map((count) => bits.map((width) => count * width)),
      budget: Math.floor(target_avg_bits * total),
    });
    expect([...found.choices]).toEqual(expected.exact_choice_logits);
    expect(-found.value / expected.exact_value_logits).toBeCloseTo(1, 9);
    expect(found.cost / total).toBeCloseTo(expected.exact_avg_bits, 12);
  },
);

interface Trajectory {
  kind: string;
  D: Tensor;
  Qm: Tensor | null;
  weights: Tensor;
  bits: Tensor;
  target: number;
  alpha0: Tensor;
  uniforms: Tensor;
  lr: number;
  tau_init: number;
  tau_min: number;
  steps: { tau: number; choice: number[]; loss: number; alpha: Tensor }[];
}
test.each(
  vectors<{ cases: Trajectory[] }>('quant/rco_trajectory.json').cases.map((given) => [given.kind, given] as const),
)('rco: the official trajectory, %s', async (_, given) => {
  const table = rows(given.D);
  const problem = {
    weights: given.weights.data,
    costs: given.bits.data,
    budget: given.target,
    resolution: 500,
    objective: { table, ...(given.Qm && { interactions: rows(given.Qm) }) },
  };
  const options = {
    steps: given.steps.length,
    learningRate: given.lr,
    tau: [given.tau_init, given.tau_min] as const,
    start: rows(given.alpha0),
    uniforms: given.uniforms.data,
    swapEvaluations: 0,
  };
  const found = await quantize.rco(problem, options);
  const last = given.steps.at(-1) as Trajectory['steps'][0];
  last.alpha.data.forEach((logit, c) => expect(Math.abs((found.logits[c] as number) - logit)).toBeLessThan(5e-4));
  given.steps.forEach(({ tau, loss }, step) => {
    expect(found.history.tau[step]).toBeCloseTo(tau, 6);
    expect(Math.abs((found.history.loss[step] as number) - loss)).toBeLessThan(5e-4);
  });

  // The same with the loss and its gradient in a callback: the same questions and the same logits.
  const interactions = given.Qm === null ? undefined : rows(given.Qm);
  const asked: number[][] = [];
  const called = await quantize.rco(
    {
      ...problem,
      proxy: table,
      objective: (choices, { phase, wantsGradient }) => {
        if (phase === 'sample') asked.push([...choices]);
        const e = table.map((row, i) => row[choices[i] as number] as number);
        const slopes = e.map((_value, i) =>
          e.reduce((sum, other, j) => {
            const q = interactions === undefined ? 0 : (interactions[i]?.[j] ?? 0) + (interactions[j]?.[i] ?? 0);
            return sum + q * other;
          }, 0),
        );
        const loss = e.reduce((sum, value, i) => sum + value * (1 + (slopes[i] as number) / 2), 0);
        if (!wantsGradient) return loss;
        const gradient = Float64Array.from(table.flatMap((row, i) => row.map((d) => d * (1 + (slopes[i] as number)))));
        return { loss, gradient };
      },
    },
    { ...options, gradients: true },
  );
  expect(asked).toEqual(given.steps.map(({ choice }) => choice));
  called.logits.forEach((logit, c) => expect(logit).toBeCloseTo(found.logits[c] as number, 9));
  expect(called.loss).toBeCloseTo(found.loss, 12);
  expect(called.evaluations).toBe(found.evaluations);
});
