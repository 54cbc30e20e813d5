// How near solutions come to what others have computed or proved, at sizes that take little time; docs/benchmarks/odil.md
// has the large ones.
import { odil } from '../../../lib';
import { uniforms } from '../../support/philox-random';

const field = ({ fields }: odil.State<Float64Array>): Float64Array => fields['u'] as Float64Array;
const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0) / a.length);

describe('cavity', () => {
  const cells = 32;
  /** u on the line x = 1/2, between two columns of cells. */
  const centreLine = (u: Float64Array): Float64Array =>
    Float64Array.from({ length: cells }, (_, j) => {
      const [left, right] = [u[(cells / 2 - 1) * cells + j], u[(cells / 2) * cells + j]];
      return ((left as number) + (right as number)) / 2;
    });

  test('Picard from rest: linear convergence to the known flow', () => {
    using problem = odil.problems.cavity({ cells, reynolds: 100 });
    const solution = problem.solveSync({ method: 'gauss-newton', damping: 'none', damp: 1e-6 });
    if (solution.method !== 'gauss-newton') throw new Error(solution.method);
    expect(solution.status).toBe('gradient');
    expect(solution.iterations).toBeLessThan(40);
    expect(solution.loss).toBeLessThan(1e-18);
    const tail = solution.history.slice(10, 25);
    const factor = Math.sqrt((tail.at(-1) as odil.GaussNewtonRecord).loss / (tail[0] as odil.GaussNewtonRecord).loss);
    expect(factor ** (1 / (tail.length - 1))).toBeCloseTo(0.45, 1);
    // -0.2156 by a solver of others on this grid; -0.21404 by a spectral method (Botella and Peyret, Computers & Fluids 27, 1998).
    expect(Math.min(...centreLine(field(solution)))).toBeCloseTo(-0.2156, 4);
  });
});

describe('burgers', () => {
  const viscosity = 0.1 / Math.PI;
  /** Cole and Hopf's solution at t = 1 for -sin(pi x), by the trapezoidal rule. */
  const exact = (x: number): number => {
    let [above, below] = [0, 0];
    for (let k = -400; k <= 400; k += 1) {
      const eta = (k / 400) * 8 * Math.sqrt(2 * viscosity);
      const weight = Math.exp(-Math.cos(Math.PI * (x - eta)) / (2 * Math.PI * viscosity) - eta ** 2 / (4 * viscosity));
      above -= Math.sin(Math.PI * (x - eta)) * weight;
      below += weight;
    }
    return above / below;
  };

  test('first order in step and cell', () => {
    const errors = [32, 64, 128].map((cells) => {
      using problem = odil.problems.burgers({ cells, timeCells: cells, viscosity });
      const last = field(problem.solveSync()).subarray(-cells);
      const at = problem.grid.coordinates('x');
      return last.reduce((sum, value, i) => sum + Math.abs(value - exact(at[i] as number)), 0) / cells;
    });
    const [coarse, middle, fine] = errors as [number, number, number];
    expect(fine).toBeLessThan(0.008);
    for (const order of [Math.log2(coarse / middle), Math.log2(middle / fine)]) {
      expect(order).toBeGreaterThan(0.85);
      expect(order).toBeLessThan(1.1);
    }
  });
});

test('poisson: the error of the discretisation, second order', () => {
  const errors = [64, 128].map((cells) => {
    using problem = odil.problems.poisson({ cells, reference: 'osc', rightHandSide: 'exact' });
    return distance(field(problem.solveSync()), problem.reference['u'] as Float64Array);
  });
  expect(errors[0]).toBeCloseTo(2.72e-3, 5);
  expect(Math.log2((errors[0] as number) / (errors[1] as number))).toBeCloseTo(2, 1);
});

test('three constants: every least-squares method ends at the known minimum', () => {
  using problem = odil.problems.inferConstant();
  for (const method of ['control-space', 'gauss-newton'] as const) {
    const { loss, parameters, iterations } = problem.solveSync({ method, lossTolerance: 1e-8 });
    expect(loss / 4.91614757e-6).toBeCloseTo(1, 6);
    expect(iterations).toBeLessThan(20);
    [0.00696266, 0.1, 0.20341943].forEach((value, k) => {
      expect(parameters?.['constants']?.[k]).toBeCloseTo(value, 7);
    });
  }
});

test('heat, inverse: a network finds the conductivity from temperatures in the middle third', () => {
  const cells = 32;
  using forward = odil.problems.heat({ timeCells: cells, cells });
  const values = field(forward.solveSync());
  const uniform = uniforms(3);
  const mask = values.map((_, i) =>
    Number(Math.abs(Math.floor(i / cells) / (cells - 1) - 0.5) < 1 / 6 && uniform() < 0.6),
  );
  using problem = odil.problems.heat({
    timeCells: cells,
    cells,
    inferConductivity: { seed: 1 },
    data: { mask, values },
  });
  const solution = problem.solveSync();
  expect(solution.method).toBe('control-space');
  expect(distance(field(problem.solveSync({ maxIterations: 0 })), values)).toBeGreaterThan(0.1);
  expect(distance(field(solution), values)).toBeLessThan(0.003);
});

test('preconditioned by the equation, conjugate gradients do not notice the grid', () => {
  const counts = [32, 64].map((cells) => {
    using truth = odil.problems.heat({ timeCells: cells, cells, conductivityScale: 1.5 });
    const values = field(truth.solveSync());
    const mask = values.map((_, i) => Number(Math.abs(i / values.length - 0.5) < 1 / 6 && i % 7 === 0));
    using forward = odil.problems.heat({ timeCells: cells, cells });
    using problem = odil.problems.heat({ timeCells: cells, cells, data: { mask, values } });
    const solution = problem.solveSync({
      method: 'gauss-newton',
      linearSolver: 'conjugate-gradient',
      damping: 'none',
      maxIterations: 1,
      initial: { fields: { u: field(forward.solveSync()) } },
    });
    if (solution.method !== 'gauss-newton') throw new Error(solution.method);
    return solution.linearIterations;
  });
  expect(Math.max(...counts)).toBeLessThanOrEqual(20);
});
