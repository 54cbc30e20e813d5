// Three slices through a volume: what is inside a body, with lines of what was found in it.
import { arrayOf, fail, integer, number, object, optional, parse, type Schema, withDefault } from '../runtime/validate';
import { makeError } from '../runtime/errors';
import { colorTable } from './color-map';
import { contourLines } from './contours';
import { contourPath } from './heat-map';
import { escapeHtml } from './html';
import {
  colorBar,
  faint,
  font,
  imageElement,
  ink,
  paint,
  type Range,
  rangeOf,
  rangeSchema,
  text,
  valuesSchema,
} from './picture';

/** Lines around part of a volume. */
export interface VolumeContour {
  /** As many as the volume has voxels, z fastest. */
  values: Float64Array | Float32Array | readonly number[];
  /** Value on the line. */
  level: number;
  /** Words in the legend. */
  label: string;
  /** CSS colour. */
  color: string;
  /** Dash pattern; default solid. */
  dashes?: string;
}

/** What is shown of a volume. */
export interface VolumeSlices {
  /** Voxels along x, y, z. */
  shape: readonly [number, number, number];
  /** Grey values behind everything, z fastest: tissue, an image. */
  background: Float64Array | Float32Array | readonly number[];
  /** Drawn over it in colour, the more opaque the larger it is: a concentration. Default none. */
  values?: Float64Array | Float32Array | readonly number[];
  /** Values at the ends of the colour map; default 0 and the largest. */
  range?: Range;
  /** Words above the colour bar; default none. */
  valueLabel?: string;
  /** Lines; default none. */
  contours?: readonly VolumeContour[];
  /** Voxel that all three slices go through; default the middle. */
  at?: readonly [number, number, number];
  /** Heading. */
  title: string;
  /** Width of each slice in pixels; default 250. */
  width?: number;
}

const three =
  (schema: Schema<number>): Schema<[number, number, number]> =>
  (value, argument) => {
    const list = parse(value, argument, arrayOf(schema, { min: 3 }));
    if (list.length !== 3) throw makeError('ERR_SHAPE_MISMATCH', argument, `\`${argument}\` must be three numbers`);
    return list as [number, number, number];
  };
const anyArray: Schema<unknown> = (value) => value;
const schema = object({
  shape: three(integer({ min: 1, max: 4096 })),
  background: anyArray,
  values: optional(anyArray),
  range: optional(rangeSchema),
  valueLabel: withDefault(text, ''),
  contours: withDefault(
    arrayOf(object({ values: anyArray, level: number(), label: text, color: text, dashes: optional(text) })),
    [],
  ),
  at: optional(three(integer({ min: 0 }))),
  title: text,
  width: withDefault(integer({ min: 80, max: 2048 }), 250),
});

const axisNames = ['x', 'y', 'z'] as const;

/** The plane where `axis` has the index `at`: the earlier of the other two axes across, the later one upwards. */
function plane(
  values: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  at: number,
): { values: Float64Array; columns: number } {
  const [across, up] = [0, 1, 2].filter((other) => other !== axis) as [number, number];
  const strides = [(shape[1] as number) * (shape[2] as number), shape[2] as number, 1];
  const columns = shape[across] as number;
  const result = new Float64Array(columns * (shape[up] as number));
  for (let k = 0; k < result.length; k += 1) {
    const place =
      at * (strides[axis] as number) +
      (k % columns) * (strides[across] as number) +
      Math.floor(k / columns) * (strides[up] as number);
    result[k] = values[place] as number;
  }
  return { values: result, columns };
}

/**
 * Slices across z, y and x through one voxel, side by side, as an SVG picture in one file: grey background, coloured
 * values over it, lines.
 *
 * @throws ERR_SHAPE_MISMATCH  an array of another length than the volume has voxels
 * @throws ERR_OUT_OF_RANGE    `at` outside of the volume
 */
