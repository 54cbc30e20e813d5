// A patient's images from NIfTI files: brought to axes that point to the right, to the front and up, and to voxels of
// 1 mm, which the model is made of.
import { type Affine, type NiftiVolume, readNifti } from '../../formats/nifti';
import { makeError } from '../../runtime/errors';
import { fail, object, oneOf, parse, withDefault } from '../../runtime/validate';
import type { PatientImages } from './patient';
import { resample, type Shape3, type Volume } from './volume';

/** What was done to a file's volume. */
export interface VolumeSource {
  /** Voxels along the file's own axes. */
  readonly shape: Shape3;
  /** Size of its voxels in millimetres. */
  readonly spacing: Shape3;
  /** Where its axes point, `'RAS'` for example; see `formats.NiftiVolume`. */
  readonly orientation: string;
  /** False where the file does not say: then its axes are taken as they are. */
  readonly orientationKnown: boolean;
  /** Whether its voxels were not of 1 mm, so that values were brought to other places. */
  readonly resampled: boolean;
}

/** A volume from a file. */
export interface PlacedVolume extends Volume {
  /** From voxels of this volume to millimetres in the scanner's space: for writing results back. */
  readonly affine: Affine;
  /** The file's own voxels. */
  readonly source: VolumeSource;
}

/** Options of `readVolume`. */
export interface ReadVolumeOptions {
  /**
   * How values get to voxels of 1 mm: `'linear'` (default), or `'nearest'`, which keeps labels whole. Files that have
   * such voxels are not touched.
   */
  interpolation?: 'linear' | 'nearest';
}

const tolerance = 1e-3; // of a voxel's size: headers are single precision and rounded by hand

type Column = readonly [number, number, number];
const columnOf = (affine: Affine, k: 0 | 1 | 2 | 3): Column => [affine[0][k], affine[1][k], affine[2][k]];

/** The same values with axes along R, A, S. */
function canonical({ shape, values, affine, orientation }: NiftiVolume): {
  shape: Shape3;
  values: Float64Array;
  affine: Affine;
} {
  // For each axis of space: the file's axis that it lies along, and whether that runs the other way.
  const along = ['RL', 'AP', 'SI'].map((letters) => {
    const axis = [0, 1, 2].find((k) => letters.includes(orientation[k] as string)) as 0 | 1 | 2;
    return { axis, reversed: orientation[axis] === letters[1] };
  }) as [Along, Along, Along];
  type Along = { axis: 0 | 1 | 2; reversed: boolean };
  const strides = [shape[1] * shape[2], shape[2], 1] as const;
  const turned: Shape3 = [shape[along[0].axis], shape[along[1].axis], shape[along[2].axis]];
  const step = along.map(({ axis, reversed }) => (reversed ? -strides[axis] : strides[axis])) as unknown as Shape3;
  const start = along.reduce((sum, { axis, reversed }) => sum + (reversed ? strides[axis] * (shape[axis] - 1) : 0), 0);
  const result = new Float64Array(values.length);
  let to = 0;
  for (let x = 0; x < turned[0]; x += 1) {
    for (let y = 0; y < turned[1]; y += 1) {
      for (let z = 0; z < turned[2]; z += 1, to += 1) {
        result[to] = values[start + x * step[0] + y * step[1] + z * step[2]] as number;
      }
    }
  }
  const columns = along.map(({ axis, reversed }) => columnOf(affine, axis).map((value) => (reversed ? -value : value)));
  const origin = along.reduce(
    (sum, { axis, reversed }) =>
      sum.map((value, r) => value + (reversed ? (shape[axis] - 1) * affine[r as 0 | 1 | 2][axis] : 0)),
    [...columnOf(affine, 3)],
  );
  const rows = [0, 1, 2].map((r) => [columns[0]?.[r], columns[1]?.[r], columns[2]?.[r], origin[r]]);
  return { shape: turned, values: result, affine: rows as unknown as Affine };
}

/**
 * A volume from a NIfTI file (`.nii`, `.nii.gz`): axes turned to point to the right, to the front and up (the nearest
 * ones where the volume is tilted), values brought to voxels of 1 mm. What was done is told in `source`.
 *
 * @throws ERR_INVALID_FORMAT  see `formats.parseNifti`
 */
