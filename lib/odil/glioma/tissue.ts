// White and grey matter: what tumour cells can move through (odil.md, section 7.3).
import { object, parse, type Schema } from '../../runtime/validate';
import { type Shape3, type Volume, type VolumeInput, volumeSchema, voxels } from './volume';

/** Fractions of white and grey matter per voxel, in [0, 1]. */
export interface Tissue {
  /** Fraction of white matter. */
  readonly white: Volume;
  /** Fraction of grey matter. */
  readonly grey: Volume;
}

/** Tissue as it is given. */
export interface TissueInput {
  /** Fraction of white matter. */
  white: VolumeInput;
  /** Fraction of grey matter. */
  grey: VolumeInput;
}

/** Voxels with less white and grey matter together are fluid: nothing diffuses there. */
export const leastMatter = 0.1;

/** Tissue, of the shape of another volume where there is one. @internal */
export function tissueSchema(like?: Shape3): Schema<Tissue> {
  return (value, argument) => {
    const given = parse(value, argument, object({ white: volumeSchema(like), grey: (grey: unknown) => grey }));
    return { white: given.white, grey: parse(given.grey, `${argument}.grey`, volumeSchema(given.white.shape)) };
  };
}

/** Fractions at one face of every voxel; both zero where there is no passage. */
export interface Face {
  /** Fraction of white matter per voxel. */
  readonly white: Float64Array;
  /** Fraction of grey matter per voxel. */
  readonly grey: Float64Array;
}

/** Faces of every voxel towards higher and lower indices along x, y, z. */
export interface Faces {
  /** Voxels along x, y, z. */
  readonly shape: Shape3;
  /** Along x, y, z: between each voxel and the next. */
  readonly upper: readonly [Face, Face, Face];
  /** Along x, y, z: between each voxel and the one before. */
  readonly lower: readonly [Face, Face, Face];
}

/** Index of the neighbour `step` away along `axis`, and whether that goes around the end. */
function neighbour(at: readonly [number, number, number], shape: Shape3, axis: number, step: 1 | -1): number {
  const moved = [...at];
  moved[axis] = ((at[axis] as number) + step + (shape[axis] as number)) % (shape[axis] as number);
  return ((moved[0] as number) * shape[1] + (moved[1] as number)) * shape[2] + (moved[2] as number);
}

/** Every voxel with its flat index, x slowest. @internal */
export function forEachVoxel(shape: Shape3, body: (at: readonly [number, number, number], flat: number) => void): void {
  let flat = 0;
  for (let x = 0; x < shape[0]; x += 1) {
    for (let y = 0; y < shape[1]; y += 1) {
      for (let z = 0; z < shape[2]; z += 1, flat += 1) body([x, y, z], flat);
    }
  }
}

/**
 * Tissue at the faces between voxels: the mean of both sides where both hold enough matter, else nothing.
 *
 * @param compat  `'official'`: as the published code has it, where the volume's ends touch and the upper faces along z
 *   are those along y. Default: nothing passes the ends of the volume.
 */
export function tissueFaces({ white, grey }: Tissue, compat?: 'official'): Faces {
  const { shape } = white;
  const count = voxels(shape);
  const empty = (): Face => ({ white: new Float64Array(count), grey: new Float64Array(count) });
  const upper = [empty(), empty(), empty()] as const;
  const lower = [empty(), empty(), empty()] as const;
  const solid = (flat: number): boolean =>
    (white.values[flat] as number) + (grey.values[flat] as number) >= leastMatter;
  forEachVoxel(shape, (at, flat) => {
    for (const axis of [0, 1, 2] as const) {
      const next = neighbour(at, shape, axis, 1);
      const around = at[axis] + 1 === shape[axis];
      if (!solid(flat) || !solid(next) || (around && compat === undefined)) continue;
      for (const kind of ['white', 'grey'] as const) {
        const { values } = kind === 'white' ? white : grey;
        const mean = ((values[next] as number) + (values[flat] as number)) / 2;
        upper[axis][kind][flat] = mean;
        lower[axis][kind][next] = mean;
      }
    }
  });
  return { shape, upper: compat === undefined ? upper : [upper[0], upper[1], upper[1]], lower };
}