export function volumeSlices(picture: VolumeSlices): string {
  const given = parse(picture, 'picture', schema);
  const { shape, title, contours } = given;
  const count = shape[0] * shape[1] * shape[2];
  const volume = (values: unknown, name: string): ArrayLike<number> =>
    parse(values, `picture.${name}`, valuesSchema(count, 'one per voxel'));
  const at = given.at ?? (shape.map((extent) => Math.floor(extent / 2)) as [number, number, number]);
  at.forEach((index, axis) =>
    parse(index, `picture.at[${axis}]`, integer({ min: 0, max: (shape[axis] as number) - 1 })),
  );
  const background = volume(given.background, 'background');
  const values = given.values === undefined ? undefined : volume(given.values, 'values');
  if (shape.filter((extent) => extent > 1).length < 2) {
    fail('ERR_OUT_OF_RANGE', 'picture.shape', 'more than one voxel along two axes', shape);
  }
  const range = given.range ?? [0, values === undefined ? 1 : Math.max(rangeOf(values)[1], 1e-300)];
  const lines = contours.map((contour, k) => ({ ...contour, values: volume(contour.values, `contours[${k}].values`) }));
  const [grey, color] = [colorTable('grey'), colorTable('heat')];
  const greyRange = rangeOf(background);

  const alone = shape.some((extent) => extent < 2); // a single plane
  const width = alone ? 2 * given.width : given.width;
  const gap = 22;
  const top = contours.length > 0 ? 74 : 56;
  const slices: string[] = [];
  let left = 20;
  let tallest = 0;
  for (const axis of [2, 1, 0]) {
    if (shape.some((extent, other) => other !== axis && extent < 2)) continue; // a line
    const cut = (all: ArrayLike<number>): { values: Float64Array; columns: number } =>
      plane(all, shape, axis, at[axis] as number);
    const behind = cut(background);
    const rows = behind.values.length / behind.columns;
    const height = Math.round((width * rows) / behind.columns);
    const place = { x: left, y: top, width, height };
    const [across, up] = axisNames.filter((_, other) => other !== axis);
    slices.push(
      `<text x="${left}" y="${top - 8}" font-size="12" fill="${faint}">${axisNames[axis] as string} = ${at[axis] as number}: ${across as string} to the right, ${up as string} up</text>`,
      imageElement(paint(behind.values, behind.columns, greyRange, grey), place),
    );
    if (values !== undefined) {
      const over = cut(values);
      const opacity = (value: number): number => {
        const share = (value - range[0]) / (range[1] - range[0]);
        return Number.isFinite(share) ? 0.85 * Math.min(1, Math.max(0, 3 * share)) : 0;
      };
      slices.push(imageElement(paint(over.values, over.columns, range, color, { opacity }), place));
    }
    for (const { values: of, level, color: stroke, dashes } of lines) {
      const own = cut(of);
      const x = (column: number): number => left + ((column + 0.5) / own.columns) * width;
      const y = (row: number): number => top + (1 - (row + 0.5) / rows) * height;
      const dash = dashes === undefined ? '' : ` stroke-dasharray="${escapeHtml(dashes)}"`;
      slices.push(
        `<path d="${contourPath(contourLines(own.values, own.columns, level), x, y)}" fill="none" stroke="${escapeHtml(stroke)}" stroke-width="1.8" stroke-linejoin="round"${dash}/>`,
      );
    }
    left += width + gap;
    tallest = Math.max(tallest, height);
  }
  let keyAt = 20;
  const keys = lines.map(({ label, color: stroke, dashes }) => {
    const dash = dashes === undefined ? '' : ` stroke-dasharray="${escapeHtml(dashes)}"`;
    const key = `<rect x="${keyAt}" y="38" width="24" height="12" rx="2" fill="#323f4b"/><line x1="${keyAt + 1}" x2="${keyAt + 23}" y1="44" y2="44" stroke="${escapeHtml(stroke)}" stroke-width="2"${dash}/><text x="${keyAt + 30}" y="48" font-size="11.5" fill="${faint}">${escapeHtml(label)}</text>`;
    keyAt += 48 + 6.4 * label.length;
    return key;
  });
  const bar = values !== undefined;
  const [fullWidth, fullHeight] = [Math.max(left + (bar ? 84 : 0), keyAt), top + tallest + 20];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${fullWidth} ${fullHeight}" width="${fullWidth}" height="${fullHeight}" role="img" ${font}>`,
    `<title>${escapeHtml(title)}</title>`,
    `<rect width="${fullWidth}" height="${fullHeight}" fill="#ffffff"/>`,
    `<text x="20" y="26" font-size="15" font-weight="600" fill="${ink}">${escapeHtml(title)}</text>`,
    ...keys,
    ...slices,
    ...(bar
      ? [
          colorBar(
            color,
            range,
            { x: left, y: top, width: 14, height: Math.min(tallest, 180) },
            escapeHtml(given.valueLabel),
          ),
        ]
      : []),
    '</svg>',
    '',
  ].join('\n');
}
