// Traces of the official gradient methods, and the published minimum of infer_constant without any second derivative.
import { odil } from '../../lib';
import { difference, type Tensor } from '../support/odil';
import { vectors } from '../support/vectors';

interface TraceCase {
  example: string;
  options: string;
  trace: { iteration?: number; loss: number; norms: number[]; coeff?: number[] }[];
  final: Record<string, Tensor>;
}

const cases = (name: string): TraceCase[] => vectors<{ cases: TraceCase[] }>(`odil/${name}.json`).cases;

/** `--Nt 8 --lr 0.002` as an object. */
function flags(options: string): Record<string, string> {
  const words = options.split(' ');
  return Object.fromEntries(
    words.flatMap((word, k) => (word.startsWith('--') ? [[word.slice(2), words[k + 1] ?? '']] : [])),
  );
}

function problemOf(example: string, given: Record<string, string>): odil.Problem {
  const frozen = given['keep_frozen'] !== '0';
  const timeCells = Number(given['Nt']);
  const cells = Number(given['Nx'] ?? given['N']);
  if (example === 'poisson') {
    return odil.problems.poisson(
      given['ref'] === 'osc' ? { cells, reference: 'osc', rightHandSide: 'exact' } : { cells },
    );
  }
  if (example === 'heat') return odil.problems.heat({ timeCells, cells, frozen });
  if (example === 'wave') return odil.problems.wave({ timeCells, cells, initialWeight: Number(given['kimp'] ?? 1) });
  if (example === 'heat_tmax') return odil.problems.heatTmax({ timeCells, cells });
  return odil.problems.inferConstant({ timeCells, cells });
}

/**
 * The start of infer_constant is symmetric: some derivatives are zero but for rounding, and Adam, which divides by their
 * size, makes them matter. Rounding the initial state differently changes our own trace by up to 3e-3.
 */
const chaotic = (example: string): boolean => example === 'infer_constant';

const described = (one: TraceCase): [string, TraceCase] => [`${one.example} ${one.options}`, one];

