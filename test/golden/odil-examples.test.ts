// The official examples, written in the language of odil.problem, against the official code: residuals, loss, gradient
// and Jacobian.
import { odil } from '../../lib';
import {
  difference,
  example,
  expectExample,
  expectJacobian,
  numbers,
  relative,
  type Tensor,
  type Triplets,
} from '../support/odil';
import { vectors } from '../support/vectors';

test.each(['poisson1d', 'poisson2d_hat', 'poisson2d_osc', 'poisson2d_n2', 'poisson3d'])('%s', (name) => {
  const vector = example(name);
  const { options, inputs } = vector;
  using problem = odil.problems.poisson({
    cells: options['N'] as number,
    dimensions: options['ndim'] as number,
    reference: options['ref'] as 'osc' | 'hat',
    rightHandSide: options['rhs'] as 'exact' | 'discrete',
  });
  expectExample(problem, { fields: { u: numbers(inputs.state['u'] as Tensor[]) } }, vector);
});

test.each(['heat_forward_frozen', 'heat_forward_full'])('%s', (name) => {
  const vector = example(name);
  const { options, inputs } = vector;
  using problem = odil.problems.heat({
    timeCells: options['Nt'] as number,
    cells: options['Nx'] as number,
    frozen: options['keep_frozen'] === 1,
    initialCondition: options['keep_init'] === 1,
  });
  expectExample(problem, { fields: { u: numbers(inputs.state['u'] as Tensor[]) } }, vector);
});

test('heat_inverse_net', () => {
  const vector = example('heat_inverse_net');
  const { options, inputs } = vector;
  using problem = odil.problems.heat({
    timeCells: options['Nt'] as number,
    cells: options['Nx'] as number,
    frozen: options['keep_frozen'] === 1,
    initialCondition: options['keep_init'] === 1,
    inferConductivity: { largest: options['kmax'] as number, proximal: options['kwreg'] as number },
    data: {
      mask: inputs.data['imp_mask']?.data as number[],
      values: inputs.data['imp_u']?.data as number[],
      weight: options['kimp'] as number,
    },
    smoothness: { space: options['kxreg'] as number, time: options['ktreg'] as number },
  });
  const state = {
    fields: { u: numbers(inputs.state['u'] as Tensor[]) },
    networks: { conductivity: numbers(inputs.state['k_net'] as Tensor[]) },
  };
  expectExample(problem, state, vector);
});

const named = (name: string, vector: ReturnType<typeof example>): Float64Array =>
  numbers(vector.inputs.state[name] as Tensor[]);

test('wave', () => {
  const vector = example('wave');
  const { options } = vector;
  using problem = odil.problems.wave({
    timeCells: options['Nt'] as number,
    cells: options['Nx'] as number,
    initialWeight: options['kimp'] as number,
  });
  expectExample(problem, { fields: { u: named('u', vector) } }, vector);
  expect(
    difference(problem.reference['u'] as Float64Array, vector.inputs.data['ref_u']?.data as number[]),
  ).toBeLessThan(1e-13);
});

test('infer_constant', () => {
  const vector = example('infer_constant');
  const { options } = vector;
  const [timeCells, cells] = [options['Nt'], options['Nx']] as [number, number];
  using problem = odil.problems.inferConstant({
    timeCells,
    cells,
    constants: [options['c_diff'], options['c_src'], options['c_vel']] as number[],
  });
  const state = { fields: { u: named('u', vector) }, parameters: { constants: named('coeff', vector) } };
  const nodes = (timeCells + 1) * cells;
  expectExample(problem, state, vector, { columns: [[nodes, 3], [0, nodes]] }); // prettier-ignore
});

test('heat_tmax', () => {
  const vector = example('heat_tmax');
  const { options } = vector;
  using problem = odil.problems.heatTmax({
    timeCells: options['Nt'] as number,
    cells: options['Nx'] as number,
    dataWeight: options['kimp'] as number,
    endTime: options['tmax_ref'] as number,
    initialEndTime: options['tmax_init'] as number,
  });
  expectExample(
    problem,
    { fields: { u: named('u', vector) }, parameters: { endTime: named('coeff', vector) } },
    vector,
  );
});

test('velocity_from_tracer', () => {
  const vector = example('veltracer');
  const { options } = vector;
  const given = {
    timeCells: options['Nt'] as number,
    cells: { x: options['Nx'] as number, y: options['Ny'] as number },
    finalWeight: options['kimp'] as number,
    smoothness: { space: options['kxreg'] as number, time: options['ktreg'] as number },
  };
  const fields = { u: named('u', vector), vx: named('vx', vector), vy: named('vy', vector) };
  using official = odil.problems.velocityFromTracer({ ...given, compat: 'official' });
  expectExample(official, { fields }, vector);

  // The corrected problem holds the last row where the official one holds the row before.
  using corrected = odil.problems.velocityFromTracer(given);
  const row = given.cells.x * given.cells.y;
  const final = corrected.evaluate({ fields }).residuals['final'] as Float64Array;
  const before = official.evaluate({ fields }).residuals['final'] as Float64Array;
  expect(final.subarray(0, -row).every((value) => value === 0)).toBe(true);
  for (let i = 0; i < row; i += 1) {
    const [last, last2] = [final.length - row + i, final.length - 2 * row + i];
    const rise = (fields.u[last] as number) - (fields.u[last2] as number);
    expect((final[last] as number) - (before[last2] as number)).toBeCloseTo(
      given.finalWeight * given.cells.x * rise,
      11,
    );
  }
});

