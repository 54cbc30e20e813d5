// geometry.json, philox.json, schedules_dynamics.json and subspaces.json through the public API.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

const close = (given: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(given).toHaveLength(expected.length);
  Array.from(expected).forEach((value, i) => {
    expect(Math.abs((given[i] as number) - value)).toBeLessThanOrEqual(tolerance);
  });
};

interface Geometry {
  templates: Record<string, number[][]>;
  haar_from_gaussian: { dim: number; gaussian: number[][][]; rotation: number[][][] }[];
  biased: { dim: number; rotation_in: number[][][]; unit_bias: number[][]; rotation_out: number[][][] }[];
  points: {
    polytope: polystep.PolytopeName;
    dim: number;
    X: number[][];
    rotation: number[][][];
    step_radius: number;
    probe_radius: number;
    probe_scales: number[];
    step_vertices: number[][][];
    probe_points: number[][][][];
  }[];
}
const geometry = vectors<Geometry>('polystep/geometry.json');

test.each(Object.entries(geometry.templates))('polytope: %s', (name, coordinates) => {
  const [kind, dimension] = name.split('_') as [polystep.PolytopeName, string];
  const found = polystep.polytope(kind, Number(dimension));
  expect(found.vertices).toBe(coordinates.length);
  close(found.coordinates, coordinates.flat(), 1e-12);
});

test.each(geometry.haar_from_gaussian.map((given) => [given.dim, given] as const))(
  'haarFromGaussian: dimension %i',
  (_, { gaussian, rotation }) => {
    gaussian.forEach((z, i) => {
      close(polystep.haarFromGaussian(z.flat()), (rotation[i] as number[][]).flat(), 1e-10);
    });
  },
);

test.each(geometry.biased.map((given) => [given.dim, given] as const))(
  'biasRotation: dimension %i',
  (_, { rotation_in, unit_bias, rotation_out }) => {
    rotation_in.forEach((rotation, i) => {
      const turned = polystep.biasRotation(rotation.flat(), unit_bias[i] as number[]);
      close(turned, (rotation_out[i] as number[][]).flat(), 1e-10);
    });
  },
);

test.each(geometry.points.map((given) => [given.polytope, given.dim, given] as const))(
  'points of a step: %s, dimension %i',
  (_, _dim, given) => {
    const shape = polystep.polytope(given.polytope, given.dim);
    given.X.forEach((x, p) => {
      const directions = shape.directions((given.rotation[p] as number[][]).flat());
      const at = (distance: number): number[] =>
        Array.from(directions, (component, i) => (x[i % given.dim] as number) + distance * component);
      close(at(given.step_radius), (given.step_vertices[p] as number[][]).flat(), 1e-12);
      given.probe_scales.forEach((scale, k) => {
        const points = (given.probe_points[p] as number[][][]).map((probes) => probes[k] as number[]);
        close(at(given.probe_radius * scale), points.flat(), 1e-12);
      });
    });
  },
);

interface Philox {
  normals: { seed: number; particle: number; step: number; stream: number; values: number[] }[];
  rotations: { seed: number; particle: number; step: number; dim: number; matrix: number[][] }[];
}
const philox = vectors<Philox>('polystep/philox.json');
const streams = ['rotations', 'jitter', 'minibatch', 'initialisation', 'bases', 'sampling'] as const;

test('philox.json: normal numbers and rotations of an address', () => {
  for (const { stream, values, ...address } of philox.normals) {
    const given = { ...address, stream: streams[stream] as polystep.RandomStream, count: values.length };
    close(polystep.randomNormals(given), values, 1e-12);
  }
  for (const { dim, matrix, ...address } of philox.rotations) {
    close(polystep.haarRotation({ ...address, dimension: dim }), matrix.flat(), 1e-10);
  }
});

