// NIfTI files, versions 1 and 2, plain or gzipped: volumes of voxels with a place in space (nifti.nimh.nih.gov).
import fs from 'node:fs';
import zlib from 'node:zlib';
import { writeWhole } from '../runtime/files';
import { fail } from '../runtime/validate';
import { invalidFormat } from './bytes';

/** Millimetres of a voxel's centre: rows x, y, z of [i, j, k, 1] for voxel (i, j, k). */
export type Affine = readonly [
  readonly [number, number, number, number],
  readonly [number, number, number, number],
  readonly [number, number, number, number],
];

/** A volume as it lies in its file. */
export interface NiftiVolume {
  /** Voxels along the file's own three axes. */
  readonly shape: readonly [number, number, number];
  /** Values with the file's scale and offset applied; row-major: the third index is the fastest. */
  readonly values: Float64Array;
  /** Size of a voxel along each axis in millimetres. */
  readonly spacing: readonly [number, number, number];
  /** From voxels to millimetres, x to the right, y to the front, z up. */
  readonly affine: Affine;
  /**
   * Where each axis points: a letter each of R or L, A or P, S or I; `'RAS'` is to the right, to the front, up. The
   * nearest such axes where the volume is tilted.
   */
  readonly orientation: string;
  /** How the place in space is given: by a matrix, by a rotation, or not at all (then the axes are taken as RAS). */
  readonly space: 'matrix' | 'rotation' | 'none';
}

/** What is written to a file. */
export interface NiftiContents {
  /** Voxels along three axes. */
  shape: readonly [number, number, number];
  /** Row-major: the third index is the fastest. */
  values: Float64Array | Float32Array | Uint8Array | readonly number[];
  /** From voxels to millimetres; default: voxels of 1 mm, axes RAS. */
  affine?: Affine;
  /** How values are stored; default `'float32'`. */
  type?: 'uint8' | 'int16' | 'float32' | 'float64';
}

type Get = (view: DataView, at: number, little: boolean) => number;
interface ElementType {
  readonly bytes: number;
  readonly get: Get;
}
/** By the number in the header. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  2: { bytes: 1, get: (view, at) => view.getUint8(at) },
  4: { bytes: 2, get: (view, at, little) => view.getInt16(at, little) },
  8: { bytes: 4, get: (view, at, little) => view.getInt32(at, little) },
  16: { bytes: 4, get: (view, at, little) => view.getFloat32(at, little) },
  64: { bytes: 8, get: (view, at, little) => view.getFloat64(at, little) },
  256: { bytes: 1, get: (view, at) => view.getInt8(at) },
  512: { bytes: 2, get: (view, at, little) => view.getUint16(at, little) },
  768: { bytes: 4, get: (view, at, little) => view.getUint32(at, little) },
  1024: { bytes: 8, get: (view, at, little) => Number(view.getBigInt64(at, little)) },
  1280: { bytes: 8, get: (view, at, little) => Number(view.getBigUint64(at, little)) },
};

/** Where the members of a header lie. */
interface Layout {
  readonly header: number;
  readonly magic: number;
  readonly dim: (view: DataView, k: number, little: boolean) => number;
  readonly type: number;
  readonly real: (view: DataView, at: number, little: boolean) => number;
  readonly realBytes: number;
  readonly pixdim: number;
  readonly offset: (view: DataView, little: boolean) => number;
  readonly slope: number;
  readonly units: (view: DataView, little: boolean) => number;
  readonly qformCode: (view: DataView, little: boolean) => number;
  readonly sformCode: (view: DataView, little: boolean) => number;
  readonly quaternion: number;
  readonly matrix: number;
}
const version1: Layout = {
  header: 348,
  magic: 344,
  dim: (view, k, little) => view.getInt16(40 + 2 * k, little),
  type: 70,
  real: (view, at, little) => view.getFloat32(at, little),
  realBytes: 4,
  pixdim: 76,
  offset: (view, little) => view.getFloat32(108, little),
  slope: 112,
  units: (view) => view.getUint8(123),
  qformCode: (view, little) => view.getInt16(252, little),
  sformCode: (view, little) => view.getInt16(254, little),
  quaternion: 256,
  matrix: 280,
};
const version2: Layout = {
  header: 540,
  magic: 4,
  dim: (view, k, little) => Number(view.getBigInt64(16 + 8 * k, little)),
  type: 12,
  real: (view, at, little) => view.getFloat64(at, little),
  realBytes: 8,
  pixdim: 104,
  offset: (view, little) => Number(view.getBigInt64(168, little)),
  slope: 176,
  units: (view, little) => view.getInt32(500, little),
  qformCode: (view, little) => view.getInt32(344, little),
  sformCode: (view, little) => view.getInt32(348, little),
  quaternion: 352,
  matrix: 400,
};

