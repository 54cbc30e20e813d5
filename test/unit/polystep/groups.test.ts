// Groups of rows and learned variances in whole runs.
import { polystep } from '../../../lib';
import { errorWith } from '../../support/errors';

/** An ill-scaled bowl: sum_i weight_i (x_i - 1)^2. */
const bowl = (weights: readonly number[]): polystep.BatchedLoss => {
  return (view, count, out) => {
    const d = weights.length;
    for (let i = 0; i < count; i += 1) {
      out[i] = weights.reduce((sum, weight, j) => sum + weight * ((view[i * d + j] as number) - 1) ** 2, 0);
    }
  };
};

const shapes = [[2, 3], [3], [5]];
const refused = (options: polystep.OptimizerOptions, code: string, argument: string): void => {
  expect(() => polystep.createOptimizer(options)).toThrow(errorWith(code, `options.${argument}`));
};

test('a group of its own has the costs, the plan and the radii of its own', async () => {
  const weights = [1, 2, 3, 4, 1000, 2000, 3000, 4000];
  const options = {
    objective: bowl(weights),
    dimension: 8,
    mode: 'block',
    initial: 0,
    dtype: 'float64',
    adaptiveRadius: false,
  } as const;
  for (const rule of ['softmax', 'sinkhorn'] as const) {
    const take = async (extra: Partial<polystep.OptimizerOptions>): Promise<ArrayLike<number>> => {
      const optimizer = polystep.createOptimizer({ ...options, rule, scaleCost: 'max', ...extra });
      await optimizer.step();
      const { iterate } = optimizer;
      optimizer.dispose();
      return iterate;
    };
    const alone = await take({ objective: bowl(weights.slice(0, 4)), dimension: 4 });
    const grouped = await take({ groups: { by: 'rows', count: 2 } });
    const together = await take({});
    // The large weights of the other group do not reach the first one any more.
    for (let j = 0; j < 4; j += 1) {
      expect(grouped[j]).toBeCloseTo(alone[j] as number, 9);
    }
    expect(Array.from(together).slice(0, 4)).not.toEqual(Array.from(grouped).slice(0, 4));
    const wider = await take({ groups: { by: 'rows', count: 2, radiusFactors: [1, 3] }, rule: 'greedy' });
    const plain = await take({ groups: { by: 'rows', count: 2 }, rule: 'greedy' });
    const length = (of: ArrayLike<number>, from: number): number =>
      Math.hypot(of[from] as number, of[from + 1] as number);
    expect(length(wider, 0)).toBeCloseTo(length(plain, 0), 12);
    expect(length(wider, 6)).toBeCloseTo(3 * length(plain, 6), 12);
  }
});

test('rows end with their tensors: as many evaluations as rows say, the point in its order', async () => {
  const weights = Array.from({ length: 14 }, (_, i) => 1 + i);
  for (const subspace of [undefined, { shapes, rank: 1 }, { shapes, kind: 'lowRank', rank: 1 } as const]) {
    const coordinates = subspace === undefined ? [6, 3, 5] : [5, 3, 5];
    const found = await polystep.minimize(bowl(weights), {
      dimension: 14,
      mode: 'block',
      particleDimension: 4,
      ...(subspace && { subspace }),
      groups: subspace === undefined ? { by: 'rows', count: 3 } : { by: 'tensors' },
      maxSteps: 60,
      radiusDecay: 0.97,
      dtype: 'float64',
      scoreFinal: false,
    });
    const rows = subspace === undefined ? 4 : coordinates.reduce((sum, n) => sum + Math.ceil(n / 4), 0);
    expect(found.evaluations).toBe(60 * 8 * rows);
    expect(found.value).toBeLessThan(subspace === undefined ? 2 : 104);
  }
});

test('restarts put groups of rows where they belong', async () => {
  const flat: polystep.BatchedLoss = (_view, _count, out) => void out.fill(1);
  const { iterate } = await polystep.minimize(flat, {
    dimension: 14,
    mode: 'block',
    initial: 1,
    particleDimension: 4,
    groups: { by: 'rows', count: 2 },
    patience: 2,
    restarts: { count: 1, lower: 2, upper: 3 },
  });
  expect(iterate).toHaveLength(14);
  expect(iterate.every((x) => x >= 2 && x <= 3)).toBe(true);
});

