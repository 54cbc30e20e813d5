// Steps of Newton's method and gradients of odil's problems against the published code, how time grows with cells, and
// the compiled programs against loops written by hand.
import { odil } from '../lib';
import { type BenchOptions, type Family, type PeerResult, quantile, type Row, seconds, summary } from './harness';
import { runProgram } from './native-program';
import { type OdilJob, type OdilPeer, startOdil } from './peers/odil';

interface Case {
  name: string;
  cells: number;
  /** One sample; what it reached. */
  run(): Record<string, number>;
  dispose(): void;
  /** The peer's job of the same size; none where the peer would take too long. */
  job?: OdilJob;
}

/** A sample lasts about so long. */
const leastSeconds = 5e-3;

const rootMeanSquare = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length);

/** From zero to a gradient of 1e-10, nothing known before. */
function poisson(cells: number, threads: number, peer: boolean): Case {
  const problem = odil.problems.poisson({ cells, reference: 'osc', rightHandSide: 'exact' });
  return {
    name: 'poisson, solution',
    cells,
    run: () => {
      const { fields, linearIterations = 0 } = problem.solveSync({ method: 'gauss-newton', threads }) as ReturnType<
        typeof problem.solveSync
      > & { linearIterations?: number };
      const error = rootMeanSquare(fields['u'] as Float64Array, problem.reference['u'] as Float64Array);
      return { cycles: linearIterations, error };
    },
    dispose: () => {
      problem.dispose();
    },
    ...(peer ? { job: { job: 'poisson', cells } } : {}),
  };
}

/** One step from zero, the conductivity without derivative as the published code has it. */
function heatStep(cells: number, threads: number): Case {
  const problem = odil.problems.heat({ timeCells: cells, cells, frozen: true });
  return {
    name: 'heat, Newton step',
    cells,
    run: () => {
      problem.solveSync({ method: 'gauss-newton', damping: 'none', maxIterations: 1, threads });
      return {};
    },
    dispose: () => {
      problem.dispose();
    },
    job: { job: 'heat', cells },
  };
}

/** One step with a network of 46 weights for the conductivity and 200 measured points in the middle third of time. */
function heatInverseStep(cells: number, threads: number): Case {
  const mask = new Float64Array(cells * cells);
  const values = new Float64Array(cells * cells);
  const third = Math.floor(cells / 3);
  for (let k = 0; k < 200; ++k) {
    const at = third * cells + ((k * 7919) % (third * cells));
    mask[at] = 1;
    values[at] = Math.exp(-50 * (((at % cells) + 0.5) / cells - 0.5) ** 2);
  }
  const initial = Float64Array.from({ length: 46 }, (_, i) => Math.sin(1 + i));
  const problem = odil.problems.heat({
    timeCells: cells,
    cells,
    frozen: true,
    inferConductivity: { initial, proximal: 1 },
    data: { mask, values },
  });
  return {
    name: 'heat with a network, Newton step',
    cells,
    run: () => {
      problem.solveSync({ method: 'gauss-newton', compat: 'official', maxIterations: 1, threads });
      return {};
    },
    dispose: () => {
      problem.dispose();
    },
    job: { job: 'heat_inverse', cells },
  };
}

/** Loss and gradient at one state. */
function heatGradient(cells: number, threads: number): Case {
  const problem = odil.problems.heat({ timeCells: cells, cells, frozen: true });
  const state = problem.initialState();
  return {
    name: 'heat, loss and gradient',
    cells,
    run: () => {
      problem.gradient(state, { threads });
      return {};
    },
    dispose: () => {
      problem.dispose();
    },
    job: { job: 'heat_gradient', cells },
  };
}

async function measure(one: Case, peer: OdilPeer | undefined, samples: number, options: BenchOptions): Promise<Row> {
  const ours: number[] = [];
  const theirs: number[] = [];
  let measures = one.run();
  // Short calls are repeated: one alone, after the peer has had the machine, measures cold caches.
  const repetitions = Math.max(1, Math.ceil(leastSeconds / seconds(() => one.run())));
  const sampleSeconds = (): number =>
    seconds(() => {
      for (let k = 0; k < repetitions; ++k) measures = one.run();
    }) / repetitions;
  for (let sample = 0; sample < samples; ++sample) {
    ours.push(sampleSeconds());
    if (peer !== undefined && one.job !== undefined) theirs.push(await peer.seconds(one.job));
  }
  one.dispose();
  const times = summary(ours);
  const official: PeerResult = { medianSeconds: quantile(theirs, 0.5) };
  official.speedRatio = (official.medianSeconds as number) / times.medianSeconds;
  const nanoseconds = (times.medianSeconds / one.cells ** 2) * 1e9;
  return {
    family: 'odil',
    name: one.name,
    size: `${one.cells} x ${one.cells}`,
    dtype: 'float64',
    threads: options.threads,
    isa: options.isa,
    ...times,
    rate: { value: 1e3 / nanoseconds, unit: 'Mcells/s' },
    measures,
    peers: theirs.length === 0 ? {} : { official },
  };
}

async function run(options: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const { quick, threads } = options;
  const peer = await startOdil(threads);
  const sizes = quick ? [64, 256] : [64, 128, 256, 512, 1024, 2048, 4096];
  const cases: (() => Case)[] = [
    ...sizes.map((cells) => () => poisson(cells, threads, cells <= 256)),
    ...(quick ? [64] : [64, 128, 256]).map((cells) => () => heatStep(cells, threads)),
    ...(quick ? [32] : [32, 64]).map((cells) => () => heatInverseStep(cells, threads)),
    ...(quick ? [64] : [64, 256, 1024]).map((cells) => () => heatGradient(cells, threads)),
  ];
  for (const make of cases) {
    const one = make();
    onRow(await measure(one, peer, one.cells >= 2048 ? 3 : 5, options));
  }
  peer?.close();
  if (threads === 1) await runProgram('dd_bench_odil', quick ? ['--quick', '--samples=5'] : [], onRow);
}

/** The family. */
export const odilProblems: Family = {
  name: 'odil',
  description:
    "Steps of Newton's method and gradients of the official example problems, from the state on, with nothing known before, beside the published code (its graph compiled before; normal equations by SuperLU); Poisson to a relative gradient of 1e-10 on growing grids, with the error against the exact solution. Wall time. Residuals beside loops written by hand, gradients beside residuals: CPU time.",
  run,
};
