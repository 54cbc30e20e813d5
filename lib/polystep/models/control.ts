// Policies that balance a pole or swing up an acrobot.
import { callNative } from '../../runtime/errors';
import { uniforms } from '../../runtime/random';
import { arrayOf, integer, object, oneOf, parse, type Schema, typedArray, withDefault } from '../../runtime/validate';
import { type Activation, type ParameterTensor, userActivations, type WeightKind, weightKinds } from './graph';
import { oneOrEach, perceptron } from './mlp';
import { type NativeGraph, type NativeObjectiveHandle, nativeObjectives } from './native';
import { NativeObjective, type Points, type ScoringOptions } from './native-objective';

/** Options of {@link cartPole} and {@link acrobot}. */
export interface ControlOptions {
  /** Units of the policy's hidden layers; default [16]. */
  hidden?: readonly number[];
  /** Activation of the hidden layers; default `'tanh'`. */
  activation?: Activation;
  /** Kind of the weights, one for all layers or one each; default `'real'`. */
  weights?: WeightKind | readonly WeightKind[];
  /** Episodes that a loss is the mean of; default 16 (16 are played side by side). */
  episodes?: number;
  /** Steps after which an episode ends; default 500. */
  horizon?: number;
}

/** A policy as an objective: the loss is the mean return of its episodes with the sign turned. */
export class Policy extends NativeObjective {
  /** Names, shapes and places of the parameters. */
  readonly tensors: readonly ParameterTensor[];

  /** @internal */
  constructor(handle: NativeObjectiveHandle, graph: NativeGraph, tensors: readonly ParameterTensor[]) {
    super(handle, graph.parameters);
    this.tensors = tensors;
  }

  /**
   * First parameters: uniform in +-1 / sqrt(numbers that a unit adds up).
   *
   * @param options.seed  default 0
   */
  initialParameters(options: { seed?: number } = {}): Float32Array {
    const { seed } = parse(options, 'options', object({ seed: withDefault(integer({ min: 0 }), 0) }));
    const uniform = uniforms(seed);
    return Float32Array.from(
      this.tensors.flatMap(({ shape, fanIn }) =>
        Array.from(
          { length: shape.reduce((product, extent) => product * extent, 1) },
          () => (2 * uniform() - 1) / Math.sqrt(fanIn),
        ),
      ),
    );
  }

  /**
   * Mean return of the episodes of a step: of balancing the steps, at most the horizon; of swinging up minus the steps.
   *
   * @param parameters  dimension numbers
   * @param options     seed and step of the starting states
   */
  meanReturn(parameters: Points, options: ScoringOptions = {}): number {
    return -(this.evaluate(parameters, options)[0] as number);
  }
}

const anything: Schema<unknown> = (value) => value;
const environments = ['cartPole', 'acrobot'] as const;

function makePolicy(environment: (typeof environments)[number], options: ControlOptions): Policy {
  const given = parse(
    options,
    'options',
    object({
      hidden: withDefault(arrayOf(integer({ min: 1, max: 4096 })), [16]),
      activation: withDefault(oneOf(userActivations), 'tanh'),
      weights: anything,
      episodes: withDefault(integer({ min: 1, max: 2 ** 20 }), 16),
      horizon: withDefault(integer({ min: 1, max: 2 ** 30 }), 500),
    }),
  );
  const layers = environment === 'cartPole' ? [4, ...given.hidden, 2] : [6, ...given.hidden, 3];
  const weights = withDefault(
    oneOrEach(weightKinds, layers.length - 1, 'one per layer of weights'),
    Array<WeightKind>(layers.length - 1).fill('real'),
  )(given.weights, 'options.weights');
  const builder = perceptron(layers, Array<Activation>(given.hidden.length).fill(given.activation), weights);
  const graph = builder.finish();
  const { episodes, horizon } = given;
  const number = environments.indexOf(environment);
  const handle = callNative(() => nativeObjectives.createControl({ environment: number, graph, episodes, horizon }));
  return new Policy(handle, graph, builder.tensors);
}

/**
 * A policy that balances a pole (CartPole-v1): four inputs, two actions, the first largest output acts. A step is worth 1
 * until the cart is more than 2.4 off or the pole more than 12 degrees, the last step included.
 *
 * Episodes start uniformly within 0.05; all candidates of a step have the same starts, the next step has new ones.
 *
 * @param options  see {@link ControlOptions}
 * Cost: episodes x horizon runs of the policy a candidate, at most. Source: arXiv 2605.01928; the physics are those of
 * Gymnasium's CartPole-v1.
 */
export function cartPole(options: ControlOptions = {}): Policy {
  return makePolicy('cartPole', options);
}

/**
 * A policy that swings up an acrobot (Acrobot-v1): six inputs (cosine and sine of both angles, both velocities), three
 * actions. A step costs 1 until the tip is above the line.
 *
 * Episodes start uniformly within 0.1; all candidates of a step have the same starts, the next step has new ones.
 *
 * @param options  see {@link ControlOptions}
 * Cost: as {@link cartPole}. Source: arXiv 2605.01928; the physics are those of Gymnasium's Acrobot-v1.
 */
export function acrobot(options: ControlOptions = {}): Policy {
  return makePolicy('acrobot', options);
}

/** A state after a step. */
export interface ControlStep {
  /** Four numbers. */
  readonly state: Float64Array;
  /** Whether the episode is over. */
  readonly done: boolean;
}

const stateSchema = typedArray(['Float64Array'], { length: 4 });

/**
 * One step of the pole's physics.
 *
 * @param state   position, velocity, angle, angular velocity
 * @param action  0 pushes left, 1 right
 */
export function cartPoleStep(state: Float64Array | readonly number[], action: number): ControlStep {
  const from = parse(state, 'state', stateSchema);
  parse(action, 'action', integer({ min: 0, max: 1 }));
  return callNative(() => nativeObjectives.controlStep(0, from, action));
}

/**
 * One step of the acrobot's physics.
 *
 * @param state   two angles, two angular velocities
 * @param action  0, 1, 2: a torque of -1, 0, 1
 */
export function acrobotStep(state: Float64Array | readonly number[], action: number): ControlStep {
  const from = parse(state, 'state', stateSchema);
  parse(action, 'action', integer({ min: 0, max: 2 }));
  return callNative(() => nativeObjectives.controlStep(1, from, action));
}
