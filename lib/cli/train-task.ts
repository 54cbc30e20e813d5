// What `discrete-descent train` trains: data, a network for them, and how it is searched.
import path from 'node:path';
import { formats, polystep } from '..';
import { packageRoot } from '../runtime/native';
import { UsageError } from './usage';

const { lifNetwork, mlp, obliqueTree } = polystep.models;

/** Names of the tasks. */
export const tasks = ['lif', 'mlp', 'tree'] as const;

/** Flags that say what is trained. */
export interface TaskFlags {
  data?: string;
  hidden?: number;
  activation: polystep.models.Activation;
  weights: polystep.models.WeightKind;
  depth: number;
  batch?: number;
  steps?: number;
  seed: number;
}

/** Samples with their classes. */
export interface Samples {
  inputs: Float32Array;
  labels: Int32Array;
}

/** A network, its data, and how it is searched. */
export interface Task {
  /** What it is, for headings. */
  name: string;
  network: polystep.models.Network;
  train: Samples;
  test: Samples;
  classes: number;
  steps: number;
  options: polystep.OptimizerOptions;
  /** Questions of a tree. */
  nodes?: number;
}

interface Table {
  train: Samples;
  test: Samples;
  features: number;
  classes: number;
}

/** Rows of features and a label: the first four fifths are for training. Features are divided by the largest of all. */
function tableOf(file: string, labelOf: (label: number) => number): Table {
  let table: formats.NpyArray;
  try {
    table = formats.readNpy(file);
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as Error).message}`);
  }
  const [rows = 0, columns = 0] = table.shape;
  if (table.shape.length !== 2 || columns < 2 || rows < 5) {
    throw new UsageError(`${file} must hold at least five rows of numbers, each with its label at the end`);
  }
  const features = columns - 1;
  const values = Float64Array.from(table.data, Number);
  const labels = Int32Array.from({ length: rows }, (_, r) => {
    const label = values[r * columns + features] as number;
    if (!Number.isInteger(label) || label < 0 || label > 999) {
      throw new UsageError(`${file}: the label of row ${r} must be a whole number from 0 to 999, got ${label}`);
    }
    return labelOf(label);
  });
  const inputs = Float64Array.from(
    { length: rows * features },
    (_, i) => values[Math.floor(i / features) * columns + (i % features)] as number,
  );
  const most = inputs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const part = (from: number, to: number): Samples => ({
    inputs: Float32Array.from(inputs.subarray(from * features, to * features), (value) => value / (most || 1)),
    labels: labels.slice(from, to),
  });
  const cut = Math.floor(0.8 * rows);
  const classes = Math.max(2, labels.reduce((largest, label) => Math.max(largest, label), 0) + 1);
  return { train: part(0, cut), test: part(cut, rows), features, classes };
}

/** Weights that are rounded to -1, 0 and 1 need steps that reach from one to the next. */
const scales: Record<polystep.models.WeightKind, number> = { real: 1, int8: 1, ternary: 4, binary: 1 };

/** The task of that name. */
export function taskOf(name: (typeof tasks)[number], flags: TaskFlags): Task {
  const { seed, batch = 128, steps = name === 'lif' ? 400 : 150, hidden = 32 } = flags;
  const file = flags.data ?? path.join(packageRoot, 'examples', 'data', 'digits.npy');
  const { features, classes, ...data } = tableOf(file, name === 'tree' ? (label) => label % 2 : (label) => label);
  const common = { data: data.train, batchSize: Math.min(batch, data.train.labels.length) };
  const layers = [features, hidden, classes];
  const rest = { ...data, classes, steps };
  if (name === 'lif') {
    const network = lifNetwork({ ...common, layers });
    const options = { ...network.searchOptions({ steps }), initial: network.initialParameters({ seed }) };
    return { ...rest, name: `Spiking network ${layers.join('-')}`, network, options };
  }
  if (name === 'mlp') {
    const { activation, weights } = flags;
    const network = mlp({ ...common, layers, activation, weights });
    const scale = scales[weights];
    const options = { ...network.searchOptions({ steps, scale }), initial: network.initialParameters({ seed, scale }) };
    return { ...rest, name: `Perceptron ${layers.join('-')}, ${activation}, ${weights} weights`, network, options };
  }
  const nodes = 2 ** flags.depth - 1;
  const network = obliqueTree({ data: data.train, inputs: features, depth: flags.depth, ...(flags.batch && common) });
  const options = { ...network.searchOptions({ steps }), initial: network.initialParameters({ seed }) };
  return { ...rest, name: `Oblique tree of depth ${flags.depth}, odd against even labels`, network, options, nodes };
}
