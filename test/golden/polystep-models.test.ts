// Hard models against outputs of the official implementation.
import { polystep } from '../../lib';
import { vectors } from '../support/vectors';

const { models } = polystep;

interface Recorded {
  params: Record<string, { shape: number[]; data: number[] }>;
  x: number[][];
  y: number[];
  logits: number[][];
  spike_counts: number[][];
  mean_ce: number;
  slots: number[];
}
interface Binary {
  flat: number[][];
  X: number[][];
  y: number[];
  error: number[];
  one_minus_f1: number[];
}
const file = vectors<{ models: Record<string, unknown> }>('polystep/models.json').models;
const recorded = (name: string): Recorded => file[name] as Recorded;
const labels = recorded('snn_lif').y;

const close = (actual: ArrayLike<number>, expected: readonly number[]): void => {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => expect(Math.abs((actual[i] as number) - value)).toBeLessThanOrEqual(1e-10));
};

/** All parameters in the order of the vectors, which must be that of the network. */
function point(network: polystep.models.Network, { params }: Recorded): number[] {
  const shapes = Object.values(params).map(({ shape }) => shape);
  expect(network.tensors.map(({ shape }) => shape)).toEqual(shapes);
  return Object.values(params).flatMap(({ data }) => data);
}

test('a spiking network: counts and mean cross-entropy', () => {
  const one = recorded('snn_lif');
  using network = models.lifNetwork({ layers: [5, 7, 3], data: { inputs: one.x.flat(), labels } });
  const parameters = point(network, one);
  expect([...network.predictions(parameters)]).toEqual(one.spike_counts.flat());
  close(network.evaluate(parameters), [one.mean_ce]);
  // In float32 the same spikes, unless a potential is within rounding of the threshold.
  expect([...network.predictions(Float32Array.from(parameters))]).toEqual(one.spike_counts.flat());
});

test('a neuron fires at the threshold', () => {
  const edge = file['lif_threshold_edge'] as { I: number[]; spike: number[] };
  const data = { inputs: edge.I, labels: edge.I.map(() => 0) };
  using network = models.lifNetwork({ layers: [1, 1, 1], ticks: 1, data });
  expect([...network.spikes([1, 0, 1, 0])]).toEqual(edge.spike);
});

test.each([
  ['int8_mlp', { layers: [5, 6, 6, 3], weights: ['real', 'int8', 'real'] }],
  ['binary_mlp', { layers: [5, 6, 3], weights: 'binary' }],
  ['ternary_mlp', { layers: [5, 6, 3], weights: 'ternary' }],
  ['staircase_mlp', { layers: [5, 6, 6, 3], activation: 'staircase' }],
] as const)('%s: logits', (name, shape) => {
  const one = recorded(name);
  using network = models.mlp({ ...shape, data: { inputs: one.x.flat(), labels } });
  const parameters = point(network, one);
  close(network.predictions(parameters), one.logits.flat());
  if (name === 'int8_mlp') close(network.evaluate(parameters), [one.mean_ce]);
});

test('attention by the largest score: logits', () => {
  const one = recorded('argmax_attention');
  const data = { inputs: one.x.flat(), labels };
  using network = models.argmaxAttention({ inputs: 5, hidden: 6, slots: 4, outputs: 3, data });
  close(network.predictions(point(network, one)), one.logits.flat());
});

test('a mixture of experts: logits', () => {
  const one = recorded('hard_moe');
  const data = { inputs: one.x.flat(), labels };
  using network = models.mixtureOfExperts({ inputs: 5, hidden: 6, experts: 3, outputs: 3, data });
  close(network.predictions(point(network, one)), one.logits.flat());
});

test.each([
  ['tree_depth2_d2', 2, 2],
  ['tree_depth4_d2', 4, 2],
  ['tree_depth3_d5', 3, 5],
])('%s: errors', (name, depth, inputs) => {
  const one = file[name] as Binary;
  using tree = models.obliqueTree({ depth, inputs, data: { inputs: one.X.flat(), labels: one.y } });
  expect(tree.dimension).toBe((one.flat[0] as number[]).length);
  const errors = tree.evaluate(one.flat.flat());
  one.error.forEach((error, i) => expect(errors[i]).toBeCloseTo(error, 7)); // recorded in float32
});

test('sign nets: errors and 1 - F1', () => {
  const shape = { layers: [2, 4, 1], activation: 'sign' } as const;
  const wrong = file['signnet_01'] as Binary;
  using zeroOne = models.mlp({ ...shape, loss: 'zeroOne', data: { inputs: wrong.X.flat(), labels: wrong.y } });
  zeroOne.evaluate(wrong.flat.flat()).forEach((error, i) => expect(error).toBeCloseTo(wrong.error[i] as number, 7));
  const score = file['signnet_f1'] as Binary;
  using f1 = models.mlp({ ...shape, loss: 'f1', data: { inputs: score.X.flat(), labels: score.y } });
  close(f1.evaluate(score.flat.flat()), score.one_minus_f1);
});

test('the pole: single steps and a run', () => {
  const steps = file['cartpole_step'] as { states: number[][]; actions: number[]; next: number[][]; done: boolean[] };
  steps.states.forEach((state, i) => {
    const { state: next, done } = models.cartPoleStep(state, steps.actions[i] as number);
    close(next, steps.next[i] as number[]);
    expect(done).toBe(steps.done[i]);
  });
  const run = file['cartpole_rollout'] as { start: number[]; states: number[][] };
  let state = Float64Array.from(run.start);
  for (const expected of run.states) {
    const action = (state[2] as number) + 0.3 * (state[3] as number) > 0 ? 1 : 0;
    state = Float64Array.from(models.cartPoleStep(state, action).state);
    close(state, expected);
  }
});

interface Delta {
  delta_identity: { W: number[][]; U: number[][]; coef: number[][]; x: number[][]; out: number[][][] };
}

test('delta_identity: a layer of steps along directions is the layer of the weights they make', () => {
  const { W, U, coef, x, out } = vectors<Delta>('polystep/subspaces.json').delta_identity;
  const [outputs, inputs] = [W.length, x[0]?.length as number];
  // Direction j is a column of the basis: parameters x coordinates, row by row.
  const basis = W.flat().flatMap((_, i) => U.map((direction) => direction[i] as number));
  const subspace = polystep.createSubspace({ shapes: [[outputs, inputs]], rank: 1, bases: [basis], maxSubspaceDim: 3 });
  using layer = models.mlp({
    layers: [inputs, outputs],
    data: { inputs: Float64Array.from(x.flat()), labels: x.map(() => 0) },
  });
  coef.forEach((c, n) => {
    const weights = subspace.expand(W.flat(), c);
    const found = layer.predictions([...weights, ...W.map(() => 0)]);
    (out[n] as number[][]).flat().forEach((value, i) => expect(found[i]).toBeCloseTo(value, 9));
  });
});
