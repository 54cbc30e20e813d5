// Where an oblique tree decides what: a plane through the data, coloured by class, with the borders of its leaves.
import type { polystep } from '..';
import { heatMap } from '../report/heat-map';
import type { Samples } from './train-task';

const side = 120;

interface Axis {
  feature: number;
  low: number;
  high: number;
}

/** Leaf that the questions lead to, from 0 on the left. */
function leafOf(parameters: ArrayLike<number>, nodes: number, features: number, point: ArrayLike<number>): number {
  let node = 0;
  while (node < nodes) {
    let sum = parameters[nodes * features + node] as number;
    for (let f = 0; f < features; f += 1) {
      sum += (parameters[node * features + f] as number) * (point[f] as number);
    }
    node = 2 * node + (sum > 0 ? 2 : 1);
  }
  return node - nodes;
}

/** The two features that move the questions most: the sizes of their weights times their deviations. */
function axesOf(parameters: ArrayLike<number>, nodes: number, inputs: Float32Array, means: Float64Array): Axis[] {
  const features = means.length;
  const rows = inputs.length / features;
  const all = Array.from(means, (mean, feature) => {
    let [squares, low, high, weight] = [0, Infinity, -Infinity, 0];
    for (let row = 0; row < rows; row += 1) {
      const value = inputs[row * features + feature] as number;
      squares += (value - mean) ** 2;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    for (let node = 0; node < nodes; node += 1) weight += Math.abs(parameters[node * features + feature] as number);
    return { feature, low, high, reach: weight * Math.sqrt(squares / rows) };
  });
  return all.sort((a, b) => b.reach - a.reach).slice(0, 2);
}

/**
 * Classes over the two features that matter most, the others at their means; borders of the leaves as lines. Undefined
 * with fewer than two features.
 */
export function treePicture(
  parameters: polystep.Reals,
  { nodes, features }: { nodes: number; features: number },
  { inputs }: Samples,
): string | undefined {
  const rows = inputs.length / features;
  const means = new Float64Array(features);
  for (let i = 0; i < inputs.length; i += 1) {
    means[i % features] = (means[i % features] as number) + (inputs[i] as number) / rows;
  }
  const [across, up] = axesOf(parameters, nodes, inputs, means);
  if (across === undefined || up === undefined) return undefined;
  const at = ({ low, high }: Axis, step: number): number => low + ((high - low) * (step + 0.5)) / side;
  const point = means.slice();
  const leaves = new Float64Array(side * side);
  for (let i = 0; i < leaves.length; i += 1) {
    point[across.feature] = at(across, i % side);
    point[up.feature] = at(up, Math.floor(i / side));
    leaves[i] = leafOf(parameters, nodes, features, point);
  }
  const firstLeaf = nodes * (features + 1);
  const classes = leaves.map((leaf) => ((parameters[firstLeaf + leaf] as number) > 0 ? 1 : 0));
  const range = ({ low, high }: Axis): [number, number] => (low < high ? [low, high] : [low - 0.5, low + 0.5]);
  const rest = features > 2 ? ', the other features at their means' : '';
  return heatMap({
    title: `What the tree says${rest}`,
    description: `Class of each point of a plane of two features${rest}; lines where leaves meet`,
    values: classes,
    rows: side,
    columns: side,
    range: [0, 1],
    xRange: range(across),
    yRange: range(up),
    xLabel: `feature ${across.feature}`,
    yLabel: `feature ${up.feature}`,
    valueLabel: 'class',
    contours: [{ levels: Array.from({ length: nodes }, (_, k) => k + 0.5), of: leaves, color: '#ea580c' }],
  });
}
