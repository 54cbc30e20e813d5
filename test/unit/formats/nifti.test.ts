// NIfTI files: against an independent reader, in both byte orders and versions, and files that lie.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { formats } from '../../../lib';
import { errorWith } from '../../support/errors';

const { parseNifti, serializeNifti } = formats;

const shape = [3, 4, 5] as const;
const values = Float64Array.from({ length: 60 }, (_, i) => (i * 7) % 23);
const affine: formats.Affine = [
  [0, -2, 0, 10],
  [0, 0, 3, -20],
  [-1.5, 0, 0, 30],
];
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-nifti-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

test('what is written comes back, in every type, gzipped or not', () => {
  for (const type of ['uint8', 'int16', 'float32', 'float64'] as const) {
    for (const name of [`${type}.nii`, `${type}.nii.gz`]) {
      formats.writeNifti(path.join(folder, name), { shape, values, affine, type });
      const volume = formats.readNifti(path.join(folder, name));
      expect(volume).toMatchObject({
        shape,
        values,
        affine,
        spacing: [1.5, 2, 3],
        orientation: 'ILA',
        space: 'matrix',
      });
    }
  }
});

test('an independent reader sees the same header and the same voxels', () => {
  const file = path.join(folder, 'independent.nii.gz');
  formats.writeNifti(file, { shape, values, affine, type: 'int16' });
  const code = `
    import * as nifti from 'nifti-reader-js';
    import fs from 'node:fs';
    let data = new Uint8Array(fs.readFileSync(${JSON.stringify(file)})).buffer;
    if (nifti.isCompressed(data)) data = nifti.decompress(data);
    const header = nifti.readHeader(data);
    const image = new Int16Array(nifti.readImage(header, data));
    console.log(JSON.stringify({ dims: header.dims.slice(1, 4), affine: header.affine.slice(0, 3), image: [...image] }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const seen = JSON.parse(stdout) as { dims: number[]; affine: number[][]; image: number[] };
  expect(seen.dims).toEqual(shape);
  expect(seen.affine).toEqual(affine);
  // There the first index is the fastest.
  seen.image.forEach((value, at) => {
    const [i, j, k] = [at % 3, Math.floor(at / 3) % 4, Math.floor(at / 12)];
    expect(value).toBe(values[(i * 4 + j) * 5 + k]);
  });
});

/** A header by hand. */
function header(big: boolean, fill: (view: DataView, little: boolean) => void, voxels: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(352 + voxels));
  const little = !big;
  view.setInt32(0, 348, little);
  [3, 2, 3, 2].forEach((extent, k) => view.setInt16(40 + 2 * k, extent, little));
  view.setInt16(70, 2, little);
  [1, 1, 1, 1].forEach((size, k) => view.setFloat32(76 + 4 * k, size, little));
  view.setFloat32(108, 352, little);
  view.setUint8(123, 2);
  [0x6e, 0x2b, 0x31].forEach((letter, k) => view.setUint8(344 + k, letter));
  for (let k = 0; k < voxels; k += 1) view.setUint8(352 + k, k);
  fill(view, little);
  return new Uint8Array(view.buffer);
}

test('big-endian files, scaled values, micrometres, rotations, and no place at all', () => {
  const plain = parseNifti(header(true, () => undefined, 12));
  expect(plain).toMatchObject({ shape: [2, 3, 2], spacing: [1, 1, 1], orientation: 'RAS', space: 'none' });
  expect([...plain.values.subarray(0, 4)]).toEqual([0, 6, 2, 8]);
  const scaled = parseNifti(
    header(
      false,
      (view, little) => {
        view.setFloat32(112, 0.5, little);
        view.setFloat32(116, -1, little);
        view.setUint8(123, 3);
        [1, 500, 1000, 2000].forEach((size, k) => view.setFloat32(76 + 4 * k, size, little));
      },
      12,
    ),
  );
  expect(scaled.values[1]).toBe(2);
  scaled.spacing.forEach((size, k) => expect(size).toBeCloseTo([0.5, 1, 2][k] as number, 12));
  // Half a turn about z (quaternion 0, 0, 0, 1), third axis turned around.
  const rotated = parseNifti(
    header(
      false,
      (view, little) => {
        view.setInt16(252, 1, little);
        view.setFloat32(76, -1, little);
        [0, 0, 1, 5, 6, 7].forEach((value, k) => view.setFloat32(256 + 4 * k, value, little));
      },
      12,
    ),
  );
  expect(rotated).toMatchObject({ orientation: 'LPI', space: 'rotation' });
  expect(rotated.affine.map((row) => row[3])).toEqual([5, 6, 7]);
});

test('version 2', () => {
  const view = new DataView(new ArrayBuffer(544 + 12 * 8));
  view.setInt32(0, 540, true);
  [0x6e, 0x2b, 0x32].forEach((letter, k) => view.setUint8(4 + k, letter));
  view.setInt16(12, 64, true);
  [3, 2, 3, 2].forEach((extent, k) => view.setBigInt64(16 + 8 * k, BigInt(extent), true));
  [1, 2, 2, 2].forEach((size, k) => view.setFloat64(104 + 8 * k, size, true));
  view.setBigInt64(168, 544n, true);
  view.setInt32(500, 2, true);
  for (let k = 0; k < 12; k += 1) view.setFloat64(544 + 8 * k, k / 10, true);
  const volume = parseNifti(new Uint8Array(view.buffer));
  expect(volume).toMatchObject({ shape: [2, 3, 2], spacing: [2, 2, 2] });
  expect(volume.values[1]).toBe(0.6);
});

test('files that are cut off, or lie, give typed errors', () => {
  const good = serializeNifti({ shape, values, type: 'uint8' });
  const bad = errorWith('ERR_INVALID_FORMAT', 'bytes');
  for (let length = 0; length < good.length; length += 1) {
    expect(() => parseNifti(good.subarray(0, length))).toThrow(bad);
  }
  const zipped = zlib.gzipSync(good);
  for (let length = 2; length < zipped.length; length += 1) {
    expect(() => parseNifti(zipped.subarray(0, length))).toThrow(bad);
  }
  const lies: ((view: DataView) => void)[] = [
    (view) => view.setInt16(40, 8, true), // eight axes
    (view) => view.setInt16(40, 2, true), // a picture
    (view) => view.setInt16(42, -3, true),
    (view) => view.setInt16(42, 32767, true),
    (view) => [4, 3, 4, 5, 2].forEach((extent, k) => view.setInt16(40 + 2 * k, extent, true)), // two volumes
    (view) => view.setInt16(70, 128, true), // colours
    (view) => view.setFloat32(108, 1e9, true),
    (view) => view.setFloat32(108, NaN, true),
    (view) => view.setFloat32(280, NaN, true),
    (view) => view.setUint8(345, 0x69), // a pair of files
  ];
  for (const lie of lies) {
    const copy = good.slice();
    lie(new DataView(copy.buffer));
    expect(() => parseNifti(copy)).toThrow(bad);
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 351 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const damaged = good.slice();
      damaged[at] = byte;
      try {
        expect(parseNifti(damaged).values.length).toBeLessThanOrEqual(60);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_INVALID_FORMAT' });
      }
    }),
    { numRuns: 3000 },
  );
});
