// How many iterations conjugate gradients need when the equation itself is the preconditioner: the specification promises
// about 19 for measurements of a cooling rod, whatever the grid.
import { odil } from '../../lib';
import { uniforms } from '../../lib/runtime/random';
import { arrayOf, controlSpaceOf, gaussNewtonOf, short, study, Table } from './study';

/** Measurements in the middle third of time of a rod that conducts 1.5 times better than the model believes. */
function assimilation(cells: number, points: number): { problem: odil.Problem; start: odil.State<Float64Array> } {
  using truth = odil.problems.heat({ timeCells: cells, cells, conductivityScale: 1.5 });
  const values = arrayOf(truth.solveSync().fields, 'u');
  const uniform = uniforms(1);
  const mask = new Float64Array(cells * cells);
  const [first, rows] = [Math.floor(cells / 3), Math.floor(cells / 3)];
  for (let left = points; left > 0;) {
    const at = (first + Math.floor(uniform() * rows)) * cells + Math.floor(uniform() * cells);
    if (mask[at] === 1) continue;
    mask[at] = 1;
    left -= 1;
  }
  using forward = odil.problems.heat({ timeCells: cells, cells });
  const start = { fields: { u: arrayOf(forward.solveSync().fields, 'u') } };
  return { problem: odil.problems.heat({ timeCells: cells, cells, data: { mask, values } }), start };
}

study(() => {
  const sizes = (process.argv[2] ?? '64,128,256,512').split(',').map(Number);
  const heads = ['cells', 'points', 'way', 'steps', 'iterations of each step', 'seconds', 'loss at the start', 'loss'];
  const table = new Table('Heat with measurements', heads);
  for (const cells of sizes) {
    for (const points of [200, 1300]) {
      const { problem, start } = assimilation(cells, points);
      using _ = problem;
      const { loss: before } = problem.evaluate(start);
      for (const linearTolerance of [1e-10, 0.1]) {
        const found = controlSpaceOf(
          problem.solveSync({ method: 'control-space', linearTolerance, lossTolerance: 1e-8, initial: start }),
        );
        table.add(
          cells,
          points,
          `control-space, to ${linearTolerance}`,
          found.iterations,
          found.history.map((step) => step.linearIterations).join(', '),
          short(found.seconds),
          short(before),
          short(found.loss),
        );
      }
      const ways: [string, odil.GaussNewtonOptions][] = [
        ['one undamped step', { damping: 'none', maxIterations: 1 }],
        ['gauss-newton', { lossTolerance: 1e-8 }],
      ];
      for (const [way, options] of ways) {
        if (cells > 256 && way === 'gauss-newton') continue; // a minute or more
        const whole = {
          method: 'gauss-newton',
          linearSolver: 'conjugate-gradient',
          initial: start,
          ...options,
        } as const;
        const found = gaussNewtonOf(problem.solveSync(whole));
        table.add(
          cells,
          points,
          `${way}, conjugate-gradient, to 1e-11`,
          found.iterations,
          `${found.linearIterations} in ${found.factorizations} solutions`,
          short(found.seconds),
          short(before),
          short(found.loss),
        );
      }
    }
  }
});
