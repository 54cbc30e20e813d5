// What pictures of fields share: values checked once, pixels from a colour map, colour bars and axes as SVG.
import { fail, number, parse, type Schema } from '../runtime/validate';
import { makeError } from '../runtime/errors';
import { colorStep, cssColor } from './color-map';
import { encodePng } from './png';
import { ticks, tickText } from './plot';

/** Two ends. */
export type Range = readonly [number, number];

/** @internal */
export const ink = '#1f2933';
/** @internal */
export const faint = '#52606d';
/** @internal */
export const font = 'font-family="ui-sans-serif, system-ui, Segoe UI, Helvetica, Arial, sans-serif"';

/** @internal */
export const text: Schema<string> = (value, argument) =>
  typeof value === 'string' ? value : fail('ERR_INVALID_ARG_TYPE', argument, 'a text', value);

/** An array of numbers of any length. @internal */
export const numbers: Schema<ArrayLike<number>> = (value, argument) => {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return tag === 'Array' || /^(Float|Int|Uint)\d+Array$/.test(tag)
    ? (value as ArrayLike<number>)
    : fail('ERR_INVALID_ARG_TYPE', argument, 'an array of numbers', value);
};

/** Two finite numbers, the first the smaller one. @internal */
export const rangeSchema: Schema<Range> = (value, argument) => {
  if (!Array.isArray(value) || value.length !== 2) {
    fail('ERR_SHAPE_MISMATCH', argument, 'two numbers', value);
  }
  const [low, high] = value.map((one, k) => parse(one, `${argument}[${k}]`, number())) as [number, number];
  if (!(low < high)) {
    throw makeError('ERR_INVALID_ARG_VALUE', argument, `\`${argument}\` must rise, got [${low}, ${high}]`);
  }
  return [low, high];
};

/** Numbers of a picture, of a length: NaN and infinities are holes in it. @internal */
export function valuesSchema(length: number, per: string): Schema<ArrayLike<number>> {
  return (value, argument) => {
    const given = parse(value, argument, numbers);
    if (given.length !== length) fail('ERR_SHAPE_MISMATCH', argument, `an array of length ${length} (${per})`, value);
    return given;
  };
}

/** The ends of all finite values; of equal ones a little apart. @internal */
export function rangeOf(values: ArrayLike<number>): Range {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const apart = low === high ? Math.abs(low) * 0.05 || 1 : 0;
  return [low - apart, high + apart];
}

const hole = [205, 210, 216] as const;

/**
 * Colours of values, row 0 of the values at the bottom; each value a square of `scale` pixels. Where `opacity` is
 * given it says so per value. @internal
 */
export function paint(
  values: ArrayLike<number>,
  columns: number,
  range: Range,
  table: Uint8Array,
  { scale = 1, opacity }: { scale?: number; opacity?: (value: number) => number } = {},
): { width: number; height: number; data: Uint8Array } {
  const rows = values.length / columns;
  const [width, height] = [columns * scale, rows * scale];
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y += 1) {
    const row = rows - 1 - Math.floor(y / scale);
    for (let x = 0; x < width; x += 1) {
      const value = values[row * columns + Math.floor(x / scale)] as number;
      const at = 4 * (y * width + x);
      const step = 3 * colorStep(value, range);
      for (let c = 0; c < 3; c += 1) {
        data[at + c] = Number.isFinite(value) ? (table[step + c] as number) : (hole[c] as number);
      }
      data[at + 3] = Math.round(255 * (opacity?.(value) ?? 1));
    }
  }
  return { width, height, data };
}

/** Pixels as an element of an SVG picture, sharp when they are enlarged. @internal */
export function imageElement(
  pixels: { width: number; height: number; data: Uint8Array },
  place: { x: number; y: number; width: number; height: number },
): string {
  const url = `data:image/png;base64,${Buffer.from(encodePng(pixels)).toString('base64')}`;
  return `<image x="${place.x}" y="${place.y}" width="${place.width}" height="${place.height}" preserveAspectRatio="none" style="image-rendering:pixelated" href="${url}"/>`;
}

/** A vertical bar of all colours with the values they stand for. @internal */
export function colorBar(
  table: Uint8Array,
  range: Range,
  place: { x: number; y: number; width: number; height: number },
  label: string,
): string {
  const bands = 64;
  const parts: string[] = [];
  for (let k = 0; k < bands; k += 1) {
    const step = Math.floor(((k + 0.5) / bands) * 256);
    const y = place.y + place.height * (1 - (k + 1) / bands);
    // A little higher than its share: no gaps between bands when the picture is enlarged.
    parts.push(
      `<rect x="${place.x}" y="${y.toFixed(2)}" width="${place.width}" height="${(place.height / bands + 0.6).toFixed(2)}" fill="${cssColor(table, step)}"/>`,
    );
  }
  parts.push(
    `<rect x="${place.x}" y="${place.y}" width="${place.width}" height="${place.height}" fill="none" stroke="#9aa5b1"/>`,
  );
  for (const tick of ticks(range, Math.max(2, Math.min(6, Math.floor(place.height / 34))))) {
    const y = (place.y + place.height * (1 - (tick - range[0]) / (range[1] - range[0]))).toFixed(1);
    parts.push(
      `<line x1="${place.x + place.width}" x2="${place.x + place.width + 4}" y1="${y}" y2="${y}" stroke="${faint}"/>`,
      `<text x="${place.x + place.width + 7}" y="${y}" dy="4" font-size="11" fill="${faint}">${tickText(tick, range)}</text>`,
    );
  }
  if (label !== '') {
    parts.push(`<text x="${place.x}" y="${place.y - 8}" font-size="11.5" fill="${ink}">${label}</text>`);
  }
  return parts.join('\n');
}
