// Networks as lists of nodes, with the names and places of their parameters.
import type { NativeGraph, NativeNode } from './native';

/** What a hidden layer does to its sums; names in the order of native/polystep/objectives/network_graph.hpp. */
const activationNames = ['identity', 'relu', 'sign', 'staircase', 'tanh', 'step', 'lifSpikes', 'lifCounts'] as const;
/** What a layer makes of its weights; in the same file's order. */
const weightNames = ['real', 'int8', 'ternary', 'binary'] as const;

/**
 * Activation of a hidden layer: `'relu'`; `'sign'`, 0 at 0; `'staircase'`, floor(5 logistic(z)) / 5; `'tanh'`;
 * `'step'`, 1 above 0; `'identity'`.
 */
export type Activation = 'identity' | 'relu' | 'sign' | 'staircase' | 'tanh' | 'step';

/**
 * What a layer makes of its weights: `'real'`, as they are; `'int8'`, 0.01 clip(round(w / 0.01), -128, 127), the bias
 * too; `'ternary'`, the sign where |w| >= 0.5, else 0; `'binary'`, the sign, 0 at 0.
 */
export type WeightKind = 'real' | 'int8' | 'ternary' | 'binary';

/** Names of the activations that users may give. @internal */
export const userActivations = ['identity', 'relu', 'sign', 'staircase', 'tanh', 'step'] as const;
/** Names of the kinds of weights. @internal */
export const weightKinds = weightNames;

/** One tensor of a network's parameters. */
export interface ParameterTensor {
  /** Its name, for example `fc1.weight`. */
  readonly name: string;
  /** Its extents, row-major. */
  readonly shape: readonly number[];
  /** Where it begins in the vector of all parameters. */
  readonly offset: number;
  /** Numbers that are added up into one unit: the size of first weights goes by it. */
  readonly fanIn: number;
}

interface Layer {
  name: string;
  activation: (typeof activationNames)[number];
  weights?: WeightKind;
  bias?: boolean;
}

/** Puts nodes and parameters one after another. @internal */
export class GraphBuilder {
  readonly nodes: NativeNode[];
  readonly tensors: ParameterTensor[] = [];
  parameters = 0;

  constructor(inputs: number) {
    this.nodes = [{ kind: 0, units: inputs }];
  }

  #tensor(name: string, shape: readonly number[], fanIn: number): number {
    const offset = this.parameters;
    this.tensors.push({ name, shape, offset, fanIn });
    this.parameters += shape.reduce((product, extent) => product * extent, 1);
    return offset;
  }

  /** A layer; returns its number. */
  dense(source: number, units: number, { name, activation, weights = 'real', bias = true }: Layer): number {
    const inputs = (this.nodes[source] as NativeNode).units;
    const separator = name === '' ? '' : '.';
    const weightsAt = this.#tensor(bias ? `${name}${separator}weight` : name, [units, inputs], inputs);
    this.nodes.push({
      kind: 1,
      units,
      source,
      weights: weightsAt,
      bias: bias ? this.#tensor(`${name}${separator}bias`, [units], inputs) : undefined,
      weightKind: weightNames.indexOf(weights),
      activation: activationNames.indexOf(activation),
    });
    return this.nodes.length - 1;
  }

  /** Values times the logistic function of the weights of the largest score. */
  gate(source: number, scores: number): number {
    this.nodes.push({ kind: 2, units: (this.nodes[source] as NativeNode).units, source, scores });
    return this.nodes.length - 1;
  }

  /** The expert with the largest score. */
  select(scores: number, experts: readonly number[]): number {
    const { units } = this.nodes[experts[0] as number] as NativeNode;
    this.nodes.push({ kind: 3, units, scores, experts: Int32Array.from(experts) });
    return this.nodes.length - 1;
  }

  /** The leaf that decisions lead to. */
  tree(source: number): number {
    const leaves = (this.nodes[source] as NativeNode).units + 1;
    this.nodes.push({ kind: 4, units: 1, source, weights: this.#tensor('leaves', [leaves], 1) });
    return this.nodes.length - 1;
  }

  /** The shape at the edge. */
  finish({ ticks = 1, beta = 0.95, threshold = 1, levels = 5 } = {}): NativeGraph {
    return { nodes: this.nodes, parameters: this.parameters, ticks, beta, threshold, levels };
  }
}
