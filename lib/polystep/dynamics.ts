// What changes between steps besides the point, as functions of their own.
import { callNative } from '../runtime/errors';
import { fail, integer, number, object, optional, parse, typedArray, withDefault } from '../runtime/validate';
import { nativePolystep } from './native';

/**
 * The momentum coefficient of a step: initial + min(1, t / max(1, T - 1)) (final - initial).
 *
 * @param step     t, from 0
 * @param options  `maxIterations` T (default 50), `initial` (0.5) and `final` (0.95)
 */
export function momentumCoefficient(
  step: number,
  options: { maxIterations?: number; initial?: number; final?: number } = {},
): number {
  const members = {
    maxIterations: withDefault(integer({ min: 1 }), 50),
    initial: withDefault(number(), 0.5),
    final: withDefault(number(), 0.95),
  };
  const { maxIterations, initial, final } = parse(options, 'options', object(members));
  const at = parse(step, 'step', integer({ min: 0 }));
  return nativePolystep.momentumCoefficient(at, maxIterations, initial, final);
}

/** How a radius follows the loss. */
export interface AdaptiveRadiusOptions {
  /** Relative change of the loss below which a step counts as stagnant; default 1e-4. */
  threshold?: number;
  /** Stagnant steps after which the radius grows; default 10. */
  patience?: number;
  /** Default 1.5. */
  increase?: number;
  /** Default 0.9: after every step that lowered the loss. */
  decrease?: number;
  /** Smallest multiplier; default 0.5. */
  least?: number;
  /** Largest multiplier; default 3. */
  most?: number;
}

/** @internal */
export const adaptiveMembers = {
  threshold: withDefault(number({ min: 0 }), 1e-4),
  patience: withDefault(integer({ min: 1 }), 10),
  increase: withDefault(number({ min: 1 }), 1.5),
  decrease: withDefault(number({ above: 0, max: 1 }), 0.9),
  least: withDefault(number({ above: 0 }), 0.5),
  most: withDefault(number({ above: 0 }), 3),
};

/** State of {@link adaptRadius}. */
export interface AdaptiveRadius {
  /** Loss of the last step; infinity before the first. */
  readonly previousLoss: number;
  /** Stagnant steps in a row. */
  readonly stagnation: number;
  /** What the radii are multiplied by. */
  readonly multiplier: number;
}

/**
 * The multiplier of the radii after a step.
 *
 * @param state    undefined before the first step
 * @param loss     of this step; one that is not finite changes nothing but is remembered
 * @param options  see {@link AdaptiveRadiusOptions}
 */
export function adaptRadius(
  state: AdaptiveRadius | undefined,
  loss: number,
  options: AdaptiveRadiusOptions = {},
): AdaptiveRadius {
  const checked = parse(options, 'options', object(adaptiveMembers));
  const { previousLoss, stagnation, multiplier } = state ?? { previousLoss: Infinity, stagnation: 0, multiplier: 1 };
  const next = nativePolystep.adaptRadius(Float64Array.of(previousLoss, stagnation, multiplier), loss, checked);
  return { previousLoss: next[0] as number, stagnation: next[1] as number, multiplier: next[2] as number };
}

/**
 * The multiplier of a trust region after a step that promised one change of the loss and gave another: their ratio,
 * within [-2, 5], below 0 quarters it, below 0.25 halves it, above 0.75 multiplies it by 1.5, within [0.1, 3].
 *
 * @param predicted  change of the loss that the model promised; negative is better
 * @param actual     change that was found, on the same data
 * @param current    the multiplier so far
 */
export function trustRegionMultiplier(predicted: number, actual: number, current: number): number {
  const finite = number();
  return nativePolystep.trustRegion(
    parse(predicted, 'predicted', finite),
    parse(actual, 'actual', finite),
    parse(current, 'current', number({ above: 0 })),
  );
}

/** Result of {@link quadraticModel}. */
export interface QuadraticModel {
  /** Slope along each axis of the rotated frame, d numbers. */
  readonly gradient: Float64Array;
  /** Second derivative along each axis. */
  readonly curvature: Float64Array;
  /** -g_i / max(H_i, 1e-4), shortened to `maxNorm`. */
  readonly newton: Float64Array;
  /** What the model promises for that step. */
  readonly predicted: number;
}

/**
 * Slopes and curvatures of a loss along the axes of a rotated orthoplex, from the losses of one particle.
 *
 * @param losses   2 d x K numbers, vertex by vertex: e_0 ... e_{d-1}, then their negatives
 * @param options  `scales`: the K probe scales; `probeRadius`; `centre`: the loss at the particle itself, needed for
 *                 curvatures with K = 1; `maxNorm` of the Newton step, default infinity
 * @throws ERR_SHAPE_MISMATCH, ERR_OUT_OF_RANGE
 */
export function quadraticModel(
  losses: Float64Array | readonly number[],
  options: { scales: Float64Array | readonly number[]; probeRadius: number; centre?: number; maxNorm?: number },
): QuadraticModel {
  const numbers = typedArray(['Float64Array']);
  const members = {
    scales: numbers,
    probeRadius: number({ above: 0 }),
    centre: optional(number()),
    maxNorm: withDefault(number({ above: 0, infinite: true }), Infinity),
  };
  const { scales, probeRadius, centre = NaN, maxNorm } = parse(options, 'options', object(members));
  const given = parse(losses, 'losses', numbers);
  const d = given.length / (2 * scales.length);
  if (d < 1 || !Number.isInteger(d)) fail('ERR_SHAPE_MISMATCH', 'losses', '2 d x scales numbers', losses);
  const all = callNative(() => nativePolystep.quadraticModel(given, scales, probeRadius, centre, maxNorm));
  return {
    gradient: all.slice(0, d),
    curvature: all.slice(d, 2 * d),
    newton: all.slice(2 * d, 3 * d),
    predicted: all[3 * d] as number,
  };
}
