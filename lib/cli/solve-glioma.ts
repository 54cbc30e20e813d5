// `discrete-descent solve glioma`: from segmented images in NIfTI files (or a synthetic patient) to the history of a
// tumour, back on the voxels of the images.
import { type Command, InvalidArgumentError } from 'commander';
import { formats, odil } from '..';
import { volumeSlices } from '../report/volume-slices';
import type { Found, SolveTarget } from './solve-target';
import { positiveInteger, positiveNumber, UsageError } from './usage';

const { glioma } = odil;

/** Flags of the problem. */
export interface GliomaFlags {
  labels?: string;
  white?: string;
  grey?: string;
  pet?: string;
  labelValues?: [number, number, number];
  slice?: boolean;
  synthetic?: number;
  days: number;
  cells?: number;
  timeCells?: number;
  set?: Record<string, unknown>;
}

function labelValues(text: string): [number, number, number] {
  const values = text.split(',').map(Number);
  if (values.length !== 3 || !values.every((value) => Number.isInteger(value) && value > 0)) {
    throw new InvalidArgumentError('it must be three whole numbers: enhancing, oedema, necrotic.');
  }
  return values as [number, number, number];
}

/** Adds them. */
export function addGliomaFlags(command: Command): Command {
  return command
    .option('--labels <file>', 'glioma: segmentation, NIfTI')
    .option('--white <file>', 'glioma: fraction of white matter, NIfTI')
    .option('--grey <file>', 'glioma: fraction of grey matter, NIfTI')
    .option('--pet <file>', 'glioma: FET-PET, NIfTI')
    .option(
      '--label-values <e,o,n>',
      'glioma: labels of enhancing core, oedema, necrotic core (default: 1,3,4)',
      labelValues,
    )
    .option('--slice', 'glioma: only the plane across z through the middle of the core')
    .option(
      '--synthetic <n>',
      'glioma: instead of files, a tumour in a brain made of formulas, n^3 voxels',
      positiveInteger,
    )
    .option('--days <n>', 'glioma: days from the first cell to the images', positiveNumber, 100);
}

interface Images {
  images: odil.glioma.PatientImages;
  affine?: formats.Affine;
  /** What is known of a synthetic patient. */
  truth?: odil.glioma.Volume;
  text: string;
}

function synthetic(voxels: number, days: number): Images {
  const brain = glioma.syntheticBrain(voxels);
  const tumour = glioma.growTumour(
    brain,
    {
      diffusion: 0.04,
      growth: 0.07,
      ratio: 20,
      centres: [[0.45, 0.4, 0.52].map((share) => Math.floor(share * voxels)) as unknown as odil.glioma.Shape3],
      thresholds: { oedema: 0.25, core: 0.5, necrotic: 0.8 },
    },
    { days },
  );
  return {
    images: { labels: tumour.labels, ...brain },
    truth: tumour.concentration,
    text: `A tumour grown for ${days} days in a synthetic brain of ${voxels}^3 voxels, seen as labels only.`,
  };
}

function fromFiles({ labels, white, grey, pet }: GliomaFlags): Images {
  if (labels === undefined || white === undefined || grey === undefined) {
    throw new UsageError('glioma needs --labels, --white and --grey (NIfTI files), or --synthetic <n>');
  }
  const images = glioma.readImages({ labels, white, grey, ...(pet !== undefined && { pet }) });
  const { source, affine } = images.labels;
  const size = source.spacing.map((one) => Number(one.toPrecision(3))).join(' x ');
  const place = source.orientationKnown ? `axes ${source.orientation}` : 'axes not given, taken as RAS';
  return {
    images,
    affine,
    text: `Images of ${source.shape.join(' x ')} voxels of ${size} mm, ${place}${source.resampled ? ', brought to 1 mm' : ''}.`,
  };
}

/** One plane of every image, across z through the middle of the core. */
function sliceOf({ images, affine, truth, text }: Images, oedema: number): Images {
  const { shape, values } = images.labels;
  const core = Array.from(values, (label, at) => (label !== 0 && label !== oedema ? at % shape[2] : -1)).filter(
    (z) => z >= 0,
  );
  if (core.length === 0) throw new UsageError('the labels hold no voxel of core');
  const z = Math.round(core.reduce((sum, one) => sum + one, 0) / core.length);
  const box = { from: [0, 0, z], to: [shape[0], shape[1], z + 1] } as const;
  const cut = (volume: odil.glioma.VolumeInput): odil.glioma.Volume =>
    glioma.crop({ shape: volume.shape, values: Float64Array.from(volume.values) }, box);
  return {
    images: {
      labels: cut(images.labels),
      white: cut(images.white),
      grey: cut(images.grey),
      ...(images.pet !== undefined && { pet: cut(images.pet) }),
    },
    ...(truth !== undefined && { truth: cut(truth) }),
    ...(affine !== undefined && {
      affine: affine.map(([a, b, c, d]) => [a, b, c, d + z * c]) as unknown as formats.Affine,
    }),
    text: `${text} Only the plane z = ${z}.`,
  };
}

