// Volumes of voxels, row-major with z fastest: cutting out and resampling (odil.md, section 7.1).
import { arrayOf, fail, integer, number, object, parse, type Schema, typedArray } from '../../runtime/validate';

/** Counts along x, y, z. */
export type Shape3 = readonly [number, number, number];

/** Values per voxel. */
export interface Volume {
  /** Voxels along x, y, z. */
  readonly shape: Shape3;
  /** Row-major: z is the fastest index. */
  readonly values: Float64Array;
}

/** A volume as it is given. */
export interface VolumeInput {
  /** Voxels along x, y, z. */
  shape: Shape3;
  /** Row-major: z is the fastest index. */
  values: Float64Array | readonly number[];
}

/** Voxels from `from` up to, but without, `to`. */
export interface Box {
  /** First index along x, y, z. */
  readonly from: Shape3;
  /** Index behind the last along x, y, z. */
  readonly to: Shape3;
}

/** @internal */
export const voxels = ([x, y, z]: Shape3): number => x * y * z;

/** @internal */
export const shapeSchema: Schema<Shape3> = (value, argument) => {
  const counts = parse(value, argument, arrayOf(integer({ min: 1, max: 4096 }), { min: 3 }));
  if (counts.length !== 3) fail('ERR_SHAPE_MISMATCH', argument, 'three counts', value);
  return counts as unknown as Shape3;
};

/** Three coordinates. @internal */
export const pointSchema: Schema<Shape3> = (value, argument) => {
  const point = parse(value, argument, arrayOf(number(), { min: 3 }));
  if (point.length !== 3) fail('ERR_SHAPE_MISMATCH', argument, 'three numbers', value);
  return point as unknown as Shape3;
};

const any = (value: unknown): unknown => value;
// `affine` and `source`: a volume from a file knows its place (images.ts).
const parts = object({ shape: shapeSchema, values: any, affine: any, source: any });

/** A volume, of the shape of others where there are some. @internal */
export function volumeSchema(like?: Shape3): Schema<Volume> {
  return (value, argument) => {
    const { shape, values } = parse(value, argument, parts);
    if (like !== undefined && shape.join() !== like.join()) {
      fail('ERR_SHAPE_MISMATCH', `${argument}.shape`, `[${like.join(', ')}], as of the other volumes`, shape);
    }
    const schema = typedArray(['Float64Array'], { length: voxels(shape), per: 'one value per voxel' });
    return { shape, values: parse(values, `${argument}.values`, schema) };
  };
}

/**
 * The smallest box that holds every voxel above `threshold`, each side moved out by a fraction of half its length;
 * what would leave the volume is cut off. (The published code lets negative indices count from the end instead, which
 * cuts out a wrong box.)
 *
 * @returns undefined where no voxel is above
 */
export function boundingBox({ shape, values }: Volume, threshold = 0.1, margin = 0): Box | undefined {
  const low = [...shape];
  const high = [0, 0, 0];
  let flat = 0;
  for (let x = 0; x < shape[0]; x += 1) {
    for (let y = 0; y < shape[1]; y += 1) {
      for (let z = 0; z < shape[2]; z += 1, flat += 1) {
        if (!((values[flat] as number) > threshold)) continue;
        [x, y, z].forEach((at, axis) => {
          low[axis] = Math.min(low[axis] as number, at);
          high[axis] = Math.max(high[axis] as number, at + 1);
        });
      }
    }
  }
  if (high[0] === 0) return undefined;
  const out = (axis: number): number =>
    margin * (((low[axis] as number) + (high[axis] as number)) / 2 - (low[axis] as number));
  return {
    from: shape.map((_, axis) => Math.max(0, Math.ceil((low[axis] as number) - out(axis)))) as unknown as Shape3,
    to: shape.map((count, axis) => Math.min(count, Math.ceil((high[axis] as number) + out(axis)))) as unknown as Shape3,
  };
}

/** The part of a volume inside a box. */
export function crop({ shape, values }: Volume, { from, to }: Box): Volume {
  const size: Shape3 = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
  const result = new Float64Array(voxels(size));
  for (let x = 0; x < size[0]; x += 1) {
    for (let y = 0; y < size[1]; y += 1) {
      const source = ((x + from[0]) * shape[1] + y + from[1]) * shape[2] + from[2];
      result.set(values.subarray(source, source + size[2]), (x * size[1] + y) * size[2]);
    }
  }
  return { shape: size, values: result };
}

/**
 * A volume on another number of points: the first and the last point along each axis stay where they are (the
 * convention of scipy's zoom). `'nearest'` keeps labels whole.
 */
export function resample({ shape, values }: Volume, counts: Shape3, how: 'nearest' | 'linear'): Volume {
  // Along each axis: the point below and the weight of the point above.
  const along = counts.map((count, axis) => {
    const size = shape[axis] as number;
    return Array.from({ length: count }, (_, i) => {
      const at = count === 1 ? 0 : (i * (size - 1)) / (count - 1);
      const low = Math.min(size - 1, Math.floor(how === 'nearest' ? at + 0.5 : at));
      return { low, high: Math.min(low + 1, size - 1), weight: how === 'nearest' ? 0 : at - low };
    });
  });
  const result = new Float64Array(voxels(counts));
  const value = (x: number, y: number, z: number): number => values[(x * shape[1] + y) * shape[2] + z] as number;
  const mix = (low: number, high: number, weight: number): number => (weight === 0 ? low : low + weight * (high - low));
  let flat = 0;
  for (const x of along[0] as (typeof along)[number]) {
    for (const y of along[1] as (typeof along)[number]) {
      for (const z of along[2] as (typeof along)[number]) {
        const row = (i: number, j: number): number => mix(value(i, j, z.low), value(i, j, z.high), z.weight);
        const plane = (i: number): number => mix(row(i, y.low), row(i, y.high), y.weight);
        result[flat] = mix(plane(x.low), plane(x.high), x.weight);
        flat += 1;
      }
    }
  }
  return { shape: counts, values: result };
}