test.each([3, 8, 64, 200])('haarRotation: orthogonal, determinant 1, dimension %i', (d) => {
  const r = polystep.haarRotation({ seed: 7, particle: 3, step: 5, dimension: d });
  for (let i = 0; i < d; i += 7) {
    for (let j = 0; j < d; j += 1) {
      let inner = 0;
      for (let k = 0; k < d; k += 1) inner += (r[i * d + k] as number) * (r[j * d + k] as number);
      expect(inner).toBeCloseTo(i === j ? 1 : 0, 12);
    }
  }
  // Sign of the determinant by elimination with row exchanges.
  const rows: Float64Array[] = Array.from({ length: d }, (_, i) => Float64Array.from(r.subarray(i * d, (i + 1) * d)));
  const at = (i: number, j: number): number => (rows[i] as Float64Array)[j] as number;
  let sign = 1;
  for (let c = 0; c < d; c += 1) {
    let best = c;
    for (let i = c; i < d; i += 1) if (Math.abs(at(i, c)) > Math.abs(at(best, c))) best = i;
    if (best !== c) {
      [rows[best], rows[c]] = [rows[c] as Float64Array, rows[best] as Float64Array];
      sign = -sign;
    }
    if (at(c, c) < 0) sign = -sign;
    for (let i = c + 1; i < d; i += 1) {
      const factor = at(i, c) / at(c, c);
      const row = rows[i] as Float64Array;
      for (let j = c; j < d; j += 1) row[j] = at(i, j) - factor * at(c, j);
    }
  }
  expect(sign).toBe(1);
});

interface Dynamics {
  linear: { args: { init: number; target: number; decay: number }; iterations: number[]; values: number[] }[];
  cosine: {
    args: { init: number; target: number; decay?: number; total_steps?: number; restart_mult?: number };
    iterations: number[];
    values: number[];
  }[];
  progressive: { args: Record<string, number>; updates: [number, number, boolean][]; values: number[] }[];
  momentum_coefficient: { iteration: number; max_iterations: number; init: number; final: number; value: number }[];
  adaptive_radius_trace: {
    defaults: { threshold: number; patience: number; increase: number; decrease: number; min: number; max: number };
    steps: { loss: number | string; radius_multiplier: number; stagnation_count: number }[];
  };
  quadratic: {
    losses: number[][][];
    scales: number[];
    probe_radius: number;
    gradient: number[][];
    hessian_diag: number[][];
    newton_max_norm: number;
    newton: number[][];
    predicted_improvement: number[];
  };
  trust_region: { predicted: number; actual: number; current: number; value: number }[];
  rank_schedule: { stages: [number, number][]; at: [number, number][] };
}
const dynamics = vectors<Dynamics>('polystep/schedules_dynamics.json');

test('schedules_dynamics.json: schedules', () => {
  for (const { args, iterations, values } of dynamics.linear) {
    const schedule = { kind: 'linear', initial: args.init, target: args.target, decay: args.decay } as const;
    close(
      iterations.map((t) => polystep.scheduleValue(schedule, t)),
      values,
      1e-12,
    );
  }
  for (const { args, iterations, values } of dynamics.cosine) {
    // These come from a release that rounded the derived length down and let periods stay as long.
    const derived = Math.max(1, Math.trunc((args.init - args.target) / (args.decay ?? 1)));
    const schedule = {
      kind: 'cosine',
      initial: args.init,
      target: args.target,
      steps: args.total_steps ?? derived,
      restartMultiplier: args.restart_mult ?? 1,
      restartGrowth: 0,
    } as const;
    close(
      iterations.map((t) => polystep.scheduleValue(schedule, t)),
      values,
      1e-12,
    );
  }
  const { stages, at } = dynamics.rank_schedule;
  for (const [step, rank] of at) expect(polystep.rankAt(stages, step)).toBe(rank);
});