test('learned variances favour the coordinates that matter less', async () => {
  const weights = [1, 1, 1, 1, 400, 400, 400, 400];
  const run = async (adaptCovariance: boolean, seed: number): Promise<number> => {
    const { value } = await polystep.minimize(bowl(weights), {
      dimension: 8,
      mode: 'block',
      particleDimension: 8,
      initial: 0,
      adaptCovariance,
      maxSteps: 400,
      stepRadius: 0.5,
      radiusDecay: 0.985,
      seed,
      dtype: 'float64',
    });
    return value;
  };
  const seeds = [1, 2, 3, 4, 5];
  const mean = async (on: boolean): Promise<number> =>
    (await Promise.all(seeds.map((seed) => run(on, seed)))).reduce((sum, value) => sum + Math.log(value), 0) / 5;
  expect(await mean(true)).toBeLessThan(await mean(false));
  const optimizer = polystep.createOptimizer({
    objective: bowl(weights),
    dimension: 8,
    mode: 'block',
    particleDimension: 8,
    adaptCovariance: true,
    dtype: 'float64',
  });
  for (let k = 0; k < 100; k += 1) await optimizer.step();
  const { covariance } = optimizer.checkpoint().state;
  expect(covariance).toHaveLength(24);
  const logarithm = (from: number): number => covariance.slice(from, from + 4).reduce((sum, v) => sum + Math.log(v), 0);
  expect(logarithm(0) + logarithm(4)).toBeCloseTo(0, 6);
  optimizer.dispose();
});

test('adaptive subspaces are led by displacements or transport and still descend', async () => {
  const weights = Array.from({ length: 14 }, (_, i) => 1 + i);
  for (const directions of ['random', 'displacements', 'transport'] as const) {
    const { value, iterate } = await polystep.minimize(bowl(weights), {
      subspace: { kind: 'adaptive', shapes, rank: 6, directions, directionSteps: 10 },
      particleDimension: 3,
      maxSteps: 80,
      radiusDecay: 0.97,
      dtype: 'float64',
    });
    expect(iterate).toHaveLength(14);
    expect(value).toBeLessThan(40);
  }
  const optimizer = polystep.createOptimizer({
    objective: bowl(weights),
    subspace: { kind: 'adaptive', shapes, rank: 6, directions: 'displacements', directionShare: 1, directionSteps: 1 },
    dtype: 'float64',
    particleDimension: 3,
  });
  for (let k = 0; k < 7; k += 1) await optimizer.step();
  const { history, leading } = optimizer.checkpoint().state;
  expect(history).toHaveLength(5 * 14);
  // The basis of the step before began with what was known then: directions of length one, at right angles.
  expect(leading.length).toBe(5 * 14);
  for (let a = 0; a < 5; a += 1) {
    for (let b = 0; b <= a; b += 1) {
      let dot = 0;
      for (let i = 0; i < 14; i += 1) dot += (leading[a * 14 + i] as number) * (leading[b * 14 + i] as number);
      expect(dot).toBeCloseTo(a === b ? 1 : 0, 6);
    }
  }
  optimizer.dispose();
});

test('options that do not go together are refused by name', () => {
  const objective = bowl(new Array(14).fill(1));
  const block = { objective, dimension: 14, mode: 'block' } as const;
  refused({ ...block, mode: 'population', groups: { by: 'rows' } }, 'ERR_INVALID_ARG_VALUE', 'groups');
  refused({ ...block, groups: { by: 'tensors' } }, 'ERR_INVALID_ARG_VALUE', 'groups.by');
  refused({ ...block, groups: { by: 'rows', count: 8 } }, 'ERR_OUT_OF_RANGE', 'groups.count');
  refused({ ...block, groups: { by: 'rows', epsilonFactors: [1] } }, 'ERR_SHAPE_MISMATCH', 'groups.epsilonFactors');
  refused({ ...block, groups: { by: 'rows', radiusFactors: [1, 0] } }, 'ERR_OUT_OF_RANGE', 'groups.radiusFactors[1]');
  refused({ ...block, groups: { by: 'layers' as 'rows' } }, 'ERR_INVALID_ARG_VALUE', 'groups.by');
  refused({ ...block, mode: 'population', adaptCovariance: true }, 'ERR_INVALID_ARG_VALUE', 'adaptCovariance');
  refused({ ...block, rule: 'linear', adaptCovariance: true }, 'ERR_INVALID_ARG_VALUE', 'adaptCovariance');
  const adaptive = { kind: 'adaptive', shapes } as const;
  refused({ objective, subspace: adaptive, adaptCovariance: true }, 'ERR_INVALID_ARG_VALUE', 'adaptCovariance');
  refused({ objective, subspace: { shapes, directions: 'transport' } }, 'ERR_INVALID_ARG_VALUE', 'subspace.directions');
  refused({ objective, subspace: { ...adaptive, directionShare: 0 } }, 'ERR_OUT_OF_RANGE', 'subspace.directionShare');
});
