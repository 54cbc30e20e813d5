// RCO as its user meets it: callbacks, limits, abort, progress, determinism, and every bad input by name.
import { quantize } from '../../../lib';
import { errorWith } from '../../support/errors';
import { uniforms } from '../../support/philox-random';

function randomProblem(
  seed: number,
  groups: number,
  options: number,
): quantize.RcoProblem & {
  objective: quantize.TableObjective;
} {
  const next = uniforms(seed);
  const table = Array.from({ length: groups }, () => {
    const scale = Math.exp(2 * next());
    return Array.from({ length: options }, () => scale * next()).sort((a, b) => b - a);
  });
  const weights = Array.from({ length: groups }, () => 1 + Math.floor(next() * 5));
  const interactions = Array.from({ length: groups }, () => Array.from({ length: groups }, () => next() - 0.5));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    weights,
    costs: Array.from({ length: options }, (_, k) => 2 + k),
    budget: Math.floor(total * (2 + 0.4 * (options - 1))),
    objective: { table, interactions },
  };
}

function lossOf(
  { objective: { table, interactions } }: { objective: quantize.TableObjective },
  choices: Int32Array,
): number {
  const e = (table as number[][]).map((row, i) => row[choices[i] as number] as number);
  return e.reduce(
    (sum, value, i) =>
      sum +
      value +
      e.reduce((inner, other, j) => inner + value * ((interactions as number[][])[i]?.[j] ?? 0) * other, 0),
    0,
  );
}

const problem = randomProblem(1, 12, 4);

test('the best of all, no worse than proxy and rounding, within the budget; the same bytes every time', async () => {
  const found = await quantize.rco(problem, { steps: 100, seed: 3 });
  expect(found.status).toBe('completed');
  expect(found.loss).toBeCloseTo(lossOf(problem, found.choices), 10);
  expect(found.loss).toBeLessThanOrEqual(found.proxyLoss as number);
  expect(found.loss).toBeLessThanOrEqual(found.finalLoss as number);
  expect(found.cost).toBeLessThanOrEqual(problem.budget as number);
  expect(found.steps).toBe(100);
  expect(found.history.tau[99]).toBeCloseTo(0.01, 12);
  expect(quantize.rcoSync(problem, { steps: 100, seed: 3, threads: 2 })).toEqual(found);
  const other = await quantize.rco(problem, { steps: 100, seed: 4 });
  expect(other.history.loss).not.toEqual(found.history.loss);
});

test('a callback of losses alone, sync or async, finds what the table finds', async () => {
  const native = await quantize.rco(problem, { steps: 60 });
  const asked: string[] = [];
  const found = await quantize.rco(
    {
      ...problem,
      proxy: problem.objective.table,
      objective: async (choices, { phase, wantsGradient }) => {
        expect(wantsGradient).toBe(false);
        asked.push(phase);
        return Promise.resolve(lossOf(problem, choices));
      },
    },
    { steps: 60, samples: 2, swapEvaluations: 5000 },
  );
  expect(found.evaluations).toBe(asked.length);
  expect(asked.slice(0, 2)).toEqual(['proxy', 'sample']);
  expect(asked.filter((phase) => phase === 'sample')).toHaveLength(120);
  expect(found.loss).toBeLessThanOrEqual(found.proxyLoss as number);
  expect(found.loss).toBeLessThanOrEqual(native.loss * 1.2 + 0.5);
});

test('an exception of the callback comes through; what it gives must be a loss', async () => {
  const boom = new Error('boom');
  const run = async (objective: unknown, options = {}): Promise<unknown> =>
    quantize.rco({ ...problem, objective } as quantize.RcoProblem, options);
  await expect(
    run(() => {
      throw boom;
    }),
  ).rejects.toBe(boom);
  await expect(run(() => 'seven')).rejects.toEqual(errorWith('ERR_INVALID_ARG_TYPE', 'problem.objective'));
  await expect(run(() => NaN)).rejects.toEqual(errorWith('ERR_NOT_FINITE', 'problem.objective'));
  await expect(run(() => 1, { gradients: true })).rejects.toEqual(
    errorWith('ERR_INVALID_ARG_TYPE', 'problem.objective'),
  );
  await expect(run(() => ({ loss: 1, gradient: [1, 2] }), { gradients: true })).rejects.toEqual(
    errorWith('ERR_SHAPE_MISMATCH', 'problem.objective.gradient'),
  );
  await expect(run(() => ({ loss: 1, gradient: new Float64Array(48).fill(NaN) }), { gradients: true })).rejects.toEqual(
    errorWith('ERR_NOT_FINITE', 'problem.objective.gradient[0]'),
  );
});

