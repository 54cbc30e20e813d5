// Line plots as SVG text: panels below each other, with axes, shaded intervals, reference lines and a legend. Numbers
// in, a self-contained picture out; no dependency, because it ships with the package.
import { escapeHtml } from './html';

/** One curve; a value that is NaN breaks the line. */
export interface Series {
  /** Name in the legend. */
  label: string;
  /** Abscissae. */
  x: ArrayLike<number>;
  /** Ordinates, as many as abscissae. */
  y: ArrayLike<number>;
  /** CSS colour. */
  color: string;
  /** Stroke width in pixels; default 1.8. */
  width?: number;
  /** Dash pattern, for example "4 3"; default solid. */
  dashes?: string;
}

/** One pair of axes. */
export interface Panel {
  /** Heading above the axes. */
  title: string;
  /** Label of the horizontal axis. */
  xLabel: string;
  /** Label of the vertical axis. */
  yLabel: string;
  /** Ends of the horizontal axis. */
  xRange: readonly [number, number];
  /** Ends of the vertical axis; values outside are clipped. */
  yRange: readonly [number, number];
  /** `'log'`: equal distances are equal ratios; the range is above 0, and values that are not are left out. */
  yScale?: 'linear' | 'log';
  /** Curves, drawn in order. */
  series: readonly Series[];
  /** Intervals of x to shade, with a word at the top. */
  shaded?: readonly {
    /** Where it begins. */
    from: number;
    /** Where it ends. */
    to: number;
    /** The word; default none. */
    label?: string;
  }[];
  /** Horizontal lines. */
  levels?: readonly {
    /** How high. */
    y: number;
    /** Words beside it. */
    label: string;
    /** CSS colour. */
    color: string;
  }[];
}

/** Size of a plot in pixels and its panels from top to bottom. */
export interface Plot {
  /** Default 860. */
  width?: number;
  /** Height of each panel's axes; default 260. */
  panelHeight?: number;
  /** What the picture shows, for readers that cannot see it. */
  description: string;
  /** At least one. */
  panels: readonly Panel[];
}

const margin = { left: 74, right: 22, top: 58, bottom: 50 };
const ink = '#1f2933';
const faint = '#7b8794';
const gridColor = '#e4e7eb';
const shade = '#f1f5f9';
const font = 'font-family="ui-sans-serif, system-ui, Segoe UI, Helvetica, Arial, sans-serif"';

/** About `count` round positions between two ends: steps of 1, 2 or 5 times a power of ten. */
export function ticks([low, high]: readonly [number, number], count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step =
    [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999) ?? 10 * power;
  const positions: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) positions.push(k * step);
  return positions;
}

/** Powers of ten between two ends; of more than about ten every second, third, ... */
function decades([low, high]: readonly [number, number]): number[] {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.max(1, Math.ceil((last - first) / 9));
  const positions: number[] = [];
  for (let power = first; power <= last; power += step) positions.push(10 ** power);
  if (positions.length > 2) return positions;
  // Few powers: what lies between them, too.
  const finer = [first - 1, ...Array.from({ length: last - first + 1 }, (_, k) => first + k)];
  return finer
    .flatMap((power) => [1, 2, 5].map((factor) => factor * 10 ** power))
    .filter((one) => one >= low && one <= high);
}

/** A position as a label. @internal */
export function tickText(value: number, range: readonly [number, number]): string {
  const span = Math.abs(range[1] - range[0]);
  if (value === 0 || Math.abs(value) < span * 1e-9) return '0';
  if (span < 1e-3 || span >= 1e5)
    return value.toExponential(
      Number((value / 10 ** Math.floor(Math.log10(Math.abs(value)))).toFixed(6)) % 1 === 0 ? 0 : 1,
    );
  return String(Number(value.toPrecision(6)));
}

