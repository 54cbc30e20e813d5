// What a reconstruction is good for: how much of a later recurrence a radiotherapy plan would have covered
// (odil.md, section 7.10).
import { makeError } from '../../runtime/errors';
import { number, parse } from '../../runtime/validate';
import type { Shape3, Volume } from './volume';

/** Squared distance to the nearest zero of `from` along a line, exact (Felzenszwalb and Huttenlocher 2012). */
function lowerEnvelope(from: Float64Array, result: Float64Array): void {
  const n = from.length;
  const vertex = new Int32Array(n);
  const border = new Float64Array(n + 1);
  let last = -1;
  for (let q = 0; q < n; q += 1) {
    if (from[q] === Infinity) continue;
    let meet = -Infinity;
    while (last >= 0) {
      const v = vertex[last] as number;
      meet = ((from[q] as number) + q * q - (from[v] as number) - v * v) / (2 * (q - v));
      if (meet > (border[last] as number)) break;
      last -= 1;
    }
    last += 1;
    vertex[last] = q;
    border[last] = last === 0 ? -Infinity : meet;
    border[last + 1] = Infinity;
  }
  if (last < 0) {
    result.fill(Infinity);
    return;
  }
  for (let q = 0, k = 0; q < n; q += 1) {
    while ((border[k + 1] as number) < q) k += 1;
    const v = vertex[k] as number;
    result[q] = (q - v) ** 2 + (from[v] as number);
  }
}

function squaredDistances(mask: Volume): Float64Array {
  const { shape } = mask;
  const distances = mask.values.map((inside) => (inside > 0 ? 0 : Infinity));
  const strides = [shape[1] * shape[2], shape[2], 1];
  shape.forEach((count, axis) => {
    const stride = strides[axis] as number;
    const [line, found] = [new Float64Array(count), new Float64Array(count)];
    for (let flat = 0; flat < distances.length; flat += 1) {
      if (Math.floor(flat / stride) % count !== 0) continue;
      for (let i = 0; i < count; i += 1) line[i] = distances[flat + i * stride] as number;
      lowerEnvelope(line, found);
      for (let i = 0; i < count; i += 1) distances[flat + i * stride] = found[i] as number;
    }
  });
  return distances;
}

function requireSame(a: Shape3, b: Shape3, argument: string): void {
  if (a.join() !== b.join()) {
    throw makeError(
      'ERR_SHAPE_MISMATCH',
      argument,
      `\`${argument}\` must have the shape [${a.join(', ')}], got [${b.join(', ')}]`,
    );
  }
}

/**
 * The usual plan: everything within `margin` voxels of the visible tumour and inside the brain.
 *
 * @param tumour  above 0 where the tumour is visible
 * @param brain   above 0 inside the brain
 */
export function standardPlan(tumour: Volume, brain: Volume, margin = 15): Volume {
  requireSame(tumour.shape, brain.shape, 'brain');
  const reach = parse(margin, 'margin', number({ min: 0 })) ** 2;
  const distances = squaredDistances(tumour);
  const values = distances.map((square, i) => Number(square <= reach && (brain.values[i] as number) > 0));
  return { shape: tumour.shape, values };
}

/** The plan of a reconstruction: the voxels of the brain with the highest concentration, as many as another plan has. */
export function modelPlan(concentration: Volume, brain: Volume, like: Volume): Volume {
  requireSame(concentration.shape, brain.shape, 'brain');
  requireSame(concentration.shape, like.shape, 'like');
  const size = like.values.reduce((total, value) => total + Number(value > 0), 0);
  const inside = Array.from(brain.values.keys()).filter((i) => (brain.values[i] as number) > 0);
  inside.sort((a, b) => (concentration.values[b] as number) - (concentration.values[a] as number) || a - b);
  const values = new Float64Array(concentration.values.length);
  for (const i of inside.slice(0, size)) values[i] = 1;
  return { shape: concentration.shape, values };
}

/** Percentage of the recurrence that lies inside a plan. */
export function coverage(plan: Volume, recurrence: Volume): number {
  requireSame(plan.shape, recurrence.shape, 'recurrence');
  let [inside, total] = [0, 0];
  recurrence.values.forEach((value, i) => {
    if (!(value > 0)) return;
    total += 1;
    inside += Number((plan.values[i] as number) > 0);
  });
  if (total === 0) throw makeError('ERR_INVALID_ARG_VALUE', 'recurrence', '`recurrence` holds no voxel above 0');
  return (100 * inside) / total;
}
