// Small fully connected networks of a pointwise argument, as expressions: every neuron is a linear combination with
// parameters for weights, which is one native instruction.
import { uniforms } from '../runtime/random';
import { arrayOf, integer, object, parse, withDefault } from '../runtime/validate';
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

/**
 * Weights to start a network from: uniform in +-sqrt(6 / (inputs + outputs)) of each layer, biases 0 (Glorot and Bengio
 * 2010). From zeros a network of several layers never leaves constants: all neurons of a layer stay alike.
 *
 * @param layers   neurons of each layer, inputs and outputs included
 * @param options  `seed`: of the random numbers, default 0
 */
export function initialWeights(layers: readonly number[], options: { seed?: number } = {}): Float64Array {
  const counts = parse(layers, 'layers', arrayOf(integer({ min: 1, max: 1024 }), { min: 2 }));
  const { seed } = parse(options, 'options', object({ seed: withDefault(integer({ min: 0 }), 0) }));
  const next = uniforms(seed);
  const weights = new Float64Array(networkSize(counts));
  let at = 0;
  for (let layer = 1; layer < counts.length; layer += 1) {
    const [from, to] = [counts[layer - 1] as number, counts[layer] as number];
    const reach = Math.sqrt(6 / (from + to));
    for (let k = 0; k < from * to; k += 1, at += 1) weights[at] = reach * (2 * next() - 1);
  }
  return weights;
}

/** How many numbers a network has. @internal */
export function networkSize(layers: readonly number[]): number {
  let size = 0;
  for (let layer = 1; layer < layers.length; layer += 1) {
    size += ((layers[layer - 1] as number) + 1) * (layers[layer] as number);
  }
  return size;
}