test.each(cases('adam_traces').map(described))('Adam, %s', async (_, { example, options, trace, final }) => {
  const given = flags(options);
  using problem = problemOf(example, given);
  const solution = await problem.solve({
    method: 'adam',
    learningRate: Number(given['lr'] ?? 0.005),
    multigrid: given['multigrid'] === '1',
    maxIterations: Number(given['epochs']),
  });
  const history = solution.history as odil.FirstOrderRecord[];
  let compared = 0;
  for (const { iteration, loss } of trace) {
    if (iteration === undefined) continue;
    // The official loss is that of the state before the step.
    const record = history.find((one) => one.iteration === Math.max(iteration - 1, 0));
    const tolerance = chaotic(example) && iteration > 0 ? 3e-3 : 1e-8;
    expect(Math.abs((record?.loss as number) / loss - 1)).toBeLessThan(tolerance);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(5);
  // The loss falls to the end in these runs, so that the best state is the last one.
  if (chaotic(example)) {
    const constants = final['coeff']?.data as number[];
    expect(difference(solution.parameters?.['constants'] as Float64Array, constants)).toBeLessThan(1e-4);
    return;
  }
  expect(difference(solution.fields['u'] as Float64Array, final['u']?.data as number[])).toBeLessThan(1e-8);
});

test.each(cases('newton_traces').map(described))('Gauss-Newton, %s', async (_, { example, options, trace, final }) => {
  const given = flags(options);
  using problem = problemOf(example, given);
  // At the start of heat_tmax the end time has no influence: its column is zero in the official code and rounding in ours,
  // which only the rank-revealing solver takes for zero where nothing damps. The official damping, 1e-9, is for row 0.
  const linearSolver = example === 'heat_tmax' ? 'qr' : 'auto';
  const run = { method: 'gauss-newton', compat: 'official', linearSolver } as const;
  const solution = await problem.solve({ ...run, maxIterations: Number(given['epochs']), gradientTolerance: 0 });
  const counts = Object.values(solution.blocks).map(({ count }) => count);
  let compared = 0;
  for (const { iteration, loss, norms } of trace.slice(1)) {
    // Official losses are means; the steps lower the sum.
    const sum = norms.reduce((total, norm, block) => total + (counts[block] as number) * norm ** 2, 0);
    const ours = (solution.history as odil.GaussNewtonRecord[]).find((record) => record.iteration === iteration);
    if (ours === undefined || loss < 1e-18) continue;
    expect(Math.abs(ours.loss / sum - 1)).toBeLessThan(1e-6);
    compared += 1;
  }
  expect(compared > 3 || solution.iterations < 5).toBe(true);
  expect(solution.loss).toBeLessThan(Math.max(1e-16, 1.0001 * sumOf(trace, counts)));
  const u = solution.fields['u'] as Float64Array;
  (final['u']?.data as number[]).forEach((value, i) => expect(Math.abs((u[i] as number) - value)).toBeLessThan(1e-7));
});

/** The last loss of a trace as a sum of squares. */
const sumOf = (trace: TraceCase['trace'], counts: number[]): number =>
  (trace.at(-1)?.norms as number[]).reduce((total, norm, block) => total + (counts[block] as number) * norm ** 2, 0);

test.each(cases('lbfgsb_traces').map(described))(
  'L-BFGS falls as fast as the official one, %s',
  async (_, { example, options, trace }) => {
    const given = flags(options);
    using problem = problemOf(example, given);
    const solution = await problem.solve({
      method: 'lbfgs',
      multigrid: given['multigrid'] === '1',
      maxIterations: Number(given['epochs']),
      gradientTolerance: 0,
    });
    const losses = (solution.history as odil.FirstOrderRecord[]).map(({ loss }) => loss);
    const first = losses[0] as number;
    expect(Math.abs(first / (trace[0]?.loss as number) - 1)).toBeLessThan(1e-10);
    let compared = 0;
    for (const { iteration, loss } of trace) {
      if (iteration === undefined) continue;
      const ours = losses[Math.min(iteration, losses.length - 1)] as number;
      expect(ours <= 1.5 * loss || ours <= 1e-12 * first).toBe(true);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(1);
  },
);

test('L-BFGS with multigrid reaches the published minimum of infer_constant', async () => {
  using problem = odil.problems.inferConstant({ timeCells: 64, cells: 64 });
  const solution = await problem.solve({ method: 'lbfgs', multigrid: true, maxIterations: 600 });
  const losses = (solution.history as odil.FirstOrderRecord[]).map(({ loss }) => loss);
  expect(losses[0]).toBeCloseTo(3.748652, 6);
  // The published run: 6.73e-2 after 50 iterations, 3.32e-3 after 100, 5.54e-5 after 150, the minimum after 469.
  expect(losses[50]).toBeLessThan(1.5 * 6.73e-2);
  expect(losses[100]).toBeLessThan(1.5 * 3.32e-3);
  expect(losses[150]).toBeLessThan(1.5 * 5.54e-5);
  expect(solution.loss / 4.91614757e-6).toBeCloseTo(1, 6);
});

test('Adam on the Poisson equation: the errors of the published run', async () => {
  using problem = odil.problems.poisson({ cells: 64, reference: 'osc', rightHandSide: 'exact' });
  const exact = problem.reference['u'] as Float64Array;
  const error = ({ fields }: odil.Solution): number => {
    const u = fields['u'] as Float64Array;
    return Math.sqrt(u.reduce((sum, value, i) => sum + (value - (exact[i] as number)) ** 2, 0) / u.length);
  };
  // After 100 iterations the loss rattles, and with it the error: 0.0111 in the log, and anything from 0.01 to 0.025 here
  // when the rate changes in its last digits. The middle one of five such runs is what can be compared.
  const errors: number[] = [];
  for (const digits of [0, 1, 2, 3, 4]) {
    const learningRate = 0.005 * (1 + 1e-13 * digits);
    const first = await problem.solve({ method: 'adam', learningRate, multigrid: true, maxIterations: 100 });
    expect(Math.abs(error(first) / 0.096754 - 1)).toBeLessThan(1e-4);
    errors.push(error(await problem.solve({ resume: first.checkpoint, maxIterations: 900 })));
  }
  expect(errors.sort((a, b) => a - b)[2]).toBeLessThan(2 * 0.0111);
});

test('L-BFGS with multigrid on the wave equation: the errors of the published run', async () => {
  // What 400 iterations reach depends on the last digits: 0.0470 to 0.0494 when the weight changes there. The middle one
  // of five runs is what can be compared.
  const errors = new Map([100, 200, 400].map((iterations) => [iterations, [] as number[]]));
  for (const digits of [0, 1, 2, 3, 4]) {
    using problem = odil.problems.wave({ initialWeight: 100 * (1 + 1e-13 * digits) });
    const exact = problem.reference['u'] as Float64Array;
    const error = ({ fields }: odil.Solution): number => {
      const u = fields['u'] as Float64Array;
      return Math.sqrt(u.reduce((sum, value, i) => sum + (value - (exact[i] as number)) ** 2, 0) / u.length);
    };
    let last = await problem.solve({ method: 'lbfgs', multigrid: true, maxIterations: 0 });
    expect(error(last)).toBeLessThan(1.03 * 0.2236);
    let done = 0;
    for (const [iterations, found] of errors) {
      last = await problem.solve({ resume: last.checkpoint, maxIterations: iterations - done });
      done = iterations;
      found.push(error(last));
    }
  }
  const middle = (iterations: number): number =>
    (errors.get(iterations) as number[]).sort((a, b) => a - b)[2] as number;
  expect(middle(100)).toBeLessThan(1.03 * 0.1721);
  expect(middle(200)).toBeLessThan(1.03 * 0.11);
  expect(middle(400)).toBeLessThan(1.05 * 0.0472);
});