interface CavityVector {
  inputs: { n: number; Re: number; u: Tensor; v: Tensor; p: Tensor };
  outputs: { residuals_fu_fv_fp: Tensor; jacobian: Triplets };
}

test('cavity', () => {
  const { inputs, outputs } = vectors<CavityVector>('odil/cavity.json');
  using problem = odil.problems.cavity({ cells: inputs.n, reynolds: inputs.Re });
  const fields = {
    u: Float64Array.from(inputs.u.data),
    v: Float64Array.from(inputs.v.data),
    p: Float64Array.from(inputs.p.data),
  };
  const { residuals } = problem.evaluate({ fields });
  const found = problem.blockNames.flatMap((name) => [...(residuals[name] as Float64Array)]);
  expect(difference(found, outputs.residuals_fu_fv_fp.data)).toBeLessThan(1e-11);
  expectJacobian(problem, { fields }, outputs.jacobian);
});

// Vectors of multigrid states also hold the fine field; level 1 of the gradient is the gradient with respect to it.
const finest = (vector: ReturnType<typeof example>, levels: readonly number[]): ReturnType<typeof example> => ({
  ...vector,
  outputs: { ...vector.outputs, gradient_of_loss: levels.map((k) => vector.outputs.gradient_of_loss[k] as Tensor) },
});
const fine = (name: string, vector: ReturnType<typeof example>): Float64Array =>
  Float64Array.from(vector.outputs.fine_field?.[name]?.data as number[]);

test('poisson2d_mg_mgloss', () => {
  const vector = example('poisson2d_mg_mgloss');
  const { outputs, options } = vector;
  using problem = odil.problems.poisson({ cells: options['N'] as number, multigridLoss: options['mgloss'] as number });
  const state = { fields: { u: fine('u', vector) } };
  const found = problem.evaluate(state);
  expect(found.loss / outputs.loss).toBeCloseTo(1, 12);
  expect(problem.blockNames).toEqual(['poisson', 'coarse1', 'coarse2']);
  Object.values(found.blocks).forEach(({ loss }, k) => expect(loss / (outputs.terms[k] as number)).toBeCloseTo(1, 12));
  // The averages lie at the first fine cell of each coarse one.
  const coarse = (found.residuals['coarse2'] as Float64Array).filter((_, i) => i % 4 === 0 && i % 32 < 8);
  expect(
    difference(
      coarse.map((value) => value / 4),
      outputs.residuals[2]?.data as number[],
    ),
  ).toBeLessThan(1e-11);
  const { gradient } = problem.gradient(state);
  const expected = outputs.gradient_of_loss[0]?.data as number[];
  expect(relative(gradient.fields['u'] as Float64Array, expected)).toBeLessThan(1e-9);
});

test('wave_mg', () => {
  const vector = example('wave_mg');
  const { options } = vector;
  using problem = odil.problems.wave({
    timeCells: options['Nt'] as number,
    cells: options['Nx'] as number,
    initialWeight: options['kimp'] as number,
  });
  expectExample(problem, { fields: { u: fine('u', vector) } }, finest(vector, [0]));
});

test('infer_constant_mg', () => {
  const vector = example('infer_constant_mg');
  const { options } = vector;
  const [timeCells, cells] = [options['Nt'], options['Nx']] as [number, number];
  using problem = odil.problems.inferConstant({
    timeCells,
    cells,
    constants: [options['c_diff'], options['c_src'], options['c_vel']] as number[],
  });
  const state = { fields: { u: fine('u', vector) }, parameters: { constants: named('coeff', vector) } };
  const nodes = (timeCells + 1) * cells;
  const columns = [
    [nodes, 3],
    [0, nodes],
  ] as const;
  expectExample(problem, state, finest(vector, [0, 1]), { columns });
});

test('veltracer_mg', () => {
  const vector = example('veltracer_mg');
  const { options } = vector;
  using problem = odil.problems.velocityFromTracer({
    timeCells: options['Nt'] as number,
    cells: { x: options['Nx'] as number, y: options['Ny'] as number },
    compat: 'official',
  });
  const fields = { u: fine('u', vector), vx: fine('vx', vector), vy: fine('vy', vector) };
  expectExample(problem, { fields }, finest(vector, [0, 2, 4]));
});
