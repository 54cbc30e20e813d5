// Variances of single coordinates, learned as the diagonal part of CMA-ES learns them, as functions of their own.
import { boolean, fail, integer, number, object, optional, parse, typedArray, withDefault } from '../runtime/validate';
import { callNative } from '../runtime/errors';
import { nativePolystep } from './native';

/** Constants of {@link adaptVariances} and {@link evolvePath}. */
export interface CovarianceConstants {
  /** mu, the effective size of the weights. */
  readonly effectiveSize: number;
  /** c_sigma, rate of the path that tells whether steps have run ahead. */
  readonly pathRate: number;
  /** c_c, rate of the path of the rank-one part. */
  readonly rankOnePathRate: number;
  /** c_1. */
  readonly rankOne: number;
  /** c_mu. */
  readonly rankMu: number;
  /** d_sigma, which only a step size that adapts would use: there is none. */
  readonly damping: number;
  /** Expected norm of n standard normal numbers. */
  readonly expectedNorm: number;
}

/**
 * Constants for n coordinates.
 *
 * @param dimension  n
 * @param options    `effectiveSize` mu, default max(1, min(n / 4, 5 sqrt(n)))
 * Source: Hansen, arXiv 1604.00772; arXiv 2605.01928's program.
 */
export function covarianceConstants(dimension: number, options: { effectiveSize?: number } = {}): CovarianceConstants {
  const n = parse(dimension, 'dimension', integer({ min: 1 }));
  const { effectiveSize: given } = parse(options, 'options', object({ effectiveSize: optional(number({ min: 1 })) }));
  const [effectiveSize, pathRate, rankOnePathRate, rankOne, rankMu, damping, expectedNorm] =
    nativePolystep.covarianceConstants(n, given ?? 0) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
  return { effectiveSize, pathRate, rankOnePathRate, rankOne, rankMu, damping, expectedNorm };
}

const numbers = typedArray(['Float64Array']);

/**
 * A path after one more displacement: (1 - c) p + sqrt(c (2 - c) mu) y.
 *
 * @param path          p
 * @param displacement  y, as many numbers
 * @param options       `rate` c, `effectiveSize` mu, `stalled`: the displacement is left out
 * @throws ERR_SHAPE_MISMATCH  displacements of another length
 */
export function evolvePath(
  path: Float64Array | readonly number[],
  displacement: Float64Array | readonly number[],
  options: { rate: number; effectiveSize: number; stalled?: boolean },
): Float64Array {
  const p = parse(path, 'path', numbers);
  const y = parse(displacement, 'displacement', typedArray(['Float64Array'], { length: p.length }));
  const members = {
    rate: number({ min: 0, max: 1 }),
    effectiveSize: number({ above: 0 }),
    stalled: withDefault(boolean, false),
  };
  const { rate, effectiveSize, stalled } = parse(options, 'options', object(members));
  return callNative(() => nativePolystep.evolvePath(p, y, rate, effectiveSize, stalled));
}

/**
 * Whether the norm of a path has run ahead of what is expected after `generation` + 1 updates, so that the rank-one
 * part takes no more of it.
 */
export function pathStalled(options: {
  norm: number;
  expected: number;
  dimension: number;
  rate: number;
  generation: number;
}): boolean {
  const members = {
    norm: number({ min: 0 }),
    expected: number({ min: 0 }),
    dimension: integer({ min: 1 }),
    rate: number({ min: 0, max: 1 }),
    generation: integer({ min: 0 }),
  };
  const { norm, expected, dimension, rate, generation } = parse(options, 'options', object(members));
  return nativePolystep.pathStalled(norm, expected, dimension, rate, generation);
}

/**
 * Variances after a step: C <- (1 - c_1 - c_mu) C + c_1 p^2 + c_mu r, within [1e-6, 1e6]; while the path is stalled the
 * missing part of c_1 goes to the old C.
 *
 * @param variances  C
 * @param path       p, of the rank-one part
 * @param rankMu     r, weighted mean squares of the step's directions
 * @param options    `constants` (see {@link covarianceConstants}), `stalled`
 * @throws ERR_SHAPE_MISMATCH  arrays of different lengths; ERR_OUT_OF_RANGE  variances that are not positive
 */
export function adaptVariances(
  variances: Float64Array | readonly number[],
  path: Float64Array | readonly number[],
  rankMu: Float64Array | readonly number[],
  options: {
    constants: Pick<CovarianceConstants, 'rankOnePathRate' | 'rankOne' | 'rankMu'>;
    stalled?: boolean;
  },
): Float64Array {
  const c = parse(variances, 'variances', numbers);
  const bad = c.findIndex((variance) => !(variance > 0));
  if (bad >= 0) fail('ERR_OUT_OF_RANGE', `variances[${bad}]`, 'above 0', c[bad]);
  const same = typedArray(['Float64Array'], { length: c.length });
  const p = parse(path, 'path', same);
  const r = parse(rankMu, 'rankMu', same);
  const { stalled = false, constants } = options;
  const share = number({ min: 0 });
  const rates = Float64Array.of(
    parse(constants.rankOnePathRate, 'options.constants.rankOnePathRate', share),
    parse(constants.rankOne, 'options.constants.rankOne', share),
    parse(constants.rankMu, 'options.constants.rankMu', share),
  );
  return callNative(() => nativePolystep.adaptVariances(c, p, r, rates, parse(stalled, 'options.stalled', boolean)));
}
