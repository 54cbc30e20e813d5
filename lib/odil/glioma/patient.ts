// From the images of a patient to the model's grid (odil.md, section 7.1).
import { fail, number, object, parse, typedArray, withDefault } from '../../runtime/validate';
import { makeError } from '../../runtime/errors';
import { brats, classes, classesOf } from './labels';
import type { Tissue } from './tissue';
import {
  boundingBox,
  type Box,
  crop,
  resample,
  type Shape3,
  shapeSchema,
  type Volume,
  type VolumeInput,
  volumeSchema,
  voxels,
} from './volume';

/** Images of one patient, all on the same voxels of 1 mm. */
export interface PatientImages {
  /** Labels as in `options.labels`: by default 0 healthy, 1 enhancing core, 3 oedema, 4 necrotic core. */
  labels: VolumeInput;
  /** Fraction of white matter, in [0, 1]. */
  white: VolumeInput;
  /** Fraction of grey matter, in [0, 1]. */
  grey: VolumeInput;
  /** FET-PET signal in any unit; default: none. */
  pet?: VolumeInput;
}

/** What the model sees: images on its grid. */
export interface Scan {
  /** Cells along x, y, z. */
  readonly shape: Shape3;
  /** Length of the grid along x, y, z in millimetres. */
  readonly extent: Shape3;
  /** Fraction of white matter per cell. */
  readonly white: Float64Array;
  /** Fraction of grey matter per cell. */
  readonly grey: Float64Array;
  /** 0 healthy, 1 oedema, 2 core. */
  readonly classes: Float64Array;
  /** PET signal in [0, 1] of oedema and enhancing core, 0 elsewhere. */
  readonly pet?: Float64Array;
}

/** A patient around the tumour. */
export interface Patient {
  /** The part of the images that was cut out. */
  readonly box: Box;
  /** Classes in that part, at full resolution. */
  readonly classes: Volume;
  /** Tissue in that part, at full resolution. */
  readonly tissue: Tissue;
  /** Images on the grid of the model. */
  readonly scan: Scan;
  /** Centre of mass of the core, in voxels of the part. */
  readonly centre: Shape3;
}

/** How a patient is cut out. */
export interface PreparePatientOptions {
  /** Cells along x, y, z; default [48, 48, 48]. */
  cells?: Shape3;
  /** How far each side is moved out from the tumour's box, as a part of half its length; default 0.5. */
  margin?: number;
  /**
   * Which label means what; 0 is healthy. Default { enhancing: 1, oedema: 3, necrotic: 4 }, as the published code has
   * it; the BraTS challenge itself uses { enhancing: 4, oedema: 2, necrotic: 1 }.
   */
  labels?: {
    /** Enhancing core. */ enhancing: number;
    /** Oedema. */ oedema: number;
    /** Necrotic core. */ necrotic: number;
  };
}

/** @internal */
export const scanSchema = (value: unknown, argument: string): Scan => {
  const given = parse(
    value,
    argument,
    object({
      shape: shapeSchema,
      extent: (extent: unknown, name: string) =>
        Array.from(parse(extent, name, typedArray(['Float64Array'], { length: 3 }))),
      white: (one: unknown) => one,
      grey: (one: unknown) => one,
      classes: (one: unknown) => one,
      pet: (one: unknown) => one,
    }),
  );
  const length = voxels(given.shape);
  const known: number[] = [0, classes.oedema, classes.core];
  const image = (name: 'white' | 'grey' | 'classes' | 'pet'): Float64Array =>
    parse(given[name], `${argument}.${name}`, typedArray(['Float64Array'], { length, per: 'one value per cell' }));
  const labels = image('classes');
  const odd = labels.findIndex((label) => !known.includes(label));
  if (odd >= 0) {
    fail('ERR_INVALID_ARG_VALUE', `${argument}.classes[${odd}]`, '0 (healthy), 1 (oedema) or 2 (core)', labels[odd]);
  }
  return {
    shape: given.shape,
    extent: given.extent.map((length_, axis) =>
      parse(length_, `${argument}.extent[${axis}]`, number({ above: 0 })),
    ) as unknown as Shape3,
    white: image('white'),
    grey: image('grey'),
    classes: labels,
    ...(given.pet === undefined ? {} : { pet: image('pet') }),
  };
};

