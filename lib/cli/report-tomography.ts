// The card of `discrete-descent report` about tomography: ellipses of three grey levels, measured with noise and found again.
import { dmmv } from '..';
import type { Section } from '../report/html';
import { roundedImage, tomographyFigures, wrongPixels } from '../report/tomography';
import { uniforms } from '../runtime/random';
import { progressBar } from './progress-bar';

const size = 64;
const angles = 16;
const detectors = 92;
const noise = 1;
const levels = [0, 1, 2];

/** Level, middle and half axes in units of half a side, turn in radians; later ones cover earlier ones. */
const ellipses = [
  [1, 0, 0, 0.75, 0.9, 0],
  [2, -0.25, 0.2, 0.25, 0.4, 0.4],
  [0, 0.3, -0.1, 0.2, 0.45, -0.3],
  [2, 0.1, -0.6, 0.3, 0.12, 0.2],
] as const;

/** Ellipses of levels 0 to 2, side x side numbers. */
export function ellipsePhantom(side: number): Float64Array {
  return Float64Array.from({ length: side * side }, (_, k) => {
    const x = (2 * (k % side) + 1) / side - 1;
    const y = 1 - (2 * Math.floor(k / side) + 1) / side;
    return ellipses.reduce<number>((value, [level, centreX, centreY, a, b, turn]) => {
      const [dx, dy] = [x - centreX, y - centreY];
      const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
      return ((dx * cos + dy * sin) / a) ** 2 + ((dy * cos - dx * sin) / b) ** 2 <= 1 ? level : value;
    }, 0);
  });
}

/** What was found, for people and for machines. */
export interface TomographyCard {
  section: Section;
  record: { wrongPixels: number; sirtWrongPixels: number; objective: number; feasible: boolean; seconds: number };
}

/** Measures the phantom and finds it again. */
export async function tomographyCard(timeLimitSeconds: number, seed: number): Promise<TomographyCard> {
  const truth = ellipsePhantom(size);
  const { columnPointers, rowIndices, values } = dmmv.projector({ size, angles, detectors });
  const uniform = uniforms(seed);
  const sinogram = Float64Array.from({ length: angles * detectors }, () => (2 * uniform() - 1) * noise);
  truth.forEach((value, column) => {
    for (let k = columnPointers[column] as number; k < (columnPointers[column + 1] as number); k += 1) {
      const row = rowIndices[k] as number;
      sinogram[row] = (sinogram[row] as number) + value * (values[k] as number);
    }
  });
  const bar = progressBar('tomography');
  const begin = process.hrtime.bigint();
  const found = await dmmv
    .reconstructTomography(
      { sinogram, angles, detectors, size, levels, noise },
      { seed, timeLimitMs: timeLimitSeconds * 1000, onProgress: (progress) => bar.update(progress) },
    )
    .finally(() => bar.end());
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const { image, sirt, objective, feasible } = found;
  const figures = tomographyFigures({ size, angles, detectors, sinogram, levels, truth, sirt, image });
  return {
    section: {
      heading: 'Tomography: an image of few grey levels from few directions',
      html:
        `<p>Of the images of these levels that explain every measurement to within the noise (${noise}), one whose neighbours differ little; ` +
        `the largest deviation found is ${objective.toPrecision(3)}, in ${seconds.toFixed(1)} s.</p>${figures}`,
    },
    record: {
      wrongPixels: wrongPixels(truth, image),
      sirtWrongPixels: wrongPixels(truth, roundedImage(sirt, levels)),
      objective,
      feasible,
      seconds,
    },
  };
}
