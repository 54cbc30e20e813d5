// Synthetic patients: a tumour grown in given tissue, with the images it would make (odil.md, section 7.6).
import { normals, uniforms } from '../../runtime/random';
import { arrayOf, integer, number, object, oneOf, optional, parse, withDefault } from '../../runtime/validate';
import { diffusionCoefficients, grow, seed } from './forward';
import { brats, bratsLabels, type Thresholds } from './labels';
import { leastMatter, tissueFaces, type TissueInput, tissueSchema } from './tissue';
import { pointSchema, resample, type Shape3, shapeSchema, type Volume, voxels } from './volume';

/** A tumour to be grown. */
export interface TumourParameters {
  /** Diffusion in white matter, mm^2 per day. */
  diffusion: number;
  /** Proliferation per day. */
  growth: number;
  /** Diffusion in white over that in grey matter. */
  ratio: number;
  /** Where it began, in voxels; several foci add up. */
  centres: readonly Shape3[];
  /** What its labels are made with. */
  thresholds: Thresholds;
}

/** A grown tumour: with the tissue, and the PET image of `petImage`, the images of a patient. */
export interface SyntheticTumour {
  /** What it was grown with. */
  readonly parameters: TumourParameters;
  /** The truth: concentration in [0, 1]. */
  readonly concentration: Volume;
  /** BraTS labels. */
  readonly labels: Volume;
}

/** Draws a tumour: one focus or three, as the published generator does (with other random numbers). */
export function drawTumour(seedNumber: number, shape: Shape3, foci: 1 | 3 = 1): TumourParameters {
  const uniform = uniforms(parse(seedNumber, 'seed', integer({ min: 0, max: 2 ** 31 - 1 })));
  const size = parse(shape, 'shape', shapeSchema);
  const between = (low: number, high: number): number => low + (high - low) * uniform();
  const [diffusion, growth, ratio] = [between(0.035, 0.2), between(0.035, 0.2), between(10, 30)];
  const thresholds = { necrotic: between(0.7, 0.85), core: between(0.45, 0.6), oedema: between(0.15, 0.35) };
  let fraction = [between(0.3, 0.5), between(0.3, 0.5), between(0.3, 0.5)];
  const centres: Shape3[] = [];
  for (let focus = 0; focus < foci; focus += 1) {
    if (focus > 0) fraction = fraction.map((at) => at + between(-0.05, 0.05));
    centres.push(fraction.map((at, axis) => Math.floor(at * (size[axis] as number))) as unknown as Shape3);
  }
  return { diffusion, growth, ratio, centres, thresholds };
}

const parametersSchema = object({
  diffusion: number({ above: 0 }),
  growth: number({ min: 0 }),
  ratio: number({ above: 0 }),
  centres: arrayOf(pointSchema, { min: 1 }),
  thresholds: object({ oedema: number(), core: number(), necrotic: number() }),
});

/** Noise that is smooth: each voxel drawn around the mean of its 27 neighbours, three sweeps. */
function smoothNoise(shape: Shape3, uniform: () => number): Float64Array {
  const normal = normals(uniform);
  const [width, height, depth] = shape;
  const field = new Float64Array(voxels(shape)).map(uniform);
  const span = (at: number, count: number): [number, number] => [Math.max(0, at - 1), Math.min(count, at + 2)];
  for (let sweep = 0; sweep < 3; sweep += 1) {
    let flat = 0;
    for (let x = 0; x < width; x += 1) {
      const [x0, x1] = span(x, width);
      for (let y = 0; y < height; y += 1) {
        const [y0, y1] = span(y, height);
        for (let z = 0; z < depth; z += 1, flat += 1) {
          const [z0, z1] = span(z, depth);
          let sum = 0;
          for (let i = x0; i < x1; i += 1) {
            for (let j = y0; j < y1; j += 1) {
              for (let k = z0; k < z1; k += 1) sum += field[(i * height + j) * depth + k] as number;
            }
          }
          field[flat] = sum / ((x1 - x0) * (y1 - y0) * (z1 - z0)) + 0.005 * normal();
        }
      }
    }
  }
  return field;
}