const largest = 2 ** 32; // bytes after gunzip; a CT of the whole body at 0.5 mm has a quarter of it
const millimetres: Readonly<Record<number, number>> = { 0: 1, 1: 1000, 2: 1, 3: 0.001 };

function unpacked(bytes: Uint8Array, argument: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return zlib.gunzipSync(bytes, { maxOutputLength: largest });
  } catch (cause) {
    throw invalidFormat(argument, `\`${argument}\` is gzipped, but damaged or cut off`, cause);
  }
}

function layoutOf(view: DataView, argument: string): { layout: Layout; little: boolean } {
  for (const layout of [version1, version2]) {
    if (view.byteLength < layout.header + 4) continue;
    for (const little of [true, false]) {
      if (view.getInt32(0, little) !== layout.header) continue;
      const magic = Array.from({ length: 3 }, (_, k) => String.fromCharCode(view.getUint8(layout.magic + k))).join('');
      if (magic === 'n+1' || magic === 'n+2') return { layout, little };
      if (magic.startsWith('ni')) {
        throw invalidFormat(
          argument,
          `\`${argument}\` is the header of a pair .hdr, .img: convert it to one .nii file`,
        );
      }
    }
  }
  throw invalidFormat(argument, `\`${argument}\` is not a NIfTI file`);
}

function affineOf(
  view: DataView,
  layout: Layout,
  little: boolean,
  scale: number,
): { affine: Affine; space: NiftiVolume['space'] } {
  const real = (at: number, k: number): number => layout.real(view, at + k * layout.realBytes, little);
  const row = (a: number, b: number, c: number, d: number): [number, number, number, number] => [a, b, c, d];
  if (layout.sformCode(view, little) > 0) {
    const rows = [0, 1, 2].map((r) => {
      const [a, b, c, d] = [0, 1, 2, 3].map((k) => scale * real(layout.matrix, 4 * r + k));
      return row(a as number, b as number, c as number, d as number);
    });
    return { affine: rows as unknown as Affine, space: 'matrix' };
  }
  const size = [1, 2, 3].map((k) => scale * Math.abs(real(layout.pixdim, k))) as [number, number, number];
  if (layout.qformCode(view, little) <= 0) {
    return {
      affine: [row(size[0], 0, 0, 0), row(0, size[1], 0, 0), row(0, 0, size[2], 0)],
      space: 'none',
    };
  }
  const [b, c, d] = [0, 1, 2].map((k) => real(layout.quaternion, k)) as [number, number, number];
  const [x, y, z] = [3, 4, 5].map((k) => scale * real(layout.quaternion, k)) as [number, number, number];
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const [i, j] = [size[0], size[1]];
  const k = real(layout.pixdim, 0) < 0 ? -size[2] : size[2]; // the third axis may be turned around
  return {
    affine: [
      row((a * a + b * b - c * c - d * d) * i, 2 * (b * c - a * d) * j, 2 * (b * d + a * c) * k, x),
      row(2 * (b * c + a * d) * i, (a * a + c * c - b * b - d * d) * j, 2 * (c * d - a * b) * k, y),
      row(2 * (b * d - a * c) * i, 2 * (c * d + a * b) * j, (a * a + d * d - c * c - b * b) * k, z),
    ],
    space: 'rotation',
  };
}