function path(series: Series, x: (value: number) => number, y: (value: number) => number): string {
  let commands = '';
  let pen = 'M';
  for (let i = 0; i < series.x.length; i += 1) {
    const value = series.y[i] as number;
    if (!Number.isFinite(y(value))) {
      pen = 'M';
    } else {
      commands += `${pen}${x(series.x[i] as number).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = 'L';
    }
  }
  return commands;
}

function drawPanel(panel: Panel, top: number, width: number, height: number, index: number): string {
  const plotWidth = width - margin.left - margin.right;
  const [x0, x1] = panel.xRange;
  const [y0, y1] = panel.yRange;
  const x = (value: number): number => margin.left + ((value - x0) / (x1 - x0)) * plotWidth;
  const log = panel.yScale === 'log';
  const share = (value: number): number => (log ? Math.log(value / y0) / Math.log(y1 / y0) : (value - y0) / (y1 - y0));
  const unclipped = (value: number): number => top + height - share(value) * height;
  // Far outside is drawn just outside: viewers disagree on coordinates of 1e9.
  const y = (value: number): number =>
    log && !(value > 0) ? NaN : Math.min(Math.max(unclipped(value), top - height), top + 2 * height);
  const parts: string[] = [];
  // Names hold for a whole page of pictures: the same name, the same rectangle.
  const clip = `panel-${index}-${width}x${height}`;
  parts.push(
    `<text x="${margin.left}" y="${top - 34}" font-size="15" font-weight="600" fill="${ink}">${escapeHtml(panel.title)}</text>`,
  );
  for (const band of panel.shaded ?? []) {
    parts.push(
      `<rect x="${x(band.from).toFixed(1)}" y="${top}" width="${(x(band.to) - x(band.from)).toFixed(1)}" height="${height}" fill="${shade}"/>`,
    );
    if (band.label !== undefined) {
      const centre = x((band.from + band.to) / 2).toFixed(1);
      parts.push(
        `<text x="${centre}" y="${top + 14}" font-size="11" text-anchor="middle" fill="${faint}">${escapeHtml(band.label)}</text>`,
      );
    }
  }
  for (const tick of log ? decades(panel.yRange) : ticks(panel.yRange, 6)) {
    const at = unclipped(tick).toFixed(1);
    parts.push(`<line x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}" stroke="${gridColor}"/>`);
    parts.push(
      `<text x="${margin.left - 8}" y="${at}" dy="4" font-size="11" text-anchor="end" fill="${faint}">${log ? tick.toExponential(0).replace('e+', 'e') : tickText(tick, panel.yRange)}</text>`,
    );
  }
  for (const tick of ticks(panel.xRange, 10)) {
    const at = x(tick).toFixed(1);
    parts.push(`<line x1="${at}" x2="${at}" y1="${top + height}" y2="${top + height + 4}" stroke="${faint}"/>`);
    parts.push(
      `<text x="${at}" y="${top + height + 17}" font-size="11" text-anchor="middle" fill="${faint}">${tickText(tick, panel.xRange)}</text>`,
    );
  }
  parts.push(
    `<rect x="${margin.left}" y="${top}" width="${plotWidth}" height="${height}" fill="none" stroke="#cbd2d9"/>`,
  );
  parts.push(
    `<clipPath id="${clip}"><rect x="${margin.left}" y="${top}" width="${plotWidth}" height="${height}"/></clipPath>`,
  );
  // From the top down; a label that would touch the one above it goes below its line.
  let labelAbove = -Infinity;
  for (const level of [...(panel.levels ?? [])].sort((first, second) => second.y - first.y)) {
    const at = y(level.y);
    const below = at - labelAbove < 14;
    if (level.label !== '') labelAbove = at;
    parts.push(
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}" stroke="${level.color}" stroke-dasharray="5 4" clip-path="url(#${clip})"/>`,
    );
    parts.push(
      `<text x="${width - margin.right - 6}" y="${at.toFixed(1)}" dy="${below ? 13 : -5}" font-size="11" text-anchor="end" fill="${level.color}">${escapeHtml(level.label)}</text>`,
    );
  }
  for (const series of panel.series) {
    const dashes = series.dashes === undefined ? '' : ` stroke-dasharray="${series.dashes}"`;
    parts.push(
      `<path d="${path(series, x, y)}" fill="none" stroke="${series.color}" stroke-width="${series.width ?? 1.8}" stroke-linejoin="round"${dashes} clip-path="url(#${clip})"/>`,
    );
  }
  let legend = margin.left;
  for (const series of panel.series) {
    const dashes = series.dashes === undefined ? '' : ` stroke-dasharray="${series.dashes}"`;
    parts.push(
      `<line x1="${legend}" x2="${legend + 22}" y1="${top - 15}" y2="${top - 15}" stroke="${series.color}" stroke-width="2.4"${dashes}/>`,
    );
    parts.push(
      `<text x="${legend + 28}" y="${top - 11}" font-size="12" fill="${ink}">${escapeHtml(series.label)}</text>`,
    );
    legend += 28 + series.label.length * 6.6 + 22;
  }
  parts.push(
    `<text x="${margin.left + plotWidth / 2}" y="${top + height + 37}" font-size="12" text-anchor="middle" fill="${ink}">${escapeHtml(panel.xLabel)}</text>`,
  );
  const middle = top + height / 2;
  parts.push(
    `<text x="18" y="${middle}" font-size="12" text-anchor="middle" fill="${ink}" transform="rotate(-90 18 ${middle})">${escapeHtml(panel.yLabel)}</text>`,
  );
  return parts.join('\n');
}

/**
 * The plot as the text of an SVG file.
 *
 * @param plot  see {@link Plot}
 */
export function linePlot(plot: Plot): string {
  const width = plot.width ?? 860;
  const panelHeight = plot.panelHeight ?? 260;
  const step = margin.top + panelHeight + margin.bottom;
  const height = step * plot.panels.length;
  const panels = plot.panels.map((panel, index) =>
    drawPanel(panel, index * step + margin.top, width, panelHeight, index),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ${font}>`,
    `<title>${escapeHtml(plot.description)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}
