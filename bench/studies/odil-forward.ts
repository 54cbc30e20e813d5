// Forward problems, and three constants: errors against exact or independent solutions, orders of convergence, and how
// fast the norm of the residuals falls.
import { odil } from '../../lib';
import { arrayOf, gaussNewtonOf, mean, rootMeanSquare, short, study, Table } from './study';

function poisson(): void {
  // Of an own multigrid in another language, which discretises the same way (the specification, section 9.2).
  const expected = { 64: 2.72e-3, 256: 1.71e-4, 512: 4.3e-5, 1024: 1.08e-5, 2048: 2.71e-6 };
  const table = new Table('Poisson, osc', ['cells', 'steps', 'cycles', 'seconds', 'error', 'expected', 'order']);
  let before = { cells: NaN, error: NaN };
  for (const [key, known] of Object.entries(expected)) {
    const cells = Number(key);
    using problem = odil.problems.poisson({ cells, reference: 'osc', rightHandSide: 'exact' });
    const solution = gaussNewtonOf(problem.solveSync());
    const error = rootMeanSquare(arrayOf(solution.fields, 'u'), arrayOf(problem.reference, 'u'));
    const order = Math.log(before.error / error) / Math.log(cells / before.cells);
    const { iterations, linearIterations, seconds } = solution;
    table.add(cells, iterations, linearIterations, short(seconds), short(error), short(known), short(order));
    before = { cells, error };
  }
}

/** u_t + (u^2 / 2)_x = nu u_xx by central differences and Runge and Kutta's steps: nothing of what is to be checked. */
function burgersReference(cells: number, steps: number, viscosity: number): Float64Array {
  const dx = 2 / cells;
  const dt = 1 / steps;
  const slope = (u: Float64Array): Float64Array =>
    u.map((value, i) => {
      const left = i === 0 ? -value : (u[i - 1] as number);
      const right = i === cells - 1 ? -value : (u[i + 1] as number);
      const flux = (a: number, b: number): number => (a * a + b * b) / 4;
      return (flux(left, value) - flux(value, right)) / dx + (viscosity * (left - 2 * value + right)) / dx ** 2;
    });
  let u = Float64Array.from({ length: cells }, (_, i) => -Math.sin(Math.PI * ((i + 0.5) * dx - 1)));
  const moved = (by: number, along: Float64Array): Float64Array =>
    u.map((value, i) => value + by * (along[i] as number));
  for (let step = 0; step < steps; step += 1) {
    const one = slope(u);
    const two = slope(moved(dt / 2, one));
    const three = slope(moved(dt / 2, two));
    const four = slope(moved(dt, three));
    u = u.map((value, i) => {
      const sum = (one[i] as number) + 2 * (two[i] as number) + 2 * (three[i] as number) + (four[i] as number);
      return value + (dt / 6) * sum;
    });
  }
  return u;
}

function burgers(): void {
  const fine = 1024;
  for (const viscosity of [0.01 / Math.PI, 0.1 / Math.PI]) {
    const reference = burgersReference(fine, 16384, viscosity);
    const table = new Table(`Burgers, viscosity ${viscosity.toFixed(5)}, at t = 1`, [
      'cells and steps',
      'row by row, seconds',
      'all at once: steps',
      'seconds',
      'difference of the two',
      'mean |error|',
      'order',
      'root mean square',
      'order',
    ]);
    let before = { absolute: NaN, square: NaN };
    for (const cells of [64, 128, 256, 512]) {
      using problem = odil.problems.burgers({ cells, timeCells: cells, viscosity });
      const marched = problem.solveSync();
      const together = gaussNewtonOf(problem.solveSync({ method: 'gauss-newton' }));
      const u = arrayOf(marched.fields, 'u');
      const last = u.subarray(-cells);
      const ratio = fine / cells;
      const means = last.map((_, i) => mean([...reference.subarray(i * ratio, (i + 1) * ratio)]));
      const absolute = mean([...last.map((value, i) => Math.abs(value - (means[i] as number)))]);
      const square = rootMeanSquare(last, means);
      table.add(
        cells,
        short(marched.seconds),
        together.iterations,
        short(together.seconds),
        short(rootMeanSquare(u, arrayOf(together.fields, 'u'))),
        short(absolute),
        short(Math.log2(before.absolute / absolute)),
        short(square),
        short(Math.log2(before.square / square)),
      );
      before = { absolute, square };
    }
  }
}

function inferConstant(): void {
  using problem = odil.problems.inferConstant();
  const rows: [string, odil.SolveSyncOptions][] = [
    ['as it comes', {}],
    ['gauss-newton', { method: 'gauss-newton' }],
  ];
  const table = new Table('Three constants: the loss of the minimum is 4.91614757e-6', [
    'way',
    'method',
    'status',
    'seconds',
    'loss after each step',
    'constants',
  ]);
  for (const [way, options] of rows) {
    const solution = problem.solveSync(options);
    const losses = solution.history.map(({ loss }) => loss.toExponential(8));
    const constants = arrayOf(solution.parameters, 'constants');
    const numbers = [...constants].map((value) => value.toFixed(8)).join(', ');
    table.add(way, solution.method, solution.status, short(solution.seconds), losses.join(', '), numbers);
  }
}

function heat(): void {
  const ways: [string, boolean, odil.GaussNewtonOptions][] = [
    ['exact, undamped', false, { damping: 'none', maxIterations: 12 }],
    ['exact, steps shortened', false, {}],
    ['frozen as published', true, { damping: 'none', maxIterations: 20 }],
  ];
  const table = new Table('Heat, 256 x 256: root of the mean square of the residuals', [
    'derivative',
    'solver',
    'seconds',
    'at the start and after each step',
  ]);
  for (const [way, frozen, options] of ways) {
    using problem = odil.problems.heat({ timeCells: 256, cells: 256, frozen });
    const { loss } = problem.evaluate(problem.initialState());
    const solution = gaussNewtonOf(problem.solveSync({ method: 'gauss-newton', ...options }));
    const norms = [loss, ...solution.history.map((step) => step.loss)].map((value) => short(Math.sqrt(value)));
    table.add(way, solution.linearSolver, short(solution.seconds), norms.join(', '));
  }
  using problem = odil.problems.heat({ timeCells: 256, cells: 256 });
  const { blocks, seconds, iterations } = problem.solveSync();
  const norm = blocks['heat']?.norm ?? NaN;
  table.add(`exact, row by row (${iterations} Newton steps of rows)`, 'marching', short(seconds), short(norm));
}

study(() => {
  const parts = { poisson, burgers, inferConstant, heat };
  for (const [name, part] of Object.entries(parts)) {
    if (process.argv[2] === undefined || process.argv[2] === name) part();
  }
});
