// The pieces of the glioma model against the published code.
import { odil } from '../../lib';
import { difference, relative, type Tensor } from '../support/odil';
import { vectors } from '../support/vectors';

const { glioma } = odil;
const volume = ({ shape, data }: Tensor) => ({
  shape: shape as [number, number, number],
  values: Float64Array.from(data),
});

interface Pieces {
  inputs: Record<'WM' | 'GM' | 'A' | 'seg2', Tensor> &
    Record<'Dw' | 'ratio' | 'rho' | 'dt' | 'dx' | 'dy' | 'dz' | 'th_up' | 'th_down', number>;
  outputs: Record<string, Tensor> & { dice_edema: number; dice_core: number };
}

test('gliodil_pieces', () => {
  const { inputs, outputs } = vectors<Pieces>('odil/gliodil_pieces.json');
  const faces = glioma.tissueFaces({ white: volume(inputs.WM), grey: volume(inputs.GM) }, 'official');
  const coefficients = glioma.diffusionCoefficients(faces, inputs.Dw, inputs.ratio);
  ['x', 'y', 'z'].forEach((axis, k) => {
    const { upper, lower } = coefficients;
    expect(difference(upper[k] as Float64Array, outputs[`D_minus_${axis}`]?.data as number[])).toBeLessThan(1e-11);
    expect(difference(lower[k] as Float64Array, outputs[`D_plus_${axis}`]?.data as number[])).toBeLessThan(1e-11);
  });
  const { A, rho, dt, dx, dy, dz } = inputs;
  const start = Float64Array.from(A.data);
  const step = glioma.grow(coefficients, start, { growth: rho, timeStep: dt, steps: 1, spacing: [dx, dy, dz] });
  expect(difference(step, outputs['FK_step']?.data as number[])).toBeLessThan(1e-11);

  const thresholds = { core: inputs.th_up, oedema: inputs.th_down };
  const found = glioma.segment(start, thresholds);
  expect(difference(found, outputs['seg']?.data as number[])).toBe(0);
  expect(glioma.dice(found, inputs.seg2.data, 1)).toBeCloseTo(outputs.dice_edema, 12);
  expect(glioma.dice(found, inputs.seg2.data, 2)).toBeCloseTo(outputs.dice_core, 12);
  const ranges = Array.from(found, (label) => glioma.allowedRange(label, thresholds));
  expect(ranges.map(({ least }) => least)).toEqual(outputs['bottom']?.data);
  expect(ranges.map(({ most }) => most)).toEqual(outputs['ceiling']?.data);
  const line = Array.from({ length: 25 }, (_, i) => glioma.seedConcentration((i - 12) ** 2));
  expect(difference(line, outputs['gauss_line']?.data as number[])).toBeLessThan(1e-11);
});

interface Synthetic {
  inputs: {
    N: number;
    Dw: number;
    rho: number;
    ratio: number;
    center: [number, number, number];
    dt: number;
    steps: number;
  };
  outputs: Record<string, Tensor>;
}

test('gliodil_synthetic', () => {
  const { inputs, outputs } = vectors<Synthetic>('odil/gliodil_synthetic.json');
  const { N, Dw, rho, ratio, center, dt, steps } = inputs;
  const expected = (name: string): number[] => outputs[name]?.data as number[];
  const tissue = glioma.syntheticBrain(N);
  expect(difference(tissue.white.values, expected('WM'))).toBeLessThan(1e-8);
  expect(difference(tissue.grey.values, expected('GM'))).toBeLessThan(1e-8);
  const start = glioma.seed([N, N, N], center);
  expect(difference(start.values, expected('A0'))).toBeLessThan(1e-8);
  const faces = glioma.tissueFaces(tissue, 'official');
  const coefficients = glioma.diffusionCoefficients(faces, Dw, ratio);
  const values = glioma.grow(coefficients, start.values, { growth: rho, timeStep: dt, steps });
  expect(difference(values, expected('A'))).toBeLessThan(1e-8);
  const labels = glioma.bratsLabels({ shape: [N, N, N], values }, { necrotic: 0.8, core: 0.5, oedema: 0.25 });
  expect(difference(labels.values, expected('seg_0.8_0.5_0.25'))).toBe(0);
});

interface Residuals {
  inputs: {
    shape: [number, number, number, number];
    upper: [number, number, number, number];
    coeff_raw: Tensor;
    mg: [Tensor, Tensor];
    pet: Tensor | null;
  } & Record<'WM' | 'GM' | 'seg', Tensor>;
  outputs: {
    u: Tensor;
    terms: Record<string, number>;
    loss: number;
    grad_coeff: Tensor;
    grad_mg: [Tensor, Tensor];
    pde_residual_weighted: Tensor;
  };
}

const termOf = {
  bounds: 'param',
  equation: 'pde',
  start: 'ic_gauss',
  bottom: 'seg_bottom',
  ceiling: 'seg_ceiling',
  range: 'u_range',
  fluid: 'csf',
  pet: 'pet',
} as const;

test.each(['gliodil_residual_nopet', 'gliodil_residual_pet'])('%s', (name) => {
  const { inputs, outputs } = vectors<Residuals>(`odil/${name}.json`);
  const [timeCells, ...shape] = inputs.shape;
  const [days, ...extent] = inputs.upper;
  const data = (tensor: Tensor): Float64Array => Float64Array.from(tensor.data);
  using problem = odil.problems.glioma({
    scan: {
      shape,
      extent,
      white: data(inputs.WM),
      grey: data(inputs.GM),
      classes: data(inputs.seg),
      ...(inputs.pet === null ? {} : { pet: data(inputs.pet) }),
    },
    timeCells,
    days,
    compat: 'official',
  });
  const raw = data(inputs.coeff_raw);
  const names = Object.entries(problem.initialState().parameters as Record<string, Float64Array>);
  const parameters: Record<string, Float64Array> = {};
  let next = 0;
  for (const [parameter, { length }] of names) parameters[parameter] = raw.slice(next, (next += length));
  const state = { fields: { u: data(outputs.u) }, parameters };

  const { blocks, residuals, loss } = problem.evaluate(state);
  for (const block of problem.blockNames as (keyof typeof termOf)[]) {
    const expected = outputs.terms[termOf[block]] as number;
    expect(Math.abs((blocks[block]?.loss as number) - expected)).toBeLessThan(1e-10 * Math.max(1e-3, expected));
  }
  expect(problem.blockNames).toHaveLength(inputs.pet === null ? 7 : 8);
  expect(loss / outputs.loss).toBeCloseTo(1, 10);
  expect(difference(residuals['equation'] as Float64Array, outputs.pde_residual_weighted.data)).toBeLessThan(1e-9);

  const { gradient } = problem.gradient(state);
  expect(relative(gradient.fields['u'] as Float64Array, outputs.grad_mg[0].data)).toBeLessThan(1e-8);
  const slopes = Object.values(gradient.parameters as Record<string, Float64Array>).flatMap((one) => [...one]);
  expect(relative(slopes, outputs.grad_coeff.data)).toBeLessThan(1e-8);
  slopes.forEach((slope, k) => {
    const expected = outputs.grad_coeff.data[k] as number;
    expect(Math.abs(slope - expected)).toBeLessThan(1e-8 * Math.max(1, Math.abs(expected)));
  });
});
