// Small fully connected networks of a pointwise argument, as expressions: every neuron is a linear combination with
// parameters for weights, which is one native instruction.
import { uniforms } from '../runtime/random';
import { expression, Expression, operation, type Parameter, sum, type Value } from './expression';

/** Nonlinearity between layers; the last layer has none. */
export type Activation = 'tanh' | 'sigmoid';

/** An unknown function: weights and biases of a network. */
export class Network {
  /** Neurons of each layer, inputs first. */
  readonly layers: readonly number[];
  readonly #activation: Activation;
  readonly #parameters: Parameter;

  /** @internal */
  constructor(layers: readonly number[], activation: Activation, parameters: Parameter) {
    this.layers = layers;
    this.#activation = activation;
    this.#parameters = parameters;
  }

  /** Its outputs at these inputs. */
  apply(...inputs: Value[]): Expression[] {
    let values: Expression[] = inputs.map(expression);
    let weights = 0;
    let biases = this.layers.reduce((count, to, k) => count + (k === 0 ? 0 : to * (this.layers[k - 1] as number)), 0);
    for (let layer = 1; layer < this.layers.length; layer += 1) {
      const from = this.layers[layer - 1] as number;
      const to = this.layers[layer] as number;
      const next: Expression[] = [];
      for (let row = 0; row < to; row += 1) {
        const first = weights + row * from;
        const terms = values.map((value, column) => value.times(this.#parameters.element(first + column)));
        const before = sum(...terms, this.#parameters.element(biases + row));
        next.push(layer + 1 < this.layers.length ? operation(this.#activation, before) : before);
      }
      values = next;
      weights += from * to;
      biases += to;
    }
    return values;
  }

  /** Its weights and biases: the weights of all layers (outputs x inputs each), then their biases. */
  get weights(): Parameter {
    return this.#parameters;
  }
}

/** How many numbers a network has. @internal */
export function networkSize(layers: readonly number[]): number {
  let size = 0;
  for (let layer = 1; layer < layers.length; layer += 1) {
    size += ((layers[layer - 1] as number) + 1) * (layers[layer] as number);
  }
  return size;
}

/**
 * Where a network starts: weights uniform within +-sqrt(3 / inputs of the layer), biases zero, as the published code
 * draws them. From zeros it would never be more than a constant: all derivatives but that of the last bias vanish.
 * @internal
 */
export function drawWeights(layers: readonly number[], seed: number): Float64Array {
  const uniform = uniforms(seed);
  const result = new Float64Array(networkSize(layers));
  let at = 0;
  for (let layer = 1; layer < layers.length; layer += 1) {
    const from = layers[layer - 1] as number;
    for (const last = at + from * (layers[layer] as number); at < last; at += 1) {
      result[at] = (2 * uniform() - 1) * Math.sqrt(3 / from);
    }
  }
  return result;
}
