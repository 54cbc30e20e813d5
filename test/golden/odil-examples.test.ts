// The official examples, written in the language of odil.problem, against the official code: residuals, loss, gradient
// and Jacobian.
import { odil } from '../../lib';
import { example, expectExample, numbers, type Tensor } from '../support/odil';

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
