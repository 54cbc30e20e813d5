// Networks as objectives: what all kinds share. Parameters are a point, the loss is taken over the step's minibatch.
import { callNative, homes } from '../../runtime/errors';
import { uniforms } from '../../runtime/random';
import {
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../../runtime/validate';
import type { OptimizerOptions } from '../options';
import type { GraphBuilder, ParameterTensor } from './graph';
import {
  type NativeGraph,
  type NativeNode,
  type NativeObjectiveHandle,
  nativeObjectives,
  type Scalars,
} from './native';
import { NativeObjective, type Points, scalars } from './native-objective';

/** Samples with the classes they belong to. */
export interface LabelledData {
  /** samples x inputs numbers, row after row. */
  inputs: Points;
  /** Class of each sample, from 0. */
  labels: Int32Array | readonly number[];
}

/** Samples with numbers to be predicted. */
export interface TargetData {
  /** samples x inputs numbers, row after row. */
  inputs: Points;
  /** samples x outputs numbers, row after row. */
  targets: Float64Array | readonly number[];
}

/** Options of every network. */
export interface NetworkOptions {
  /** What the network is trained on; the inputs are copied. */
  data: LabelledData | TargetData;
  /**
   * `'crossEntropy'` (default with labels), the mean; `'zeroOne'`, the share of wrong predictions; `'f1'`, one minus the
   * F1 score of class 1; `'meanSquare'` (default with targets), the mean over samples and outputs.
   */
  loss?: 'crossEntropy' | 'zeroOne' | 'f1' | 'meanSquare';
  /**
   * Samples a step looks at; default all. Every epoch shuffles the samples and cuts them into whole batches; which ones
   * a step gets is a function of the seed and the step, the same for all its candidates.
   */
  batchSize?: number;
}

/** How long a search is and how far it reaches: see {@link Network.searchOptions}. */
export interface NetworkSearch {
  /** Steps; default 150. */
  steps?: number;
  /** Of radii, as that of {@link InitialOptions}; default 1. Ternary weights want 4, to reach from one to the next. */
  scale?: number;
}

/** How first parameters are drawn. */
export interface InitialOptions {
  /** Seed; default 0. */
  seed?: number;
  /** Factor of the range; default 1. */
  scale?: number;
  /** Value of the output layer's bias instead of random ones; default depends on the network. */
  outputBias?: number;
}

const lossNames = ['crossEntropy', 'zeroOne', 'f1', 'meanSquare'] as const;
const anything: Schema<unknown> = (value) => value;

/** Members of a network's options that all kinds have. @internal */
export const networkMembers = {
  data: anything,
  loss: optional(oneOf(lossNames)),
  batchSize: optional(integer({ min: 1, max: 2 ** 31 - 1 })),
};

interface CheckedNetwork {
  data: unknown;
  loss: (typeof lossNames)[number] | undefined;
  batchSize: number | undefined;
}

/** What a network was made from, checked. @internal */
export interface NetworkParts {
  handle: NativeObjectiveHandle;
  graph: NativeGraph;
  tensors: readonly ParameterTensor[];
  stepsPerEpoch: number;
  inputs: Scalars;
  labels: Int32Array | undefined;
}

function labelsSchema(samples: number, outputs: number): Schema<Int32Array> {
  const classes = Math.max(2, outputs);
  return (value, argument) => {
    const labels = typedArray(['Int32Array'], { length: samples, per: 'one per sample' })(value, argument);
    const bad = labels.findIndex((label) => label < 0 || label >= classes);
    if (bad >= 0) fail('ERR_OUT_OF_RANGE', `${argument}[${bad}]`, `a class from 0 to ${classes - 1}`, labels[bad]);
    return labels;
  };
}

function inputsSchema(features: number): Schema<Scalars> {
  return (value, argument) => {
    const inputs = scalars()(value, argument);
    if (inputs.length === 0 || inputs.length % features !== 0) {
      fail('ERR_SHAPE_MISMATCH', argument, `at least one row of ${features} numbers`, value);
    }
    return inputs;
  };
}

/** Checks data and options, and makes the native network. @internal */
export function makeNetwork(builder: GraphBuilder, graph: NativeGraph, options: CheckedNetwork): NetworkParts {
  const features = (graph.nodes[0] as NativeNode).units;
  const outputs = (graph.nodes.at(-1) as NativeNode).units;
  const given = parse(options.data, 'options.data', object({ inputs: anything, labels: anything, targets: anything }));
  const inputs = inputsSchema(features)(given.inputs, 'options.data.inputs').slice();
  const samples = inputs.length / features;
  if ((given.labels === undefined) === (given.targets === undefined)) {
    fail('ERR_INVALID_ARG_VALUE', 'options.data', 'an object with either `labels` or `targets`', options.data);
  }
  const loss = options.loss ?? (given.labels === undefined ? 'meanSquare' : 'crossEntropy');
  if ((loss === 'meanSquare') !== (given.labels === undefined)) {
    const expected = given.labels === undefined ? `'meanSquare', since there are targets` : `one for labels`;
    fail('ERR_INVALID_ARG_VALUE', 'options.loss', expected, loss);
  }
  const labels = optional(labelsSchema(samples, outputs))(given.labels, 'options.data.labels')?.slice();
  const targets = optional(typedArray(['Float64Array'], { length: samples * outputs, per: 'outputs of each sample' }))(
    given.targets,
    'options.data.targets',
  );
  const handle = callNative(
    () =>
      nativeObjectives.createNetwork({
        graph,
        inputs,
        labels,
        targets,
        loss: lossNames.indexOf(loss),
        batchSize: options.batchSize ?? samples,
      }),
    homes({ options: ['data', 'loss', 'batchSize'] }),
  );
  const stepsPerEpoch = Math.max(1, Math.floor(samples / (options.batchSize ?? samples)));
  return { handle, graph, tensors: builder.tensors, inputs, labels, stepsPerEpoch };
}

/** A network with its data as an objective: a point is the vector of all its parameters. */
export class Network extends NativeObjective {
  /** Names, shapes and places of the parameters. */
  readonly tensors: readonly ParameterTensor[];
  /** Steps in which all samples are looked at once; what is left after whole batches waits for another epoch. */
  readonly stepsPerEpoch: number;
  /** Numbers of a sample. */
  readonly inputs: number;
  /** Numbers that come out: one per class, or one for two classes. */
  readonly outputs: number;
  /** @internal */
  protected readonly nodes: readonly NativeNode[];
  readonly #inputs: Scalars;
  readonly #labels: Int32Array | undefined;
  readonly #outputBias: number | undefined;

  /** @internal */
  constructor({ handle, graph, tensors, inputs, labels, stepsPerEpoch }: NetworkParts, outputBias?: number) {
    super(handle, graph.parameters);
    this.tensors = tensors;
    this.nodes = graph.nodes;
    this.inputs = (graph.nodes[0] as NativeNode).units;
    this.outputs = (graph.nodes.at(-1) as NativeNode).units;
    this.stepsPerEpoch = stepsPerEpoch;
    this.#inputs = inputs;
    this.#labels = labels;
    this.#outputBias = outputBias;
  }

  /**
   * First parameters: uniform in +-scale / sqrt(numbers that a unit adds up), biases too.
   *
   * @param options  see {@link InitialOptions}
   * @returns        dimension numbers
   */
  initialParameters(options: InitialOptions = {}): Float32Array {
    const { seed, scale, outputBias } = parse(
      options,
      'options',
      object({
        seed: withDefault(integer({ min: 0 }), 0),
        scale: withDefault(number({ above: 0 }), 1),
        outputBias: optional(number()),
      }),
    );
    const uniform = uniforms(seed);
    const parameters = new Float32Array(this.dimension);
    for (const { offset, shape, fanIn } of this.tensors) {
      const size = shape.reduce((product, extent) => product * extent, 1);
      const range = scale / Math.sqrt(fanIn);
      for (let i = 0; i < size; i += 1) parameters[offset + i] = range * (2 * uniform() - 1);
    }
    const constant = outputBias ?? this.#outputBias;
    const bias = this.nodes.at(-1)?.bias;
    if (constant !== undefined && bias !== undefined) parameters.fill(constant, bias, bias + this.outputs);
    return parameters;
  }

  /**
   * Options of `minimize` and `createOptimizer` that suit networks: simplices around blocks of eight parameters of the full
   * space, costs standardised row by row, radii (0.1, probes at 0.6) that shrink to a fifth while the temperature
   * halves. The default preset takes them by itself for the steps of the run, unless radii or the temperature are given; give
   * `maxSteps: steps` beside them where you change some.
   *
   * @param options  see {@link NetworkSearch}
   * @throws ERR_OUT_OF_RANGE  `steps` below 1, `scale` not above 0
   * Source: arXiv 2605.01928, Section 5, with larger probes on simplices, chosen among eight settings (the published
   * orthoplex at half these radii is among them) on digits of other seeds than docs/benchmarks/polystep.md judges by.
   */
  searchOptions(options: NetworkSearch = {}): OptimizerOptions {
    const { steps, scale } = parse(
      options,
      'options',
      object({ steps: withDefault(integer({ min: 1 }), 150), scale: withDefault(number({ above: 0 }), 1) }),
    );
    const falling = (initial: number, target: number) => ({ kind: 'geometric', initial, target, steps }) as const;
    return {
      particleDimension: 8,
      polytope: 'simplex',
      probes: 1,
      rule: 'softmax',
      scaleCost: 'rowStd',
      epsilon: falling(1, 0.5),
      stepRadius: falling(0.1 * scale, 0.02 * scale),
      // One probe lies at half of it.
      probeRadius: falling(1.2 * scale, 0.24 * scale),
      radiusMode: 'absolute',
      adaptiveRadius: false,
    };
  }

  /** Those of `searchOptions`, which the default preset takes unless radii or the temperature are given. @internal */
  suitableOptions(steps: number): {
    options: OptimizerOptions;
    together: (keyof OptimizerOptions)[];
  } {
    return {
      options: this.searchOptions({ steps }),
      together: ['stepRadius', 'probeRadius', 'radiusDecay', 'radiusMode', 'adaptiveRadius', 'epsilon'],
    };
  }

  /** @internal */
  protected values(parameters: Points, inputs: Points | undefined, node: number): Float64Array {
    const point = parse(parameters, 'parameters', scalars(this.dimension, 'one per parameter'));
    const rows = inputs === undefined ? this.#inputs : parse(inputs, 'inputs', inputsSchema(this.inputs));
    const handle = this.nativeObjective;
    return callNative(() => nativeObjectives.networkValues(handle, point, rows, node, 0));
  }

  /**
   * What comes out of the network: logits, spike counts, whatever the output layer gives.
   *
   * @param parameters  dimension numbers
   * @param inputs      samples x inputs numbers; default: the data it is trained on, all of it
   * @returns           samples x outputs numbers
   */
  predictions(parameters: Points, inputs?: Points): Float64Array {
    return this.values(parameters, inputs, this.nodes.length - 1);
  }

  /**
   * Classes of samples: the first largest output, or with one output 1 where it is above zero.
   *
   * @param parameters  dimension numbers
   * @param inputs      samples x inputs numbers; default: the data it is trained on
   * @returns           one class per sample
   */
  predict(parameters: Points, inputs?: Points): Int32Array {
    const values = this.predictions(parameters, inputs);
    const { outputs } = this;
    return Int32Array.from({ length: values.length / outputs }, (_, i) => {
      if (outputs === 1) return (values[i] as number) > 0 ? 1 : 0;
      let best = 0;
      for (let r = 1; r < outputs; r += 1) {
        if ((values[i * outputs + r] as number) > (values[i * outputs + best] as number)) best = r;
      }
      return best;
    });
  }

  #labelled(data: LabelledData | undefined): { inputs: Scalars; labels: Int32Array } {
    if (data === undefined) {
      if (this.#labels === undefined) fail('ERR_INVALID_ARG_VALUE', 'data', 'given, since there are no labels', data);
      return { inputs: this.#inputs, labels: this.#labels };
    }
    const given = parse(data, 'data', object({ inputs: inputsSchema(this.inputs), labels: anything }));
    const samples = given.inputs.length / this.inputs;
    return { inputs: given.inputs, labels: labelsSchema(samples, this.outputs)(given.labels, 'data.labels') };
  }

  /**
   * Share of samples whose class is predicted.
   *
   * @param parameters  dimension numbers
   * @param data        samples with labels; default: the data it is trained on
   * @returns           a number in [0, 1]
   */
  accuracy(parameters: Points, data?: LabelledData): number {
    const { inputs, labels } = this.#labelled(data);
    const classes = this.predict(parameters, inputs);
    let right = 0;
    labels.forEach((label, i) => (right += classes[i] === label ? 1 : 0));
    return right / labels.length;
  }

  /**
   * How often each class is taken for each: entry label * classes + prediction.
   *
   * @param parameters  dimension numbers
   * @param data        samples with labels; default: the data it is trained on
   * @returns           classes x classes counts, classes being the outputs, or 2 with one output
   */
  confusion(parameters: Points, data?: LabelledData): Int32Array {
    const { inputs, labels } = this.#labelled(data);
    const classes = Math.max(2, this.outputs);
    const counts = new Int32Array(classes * classes);
    this.predict(parameters, inputs).forEach((predicted, i) => {
      const at = (labels[i] as number) * classes + predicted;
      counts[at] = (counts[at] as number) + 1;
    });
    return counts;
  }
}