test('schedules_dynamics.json: progressive', () => {
  for (const { args, updates, values } of dynamics.progressive) {
    const { init = 1, target = 0.01 } = args;
    const schedule = {
      initial: init,
      target,
      most: args['max_epsilon'] ?? 5,
      increase: args['increase_factor'] ?? 1.2,
      decrease: args['decrease_factor'] ?? 0.95,
      fast: args['fast_threshold'] ?? 0.1,
      slow: args['slow_threshold'] ?? 0.5,
      smoothing: 1 - (args['ema_alpha'] ?? 0.7),
    };
    let state: polystep.ProgressiveState | undefined;
    const found = [init];
    for (const [iterations, maxIterations, converged] of updates) {
      state = polystep.progressiveStep(state, { iterations, maxIterations, converged }, schedule);
      found.push(state.value);
    }
    close(found, values, 1e-12);
  }
});

test('schedules_dynamics.json: momentum, radii, trust region, quadratic model', () => {
  for (const { iteration, max_iterations, init, final, value } of dynamics.momentum_coefficient) {
    const options = { maxIterations: max_iterations, initial: init, final };
    expect(polystep.momentumCoefficient(iteration, options)).toBeCloseTo(value, 12);
  }
  const { min: least, max: most, ...rest } = dynamics.adaptive_radius_trace.defaults;
  let state: polystep.AdaptiveRadius | undefined;
  for (const step of dynamics.adaptive_radius_trace.steps) {
    state = polystep.adaptRadius(state, Number(step.loss), { ...rest, least, most });
    expect(state.multiplier).toBeCloseTo(step.radius_multiplier, 12);
    expect(state.stagnation).toBe(step.stagnation_count);
  }
  for (const { predicted, actual, current, value } of dynamics.trust_region) {
    expect(polystep.trustRegionMultiplier(predicted, actual, current)).toBeCloseTo(value, 12);
  }
  const { losses, scales, probe_radius, newton_max_norm, ...expected } = dynamics.quadratic;
  losses.forEach((own, p) => {
    const model = polystep.quadraticModel(own.flat(), {
      scales,
      probeRadius: probe_radius,
      maxNorm: newton_max_norm,
    });
    close(model.gradient, expected.gradient[p] as number[], 1e-11);
    close(model.curvature, expected.hessian_diag[p] as number[], 1e-10);
    close(model.newton, expected.newton[p] as number[], 1e-11);
    expect(model.predicted).toBeCloseTo(expected.predicted_improvement[p] as number, 10);
  });
});

interface Subspaces {
  dimensions: {
    shapes: number[][];
    rank?: number;
    auto?: object;
    max_subspace_dim?: number | null;
    coords: number[];
    subspace_dim: number;
  }[];
  hybrid: {
    shapes: number[][];
    keys: string[];
    projections: Record<string, number[][]>;
    base: Record<string, number[]>;
    coords: number[];
    perturbed: Record<string, number[]>;
    coords_batch: number[][];
    perturbed_batch: Record<string, number[][]>;
  };
  lowrank: { rank: number; coords: number[]; perturbed: Record<string, number[]>; subspace_dim: number };
  sparse: {
    full_dim: number;
    subspace_dim: number;
    nnz_per_col: number;
    rows: number[];
    cols: number[];
    values: number[];
    coords: number[][];
    project: number[][];
  };
  adaptive: { projection: number[][]; coords: number[]; perturbed: Record<string, number[]> };
  factored: { W: number[][]; B: number[][]; A: number[][]; x: number[][]; out: number[][] };
}
const subspaces = vectors<Subspaces>('polystep/subspaces.json');

test('subspaces.json: numbers of coordinates', () => {
  for (const { shapes, rank, max_subspace_dim, coords, subspace_dim } of subspaces.dimensions) {
    const found = polystep.createSubspace({
      shapes,
      rank: rank ?? 'auto',
      cap: false,
      maxBasisBytes: 0,
      ...(max_subspace_dim != null && { maxSubspaceDim: max_subspace_dim }),
    });
    expect(found.entries.map(({ coordinates }) => coordinates)).toEqual(coords);
    expect(found.dimension).toBe(subspace_dim);
  }
});

