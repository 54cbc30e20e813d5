// Pictures of a reconstruction: what was measured, what SIRT makes of it, what the search found, beside the truth if it is
// known.
import { heatMapPng } from './heat-map';
import { escapeHtml } from './html';

type Range = readonly [number, number];

/** An image whose first row is the top one, at least 256 pixels high, as a PNG file. */
export function imagePng(image: Float64Array, rows: number, columns: number, range: Range): Uint8Array {
  const values = new Float64Array(image.length);
  // Pictures have their first row at the bottom.
  for (let i = 0; i < rows; i += 1) {
    values.set(image.subarray(i * columns, (i + 1) * columns), (rows - 1 - i) * columns);
  }
  return heatMapPng({
    values,
    rows,
    columns,
    range,
    colors: 'grey',
    scale: Math.min(64, Math.max(1, Math.ceil(256 / rows))),
  });
}

/** The ends of the levels, apart. */
export function levelRange(levels: ArrayLike<number>): Range {
  const low = levels[0] as number;
  const high = levels[levels.length - 1] as number;
  return [low, high > low ? high : low + 1];
}

/** The nearest of some ascending levels; the lower one of two equally near. */
function nearest(levels: readonly number[], value: number): number {
  return levels.reduce((best, level) => (Math.abs(level - value) < Math.abs(best - value) ? level : best));
}

/** What there is to be shown. */
export interface TomographyPictures {
  /** Side of the images. */
  size: number;
  /** Directions. */
  angles: number;
  /** Detectors of a direction. */
  detectors: number;
  /** Angles x detectors line integrals. */
  sinogram: Float64Array;
  /** Grey levels, ascending. */
  levels: readonly number[];
  /** The image that was measured. */
  truth: Float64Array;
  /** The image of SIRT, not rounded. */
  sirt: Float64Array;
  /** The image found. */
  image: Float64Array;
}

/** How many pixels are not those of the truth. */
export function wrongPixels(truth: Float64Array, image: Float64Array): number {
  return truth.reduce((count, value, k) => count + (value === image[k] ? 0 : 1), 0);
}

/** SIRT's image, every pixel moved to the nearest level. */
export function roundedImage(sirt: Float64Array, levels: readonly number[]): Float64Array {
  return sirt.map((value) => nearest(levels, value));
}

/** Figures beside each other, as HTML. */
export function tomographyFigures(pictures: TomographyPictures): string {
  const { size, angles, detectors, sinogram, levels, truth, sirt, image } = pictures;
  const range = levelRange(levels);
  const rounded = roundedImage(sirt, levels);
  const most = sinogram.reduce((largest, value) => Math.max(largest, value), 0);
  const wrong = (other: Float64Array): string => {
    const count = wrongPixels(truth, other);
    return `${count} wrong ${count === 1 ? 'pixel' : 'pixels'} of ${size * size}`;
  };
  const figure = (words: string, png: Uint8Array): string =>
    `<figure><img style="image-rendering:pixelated" alt="${escapeHtml(words)}" src="data:image/png;base64,${Buffer.from(png).toString('base64')}"><figcaption>${escapeHtml(words)}</figcaption></figure>`;
  return `<div class="columns">${[
    figure(
      `what was measured: ${size} x ${size} pixels of ${levels.length} grey levels`,
      imagePng(truth, size, size, range),
    ),
    figure(
      `the measurements: ${angles} directions from top to bottom, ${detectors} detectors`,
      imagePng(sinogram, angles, detectors, [0, most > 0 ? most : 1]),
    ),
    figure(`SIRT, rounded: ${wrong(rounded)}`, imagePng(rounded, size, size, range)),
    figure(`discrete-descent: ${wrong(image)}`, imagePng(image, size, size, range)),
  ].join('')}</div>`;
}
