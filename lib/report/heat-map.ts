// Fields on two axes as pictures: PNG of the bare pixels, SVG with axes, colour bar and contour lines, GIF over time.
import {
  arrayOf,
  boolean,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  withDefault,
} from '../runtime/validate';
import { type ColorMapName, colorStep, colorTable } from './color-map';
import { contourLines, type Polyline } from './contours';
import { encodeGif } from './gif';
import { escapeHtml } from './html';
import {
  colorBar,
  faint,
  font,
  imageElement,
  ink,
  numbers,
  paint,
  type Range,
  rangeOf,
  rangeSchema,
  text,
  valuesSchema,
} from './picture';
import { encodePng } from './png';
import { ticks, tickText } from './plot';

/** Values on a grid of two axes. */
export interface FieldPicture {
  /** Row-major: row 0 is drawn at the bottom, column 0 on the left. What is not finite is drawn grey. */
  values: Float64Array | Float32Array | readonly number[];
  /** Number of rows. */
  rows: number;
  /** Values in a row. */
  columns: number;
  /** Values at the ends of the colour map; default: the smallest and the largest value. */
  range?: Range;
  /** Default `'viridis'`. */
  colors?: ColorMapName;
}

/** Lines on a heat map. */
export interface Contours {
  /** Values along whose lines it goes. */
  levels: readonly number[];
  /** Drawn for these values instead of those of the map: as many. */
  of?: Float64Array | Float32Array | readonly number[];
  /** CSS colour; default white. */
  color?: string;
  /** Dash pattern, for example "4 3"; default solid. */
  dashes?: string;
  /** Words in the legend; default none. */
  label?: string;
}

/** A heat map with axes. */
export interface HeatMap extends FieldPicture {
  /** Heading. */
  title: string;
  /** What the picture shows, for readers that cannot see it; default the title. */
  description?: string;
  /** Label of the horizontal axis; default none. */
  xLabel?: string;
  /** Label of the vertical axis; default none. */
  yLabel?: string;
  /** Positions of the left and right ends of the picture; default 0 and the number of columns. */
  xRange?: Range;
  /** Positions of the lower and upper ends; default 0 and the number of rows. */
  yRange?: Range;
  /** Words above the colour bar; default none. */
  valueLabel?: string;
  /** Lines of equal value; default none. */
  contours?: readonly Contours[];
  /** Points to mark, in units of the axes. */
  points?: {
    /** Across. */
    x: ArrayLike<number>;
    /** Upwards, as many. */
    y: ArrayLike<number>;
    /** Words in the legend; default none. */
    label?: string;
  };
  /** Width and height of the axes in pixels; default 420 and what keeps values square, between 140 and 420. */
  width?: number;
  /** See `width`. */
  height?: number;
  /** Draws values as even squares instead of letting the viewer smooth them; default true. */
  pixelated?: boolean;
}

const colorNames = ['viridis', 'diverging', 'grey', 'heat'] as const;
const anyArray: Schema<unknown> = (value) => value;
const side = integer({ min: 1, max: 16384 });
const fieldMembers = {
  values: anyArray,
  rows: side,
  columns: side,
  range: optional(rangeSchema),
  colors: withDefault(oneOf(colorNames), 'viridis'),
};

interface Field {
  values: ArrayLike<number>;
  rows: number;
  columns: number;
  range: Range;
  table: Uint8Array;
}

function fieldOf(given: {
  values: unknown;
  rows: number;
  columns: number;
  range: Range | undefined;
  colors: ColorMapName;
}): Field {
  const { rows, columns } = given;
  const values = parse(given.values, 'picture.values', valuesSchema(rows * columns, `${rows} rows of ${columns}`));
  return { values, rows, columns, range: given.range ?? rangeOf(values), table: colorTable(given.colors) };
}

/**
 * A field as a PNG file: the bare pixels.
 *
 * @param picture  values and colours; `scale`: pixels per value in each direction, default 1
 * @returns        the bytes of the file
 * @throws ERR_SHAPE_MISMATCH  not `rows` times `columns` values
 */