export function readVolume(file: string, options: ReadVolumeOptions = {}): PlacedVolume {
  if (typeof file !== 'string') fail('ERR_INVALID_ARG_TYPE', 'file', 'the name of a file', file);
  const { interpolation } = parse(
    options,
    'options',
    object({ interpolation: withDefault(oneOf(['linear', 'nearest']), 'linear') }),
  );
  const given = readNifti(file);
  const turned = canonical(given);
  const sizes = [0, 1, 2].map((k) => Math.hypot(...columnOf(turned.affine, k as 0 | 1 | 2))) as unknown as Shape3;
  const resampled = sizes.some((size) => Math.abs(size - 1) > tolerance);
  const source: VolumeSource = {
    shape: given.shape,
    spacing: given.spacing,
    orientation: given.orientation,
    orientationKnown: given.space !== 'none',
    resampled,
  };
  if (!resampled) return { ...turned, source };
  // The first and the last voxel stay where they are (as everywhere in this model): steps of about 1 mm between them.
  const counts = turned.shape.map((count, k) =>
    Math.max(1, Math.round((count - 1) * (sizes[k] as number)) + 1),
  ) as unknown as Shape3;
  const stretch = turned.shape.map((count, k) =>
    (counts[k] as number) > 1 ? (count - 1) / ((counts[k] as number) - 1) : 1,
  );
  const affine = turned.affine.map((row) => row.map((value, k) => (k < 3 ? value * (stretch[k] as number) : value)));
  return { ...resample(turned, counts, interpolation), affine: affine as unknown as Affine, source };
}

/** Files of one patient. */
export interface PatientFiles {
  /** Segmentation; see `PatientImages`. */
  labels: string;
  /** Fraction of white matter, in [0, 1]. */
  white: string;
  /** Fraction of grey matter, in [0, 1]. */
  grey: string;
  /** FET-PET; default none. */
  pet?: string;
}

/** Images of a patient with their place in space. */
export interface PlacedImages extends PatientImages {
  /** See `PatientImages`. */
  labels: PlacedVolume;
}

/**
 * All images of a patient from NIfTI files, which must lie on the same voxels. Labels are rounded to whole numbers.
 *
 * @returns what `preparePatient` takes, each with its place in space
 * @throws ERR_INVALID_FORMAT  see `formats.parseNifti`
 * @throws ERR_SHAPE_MISMATCH  images of different voxels or places
 */
export function readImages(files: PatientFiles): PlacedImages {
  const file = (value: unknown, argument: string): string =>
    typeof value === 'string' ? value : fail('ERR_INVALID_ARG_TYPE', argument, 'the name of a file', value);
  const names = parse(
    files,
    'files',
    object({
      labels: file,
      white: file,
      grey: file,
      pet: (value, argument) => (value === undefined ? undefined : file(value, argument)),
    }),
  );
  const read = readVolume(names.labels, { interpolation: 'nearest' });
  const labels = { ...read, values: read.values.map(Math.round) };
  const beside = (name: 'white' | 'grey' | 'pet', from: string): PlacedVolume => {
    const volume = readVolume(from);
    const far = volume.affine.some((row, r) =>
      row.some(
        (value, c) => Math.abs(value - labels.affine[r as 0 | 1 | 2][c as 0 | 1 | 2 | 3]) > (c < 3 ? 1e-2 : 0.5),
      ),
    );
    if (volume.shape.join() !== labels.shape.join() || far) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        `files.${name}`,
        `\`files.${name}\` (${from}) must lie on the voxels of the labels: [${labels.shape.join(', ')}] at ${placeText(labels.affine)}, got [${volume.shape.join(', ')}] at ${placeText(volume.affine)}; resample it with the tool that registered them`,
      );
    }
    return volume;
  };
  return {
    labels,
    white: beside('white', names.white),
    grey: beside('grey', names.grey),
    ...(names.pet === undefined ? {} : { pet: beside('pet', names.pet) }),
  };
}

function placeText(affine: Affine): string {
  return `(${columnOf(affine, 3)
    .map((value) => value.toFixed(1))
    .join(', ')}) mm`;
}