function centreOfMass({ shape, values }: Volume, label: number): Shape3 | undefined {
  const total = [0, 0, 0];
  let count = 0;
  values.forEach((value, flat) => {
    if (value !== label) return;
    const z = flat % shape[2];
    const y = Math.floor(flat / shape[2]) % shape[1];
    const x = Math.floor(flat / (shape[1] * shape[2]));
    [x, y, z].forEach((at, axis) => (total[axis] = (total[axis] as number) + at));
    count += 1;
  });
  return count === 0 ? undefined : (total.map((sum) => sum / count) as unknown as Shape3);
}

/**
 * Cuts out the surroundings of a tumour and brings all images onto the model's grid: labels and PET by the nearest
 * voxel, tissue linearly.
 *
 * @throws ERR_SHAPE_MISMATCH     images of different shapes
 * @throws ERR_NOT_FINITE         NaN or infinity in an image
 * @throws ERR_INVALID_ARG_VALUE  no voxel of core, or a PET image without any signal
 */
export function preparePatient(images: PatientImages, options: PreparePatientOptions = {}): Patient {
  const given = parse(
    images,
    'images',
    object({
      labels: volumeSchema(),
      white: (one: unknown) => one,
      grey: (one: unknown) => one,
      pet: (one: unknown) => one,
    }),
  );
  const shape = given.labels.shape;
  const same = (name: 'white' | 'grey' | 'pet'): Volume => parse(given[name], `images.${name}`, volumeSchema(shape));
  const {
    cells,
    margin,
    labels: names,
  } = parse(
    options,
    'options',
    object({
      cells: withDefault(shapeSchema, [48, 48, 48]),
      margin: withDefault(number({ min: 0 }), 0.5),
      labels: withDefault(object({ enhancing: number(), oedema: number(), necrotic: number() }), brats),
    }),
  );
  const labels = {
    shape,
    values: given.labels.values.map((label, i) => {
      if (label === 0) return 0;
      const name = (['enhancing', 'oedema', 'necrotic'] as const).find((one) => names[one] === label);
      if (name === undefined) {
        const meanings = `0 or one of options.labels (${Object.values(names).join(', ')})`;
        fail('ERR_INVALID_ARG_VALUE', `images.labels.values[${i}]`, meanings, label);
      }
      return brats[name];
    }),
  };
  const all = classesOf(labels);
  const box = boundingBox(all, 0.1, margin);
  const own = box === undefined ? undefined : crop(all, box);
  const centre = own === undefined ? undefined : centreOfMass(own, classes.core);
  if (box === undefined || own === undefined || centre === undefined) {
    throw makeError('ERR_INVALID_ARG_VALUE', 'images.labels', '`images.labels` holds no voxel of core');
  }
  const tissue = { white: crop(same('white'), box), grey: crop(same('grey'), box) };
  const positive = (volume: Volume): Float64Array => volume.values.map((value) => Math.max(0, value));
  const linear = (volume: Volume): Float64Array => positive(resample(volume, cells, 'linear'));
  const nearest = (volume: Volume): Float64Array => positive(resample(volume, cells, 'nearest'));
  let pet: Float64Array | undefined;
  if (given.pet !== undefined) {
    const signal = same('pet');
    const most = signal.values.reduce((a, b) => Math.max(a, b), 0);
    if (most === 0) throw makeError('ERR_INVALID_ARG_VALUE', 'images.pet', '`images.pet` holds no signal above 0');
    const values = signal.values.map((value, i) => {
      const label = labels.values[i];
      return label === brats.oedema || label === brats.enhancing ? value / most : 0;
    });
    pet = nearest(crop({ shape: signal.shape, values }, box));
  }
  const scan: Scan = {
    shape: cells,
    extent: own.shape,
    white: linear(tissue.white),
    grey: linear(tissue.grey),
    classes: nearest(own),
    ...(pet === undefined ? {} : { pet }),
  };
  return { box, classes: own, tissue, scan, centre };
}

/** Puts values on the model's grid back into a volume of the images' shape, linearly; 0 outside the part. */
export function restore(values: Float64Array, patient: Patient, shape: Shape3): Volume {
  const { box, scan, classes: own } = patient;
  const fine = resample({ shape: scan.shape, values }, own.shape, 'linear');
  const result = new Float64Array(voxels(parse(shape, 'shape', shapeSchema)));
  for (let x = 0; x < own.shape[0]; x += 1) {
    for (let y = 0; y < own.shape[1]; y += 1) {
      const source = (x * own.shape[1] + y) * own.shape[2];
      const target = ((x + box.from[0]) * shape[1] + y + box.from[1]) * shape[2] + box.from[2];
      result.set(fine.values.subarray(source, source + own.shape[2]), target);
    }
  }
  return { shape, values: result };
}