export function heatMapPng(picture: FieldPicture & { scale?: number }): Uint8Array {
  const given = parse(
    picture,
    'picture',
    object({ ...fieldMembers, scale: withDefault(integer({ min: 1, max: 64 }), 1) }),
  );
  const { values, columns, range, table } = fieldOf(given);
  return encodePng(paint(values, columns, range, table, { scale: given.scale }));
}

const contourSchema = object({
  levels: arrayOf(number()),
  of: optional(anyArray),
  color: withDefault(text, '#ffffff'),
  dashes: optional(text),
  label: optional(text),
});
const heatMapSchema = object({
  ...fieldMembers,
  title: text,
  description: optional(text),
  xLabel: withDefault(text, ''),
  yLabel: withDefault(text, ''),
  xRange: optional(rangeSchema),
  yRange: optional(rangeSchema),
  valueLabel: withDefault(text, ''),
  contours: withDefault(arrayOf(contourSchema), []),
  points: optional(object({ x: anyArray, y: anyArray, label: optional(text) })),
  width: withDefault(integer({ min: 80, max: 4096 }), 420),
  height: optional(integer({ min: 80, max: 4096 })),
  pixelated: withDefault(boolean, true),
});

const margin = { left: 62, right: 92, top: 52, bottom: 52 };

/** Axes with ticks around a rectangle. */
function axes(
  place: { x: number; y: number; width: number; height: number },
  { xRange, yRange, xLabel, yLabel }: { xRange: Range; yRange: Range; xLabel: string; yLabel: string },
): string {
  const parts: string[] = [];
  const bottom = place.y + place.height;
  for (const tick of ticks(xRange, Math.max(2, Math.floor(place.width / 70)))) {
    const x = (place.x + ((tick - xRange[0]) / (xRange[1] - xRange[0])) * place.width).toFixed(1);
    parts.push(
      `<line x1="${x}" x2="${x}" y1="${bottom}" y2="${bottom + 4}" stroke="${faint}"/>`,
      `<text x="${x}" y="${bottom + 17}" font-size="11" text-anchor="middle" fill="${faint}">${tickText(tick, xRange)}</text>`,
    );
  }
  for (const tick of ticks(yRange, Math.max(2, Math.floor(place.height / 50)))) {
    const y = (bottom - ((tick - yRange[0]) / (yRange[1] - yRange[0])) * place.height).toFixed(1);
    parts.push(
      `<line x1="${place.x - 4}" x2="${place.x}" y1="${y}" y2="${y}" stroke="${faint}"/>`,
      `<text x="${place.x - 7}" y="${y}" dy="4" font-size="11" text-anchor="end" fill="${faint}">${tickText(tick, yRange)}</text>`,
    );
  }
  const [centre, middle] = [place.x + place.width / 2, place.y + place.height / 2];
  parts.push(
    `<rect x="${place.x}" y="${place.y}" width="${place.width}" height="${place.height}" fill="none" stroke="#9aa5b1"/>`,
    `<text x="${centre}" y="${bottom + 38}" font-size="12" text-anchor="middle" fill="${ink}">${escapeHtml(xLabel)}</text>`,
    `<text x="16" y="${middle}" font-size="12" text-anchor="middle" fill="${ink}" transform="rotate(-90 16 ${middle})">${escapeHtml(yLabel)}</text>`,
  );
  return parts.join('\n');
}

/** Lines in pixels; values sit in the middle of their squares. @internal */
export function contourPath(
  lines: readonly Polyline[],
  x: (column: number) => number,
  y: (row: number) => number,
): string {
  return lines
    .map((line) =>
      line.map(([column, row], k) => `${k === 0 ? 'M' : 'L'}${x(column).toFixed(1)} ${y(row).toFixed(1)}`).join(''),
    )
    .join('');
}

