// Multilayer perceptrons with hard activations and hard weights, sign nets among them.
import { arrayOf, fail, integer, object, oneOf, parse, type Schema, withDefault } from '../../runtime/validate';
import { type Activation, GraphBuilder, userActivations, type WeightKind, weightKinds } from './graph';
import { makeNetwork, Network, networkMembers, type NetworkOptions } from './network';

/** Options of {@link mlp}. */
export interface MlpOptions extends NetworkOptions {
  /** Units of each layer: inputs, hidden layers, outputs. */
  layers: readonly number[];
  /** Activation of the hidden layers, one for all or one each; default `'relu'`. The output layer has none. */
  activation?: Activation | readonly Activation[];
  /** Kind of the weights, one for all layers or one each (one less than `layers`); default `'real'`. */
  weights?: WeightKind | readonly WeightKind[];
  /** Steps of `'staircase'`; default 5. */
  levels?: number;
}

/** One choice for all of `count`, or a list of them. @internal */
export function oneOrEach<const Choices extends readonly string[]>(
  choices: Choices,
  count: number,
  per: string,
): Schema<Choices[number][]> {
  const one = oneOf(choices);
  return (value, argument) => {
    if (!Array.isArray(value)) return Array<Choices[number]>(count).fill(one(value, argument));
    if (value.length !== count) fail('ERR_SHAPE_MISMATCH', argument, `an array of length ${count} (${per})`, value);
    return arrayOf(one)(value, argument);
  };
}

/** Numbers of units, two layers and more. @internal */
export const layersSchema = arrayOf(integer({ min: 1, max: 2 ** 20 }), { min: 2 });

const anything: Schema<unknown> = (value) => value;

/** A perceptron's layers put on a graph. @internal */
export function perceptron(
  layers: readonly number[],
  activations: readonly Activation[],
  weights: readonly WeightKind[],
): GraphBuilder {
  const builder = new GraphBuilder(layers[0] as number);
  for (let l = 1; l < layers.length; l += 1) {
    builder.dense(l - 1, layers[l] as number, {
      name: `fc${l}`,
      activation: activations[l - 1] ?? 'identity',
      weights: weights[l - 1],
    });
  }
  return builder;
}

/**
 * A multilayer perceptron as an objective.
 *
 * Parameters lie layer by layer, weights (units x inputs, row-major) before biases. With one output its sign is the
 * class: `mlp({ layers: [2, 8, 1], activation: 'sign', loss: 'f1', ... })` is a sign net.
 *
 * @param options  see {@link MlpOptions}
 * @throws ERR_SHAPE_MISMATCH     data that do not fit the layers, lists of another length than the layers
 * @throws ERR_OUT_OF_RANGE       a label that is no output
 * @throws ERR_INVALID_ARG_VALUE  a loss that does not fit the data
 * Cost: a candidate that changes parameters of one unit costs one row of its layer, one column of the next one, and what
 * follows, for the samples where the unit changes. Source: arXiv 2605.01928, Section 5.
 */
export function mlp(options: MlpOptions): Network {
  const given = parse(
    options,
    'options',
    object({
      ...networkMembers,
      layers: layersSchema,
      activation: anything,
      weights: anything,
      levels: withDefault(integer({ min: 1, max: 2 ** 15 }), 5),
    }),
  );
  const { layers } = given;
  const activations = withDefault(
    oneOrEach(userActivations, layers.length - 2, 'one per hidden layer'),
    Array<Activation>(layers.length - 2).fill('relu'),
  )(given.activation, 'options.activation');
  const weights = withDefault(
    oneOrEach(weightKinds, layers.length - 1, 'one per layer of weights'),
    Array<WeightKind>(layers.length - 1).fill('real'),
  )(given.weights, 'options.weights');
  const builder = perceptron(layers, activations, weights);
  return new Network(makeNetwork(builder, builder.finish({ levels: given.levels }), given));
}
