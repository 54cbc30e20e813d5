// Covariance, transport directions and groups of schedules_dynamics.json and subspaces.json.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

const close = (given: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(given).toHaveLength(expected.length);
  Array.from(expected).forEach((value, i) => {
    expect(Math.abs((given[i] as number) - value)).toBeLessThanOrEqual(tolerance);
  });
};

interface Dynamics {
  cma_hyperparameters: Record<
    'n' | 'mu_eff' | 'c_sigma' | 'c_c' | 'c_1' | 'c_mu' | 'd_sigma' | 'expected_norm',
    number
  >[];
  cma: Record<
    'p_sigma' | 'p_c' | 'C_diag' | 'y' | 'rank_mu' | 'p_sigma_new' | 'p_c_new' | 'p_c_new_stalled' | 'C_new',
    number[]
  > & {
    C_new_stalled: number[];
    c_sigma: number;
    c_c: number;
    c_1: number;
    c_mu: number;
    mu_eff: number;
    heaviside: { p_norm: number; expected: number; n: number; c_sigma: number; generation: number; value: boolean }[];
  };
  ot_bias_directions: {
    transport: number[][];
    X_current: number[][];
    X_vertices: number[][][];
    top_k: number;
    directions: number[][];
  };
}
const { cma_hyperparameters, cma, ot_bias_directions } = vectors<Dynamics>('polystep/schedules_dynamics.json');

test('cma_hyperparameters: constants, with the given size and with the default one', () => {
  for (const { n, mu_eff, ...expected } of cma_hyperparameters) {
    for (const options of [{ effectiveSize: mu_eff }, {}]) {
      const found = polystep.covarianceConstants(n, options);
      expect(found.effectiveSize).toBeCloseTo(mu_eff, 10);
      expect(found.pathRate).toBeCloseTo(expected.c_sigma, 12);
      expect(found.rankOnePathRate).toBeCloseTo(expected.c_c, 12);
      expect(found.rankOne).toBeCloseTo(expected.c_1, 12);
      expect(found.rankMu).toBeCloseTo(expected.c_mu, 12);
      expect(found.damping).toBeCloseTo(expected.d_sigma, 12);
      expect(found.expectedNorm).toBeCloseTo(expected.expected_norm, 10);
    }
  }
});

test('cma: paths, variances, stalling', () => {
  const { mu_eff: effectiveSize } = cma;
  const white = cma.y.map((y, i) => y / Math.sqrt(cma.C_diag[i] as number));
  close(polystep.evolvePath(cma.p_sigma, white, { rate: cma.c_sigma, effectiveSize }), cma.p_sigma_new, 1e-12);
  close(polystep.evolvePath(cma.p_c, cma.y, { rate: cma.c_c, effectiveSize }), cma.p_c_new, 1e-12);
  const still = polystep.evolvePath(cma.p_c, cma.y, { rate: cma.c_c, effectiveSize, stalled: true });
  close(still, cma.p_c_new_stalled, 1e-12);
  const constants = { rankOnePathRate: cma.c_c, rankOne: cma.c_1, rankMu: cma.c_mu };
  close(polystep.adaptVariances(cma.C_diag, cma.p_c, cma.rank_mu, { constants }), cma.C_new, 1e-12);
  const stalled = polystep.adaptVariances(cma.C_diag, cma.p_c, cma.rank_mu, { constants, stalled: true });
  close(stalled, cma.C_new_stalled, 1e-12);
  for (const { p_norm: norm, expected, n: dimension, c_sigma: rate, generation, value } of cma.heaviside) {
    expect(polystep.pathStalled({ norm, expected, dimension, rate, generation })).toBe(!value);
  }
  const held = polystep.adaptVariances([1, 1], [0, 1e9], [0, 0], {
    constants: { rankOnePathRate: 0.5, rankOne: 1, rankMu: 0 },
  });
  expect([...held]).toEqual([1e-6, 1e6]);
});

test('ot_bias_directions: the most confident particles', () => {
  const { transport, X_vertices, X_current, top_k: count, directions } = ot_bias_directions;
  const found = polystep.transportDirections(transport.flat(), X_vertices.flat(2), X_current.flat(), {
    dimension: 2,
    count,
  });
  found.forEach((direction, i) => close(direction, directions[i] as number[], 1e-12));
  expect(found).toHaveLength(directions.length);
});

interface Blocks {
  blocks: {
    per_layer: [number, number, number][];
    grouped2: [number, number, number][];
    subspace_23_into_4_dim4: [number, number, number][];
    hybrid_dim4: [number, number, number][];
    particle_dim: number;
  };
  hybrid: { shapes: number[][] };
}
const { blocks, hybrid } = vectors<Blocks>('polystep/subspaces.json');

/** Begin and end in padded numbers, and rows. */
const padded = (groups: polystep.RowGroup[], width: number): number[][] => {
  let at = 0;
  return groups.map(({ rows }) => {
    const begin = at;
    at += rows * width;
    return [begin, at, rows];
  });
};

test('blocks: rows of each group', () => {
  const particleDimension = blocks.particle_dim;
  const sizes = hybrid.shapes.map((shape) => shape.reduce((all, extent) => all * extent, 1));
  const rows = (of: number[], options: Pick<polystep.GroupOptions, 'by' | 'count'>): number[][] =>
    padded(polystep.rowGroups(of, { ...options, particleDimension }), particleDimension);
  expect(rows(sizes, { by: 'tensors' })).toEqual(blocks.per_layer);
  expect(rows(sizes, { by: 'tensors', count: 2 })).toEqual(blocks.grouped2);
  expect(rows([23], { by: 'rows', count: 4 })).toEqual(blocks.subspace_23_into_4_dim4);
  const coordinates = polystep.createSubspace({ shapes: hybrid.shapes, rank: 1 }).entries.map((e) => e.coordinates);
  expect(rows(coordinates, { by: 'tensors' })).toEqual(blocks.hybrid_dim4);
});
