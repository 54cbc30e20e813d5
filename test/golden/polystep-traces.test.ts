// Recorded runs of the official package, their rotations injected: ask and tell, the population solver, block mode in
// full space and in subspaces.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

const close = (given: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void => {
  expect(given.length).toBeGreaterThanOrEqual(expected.length);
  Array.from(expected).forEach((value, i) => {
    expect(Math.abs((given[i] as number) - value)).toBeLessThanOrEqual(tolerance);
  });
};

type Loss = (x: ArrayLike<number>) => number;
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const objectives: Record<string, Loss> = {
  Ackley: (x) => {
    const n = x.length;
    const squares = sum(Array.from(x, (v) => v * v)) / n;
    const waves = sum(Array.from(x, (v) => Math.cos(2 * Math.PI * v))) / n;
    return -20 * Math.exp(-0.2 * Math.sqrt(squares)) - Math.exp(waves) + 20 + Math.E;
  },
  Rastrigin: (x) => 10 * x.length + sum(Array.from(x, (v) => v * v - 10 * Math.cos(2 * Math.PI * v))),
  Sphere: (x) => sum(Array.from(x, (v) => v * v)),
  Rosenbrock: (x) => {
    let value = 0;
    for (let i = 0; i + 1 < x.length; i += 1) {
      const [a, b] = [x[i] as number, x[i + 1] as number];
      value += 100 * (b - a * a) ** 2 + (1 - a) ** 2;
    }
    return value;
  },
  Staircase: (x) => sum(Array.from(x, (v) => Math.floor(Math.abs(v)))),
};

const rowsOf = (view: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: view.length / width }, (_, i) =>
    Array.from({ length: width }, (_v, j) => view[i * width + j] as number),
  );

interface AskCase {
  objective: string;
  dim: number;
  num_particles: number;
  epsilon: number;
  step_radius: number;
  x0: number;
  scale_cost: 'mean' | 'max_cost' | null;
  rule: 'recentred' | 'legacy_raw';
  steps: { rotation: number[][][]; fitness?: number[]; X: number[][]; best_of_round?: number; best_index?: number }[];
}

test.each(
  vectors<{ cases: AskCase[] }>('polystep/ask_tell_traces.json').cases.map(
    (given) => [given.objective, given.rule, given] as const,
  ),
)('ask and tell: %s, %s', (_, rule, given) => {
  const scale = { mean: 'ean', max_cost: 'ax' }[given.scale_cost ?? 'mean'];
  const recentred = rule === 'recentred';
  const optimizer = polystep.createOptimizer({
    dimension: given.dim,
    particles: given.num_particles,
    initial: given.x0,
    epsilon: given.epsilon,
    stepRadius: given.step_radius,
    adaptiveRadius: false,
    dtype: 'float64',
    scaleCost: given.scale_cost === null ? 'none' : (((recentred ? 'm' : 'rawM') + scale) as 'mean'),
    rotations: (step) => given.steps[step]?.rotation.flat(2),
  });
  const loss = objectives[given.objective] as Loss;
  for (const step of given.steps) {
    const losses = rowsOf(optimizer.ask() as Float64Array, given.dim).map(loss);
    if (step.fitness !== undefined) {
      close(losses, step.fitness, 1e-9);
      expect(Math.min(...losses)).toBeCloseTo(step.best_of_round as number, 9);
    }
    optimizer.tell(losses);
    close(optimizer.iterate, step.X.flat(), 1e-9);
  }
  optimizer.dispose();
});

interface SinkhornCase {
  objective: string;
  dim: number;
  num_particles: number;
  polytope: polystep.PolytopeName;
  num_probe: number;
  epsilon: number | { init: number; target: number; decay: number };
  step_radius: number;
  probe_radius: number;
  scale_cost: number | 'mean';
  sinkhorn: { threshold: number; max_iterations: number; check_every: number; omega: number };
  X0: number[][];
  steps: {
    rotation: number[][][];
    X: number[][];
    ent_reg_cost: number;
    displacement_sqnorm: number;
    f: number[];
    g: number[];
    epsilon: number;
  }[];
}