/** The problem, and what is drawn and written of its solution. */
export function gliomaTarget(flags: GliomaFlags): SolveTarget {
  if (flags.synthetic !== undefined && flags.labels !== undefined) throw new UsageError('give --synthetic or files');
  const { cells = 16, timeCells = 32 } = flags;
  const names = flags.labelValues;
  const whole = flags.synthetic === undefined ? fromFiles(flags) : synthetic(flags.synthetic, flags.days);
  const slice = flags.slice === true;
  const { images, affine, truth, text } = slice ? sliceOf(whole, names?.[1] ?? glioma.brats.oedema) : whole;
  const patient = glioma.preparePatient(images, {
    cells: [cells, cells, slice ? 1 : cells],
    ...(names !== undefined && { labels: { enhancing: names[0], oedema: names[1], necrotic: names[2] } }),
  });
  const guess = glioma.initialGuess(patient, { timeCells, days: flags.days });
  if (guess.parameters.diffusion === 0) {
    throw new UsageError(
      `the labels show no oedema on a grid of ${cells} cells, which the initial guess is made from: give more --cells`,
    );
  }
  const problem = odil.problems.glioma({ scan: patient.scan, guess, days: flags.days, ...flags.set });
  return {
    name: 'glioma',
    problem,
    more: (solution) => {
      const { shape } = images.labels;
      const last = lastRow(solution, timeCells);
      const whole = glioma.restore(last, patient, shape);
      const parameters = glioma.parametersOf(solution);
      const at = patient.centre.map((one, k) => Math.round(one + (patient.box.from[k] as number))) as [
        number,
        number,
        number,
      ];
      return {
        text,
        instead: true,
        rows: rowsOf(
          parameters,
          truth === undefined
            ? undefined
            : {
                guess: glioma.restore(lastRow({ fields: { u: guess.u } }, timeCells), patient, shape),
                found: whole,
                truth,
              },
        ),
        files: [
          {
            name: 'concentration.nii.gz',
            write: (file) =>
              formats.writeNifti(file, { shape, values: whole.values, ...(affine !== undefined && { affine }) }),
          },
        ],
        pictures: [
          {
            name: 'slices.svg',
            contents: volumeSlices({
              shape,
              background: Float64Array.from(images.white.values, (w, i) => w + 0.6 * (images.grey.values[i] as number)),
              values: whole.values,
              range: [0, 1],
              valueLabel: 'concentration',
              at,
              title: 'Concentration of tumour cells on the day of the images',
              width: 260,
              contours: contours(images, names?.[1] ?? glioma.brats.oedema, whole, truth),
            }),
          },
        ],
      };
    },
  };
}

function lastRow({ fields }: Pick<Found, 'fields'>, timeCells: number): Float64Array {
  const u = fields['u'] as Float64Array;
  return u.slice((u.length / timeCells) * (timeCells - 1)).map((value) => Math.min(1, Math.max(0, value)));
}

function contours(
  images: odil.glioma.PatientImages,
  oedema: number,
  found: odil.glioma.Volume,
  truth: odil.glioma.Volume | undefined,
): { values: Float64Array; level: number; label: string; color: string; dashes?: string }[] {
  const core = Float64Array.from(images.labels.values, (label) => Number(label !== 0 && label !== oedema));
  const visible = Float64Array.from(images.labels.values, (label) => Number(label !== 0));
  return [
    { values: visible, level: 0.5, label: 'oedema (image)', color: '#38bdf8' },
    { values: core, level: 0.5, label: 'core (image)', color: '#a3e635' },
    { values: found.values, level: 0.1, label: '10 % (found)', color: '#ffffff' },
    ...(truth === undefined
      ? []
      : [{ values: truth.values, level: 0.1, label: '10 % (truth)', color: '#f472b6', dashes: '4 3' }]),
  ];
}

/** Parameters in words, and how near a synthetic tumour came. */
function rowsOf(
  { diffusion, growth, ratio, coreThreshold, oedemaThreshold }: odil.glioma.GliomaParameters,
  known?: { guess: odil.glioma.Volume; found: odil.glioma.Volume; truth: odil.glioma.Volume },
): string[][] {
  const rows = [
    ['diffusion in white matter, mm^2 per day', diffusion.toPrecision(3)],
    ['proliferation per day', growth.toPrecision(3)],
    ['diffusion in white over grey matter', ratio.toPrecision(3)],
    [
      'concentrations that look like core, oedema',
      `${coreThreshold.toPrecision(3)}, ${oedemaThreshold.toPrecision(3)}`,
    ],
  ];
  if (known === undefined) return rows;
  const above = (volume: odil.glioma.Volume): Float64Array => volume.values.map((value) => Number(value >= 0.1));
  const overlap = (volume: odil.glioma.Volume): string => {
    const [a, b] = [above(volume), above(known.truth)];
    const both = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
    const all = a.reduce((sum, value, i) => sum + value + (b[i] as number), 0);
    return ((2 * both) / all).toFixed(3);
  };
  return [...rows, ['Dice of the region above 10 %: guess, found', `${overlap(known.guess)}, ${overlap(known.found)}`]];
}