test('aborts and time limits, for callbacks and for tables', async () => {
  const reason = new Error('enough');
  const called = { ...problem, objective: (choices: Int32Array) => lossOf(problem, choices) };
  for (const given of [called, randomProblem(2, 60, 6)]) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 30);
    await expect(quantize.rco(given, { steps: 1e8, signal: controller.signal })).rejects.toBe(reason);
    const second = new AbortController();
    setTimeout(() => second.abort(), 60);
    const kept = await quantize.rco(given, { steps: 1e8, signal: second.signal, onAbort: 'return' });
    expect(kept.status).toBe('cancelled');
    expect(kept.steps).toBeGreaterThan(0);
    const limited = await quantize.rco(given, { steps: 1e8, timeLimitMs: 60 });
    expect(limited.status).toBe('time-limit');
    expect(limited.finalLoss).toBeNull();
  }
  await expect(quantize.rco(called, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('progress brings the best so far; an exception in it stops the run', async () => {
  const called = { ...problem, objective: (choices: Int32Array) => lossOf(problem, choices) };
  for (const given of [called, randomProblem(2, 40, 6)]) {
    const seen: number[] = [];
    await quantize.rco(given, {
      steps: 1e8,
      timeLimitMs: 400,
      onProgress: ({ objective, best }) => {
        seen.push(objective);
        expect(best).toHaveLength(given.weights.length);
      },
    });
    expect(seen.length).toBeGreaterThan(1);
    expect([...seen].sort((a, b) => b - a)).toEqual(seen);
    const boom = new Error('boom');
    const onProgress = (): void => {
      throw boom;
    };
    await expect(quantize.rco(given, { steps: 1e8, onProgress })).rejects.toBe(boom);
  }
});

test('one budget per block', async () => {
  const blocks = Array.from({ length: 12 }, (_, i) => i % 2);
  const budget = [0, 0];
  (problem.weights as number[]).forEach((weight, i) => (budget[i % 2] = (budget[i % 2] as number) + 3 * weight));
  const found = await quantize.rco({ ...problem, blocks, budget, equality: true }, { steps: 30 });
  const spent = [0, 0];
  found.choices.forEach((choice, i) => {
    spent[i % 2] = (spent[i % 2] as number) + ((problem.weights as number[])[i] as number) * (2 + choice);
  });
  expect(spent).toEqual(budget);
});

test('stopped before the first evaluation: the start is evaluated, and is within the budget', async () => {
  const timeLimitMs = 1e-6;
  const asked: string[] = [];
  const called = {
    ...problem,
    proxy: problem.objective.table,
    objective: (choices: Int32Array, { phase }: quantize.Question) => {
      asked.push(phase);
      return lossOf(problem, choices);
    },
  };
  for (const given of [called, problem]) {
    const found = await quantize.rco(given, { timeLimitMs });
    expect(found).toMatchObject({ status: 'time-limit', evaluations: 1, steps: 0, proxyLoss: null, finalLoss: null });
    expect(found.loss).toBeCloseTo(lossOf(problem, found.choices), 10);
    expect(found.cost).toBeLessThanOrEqual(problem.budget as number);
    // A budget that must be met exactly is a search of its own.
    await expect(quantize.rco({ ...given, equality: true }, { timeLimitMs })).rejects.toMatchObject({
      code: 'ERR_NOT_CONVERGED',
    });
  }
  expect(asked).toEqual(['start']);
});

/** Experts of two layers: the loss when only some are kept, with what they add to each other. */
function expertLoss(gains: readonly number[], pairs: readonly (readonly number[])[], kept: readonly number[]): number {
  return kept.reduce((sum, one, i) => {
    const together = kept.reduce((inner, other, j) => inner + one * other * (pairs[i]?.[j] ?? 0), 0);
    return sum - one * (gains[i] ?? 0) + together;
  }, 0);
}

test('expert pruning: two options, so many kept in each layer', async () => {
  const next = uniforms(21);
  const experts = 6;
  const layers = 2;
  const count = experts * layers;
  const keep = [3, 2];
  const gains = Array.from({ length: count }, () => next());
  const pairs = Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_x, j) => (i < j ? 0.4 * next() : 0)),
  );
  const inLayer = (kept: readonly number[], layer: number): number =>
    kept.slice(layer * experts, (layer + 1) * experts).reduce((sum, one) => sum + one, 0);
  const pruning = {
    weights: Array<number>(count).fill(1),
    costs: [0, 1],
    budget: keep,
    blocks: Array.from({ length: count }, (_, i) => Math.floor(i / experts)),
    equality: true,
    proxy: gains.map((gain) => [0, -gain]),
  };
  const evaluate = (choices: Int32Array): number => expertLoss(gains, pairs, [...choices]);
  const withGradient: quantize.AssignmentLoss = (choices, { wantsGradient }) => {
    const kept = [...choices];
    for (const [layer, wanted] of keep.entries()) expect(inLayer(kept, layer)).toBe(wanted);
    if (!wantsGradient) return evaluate(choices);
    const gradient = new Float64Array(2 * count);
    for (let i = 0; i < count; i += 1) {
      gradient[2 * i + 1] =
        kept.reduce((sum, one, j) => sum + one * ((pairs[i]?.[j] ?? 0) + (pairs[j]?.[i] ?? 0)), 0) - (gains[i] ?? 0);
    }
    return { loss: evaluate(choices), gradient };
  };
  const found = await quantize.rco(
    { ...pruning, objective: withGradient },
    { steps: 200, samples: 4, antithetic: true, gradients: true, swapEvaluations: 1e6 },
  );
  expect(found.cost).toBe(5);
  expect(found.loss).toBeLessThan(found.proxyLoss as number);
  // No exchange of a kept expert for another of its layer is better.
  for (let i = 0; i < count; i += 1) {
    for (let j = 0; j < count; j += 1) {
      if (Math.floor(i / experts) !== Math.floor(j / experts)) continue;
      if (found.choices[i] !== 1 || found.choices[j] !== 0) continue;
      expect(
        evaluate(found.choices.map((choice, at) => (at === i ? 0 : at === j ? 1 : choice))),
      ).toBeGreaterThanOrEqual(found.loss - 1e-12);
    }
  }
  // Without gains of pairs the best assignment is the largest gains of each layer.
  const alone = await quantize.rco({ ...pruning, objective: { table: pruning.proxy } }, { steps: 20 });
  const best = keep.map((wanted, layer) => {
    const own = gains.slice(layer * experts, (layer + 1) * experts).sort((a, b) => b - a);
    return own.slice(0, wanted).reduce((sum, gain) => sum + gain, 0);
  });
  expect(alone.loss).toBeCloseTo(-best.reduce((sum, gain) => sum + gain, 0), 12);
  const values = await quantize.rco({ ...pruning, objective: evaluate }, { steps: 50, swapEvaluations: 1e6 });
  expect(values.loss).toBeLessThan(values.proxyLoss as number);
});