test.each(
  vectors<{ cases: SinkhornCase[] }>('polystep/sinkhorn_step_traces.json').cases.map(
    (given) => [given.objective, given.polytope, given] as const,
  ),
)('population Sinkhorn steps: %s, %s', async (_, _polytope, given) => {
  const loss = objectives[given.objective] as Loss;
  const { epsilon, sinkhorn } = given;
  const optimizer = polystep.createOptimizer({
    preset: 'paper',
    objective: (view, _count, out) => out.set(rowsOf(view, given.dim).map(loss)),
    dimension: given.dim,
    particles: given.num_particles,
    initial: given.X0.flat(),
    polytope: given.polytope,
    probes: given.num_probe,
    epsilon:
      typeof epsilon === 'number'
        ? epsilon
        : { kind: 'linear', initial: epsilon.init, target: epsilon.target, decay: epsilon.decay },
    stepRadius: given.step_radius,
    probeRadius: given.probe_radius,
    scaleCost: given.scale_cost === 'mean' ? 'rawMean' : given.scale_cost,
    rule: 'sinkhorn',
    transport: {
      threshold: sinkhorn.threshold,
      maxIterations: sinkhorn.max_iterations,
      checkEvery: sinkhorn.check_every,
      omega: sinkhorn.omega,
    },
    dtype: 'float64',
    rotations: (step) => given.steps[step]?.rotation.flat(2),
  });
  for (const step of given.steps) {
    const record = (await optimizer.step()) as polystep.StepRecord;
    close(optimizer.iterate, step.X.flat(), 1e-8);
    const { f, g } = optimizer.checkpoint().state;
    close(f, step.f, 1e-7);
    close(g, step.g, 1e-7);
    expect(record.epsilon).toBeCloseTo(step.epsilon, 12);
    expect(record.meanSquaredDisplacement).toBeCloseTo(step.displacement_sqnorm, 8);
    expect(record.transportObjective).toBeCloseTo(step.ent_reg_cost, 7);
  }
  optimizer.dispose();
});

interface NetworkCase {
  name: string;
  options: Record<string, unknown>;
  subspace_kind: 'hybrid' | 'hybrid_wide' | 'linear' | 'lowrank' | null;
  params0: Record<string, number[]>;
  inputs: number[][];
  labels: number[];
  steps: {
    step_returned_cost_mean: number;
    rotation_drawn: number[][][] | null;
    losses_float32_rounded: number[] | null;
    X: number[][];
    velocity: number[][] | null;
    radius_multiplier: number;
    absorb_count: number;
    params: Record<string, number[]>;
  }[];
  projections?: Record<string, number[][]>;
  specs?: { key: string; coords: number }[];
  subspace_dim?: number;
}

const keys = ['0.weight', '0.bias', '2.weight', '2.bias'];
const flat = (params: Record<string, number[]>): number[] => keys.flatMap((key) => params[key] as number[]);

/** 3-4-2 ReLU, mean cross-entropy, as the vectors describe it. */
function network(theta: ArrayLike<number>, inputs: number[][], labels: number[]): number {
  let total = 0;
  inputs.forEach((x, t) => {
    const h = [0, 1, 2, 3].map((i) => {
      let z = theta[12 + i] as number;
      for (let j = 0; j < 3; j += 1) z += (theta[i * 3 + j] as number) * (x[j] as number);
      return Math.max(z, 0);
    });
    const y = [0, 1].map((o) => {
      let z = theta[24 + o] as number;
      for (let i = 0; i < 4; i += 1) z += (theta[16 + o * 4 + i] as number) * (h[i] as number);
      return z;
    }) as [number, number];
    const most = Math.max(...y);
    const log = most + Math.log(Math.exp(y[0] - most) + Math.exp(y[1] - most));
    total += log - (y[labels[t] as number] as number);
  });
  return Math.fround(total / inputs.length);
}

