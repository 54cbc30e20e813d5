// Where the particles with the most concentrated plans go: what an adaptive subspace is led by.
import { callNative } from '../runtime/errors';
import { fail, integer, object, parse, typedArray } from '../runtime/validate';
import { nativePolystep } from './native';

const numbers = typedArray(['Float64Array']);

/**
 * Unit displacements of the particles whose weights are the most concentrated: their weighted mean vertex minus their
 * point, the particle with the least entropy first, among equals by number.
 *
 * @param plan      particles x V weights, row by row; rows of any positive sum
 * @param vertices  particles x V x d numbers
 * @param points    particles x d numbers
 * @param options   `dimension` d, and `count` of directions at most
 * @returns         min(count, particles) rows of d numbers; rows of particles that stay are zeros
 * @throws ERR_SHAPE_MISMATCH  lengths that do not fit
 * Source: arXiv 2605.01928's program, bias of adaptive subspaces.
 */
export function transportDirections(
  plan: Float64Array | readonly number[],
  vertices: Float64Array | readonly number[],
  points: Float64Array | readonly number[],
  options: { dimension: number; count: number },
): Float64Array[] {
  const { dimension: d, count } = parse(
    options,
    'options',
    object({ dimension: integer({ min: 1 }), count: integer({ min: 1 }) }),
  );
  const x = parse(points, 'points', numbers);
  const particles = x.length / d;
  if (!Number.isInteger(particles) || particles < 1)
    fail('ERR_SHAPE_MISMATCH', 'points', `rows of ${d} numbers`, points);
  const weights = parse(plan, 'plan', numbers);
  const V = weights.length / particles;
  if (!Number.isInteger(V) || V < 1) fail('ERR_SHAPE_MISMATCH', 'plan', `${particles} rows (one per particle)`, plan);
  const y = parse(vertices, 'vertices', typedArray(['Float64Array'], { length: particles * V * d }));
  const rows = callNative(() => nativePolystep.confidentRows(weights, V, count));
  return Array.from(rows, (p) => {
    const own = weights.subarray(p * V, (p + 1) * V);
    const mass = own.reduce((sum, weight) => sum + weight, 0);
    const direction = Float64Array.from({ length: d }, (_, j) => {
      const mean = own.reduce((sum, weight, n) => sum + (weight / mass) * (y[(p * V + n) * d + j] as number), 0);
      return mean - (x[p * d + j] as number);
    });
    const norm = Math.hypot(...direction);
    return norm > 1e-10 ? direction.map((component) => component / norm) : direction.fill(0);
  });
}