/** Letter of each axis: every direction of space is given to the axis that is nearest to it, the clearest first. */
function orientationOf(affine: Affine): string {
  const letters = ['LR', 'PA', 'IS'];
  const result = ['', '', ''];
  const pairs = [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => ({ row, column })));
  const length = (column: number): number => Math.hypot(...affine.map((row) => row[column] as number));
  const share = ({ row, column }: { row: number; column: number }): number =>
    (affine[row]?.[column] as number) / (length(column) || 1);
  const taken = new Set<number>();
  for (const pair of pairs.sort((p, q) => Math.abs(share(q)) - Math.abs(share(p)))) {
    if (result[pair.column] !== '' || taken.has(pair.row)) continue;
    taken.add(pair.row);
    result[pair.column] = (letters[pair.row] as string)[share(pair) < 0 ? 0 : 1] as string;
  }
  return result.join('');
}

/** The volume in `bytes`; `argument` names them in errors. @internal */
export function readNiftiBytes(given: Uint8Array, argument: string): NiftiVolume {
  const bytes = unpacked(given, argument);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { layout, little } = layoutOf(view, argument);
  const axes = layout.dim(view, 0, little);
  const extents = [1, 2, 3, 4, 5, 6, 7].map((k) => (k <= axes ? layout.dim(view, k, little) : 1));
  if (axes < 3 || axes > 7 || extents.some((extent) => extent < 1 || extent > 32767)) {
    throw invalidFormat(
      argument,
      `\`${argument}\` has ${axes} axes of [${extents.slice(0, Math.max(0, axes)).join(', ')}] voxels`,
    );
  }
  if (extents.slice(3).some((extent) => extent > 1)) {
    throw invalidFormat(
      argument,
      `\`${argument}\` holds several volumes ([${extents.slice(0, axes).join(', ')}]): give one`,
    );
  }
  const shape = extents.slice(0, 3) as unknown as NiftiVolume['shape'];
  const code = view.getInt16(layout.type, little);
  const type = elementTypes[code];
  if (type === undefined)
    throw invalidFormat(argument, `\`${argument}\` holds elements of type ${code}, which are not read`);
  const count = shape[0] * shape[1] * shape[2];
  const begin = layout.offset(view, little);
  if (!Number.isInteger(begin) || begin < layout.header || begin + count * type.bytes > view.byteLength) {
    throw invalidFormat(
      argument,
      `\`${argument}\` should hold ${count * type.bytes} bytes of voxels from byte ${begin} on, but ends at ${view.byteLength}`,
    );
  }
  const real = (at: number, k = 0): number => layout.real(view, at + k * layout.realBytes, little);
  const unit = millimetres[layout.units(view, little) & 7] ?? 1;
  const { affine, space } = affineOf(view, layout, little, unit);
  const spacing = [0, 1, 2].map((column) =>
    Math.hypot(...affine.map((row) => row[column] as number)),
  ) as unknown as NiftiVolume['spacing'];
  if (!spacing.every((size) => size > 0 && Number.isFinite(size))) {
    throw invalidFormat(argument, `\`${argument}\` has voxels of [${spacing.join(', ')}] mm`);
  }
  const slope = real(layout.slope);
  const scaled = slope !== 0 && Number.isFinite(slope);
  const offset = scaled ? real(layout.slope, 1) : 0;
  const values = new Float64Array(count);
  let at = begin;
  for (let k = 0; k < shape[2]; k += 1) {
    for (let j = 0; j < shape[1]; j += 1) {
      for (let i = 0; i < shape[0]; i += 1, at += type.bytes) {
        const value = type.get(view, at, little);
        values[(i * shape[1] + j) * shape[2] + k] = scaled ? slope * value + offset : value;
      }
    }
  }
  return { shape, values, spacing, affine, orientation: orientationOf(affine), space };
}

