// Brains from formulas, to test with: the one of odil.md, section 7.7, and others drawn around it.
import { uniforms } from '../../runtime/random';
import { integer, object, optional, parse } from '../../runtime/validate';
import { forEachVoxel, type Tissue } from './tissue';
import type { Shape3 } from './volume';

/** An ellipsoid on each side of the middle plane; the second axis is from side to side. */
interface Pair {
  readonly centre: Shape3;
  readonly radii: Shape3;
  /** Sizes of the two sides. */
  readonly sides: readonly [number, number];
}

/** Lengths are in sizes of the volume. */
interface Anatomy {
  readonly radii: Shape3;
  /** Angles around the axes, radians. */
  readonly tilt: Shape3;
  /** Depth of white matter, in radii. */
  readonly depth: number;
  readonly folds: {
    readonly height: number;
    readonly around: number;
    readonly along: number;
    readonly phases: readonly [number, number];
  };
  readonly ventricles: Pair;
  readonly nuclei: Pair;
}

const middle: Anatomy = {
  radii: [0.42, 0.36, 0.33],
  tilt: [0, 0, 0],
  depth: 0.8,
  folds: { height: 0.05, around: 9, along: 7, phases: [0, 0] },
  ventricles: { centre: [0.02, 0.055, 0.02], radii: [0.16, 0.035, 0.06], sides: [1, 1] },
  nuclei: { centre: [0, 0.12, -0.03], radii: [0.08, 0.05, 0.06], sides: [1, 1] },
};

/** Sizes within an eighth, ventricles (which differ most between people) within four tenths, tilts within 0.15 radians. */
function draw(seed: number): Anatomy {
  const uniform = uniforms(seed);
  const between = (low: number, high: number): number => low + (high - low) * uniform();
  const three = (low: number, high: number, of: Shape3 = [1, 1, 1]): Shape3 => [
    of[0] * between(low, high),
    of[1] * between(low, high),
    of[2] * between(low, high),
  ];
  const pair = ({ centre, radii }: Pair, spread: number): Pair => ({
    centre: [centre[0] + between(-0.02, 0.02), centre[1] * between(0.9, 1.2), centre[2] + between(-0.015, 0.015)],
    radii: three(1 - spread, 1 + spread, radii),
    sides: [between(0.9, 1.1), between(0.9, 1.1)],
  });
  return {
    radii: three(0.88, 1.03, middle.radii),
    tilt: three(-0.15, 0.15),
    depth: between(0.74, 0.84),
    folds: {
      height: between(0.03, 0.07),
      around: Math.round(between(7, 12)),
      along: Math.round(between(5, 9)),
      phases: [between(0, 2 * Math.PI), between(0, 2 * Math.PI)],
    },
    ventricles: pair(middle.ventricles, 0.4),
    nuclei: pair(middle.nuclei, 0.1),
  };
}

type Matrix = readonly [Shape3, Shape3, Shape3];

function rotation([a, b, c]: Shape3): Matrix {
  const [sa, sb, sc] = [Math.sin(a), Math.sin(b), Math.sin(c)];
  const [ca, cb, cc] = [Math.cos(a), Math.cos(b), Math.cos(c)];
  return [
    [cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
    [cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
    [-sb, sa * cb, ca * cb],
  ];
}

const soft = (value: number): number => 1 / (1 + Math.exp(-value / 0.03));

function inPair(at: Shape3, { centre, radii, sides }: Pair): number {
  const one = (side: 1 | -1): number => {
    const size = sides[side === 1 ? 0 : 1];
    const parts = [at[0] - centre[0], at[1] - side * centre[1], at[2] - centre[2]];
    const square = parts.reduce((total, part, axis) => total + (part / (size * (radii[axis] as number))) ** 2, 0);
    return soft(1 - Math.sqrt(square));
  };
  return Math.min(1, Math.max(0, one(1) + one(-1)));
}

/** Options of {@link syntheticBrain}. */
export interface SyntheticBrainOptions {
  /** Draws another brain: size, tilt, folds, ventricles, nuclei and their symmetry; 0 to 2^31 - 1. Default: the middle. */
  seed?: number;
}

/**
 * A brain from formulas, fractions of white and grey matter at `size`^3 voxels: an ellipsoid with a folded cortex,
 * ventricles and nuclei. For tests and examples; it is nobody's anatomy. The same seed gives the same brain at every
 * size. Cost: proportional to the voxels.
 *
 * @param size  voxels along each axis, 4 to 1024.
 * @throws ERR_OUT_OF_RANGE or ERR_INVALID_ARG_TYPE, for `size` and `options.seed`.
 */
export function syntheticBrain(size: number, options: SyntheticBrainOptions = {}): Tissue {
  parse(size, 'size', integer({ min: 4, max: 1024 }));
  const { seed } = parse(options, 'options', object({ seed: optional(integer({ min: 0, max: 2 ** 31 - 1 })) }));
  const { radii, tilt, depth, folds, ventricles, nuclei } = seed === undefined ? middle : draw(seed);
  const turn = rotation(tilt);
  const shape: Shape3 = [size, size, size];
  const [white, grey] = [new Float64Array(size ** 3), new Float64Array(size ** 3)];
  const clean = (value: number): number => (value < 1e-3 ? 0 : value);
  forEachVoxel(shape, (index, flat) => {
    const place = index.map((i) => (i + 0.5) / size - 0.5) as [number, number, number];
    const at = turn.map((row) => row[0] * place[0] + row[1] * place[1] + row[2] * place[2]) as [number, number, number];
    const [x, y, z] = at;
    const radius = Math.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2) + 1e-12;
    const around = Math.sin(folds.around * Math.atan2(y, x) + folds.phases[0]);
    const along = Math.cos(folds.along * Math.atan2(z, Math.sqrt(x * x + y * y)) + folds.phases[1]);
    const inside = soft(1 - radius);
    const deep = soft(depth * (1 + folds.height * (around * along)) - radius);
    const fluid = inPair(at, ventricles);
    const core = inPair(at, nuclei);
    white[flat] = clean(inside * deep * (1 - fluid) * (1 - core));
    grey[flat] = clean(inside * (1 - deep * (1 - core)) * (1 - fluid));
  });
  return { white: { shape, values: white }, grey: { shape, values: grey } };
}
