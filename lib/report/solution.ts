// What a solution looks like: pictures of its fields, how the run went, and both as cards of a page.
import type { Grid } from '../odil';
import { convergencePlot } from './convergence';
import { heatMap, heatMapGif } from './heat-map';
import { htmlTable, type Section } from './html';
import { rangeOf } from './picture';
import { linePlot } from './plot';

/** A picture with the name of its file. */
export interface PictureFile {
  /** Without a folder. */
  name: string;
  /** SVG text or bytes of a GIF. */
  contents: string | Uint8Array;
}

/** What is drawn of a solution. */
export interface SolutionPictures {
  /** The grid of the problem. */
  grid: Grid;
  /** Location of each field, as `problem.locations`. */
  locations: Readonly<Record<string, string>>;
  /** Values by field, row-major. */
  fields: Readonly<Record<string, Float64Array>>;
  /** Exact or known values of fields: the difference is drawn, too. Default none. */
  reference?: Readonly<Record<string, Float64Array>>;
  /** Measured points, in coordinates of a grid of two axes; default none. */
  measured?: { x: readonly number[]; y: readonly number[] };
}

interface Plane {
  values: Float64Array;
  rows: number;
  columns: number;
  /** Numbers of the axes that are drawn, upwards and across. */
  axes: readonly [number, number];
  /** Where the others are cut, in words. */
  cut: string;
}

/** The last two axes of a field where the others have an index; time goes upwards, of two axes in space the later one. */
function planeOf(grid: Grid, values: Float64Array, counts: readonly number[], at: readonly number[]): Plane {
  const [rows, columns] = [counts[counts.length - 2] as number, counts[counts.length - 1] as number];
  const outer = counts.slice(0, -2);
  const index = outer.reduce((flat, count, k) => flat * count + (at[k] as number), 0);
  const cut = outer.map((_, k) => {
    const axis = grid.axes[k] as Grid['axes'][number];
    const half = counts[k] === axis.cells ? 0.5 : 0;
    return `${axis.name} = ${Number((axis.lower + ((at[k] as number) + half) * axis.step).toPrecision(3))}`;
  });
  const own = values.slice(index * rows * columns, (index + 1) * rows * columns);
  const [first, second] = [counts.length - 2, counts.length - 1];
  if (grid.axes[first]?.name === 't') return { values: own, rows, columns, axes: [first, second], cut: cut.join(', ') };
  const turned = own.map((_, i) => own[(i % rows) * columns + Math.floor(i / rows)] as number);
  return { values: turned, rows: columns, columns: rows, axes: [second, first], cut: cut.join(', ') };
}

function drawPlane(
  grid: Grid,
  { values, rows, columns, axes }: Plane,
  title: string,
  rest: { difference?: boolean; measured?: SolutionPictures['measured'] },
): string {
  const [up, across] = axes.map((k) => grid.axes[k]) as [Grid['axes'][number], Grid['axes'][number]];
  const most = Math.max(...rangeOf(values).map(Math.abs)) || 1;
  return heatMap({
    values,
    rows,
    columns,
    title,
    xLabel: across.name,
    yLabel: up.name,
    xRange: [across.lower, across.upper],
    yRange: [up.lower, up.upper],
    pixelated: columns > 200,
    ...(rest.difference === true ? { colors: 'diverging', range: [-most, most] } : {}),
    ...(rest.measured === undefined ? {} : { points: { ...rest.measured, label: 'measured' } }),
  });
}

function picturesOfField(given: SolutionPictures, name: string): PictureFile[] {
  const { grid, fields, locations, reference, measured } = given;
  const values = fields[name] as Float64Array;
  const counts = grid.counts(locations[name] as string);
  const known = reference?.[name];
  const difference =
    known?.length === values.length ? values.map((value, i) => value - (known[i] as number)) : undefined;
  if (counts.length === 1) {
    const axis = grid.axes[0] as Grid['axes'][number];
    const x = grid.coordinates(axis.name, locations[name] as 'c' | 'n');
    const [low, high] = rangeOf(known === undefined ? values : [...values, ...known]);
    const series = [
      ...(known === undefined ? [] : [{ label: 'exact', x, y: known, color: '#94a3b8', width: 4 }]),
      { label: name, x, y: values, color: '#1d4ed8' },
    ];
    const panel = { title: name, xLabel: axis.name, yLabel: name, xRange: [axis.lower, axis.upper] as const };
    const room = (high - low) * 0.05;
    const plot = linePlot({
      description: name,
      panels: [{ ...panel, yRange: [low - room, high + room], series }],
    });
    return [{ name: `${name}.svg`, contents: plot }];
  }
  // Time goes to its end, everything else through the middle.
  const timed = counts.length > 2 && grid.axes[0]?.name === 't';
  const at = counts.slice(0, -2).map((count, k) => (k === 0 && timed ? count - 1 : Math.floor(count / 2)));
  const plane = planeOf(grid, values, counts, at);
  const where = plane.cut === '' ? '' : ` at ${plane.cut}`;
  const result: PictureFile[] = [
    {
      name: `${name}.svg`,
      contents: drawPlane(grid, plane, `${name}${where}`, counts.length === 2 ? { measured } : {}),
    },
  ];
  if (difference !== undefined) {
    result.push({
      name: `${name}-difference.svg`,
      contents: drawPlane(grid, planeOf(grid, difference, counts, at), `${name} minus the exact one${where}`, {
        difference: true,
      }),
    });
  }
  if (timed) {
    const frames = Array.from(
      { length: counts[0] as number },
      (_, t) => planeOf(grid, values, counts, [t, ...at.slice(1)]).values,
    );
    const { rows, columns } = plane; // as they are drawn
    const scale = Math.max(1, Math.min(8, Math.floor(320 / Math.max(rows, columns))));
    result.push({ name: `${name}.gif`, contents: heatMapGif({ frames, rows, columns, scale }) });
  }
  return result;
}

/** Pictures of all fields: of two axes whole, of more a slice, and over time where the first axis is `t`. @internal */
export function picturesOfFields(given: SolutionPictures): PictureFile[] {
  return Object.keys(given.fields).flatMap((name) => picturesOfField(given, name));
}

/** How a run went: the loss of every step. @internal */
export function convergencePicture(
  title: string,
  history: readonly { loss: number; iteration?: number }[],
): PictureFile | undefined {
  if (history.length < 2) return undefined;
  const values = history.map(({ loss }) => loss);
  const at = history.map(({ iteration }, k) => iteration ?? k + 1);
  return { name: 'convergence.svg', contents: convergencePlot({ title, curves: [{ label: 'loss', values, at }] }) };
}

/** Pictures side by side. @internal */
export function pictureHtml(pictures: readonly PictureFile[]): string {
  const figures = pictures.map(({ name, contents }) =>
    typeof contents === 'string'
      ? `<figure>${contents}</figure>`
      : `<figure><img alt="${name}" style="image-rendering:pixelated" src="data:image/gif;base64,${Buffer.from(contents).toString('base64')}"><em>${name.replace(/\.gif$/, '')} over time</em></figure>`,
  );
  return `<div class="columns">${figures.join('')}</div>`;
}

/** A card of a solution. @internal */
export function solutionSection(
  heading: string,
  { text, table, pictures }: { text: string; table: readonly (readonly string[])[]; pictures: readonly PictureFile[] },
): Section {
  const [head = [], ...rows] = table;
  return { heading, html: `<p>${text}</p>${pictureHtml(pictures)}${rows.length === 0 ? '' : htmlTable(head, rows)}` };
}