/**
 * A field as an SVG picture with axes, a colour bar and, where asked for, lines of equal value and marked points. The
 * pixels are embedded: the picture is one file.
 *
 * @throws ERR_SHAPE_MISMATCH  not `rows` times `columns` values
 * Cost: one pass over the values per contour level.
 */
export function heatMap(picture: HeatMap): string {
  const given = parse(picture, 'picture', heatMapSchema);
  const { values, rows, columns, range, table } = fieldOf(given);
  const height = given.height ?? Math.round(Math.min(420, Math.max(140, (given.width * rows) / columns)));
  const legend = given.contours.filter(({ label }) => label !== undefined);
  const place = {
    x: margin.left,
    y: margin.top + (legend.length > 0 || given.points?.label !== undefined ? 18 : 0),
    width: given.width,
    height,
  };
  const xRange = given.xRange ?? [0, columns];
  const yRange = given.yRange ?? [0, rows];
  const x = (column: number): number => place.x + ((column + 0.5) / columns) * place.width;
  const y = (row: number): number => place.y + (1 - (row + 0.5) / rows) * place.height;
  // A smooth picture has pixels of its own between the values: viewers differ in how they enlarge.
  const scale = given.pixelated ? 1 : Math.max(1, Math.ceil(place.width / columns));
  const source = given.pixelated ? values : smooth(values, rows, columns, scale);
  const pixels = paint(source, columns * scale, range, table);
  const lines = given.contours.map(({ levels, of, color, dashes }, k) => {
    const lineValues =
      of === undefined
        ? values
        : parse(of, `picture.contours[${k}].of`, valuesSchema(rows * columns, `${rows} rows of ${columns}`));
    const dash = dashes === undefined ? '' : ` stroke-dasharray="${escapeHtml(dashes)}"`;
    const path = levels.map((level) => contourPath(contourLines(lineValues, columns, level), x, y)).join('');
    return `<path d="${path}" fill="none" stroke="${escapeHtml(color)}" stroke-width="1.6" stroke-linejoin="round"${dash}/>`;
  });
  const marks: string[] = [];
  if (given.points !== undefined) {
    const px = parse(given.points.x, 'picture.points.x', numbers);
    const py = parse(given.points.y, 'picture.points.y', valuesSchema(px.length, 'as many as x'));
    for (let i = 0; i < px.length; i += 1) {
      const at = place.x + (((px[i] as number) - xRange[0]) / (xRange[1] - xRange[0])) * place.width;
      const up = place.y + (1 - ((py[i] as number) - yRange[0]) / (yRange[1] - yRange[0])) * place.height;
      marks.push(
        `<circle cx="${at.toFixed(1)}" cy="${up.toFixed(1)}" r="2.1" fill="#ffffff" stroke="#111827" stroke-width="0.7"/>`,
      );
    }
  }
  let keyAt = place.x;
  const keys: string[] = [];
  const key = (mark: string, label: string): void => {
    keys.push(
      mark,
      `<text x="${keyAt + 26}" y="${place.y - 8}" font-size="11.5" fill="${faint}">${escapeHtml(label)}</text>`,
    );
    keyAt += 44 + 6.2 * label.length;
  };
  for (const { label = '', color, dashes } of legend) {
    const dash = dashes === undefined ? '' : ` stroke-dasharray="${escapeHtml(dashes)}"`;
    key(
      `<rect x="${keyAt}" y="${place.y - 18}" width="21" height="12" rx="2" fill="#94a3b8"/><line x1="${keyAt}" x2="${keyAt + 21}" y1="${place.y - 12}" y2="${place.y - 12}" stroke="${escapeHtml(color)}" stroke-width="1.8"${dash}/>`,
      label,
    );
  }
  if (given.points?.label !== undefined) {
    key(
      `<circle cx="${keyAt + 12}" cy="${place.y - 12}" r="2.4" fill="#ffffff" stroke="#111827"/>`,
      given.points.label,
    );
  }
  const [fullWidth, fullHeight] = [place.x + place.width + margin.right, place.y + place.height + margin.bottom];
  const bar = { x: place.x + place.width + 18, y: place.y, width: 14, height: place.height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${fullWidth} ${fullHeight}" width="${fullWidth}" height="${fullHeight}" role="img" ${font}>`,
    `<title>${escapeHtml(given.description ?? given.title)}</title>`,
    `<rect width="${fullWidth}" height="${fullHeight}" fill="#ffffff"/>`,
    `<text x="${place.x}" y="26" font-size="15" font-weight="600" fill="${ink}">${escapeHtml(given.title)}</text>`,
    imageElement(pixels, place),
    ...lines,
    ...marks,
    ...keys,
    axes(place, { xRange, yRange, xLabel: given.xLabel, yLabel: given.yLabel }),
    colorBar(table, range, bar, escapeHtml(given.valueLabel)),
    '</svg>',
    '',
  ].join('\n');
}