type CosineOption = { kind: 'CosineEpsilon'; init: number; target: number; decay: number };
function schedule(value: unknown): polystep.Schedule | undefined {
  if (typeof value !== 'object') return value as number | undefined;
  const { init, target, decay } = value as CosineOption;
  return { kind: 'cosine', initial: init, target, steps: Math.max(1, Math.trunc((init - target) / decay)) };
}

const defined = (options: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

function optionsOf({ options: o, subspace_kind, projections, ...given }: NetworkCase): polystep.OptimizerOptions {
  const kind = subspace_kind === 'hybrid_wide' ? 'hybrid' : subspace_kind === 'lowrank' ? 'lowRank' : subspace_kind;
  const rank = given.specs === undefined ? 1 : (given.specs[0]?.coords as number) / 7;
  const absorbEvery = (o['absorb_every'] as number | undefined) ?? (given.name.includes('absorb2') ? 2 : 0);
  const shapes = [[4, 3], [4], [2, 4], [2]];
  const bases = projections && keys.map((key) => projections[key]?.flat());
  return defined({
    preset: 'paper',
    mode: 'block',
    initial: flat(given.params0),
    dtype: 'float64',
    rule: o['solver'],
    epsilon: schedule(o['epsilon']),
    stepRadius: schedule(o['step_radius']),
    probeRadius: schedule(o['probe_radius']),
    probes: o['num_probe'],
    polytope: o['polytope_type'],
    particleDimension: o['particle_dim'] ?? o['subspace_particle_dim'],
    scaleCost: o['scale_cost'] === 'mean' ? 'rawMean' : o['scale_cost'],
    momentum: o['use_momentum'] === true ? { steps: o['max_iterations'] } : undefined,
    adaptiveRadius:
      o['use_adaptive_radius'] === true
        ? { loss: 'mean', threshold: o['stagnation_threshold'], patience: o['stagnation_patience'] }
        : undefined,
    biasedRotation: o['biased_rotation'],
    newtonRefinement: o['newton_refinement'],
    amortizeSteps: o['amortize_steps'],
    amortizeAverage: o['amortize_ema'],
    subspace: kind === null ? undefined : { kind, rank, shapes, bases, cap: false, absorbEvery },
    rotations: (step: number) => given.steps[step]?.rotation_drawn?.flat(2),
  });
}

const networks = ['fullspace', 'subspace'].flatMap(
  (space) => vectors<{ cases: NetworkCase[] }>(`polystep/optimizer_steps_${space}.json`).cases,
);

test.each(networks.map((given) => [given.name, given] as const))('block mode: %s', async (_, given) => {
  let asked: number[] = [];
  let recorded: number[] | null = null;
  const optimizer = polystep.createOptimizer({
    ...optionsOf(given),
    objective: (view, _count, out) => {
      const losses = rowsOf(view, 26).map((theta) => network(theta, given.inputs, given.labels));
      asked.push(...losses);
      // What they were rounded to decides curvatures: the model is read from the same numbers.
      out.set(recorded ?? losses);
    },
  });
  for (const step of given.steps) {
    asked = [];
    recorded = given.options['trust_region'] === true ? null : step.losses_float32_rounded;
    const record = (await optimizer.step()) as polystep.StepRecord;
    close(asked, step.losses_float32_rounded ?? [], 2e-5);
    expect(asked).toHaveLength(step.losses_float32_rounded?.length ?? 0);
    expect(Math.abs(record.meanCost - step.step_returned_cost_mean)).toBeLessThan(2e-6);
    // That release computes curvatures, differences of nearly equal losses, in float32.
    const tolerance = given.options['newton_refinement'] === true ? 2e-5 : 2e-6;
    close(optimizer.iterate, flat(step.params), tolerance);
    const { x, velocity } = optimizer.checkpoint().state;
    close(x, step.X.flat(), tolerance);
    if (step.velocity !== null) close(velocity, step.velocity.flat(), 2e-6);
    // The official count leaves out absorbs of fixed linear bases, which change nothing.
    if (given.subspace_kind !== 'linear') expect(record.absorbed).toBe(step.absorb_count);
  }
  optimizer.dispose();
});