const bad: [string, Record<string, unknown>, Record<string, unknown>, string, string][] = [
  ['no weights', { weights: [] }, {}, 'ERR_SHAPE_MISMATCH', 'problem.objective.table'],
  [
    'a weight of 0',
    { weights: [0, ...(problem.weights as number[]).slice(1)] },
    {},
    'ERR_OUT_OF_RANGE',
    'problem.weights',
  ],
  ['costs that fall', { costs: [5, 4, 3, 2] }, {}, 'ERR_INVALID_ARG_VALUE', 'problem.costs'],
  ['products that are not whole', { costs: [2, 2.5, 3, 4] }, {}, 'ERR_INVALID_ARG_VALUE', 'problem.weights'],
  ['too small a budget', { budget: 1 }, {}, 'ERR_OUT_OF_RANGE', 'problem.budget'],
  ['too large a budget', { budget: 1e6 }, {}, 'ERR_OUT_OF_RANGE', 'problem.budget'],
  ['no budget', { budget: undefined }, {}, 'ERR_INVALID_ARG_TYPE', 'problem.budget'],
  ['no objective', { objective: undefined }, {}, 'ERR_INVALID_ARG_TYPE', 'problem.objective'],
  ['a table of another shape', { objective: { table: [[1]] } }, {}, 'ERR_SHAPE_MISMATCH', 'problem.objective.table'],
  ['too few blocks', { blocks: [0] }, {}, 'ERR_SHAPE_MISMATCH', 'problem.blocks'],
  ['a block without a budget', { blocks: Array(12).fill(1) }, {}, 'ERR_OUT_OF_RANGE', 'problem.blocks'],
  ['a proxy of another shape', { proxy: [[1, 2, 3, 4]] }, {}, 'ERR_SHAPE_MISMATCH', 'problem.proxy'],
  ['a resolution of 0', { resolution: 0 }, {}, 'ERR_OUT_OF_RANGE', 'problem.resolution'],
  ['no samples', {}, { samples: 0 }, 'ERR_OUT_OF_RANGE', 'options.samples'],
  ['a decay of 1', {}, { decay: [0.9, 1] }, 'ERR_OUT_OF_RANGE', 'options.decay[1]'],
  ['a temperature of 0', {}, { tau: [1, 0] }, 'ERR_OUT_OF_RANGE', 'options.tau[1]'],
  ['one temperature', {}, { tau: 1 }, 'ERR_INVALID_ARG_TYPE', 'options.tau'],
  ['an unknown start', {}, { start: 'zero' }, 'ERR_INVALID_ARG_VALUE', 'options.start'],
  ['logits of another shape', {}, { start: [[1]] }, 'ERR_SHAPE_MISMATCH', 'options.start'],
  ['too few uniforms', {}, { uniforms: [0.5] }, 'ERR_SHAPE_MISMATCH', 'options.uniforms'],
  ['a misspelt option', {}, { step: 3 }, 'ERR_INVALID_ARG_VALUE', 'options.step'],
];
test.each(bad)('refused: %s', async (_, change, options, code, argument) => {
  await expect(quantize.rco({ ...problem, ...change }, options)).rejects.toEqual(errorWith(code, argument));
});

test('the sync twin takes tables only', () => {
  const called = { ...problem, objective: () => 1 } as unknown as typeof problem;
  expect(() => quantize.rcoSync(called)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'problem.objective'));
});