/** Linear between the middles of squares, constant beyond the outermost. */
function smooth(values: ArrayLike<number>, rows: number, columns: number, scale: number): Float64Array {
  const result = new Float64Array(rows * columns * scale * scale);
  const weights = (count: number): { low: number; high: number; share: number }[] =>
    Array.from({ length: count * scale }, (_, i) => {
      const at = Math.min(count - 1, Math.max(0, (i + 0.5) / scale - 0.5));
      const low = Math.floor(at);
      return { low, high: Math.min(count - 1, low + 1), share: at - low };
    });
  const along = weights(columns);
  weights(rows).forEach(({ low, high, share }, r) => {
    along.forEach((c, k) => {
      const value = (row: number): number => {
        const [a, b] = [values[row * columns + c.low] as number, values[row * columns + c.high] as number];
        return c.share === 0 ? a : a + c.share * (b - a);
      };
      result[r * along.length + k] = share === 0 ? value(low) : value(low) + share * (value(high) - value(low));
    });
  });
  return result;
}

/** A field over time. */
export interface Animation extends Omit<FieldPicture, 'values'> {
  /** Values of every frame, in turn. */
  frames: readonly (Float64Array | Float32Array | readonly number[])[];
  /** Pixels per value in each direction; default 4. */
  scale?: number;
  /** Seconds for which a frame is shown; default 0.08. */
  secondsPerFrame?: number;
}

/**
 * A field over time as an animated GIF file that starts again at its end. Its 256 colours are those of the map, so
 * nothing is approximated.
 *
 * @returns the bytes of the file
 * @throws ERR_SHAPE_MISMATCH  a frame of other than `rows` times `columns` values, or none
 */
export function heatMapGif(animation: Animation): Uint8Array {
  const { values: _, ...members } = fieldMembers;
  const given = parse(
    animation,
    'animation',
    object({
      ...members,
      frames: arrayOf(anyArray, { min: 1 }),
      scale: withDefault(integer({ min: 1, max: 64 }), 4),
      secondsPerFrame: withDefault(number({ min: 0.02, max: 600 }), 0.08),
    }),
  );
  const { rows, columns, scale } = given;
  const frames = given.frames.map((frame, k) =>
    parse(frame, `animation.frames[${k}]`, valuesSchema(rows * columns, `${rows} rows of ${columns}`)),
  );
  const ranges = frames.map(rangeOf);
  const range = given.range ?? [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  const [width, height] = [columns * scale, rows * scale];
  const steps = frames.map((values) => {
    const pixels = new Uint8Array(width * height);
    for (let at = 0; at < pixels.length; at += 1) {
      const row = rows - 1 - Math.floor(Math.floor(at / width) / scale);
      const value = values[row * columns + Math.floor((at % width) / scale)] as number;
      pixels[at] = Number.isNaN(value) ? 0 : colorStep(value, range);
    }
    return pixels;
  });
  return encodeGif({
    width,
    height,
    palette: colorTable(given.colors),
    frames: steps,
    delay: Math.round(given.secondsPerFrame * 100),
  });
}
