// Bar charts as SVG text: one horizontal bar per row, in pieces, beside its label and figure.
import { escapeHtml } from './html';

/** One row of a chart. */
export interface Bar {
  /** Text on the left. */
  label: string;
  /** Lengths of the pieces, in the order of `BarChart.pieces`. */
  values: readonly number[];
  /** Text behind the bar. */
  figure: string;
}

/** A chart of horizontal bars. */
export interface BarChart {
  /** What the picture shows, for readers that cannot see it. */
  description: string;
  /** Heading. */
  title: string;
  /** Names and CSS colours of the pieces. */
  pieces: readonly { label: string; color: string }[];
  /** Rows from top to bottom. */
  bars: readonly Bar[];
}

const width = 860;
const longestLabel = 38; // characters
const right = 110;
const step = 20;
const ink = '#1f2933';
const faint = '#52606d';

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most / 2 - 1)}…${text.slice(-most / 2 + 1)}`;
}

/** The chart as a self-contained picture; the longest bar fills the width. */
export function barChart({ description, title, pieces, bars }: BarChart): string {
  const longest = Math.max(...bars.map(({ values }) => values.reduce((sum, value) => sum + value, 0)), 1e-300);
  const left = 24 + 6.3 * Math.min(longestLabel, Math.max(...bars.map(({ label }) => label.length)));
  const scale = (width - left - right) / longest;
  const legend = pieces.length > 1 ? 24 : 0;
  const top = 40 + legend;
  const height = top + bars.length * step + 14;
  let at = left;
  const keys = pieces.map(({ label, color }) => {
    const key = `<rect x="${at}" y="36" width="11" height="11" fill="${color}"/><text x="${at + 16}" y="46" font-size="11.5" fill="${faint}">${escapeHtml(label)}</text>`;
    at += 28 + 6.6 * label.length;
    return key;
  });
  const rows = bars.map(({ label, values, figure }, row) => {
    const y = top + row * step;
    let x = left;
    const parts = values.map((value, piece) => {
      const length = value * scale;
      const rectangle =
        length > 0
          ? `<rect x="${x.toFixed(2)}" y="${y + 2}" width="${length.toFixed(2)}" height="${step - 6}" fill="${pieces[piece]?.color ?? ink}"/>`
          : '';
      x += length;
      return rectangle;
    });
    return [
      `<text x="${left - 8}" y="${y + 13}" font-size="11.5" text-anchor="end" fill="${ink}">${escapeHtml(shorten(label, longestLabel))}</text>`,
      ...parts,
      `<text x="${(x + 6).toFixed(2)}" y="${y + 13}" font-size="11.5" fill="${faint}">${escapeHtml(figure)}</text>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeHtml(description)}" font-family="ui-sans-serif, system-ui, Segoe UI, Helvetica, Arial, sans-serif">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="16" y="24" font-size="15" font-weight="600" fill="${ink}">${escapeHtml(title)}</text>
${legend > 0 ? keys.join('') : ''}
${rows.join('\n')}
</svg>
`;
}
