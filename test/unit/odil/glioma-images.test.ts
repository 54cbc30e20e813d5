// Patients from NIfTI files: whatever the axes and voxels of a file, the same place ends up in the same voxel.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formats, odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const { glioma } = odil;
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-images-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string): string => path.join(folder, name);

/** A function of millimetres, sampled on a volume. */
function sampled(
  shape: readonly [number, number, number],
  affine: formats.Affine,
  of: (p: number[]) => number,
): Float64Array {
  return Float64Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, flat) => {
    const index = [Math.floor(flat / (shape[1] * shape[2])), Math.floor(flat / shape[2]) % shape[1], flat % shape[2]];
    return of(affine.map((row) => row[3] + index.reduce((sum, i, k) => sum + i * (row[k] as number), 0)));
  });
}
const linear = ([x, y, z]: number[]): number => (x as number) + 10 * (y as number) - 3 * (z as number);

test.each<[string, readonly [number, number, number], formats.Affine]>([
  [
    'RAS',
    [4, 5, 6],
    [
      [1, 0, 0, -3],
      [0, 1, 0, 2],
      [0, 0, 1, 7],
    ],
  ],
  [
    'LPS',
    [4, 5, 6],
    [
      [-1, 0, 0, 9],
      [0, -1, 0, 8],
      [0, 0, 1, 7],
    ],
  ],
  [
    'ASR',
    [4, 5, 6],
    [
      [0, 0, 1, 1],
      [1, 0, 0, 2],
      [0, 1, 0, 3],
    ],
  ],
  [
    'PIR',
    [4, 5, 6],
    [
      [0, 0, 1, 1],
      [-1, 0, 0, 2],
      [0, -1, 0, 3],
    ],
  ],
  [
    'RAS',
    [4, 5, 6],
    [
      [2, 0, 0, 1],
      [0, 0.5, 0, 2],
      [0, 0, 1.5, 3],
    ],
  ],
  [
    'IRP',
    [6, 5, 4],
    [
      [0, 2, 0, 1],
      [0, 0, -3, 2],
      [-1, 0, 0, 3],
    ],
  ],
])('axes %s of %j voxels', (orientation, shape, affine) => {
  formats.writeNifti(at('volume.nii'), { shape, values: sampled(shape, affine, linear), affine, type: 'float64' });
  const volume = glioma.readVolume(at('volume.nii'));
  expect(volume.source).toMatchObject({ shape, orientation, orientationKnown: true });
  const isotropic = volume.source.spacing.every((size) => size === 1);
  expect(volume.source.resampled).toBe(!isotropic);
  // Axes to the right, to the front, up; the value of a place is still the value of that place.
  volume.affine.forEach((row, r) =>
    row.slice(0, 3).forEach((step, c) => expect(r === c ? step > 0 : step === 0).toBe(true)),
  );
  if (!isotropic) volume.affine.forEach((row, r) => expect(Math.abs((row[r] as number) - 1)).toBeLessThan(0.26));
  const expected = sampled(volume.shape, volume.affine, linear);
  volume.values.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 9));
});

test('labels stay whole, and a patient from files is the patient from arrays', () => {
  const brain = glioma.syntheticBrain(24);
  const tumour = glioma.growTumour(
    brain,
    {
      diffusion: 0.04,
      growth: 0.07,
      ratio: 20,
      centres: [[10, 10, 13]],
      thresholds: { oedema: 0.25, core: 0.5, necrotic: 0.8 },
    },
    { days: 60 },
  );
  const write = (name: string, { shape, values }: odil.glioma.Volume): string => {
    formats.writeNifti(at(name), { shape, values, type: 'float64' });
    return at(name);
  };
  const files = {
    labels: write('labels.nii.gz', tumour.labels),
    white: write('white.nii.gz', brain.white),
    grey: write('grey.nii.gz', brain.grey),
  };
  const images = glioma.readImages(files);
  const options = { cells: [8, 8, 8] as const };
  expect(glioma.preparePatient(images, options)).toEqual(
    glioma.preparePatient({ labels: tumour.labels, ...brain }, options),
  );
  const thick: formats.Affine = [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 3, 0],
  ];
  formats.writeNifti(at('thick.nii'), {
    shape: [24, 24, 24],
    values: tumour.labels.values,
    affine: thick,
    type: 'uint8',
  });
  const labels = glioma.readVolume(at('thick.nii'), { interpolation: 'nearest' });
  expect(labels.shape).toEqual([24, 24, 70]);
  expect([...new Set(labels.values)].sort()).toEqual([...new Set(tumour.labels.values)].sort());
  expect(() => glioma.readImages({ ...files, white: at('thick.nii') })).toThrow(
    errorWith('ERR_SHAPE_MISMATCH', 'files.white'),
  );
  formats.writeNifti(at('elsewhere.nii'), {
    ...brain.grey,
    affine: [
      [1, 0, 0, 4],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ],
  });
  expect(() => glioma.readImages({ ...files, grey: at('elsewhere.nii') })).toThrow(/must lie on the voxels/);
  expect(() => glioma.readVolume(7 as unknown as string)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'file'));
});
