// A benchmark run as JSON, Markdown table and SVG picture.
import { verdicts } from './bars';
import type { Family, Row } from './harness';

/** Everything of one run. */
export interface BenchRun {
  date: string;
  version: string;
  node: string;
  processor: string;
  isa: string;
  threads: number;
  quick: boolean;
  rows: Row[];
}

const number = (value: number | undefined, digits = 3): string =>
  value === undefined || !Number.isFinite(value) ? '-' : String(Number(value.toPrecision(digits)));

function duration(value: number): string {
  if (value < 1e-6) return `${number(value * 1e9)} ns`;
  if (value < 1e-3) return `${number(value * 1e6)} us`;
  return value < 1 ? `${number(value * 1e3)} ms` : `${number(value)} s`;
}

/** The requirements that were missed in this run, and how many held. */
function requirements(run: BenchRun): string[] {
  const all = verdicts(run.rows);
  if (all.length === 0) return [];
  const missed = all.filter(({ held }) => !held);
  return [
    `\n### Requirements\n\n${all.length - missed.length} of ${all.length} requirements (bench/bars.ts) held in this run${missed.length === 0 ? '.' : '; missed:\n'}`,
    ...missed.map(
      ({ row, text }) => `- ${row.name} ${row.size}, ${row.dtype}, ${row.isa}, ${row.threads} threads: ${text}`,
    ),
  ];
}

/** The run as a Markdown document. */
export function markdown(run: BenchRun, families: readonly Family[]): string {
  const parts = [
    `discrete-descent ${run.version}, Node ${run.node}, ${run.processor}, kernels at level ${run.isa}, ${run.threads} thread${run.threads === 1 ? '' : 's'}, ${run.date}${run.quick ? ', quick run' : ''}.`,
    ...requirements(run),
  ];
  for (const family of families) {
    const rows = run.rows.filter((row) => row.family === family.name);
    if (rows.length === 0) continue;
    const peers = [...new Set(rows.flatMap((row) => Object.keys(row.peers)))];
    const measures = [...new Set(rows.flatMap((row) => Object.keys(row.measures ?? {})))];
    const head = [
      'case',
      'size',
      'type',
      'level',
      'threads',
      'median',
      'rate',
      'of limit',
      ...measures,
      ...peers.map((peer) => `${peer} / ours`),
    ];
    parts.push(`\n### ${family.name}\n\n${family.description}\n`);
    parts.push(`| ${head.join(' | ')} |`, `|${head.map((_, i) => (i < 4 ? '---' : '---:')).join('|')}|`);
    for (const row of rows) {
      const cells = [
        row.name,
        row.size,
        row.dtype,
        row.isa,
        String(row.threads),
        duration(row.medianSeconds),
        row.rate === undefined ? '-' : `${number(row.rate.value)} ${row.rate.unit}`,
        row.limitPercent === undefined ? '-' : `${number(row.limitPercent, 2)} %`,
        ...measures.map((name) => number(row.measures?.[name], 6)),
        ...peers.map((peer) => number(row.peers[peer]?.speedRatio ?? row.peers[peer]?.qualityRatio)),
      ];
      parts.push(`| ${cells.join(' | ')} |`);
    }
  }
  return `${parts.join('\n')}\n`;
}

const barColor = (ratio: number): string => (ratio >= 1 ? '#1d4ed8' : '#ea580c');

/** Ratios to peers as bars on a logarithmic axis: right of the line we are better. */
export function svg(run: BenchRun): string {
  const bars = run.rows.flatMap((row) =>
    Object.entries(row.peers).flatMap(([peer, result]) => {
      const ratio = result.speedRatio ?? result.qualityRatio;
      if (ratio === undefined || !Number.isFinite(ratio) || peer === 'proven optimum') return [];
      const type = row.dtype === '-' ? '' : ` ${row.dtype}`;
      const how = row.isa === run.isa ? '' : ` ${row.isa}`;
      return [{ label: `${row.name} ${row.size}${type}${how} vs ${peer}`, ratio }];
    }),
  );
  const left = 380;
  const width = 900;
  const step = 16;
  const top = 46;
  const height = top + bars.length * step + 24;
  const reach = Math.max(2, ...bars.map(({ ratio }) => Math.max(ratio, 1 / ratio)));
  const middle = left + (width - left - 70) * 0.35;
  const scaleRight = (width - 70 - middle) / Math.log(reach);
  const scaleLeft = (middle - left) / Math.log(reach);
  const x = (ratio: number): number => middle + Math.log(ratio) * (ratio >= 1 ? scaleRight : scaleLeft);
  const lines = bars.map(({ label, ratio }, i) => {
    const y = top + i * step;
    const from = Math.min(middle, x(ratio));
    return [
      `<text x="${left - 8}" y="${y + 11}" font-size="10.5" text-anchor="end" fill="#1f2933">${label.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`,
      `<rect x="${from.toFixed(1)}" y="${y + 2}" width="${Math.max(1, Math.abs(x(ratio) - middle)).toFixed(1)}" height="${step - 5}" fill="${barColor(ratio)}"/>`,
      `<text x="${(Math.max(middle, x(ratio)) + 5).toFixed(1)}" y="${y + 11}" font-size="10.5" fill="#52606d">${number(ratio)}</text>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="ui-sans-serif, system-ui, Helvetica, Arial, sans-serif">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="16" y="22" font-size="15" font-weight="600" fill="#1f2933">Peer over discrete-descent: right of the line is faster, or a smaller ripple (log scale)</text>
<line x1="${middle}" x2="${middle}" y1="${top - 8}" y2="${height - 16}" stroke="#1f2933"/>
${lines.join('\n')}
</svg>
`;
}