test('subspaces.json: what coordinates do', () => {
  const { shapes, keys, projections, base, coords, perturbed, coords_batch, perturbed_batch } = subspaces.hybrid;
  const flat = (of: Record<string, number[]>): number[] => keys.flatMap((key) => of[key] as number[]);
  const bases = keys.map((key) => projections[key]?.flat());
  const hybrid = polystep.createSubspace({ shapes, rank: 1, bases });
  close(hybrid.expand(flat(base), coords), flat(perturbed), 1e-10);
  coords_batch.forEach((c, i) => {
    const one = Object.fromEntries(keys.map((key) => [key, perturbed_batch[key]?.[i] as unknown as number[]]));
    close(hybrid.expand(flat(base), c), flat(one), 1e-10);
  });

  const { lowrank, adaptive, sparse, factored } = subspaces;
  const low = polystep.createSubspace({ shapes, kind: 'lowRank', rank: lowrank.rank });
  expect(low.dimension).toBe(lowrank.subspace_dim);
  close(low.expand(flat(base), lowrank.coords), flat(lowrank.perturbed), 1e-10);

  const whole = polystep.createSubspace({
    shapes,
    kind: 'adaptive',
    rank: adaptive.coords.length,
    bases: [adaptive.projection.flat()],
  });
  close(whole.expand(flat(base), adaptive.coords), flat(adaptive.perturbed), 1e-10);

  const dense = new Float64Array(sparse.full_dim * sparse.subspace_dim);
  sparse.rows.forEach((row, i) => {
    const at = row * sparse.subspace_dim + (sparse.cols[i] as number);
    dense[at] = (dense[at] as number) + (sparse.values[i] as number);
  });
  const columns = polystep.createSubspace({
    shapes: [[sparse.full_dim, 1]],
    kind: 'adaptive',
    rank: sparse.subspace_dim,
    bases: [dense],
  });
  sparse.coords.forEach((c, i) => {
    close(columns.expand(new Float64Array(sparse.full_dim), c), sparse.project[i] as number[], 1e-10);
  });

  // A B0 as coordinates of A: the same product as x W^T + (x B0^T) A^T.
  const { W, B, A, x, out } = factored;
  const d_in = B[0]?.length as number;
  const rank = B.length;
  const basis = W.flatMap((_, i) =>
    Array.from({ length: d_in }, (_j, j) => A.flatMap((_a, o) => B.map((b) => (o === i ? (b[j] as number) : 0)))),
  );
  const structured = polystep.createSubspace({
    shapes: [[W.length, d_in]],
    kind: 'factored',
    rank,
    bases: [basis.flat()],
  });
  const matrix = structured.expand(W.flat(), A.flat());
  x.forEach((row, t) => {
    const product = W.map((_, i) => row.reduce((sum, value, j) => sum + value * (matrix[i * d_in + j] as number), 0));
    close(product, out[t] as number[], 1e-10);
  });
});

test('sparse bases have as many entries as the vectors say, drawn again when used', () => {
  const { full_dim, subspace_dim, nnz_per_col } = subspaces.sparse;
  const options = { shapes: [[full_dim, 1]], kind: 'sparse', rank: 1, seed: 4 } as const;
  const sparse = polystep.createSubspace({ ...options, cap: false });
  expect(sparse.dimension).toBe(full_dim + 1);
  for (let j = 0; j < subspace_dim; j += 1) {
    const unit = new Float64Array(sparse.dimension);
    unit[j] = 1;
    const column = sparse.expand(new Float64Array(full_dim), unit);
    const weight = column.reduce((sum, value) => sum + Math.abs(value), 0) * Math.sqrt(nnz_per_col);
    // Duplicates may cancel, in pairs.
    expect(Math.abs(Math.round(nnz_per_col - weight)) % 2).toBe(0);
    expect(weight).toBeGreaterThan(0);
    expect(weight).toBeLessThanOrEqual(nnz_per_col + 1e-9);
    close(sparse.expand(new Float64Array(full_dim), unit), column, 0);
  }
});
