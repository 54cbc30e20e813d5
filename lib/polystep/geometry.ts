// Polytopes and rotations: the directions of a step.
import { callNative } from '../runtime/errors';
import { fail, integer, object, oneOf, parse, typedArray, withDefault } from '../runtime/validate';
import { nativePolystep, nativePolytopes, nativeStreams } from './native';

/**
 * `'orthoplex'`: 2 d vertices in antithetic pairs; `'simplex'`: d + 1, the fewest evaluations; `'cube'`: 2^d, d at most
 * 16.
 */
export type PolytopeName = 'orthoplex' | 'simplex' | 'cube';

/** Vertices of norm 1 that sum to zero. */
export interface Polytope {
  /** Which one. */
  readonly name: PolytopeName;
  /** d. */
  readonly dimension: number;
  /** V. */
  readonly vertices: number;
  /** Whether vertex i + V / 2 is the negative of vertex i. */
  readonly antithetic: boolean;
  /** V x d coordinates, row by row. */
  readonly coordinates: Float64Array;
  /** sum_n weights_n v_n, d numbers, from V weights. */
  combine(weights: Float64Array | readonly number[]): Float64Array;
  /** Vertices turned by a d x d rotation (row by row): V x d. */
  directions(rotation: Float64Array | readonly number[]): Float64Array;
}

const dimensionSchema = integer({ min: 1, max: 1e6 });

/**
 * A polytope of unit vertices around the origin.
 *
 * @param name       see {@link PolytopeName}
 * @param dimension  d, at least 1
 * @throws ERR_OUT_OF_RANGE  a cube of more than 16 dimensions
 * Cost: V d numbers. Source: arXiv 2605.01928, section 3.
 */
export function polytope(name: PolytopeName, dimension: number): Polytope {
  const kind = nativePolytopes.indexOf(parse(name, 'name', oneOf(nativePolytopes)));
  const d = parse(dimension, 'dimension', dimensionSchema);
  const coordinates = callNative(() => nativePolystep.polytopeVertices(kind, d));
  const vertices = coordinates.length / d;
  return {
    name,
    dimension: d,
    vertices,
    antithetic: name === 'orthoplex',
    coordinates,
    combine: (weights) => {
      const given = parse(
        weights,
        'weights',
        typedArray(['Float64Array'], { length: vertices, per: 'one per vertex' }),
      );
      return callNative(() => nativePolystep.polytopeCombine(kind, d, given));
    },
    directions: (rotation) => {
      const given = parse(rotation, 'rotation', typedArray(['Float64Array'], { length: d * d, per: 'd x d' }));
      return callNative(() => nativePolystep.polytopeDirections(kind, d, given));
    },
  };
}

/** Where a random number is drawn: the counter of Philox4x32-10 is (draw, particle, step, stream). */
export interface RandomAddress {
  /** Key, 0 to 2^53 - 1; default 0. */
  seed?: number;
  /** Default 0. */
  particle?: number;
  /** Default 0. */
  step?: number;
}

const word = integer({ min: 0, max: 2 ** 32 - 1 });
const addressMembers = {
  seed: withDefault(integer({ min: 0 }), 0),
  particle: withDefault(word, 0),
  step: withDefault(word, 0),
};

/**
 * The random rotation of a particle in a step: uniform on SO(d), a function of its address alone.
 *
 * @returns d x d numbers, row by row; R times a column vector turns it
 * @throws ERR_OUT_OF_RANGE
 * Cost: 8 d^3 / 3 operations. Source: Mezzadri, arXiv math-ph/0609050; arXiv 2605.01928.
 */
export function haarRotation(options: RandomAddress & { dimension: number }): Float64Array {
  const members = object({ ...addressMembers, dimension: dimensionSchema });
  const { seed, particle, step, dimension } = parse(options, 'options', members);
  return callNative(() => nativePolystep.haarRotation(seed, particle, step, dimension));
}

/**
 * The rotation that QR with a positive diagonal makes of a d x d matrix of normal numbers; column 0 is negated where the
 * determinant would be -1.
 *
 * @param gaussian  d x d numbers, row by row
 * @throws ERR_SHAPE_MISMATCH, ERR_NOT_FINITE
 */
export function haarFromGaussian(gaussian: Float64Array | readonly number[]): Float64Array {
  const given = parse(gaussian, 'gaussian', typedArray(['Float64Array']));
  const d = Math.sqrt(given.length);
  if (d < 1 || !Number.isInteger(d)) fail('ERR_SHAPE_MISMATCH', 'gaussian', 'd x d numbers', gaussian);
  return callNative(() => nativePolystep.haarFromGaussian(given, d));
}

/**
 * A rotation whose column 0 is a given direction, the others made orthogonal in their order by a Householder QR (whose
 * signs they keep), the last one negated where the determinant would be -1. A direction of (nearly) zero length, or d = 1, changes nothing.
 *
 * @param rotation   d x d numbers, row by row, orthogonal
 * @param direction  d numbers
 * @throws ERR_SHAPE_MISMATCH, ERR_NOT_FINITE
 */
export function biasRotation(
  rotation: Float64Array | readonly number[],
  direction: Float64Array | readonly number[],
): Float64Array {
  const along = parse(direction, 'direction', typedArray(['Float64Array']));
  const d = along.length;
  if (d < 1) fail('ERR_SHAPE_MISMATCH', 'direction', 'at least one number', direction);
  const given = parse(rotation, 'rotation', typedArray(['Float64Array'], { length: d * d, per: 'd x d' }));
  return callNative(() => nativePolystep.biasRotation(given, d, along));
}

/** What random numbers are drawn for. */
export type RandomStream =
  'rotations' | 'jitter' | 'minibatch' | 'initialisation' | 'bases' | 'sampling' | 'perturbations';

/**
 * Standard normal numbers of an address: four to a block of words, by Box and Muller in float64.
 *
 * @throws ERR_OUT_OF_RANGE
 */
export function randomNormals(options: RandomAddress & { stream?: RandomStream; count: number }): Float64Array {
  const members = object({
    ...addressMembers,
    stream: withDefault(oneOf(nativeStreams), 'rotations'),
    count: integer({ min: 0, max: 2 ** 30 }),
  });
  const { seed, particle, step, stream, count } = parse(options, 'options', members);
  return callNative(() => nativePolystep.normals(seed, particle, step, nativeStreams.indexOf(stream), count));
}