/**
 * The volume in the bytes of a NIfTI file, gzipped or not.
 *
 * @throws ERR_INVALID_FORMAT  no such file, several volumes, colours or complex numbers, or less than the header says
 */
export function parseNifti(bytes: Uint8Array): NiftiVolume {
  if (!(bytes instanceof Uint8Array)) fail('ERR_INVALID_ARG_TYPE', 'bytes', 'a Uint8Array', bytes);
  return readNiftiBytes(bytes, 'bytes');
}

/** The volume in a file, `.nii` or `.nii.gz`. Throws as `parseNifti`, and what the system says where there is none. */
export function readNifti(file: string): NiftiVolume {
  return readNiftiBytes(fs.readFileSync(file), file);
}

const written = {
  uint8: { code: 2, bytes: 1, set: (view: DataView, at: number, value: number) => view.setUint8(at, value) },
  int16: { code: 4, bytes: 2, set: (view: DataView, at: number, value: number) => view.setInt16(at, value, true) },
  float32: { code: 16, bytes: 4, set: (view: DataView, at: number, value: number) => view.setFloat32(at, value, true) },
  float64: { code: 64, bytes: 8, set: (view: DataView, at: number, value: number) => view.setFloat64(at, value, true) },
} as const;
const unitAffine: Affine = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];

/**
 * A NIfTI-1 file as bytes, not compressed.
 *
 * @throws ERR_SHAPE_MISMATCH  not one value per voxel
 */
export function serializeNifti({ shape, values, affine = unitAffine, type = 'float32' }: NiftiContents): Uint8Array {
  const extents: readonly number[] = shape;
  const fits = (extent: number): boolean => Number.isInteger(extent) && extent >= 1 && extent <= 32767;
  if (extents.length !== 3 || !extents.every(fits))
    fail('ERR_OUT_OF_RANGE', 'volume.shape', 'three counts of at most 32767', shape);
  const count = shape[0] * shape[1] * shape[2];
  if (values.length !== count) fail('ERR_SHAPE_MISMATCH', 'volume.values', `${count} values`, values);
  if (!Object.hasOwn(written, type))
    fail('ERR_INVALID_ARG_VALUE', 'volume.type', 'uint8, int16, float32 or float64', type);
  const { code, bytes, set } = written[type];
  const begin = 352;
  const view = new DataView(new ArrayBuffer(begin + count * bytes));
  view.setInt32(0, 348, true);
  [3, ...shape, 1, 1, 1, 1].forEach((extent, k) => view.setInt16(40 + 2 * k, extent, true));
  view.setInt16(70, code, true);
  view.setInt16(72, 8 * bytes, true);
  view.setFloat32(76, 1, true);
  [0, 1, 2].forEach((column) =>
    view.setFloat32(80 + 4 * column, Math.hypot(...affine.map((row) => row[column] as number)), true),
  );
  view.setFloat32(108, begin, true);
  view.setFloat32(112, 1, true);
  view.setUint8(123, 2); // millimetres
  view.setInt16(254, 1, true); // the matrix is that of the scanner
  affine.forEach((row, r) => row.forEach((value, c) => view.setFloat32(280 + 16 * r + 4 * c, value, true)));
  [0x6e, 0x2b, 0x31].forEach((letter, k) => view.setUint8(344 + k, letter));
  let at = begin;
  for (let k = 0; k < shape[2]; k += 1) {
    for (let j = 0; j < shape[1]; j += 1) {
      for (let i = 0; i < shape[0]; i += 1, at += bytes) {
        set(view, at, values[(i * shape[1] + j) * shape[2] + k] as number);
      }
    }
  }
  return new Uint8Array(view.buffer);
}

/** Writes a volume, gzipped where the name ends in `.gz`, whole or not at all. Throws as `serializeNifti`. */
export function writeNifti(file: string, volume: NiftiContents): void {
  const bytes = serializeNifti(volume);
  writeWhole(file, file.endsWith('.gz') ? zlib.gzipSync(bytes) : bytes);
}