/**
 * The PET image of a tumour, in [0, 1]: noisy, coarse, on a background that is taken off. The same seed makes the same
 * bytes. Cost: seconds at 64^3, nearly all of it for the noise.
 */
export function petImage(tumour: SyntheticTumour, tissue: TissueInput, seedNumber = 0): Volume {
  const { concentration, parameters } = tumour;
  const { thresholds } = parameters;
  const { shape } = concentration;
  const brain = parse(tissue, 'tissue', tissueSchema(shape));
  const uniform = uniforms(parse(seedNumber, 'seed', integer({ min: 0, max: 2 ** 31 - 1 })));
  const noise = smoothNoise(shape, uniform);
  const noisy = concentration.values.map((u, i) => u + (noise[i] as number));
  const most = noisy.reduce((a, b) => Math.max(a, b), 0);
  const values = noisy.map((u) => u / most);
  const labels = bratsLabels({ shape, values }, thresholds).values;
  const signal = values.map((u, i) => (labels[i] === brats.enhancing || labels[i] === brats.oedema ? 0.75 * u : 0));
  const coarseShape = shape.map((count) => Math.ceil(count / 4)) as unknown as Shape3;
  const coarse = new Float64Array(voxels(coarseShape));
  for (let x = 0, flat = 0; x < coarseShape[0]; x += 1) {
    for (let y = 0; y < coarseShape[1]; y += 1) {
      for (let z = 0; z < coarseShape[2]; z += 1, flat += 1) {
        coarse[flat] = signal[(4 * x * shape[1] + 4 * y) * shape[2] + 4 * z] as number;
      }
    }
  }
  const restored = resample({ shape: coarseShape, values: coarse }, shape, 'linear').values;
  const mean = restored.reduce((total, value) => total + value, 0) / restored.length;
  const above = restored.map((value) => Math.max(0, value - 0.9 * mean));
  const peak = above.reduce((a, b) => Math.max(a, b), 0);
  const matter = (i: number): number => (brain.white.values[i] as number) + (brain.grey.values[i] as number);
  return {
    shape,
    values: above.map((value, i) => (peak > 0 && matter(i) > leastMatter ? value / peak : 0)),
  };
}

/** Options of `growTumour`. */
export interface GrowTumourOptions {
  /** Days from the first cell to the images; default 100. */
  days?: number;
  /** `'official'`: with the faces of the published code. */
  compat?: 'official';
}

/**
 * Grows a tumour in tissue with voxels of 1 mm.
 *
 * Cost: 20 000 x diffusion explicit steps; seconds at 64^3.
 */
export function growTumour(
  tissue: TissueInput,
  parameters: TumourParameters,
  options: GrowTumourOptions = {},
): SyntheticTumour {
  const brain = parse(tissue, 'tissue', tissueSchema());
  const given = parse(parameters, 'parameters', parametersSchema);
  const { days, compat } = parse(
    options,
    'options',
    object({
      days: withDefault(number({ above: 0 }), 100),
      compat: optional(oneOf(['official'])),
    }),
  );
  const { shape } = brain.white;
  const start = new Float64Array(voxels(shape));
  for (const centre of given.centres)
    seed(shape, centre).values.forEach((u, i) => (start[i] = (start[i] as number) + u));
  const steps = (10 * days * given.diffusion) / 0.05;
  const coefficients = diffusionCoefficients(tissueFaces(brain, compat), given.diffusion, given.ratio);
  const values = grow(coefficients, start, { growth: given.growth, timeStep: days / steps, steps: Math.ceil(steps) });
  const concentration = { shape, values };
  return {
    parameters: given,
    concentration,
    labels: bratsLabels(concentration, given.thresholds),
  };
}
