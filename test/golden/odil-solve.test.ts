// Newton steps and traces of the official code, and the published figures of odil.md, sections 9.2 and 9.4.
import { odil } from '../../lib';
import { example, numbers, relative, type Tensor } from '../support/odil';

test.each(['poisson1d', 'poisson2d_hat', 'poisson2d_osc', 'poisson2d_n2', 'poisson3d'])(
  '%s: the Newton step',
  (name) => {
    const { options, inputs, outputs } = example(name);
    using problem = odil.problems.poisson({
      cells: options['N'] as number,
      dimensions: options['ndim'] as number,
      reference: options['ref'] as 'osc' | 'hat',
      rightHandSide: options['rhs'] as 'exact' | 'discrete',
    });
    const u = numbers(inputs.state['u'] as Tensor[]);
    const { fields } = problem.solveSync({
      initial: { fields: { u } },
      damping: 'none',
      normalization: 'sum',
      maxIterations: 1,
      damp: outputs.newton_step?.damp as number,
    });
    const step = (fields['u'] as Float64Array).map((value, i) => value - (u[i] as number));
    expect(relative(step, outputs.newton_step?.delta.data as number[])).toBeLessThan(1e-6);
  },
);

test('Poisson with an exact right-hand side is second order: the errors of section 9.2', async () => {
  for (const [cells, expected] of [
    [64, 2.72e-3],
    [256, 1.71e-4],
  ] as const) {
    using problem = odil.problems.poisson({ cells, reference: 'osc', rightHandSide: 'exact' });
    const solution = await problem.solve();
    const { u } = problem.reference as { u: Float64Array };
    const error = Math.sqrt(
      u.reduce((total, value, i) => total + (value - ((solution.fields['u'] as Float64Array)[i] as number)) ** 2, 0) /
        u.length,
    );
    expect(Math.abs(error / expected - 1)).toBeLessThan(0.01);
    expect(solution.loss).toBeLessThan(1e-9); // from 1e4: the gradient has fallen by 1e10
  }
});

test('infer_constant reaches the published minimum in a few steps', async () => {
  using problem = odil.problems.inferConstant({ timeCells: 64, cells: 64 });
  const solution = await problem.solve({ method: 'gauss-newton' });
  expect(solution.loss / 4.91614757e-6).toBeCloseTo(1, 6);
  expect(solution.iterations).toBeLessThan(20);
});

test('heat_tmax: the end time, by Gauss-Newton and by L-BFGS with multigrid', async () => {
  using problem = odil.problems.heatTmax({ timeCells: 8, cells: 8 });
  for (const options of [{ method: 'gauss-newton' }, { method: 'lbfgs', multigrid: true }] as const) {
    const solution = await problem.solve(options);
    expect(solution.loss).toBeLessThan(1e-15);
    expect(solution.parameters?.['endTime']?.[0]).toBeCloseTo(4.441774261527766, 6); // the official run's
  }
});

test('heat with exact derivatives converges quadratically', async () => {
  using problem = odil.problems.heat({ timeCells: 12, cells: 12 });
  const { history, loss } = await problem.solve({ method: 'gauss-newton', initialLambda: 0 });
  expect(loss).toBeLessThan(1e-18);
  expect(history.length).toBeLessThan(10);
});

test('an aborted solve rejects with the reason of the signal', async () => {
  using problem = odil.problems.heat({ timeCells: 32, cells: 32 });
  const reason = new Error('enough');
  await expect(problem.solve({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
