// Pictures and tables of a quantised model: bits and loss of every layer, and how levels are spread over columns.
import type { AcrossLayersReport, ModelLayerReport, ModelReport } from '../quantize';
import { barChart } from './bars';
import { htmlTable, type Section } from './html';

/** Names and colours of the kinds of columns that pictures tell apart, by their number of bits. */
const kinds = [
  { label: 'dropped', color: '#cbd5e1', most: 1 },
  { label: 'to 1 bit', color: '#fde68a', most: 2 },
  { label: 'to 2', color: '#fdba74', most: 4 },
  { label: 'to 3', color: '#fb7185', most: 8 },
  { label: 'to 4', color: '#a78bfa', most: 16 },
  { label: 'to 6', color: '#60a5fa', most: 64 },
  { label: 'more', color: '#1d4ed8', most: Infinity },
] as const;

/** Shares of the weights of some layers that are in columns of each kind. */
function shares(layers: readonly ModelLayerReport[]): number[] {
  const weights = layers.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const sums: number[] = kinds.map(() => 0);
  for (const { rows, levelCounts } of layers) {
    for (const [levels, count] of Object.entries(levelCounts)) {
      const kind = kinds.findIndex(({ most }) => Number(levels) <= most);
      sums[kind] = (sums[kind] ?? 0) + (count * rows) / weights;
    }
  }
  return sums;
}

/** How the columns of each layer share its bits. */
export function allocationChart(report: ModelReport): string {
  return barChart({
    description: `Share of columns by their bits in each of ${report.layers.length} layers`,
    title: `Columns of each layer by their bits, ${report.method}`,
    pieces: kinds,
    bars: report.layers.map((layer) => ({
      label: layer.name,
      values: shares([layer]),
      figure: `${layer.averageBits.toFixed(2)} bits`,
    })),
  });
}

/** How several methods share the bits of the same model among its columns. */
export function methodsChart(reports: readonly ModelReport[]): string {
  return barChart({
    description: `Share of weights by the bits of their column for each of ${reports.length} methods`,
    title: 'Weights of the whole model by the bits of their column',
    pieces: kinds,
    bars: reports.map(({ method, layers, averageBits }) => ({
      label: method,
      values: shares(layers),
      figure: `${averageBits.toFixed(2)} bits`,
    })),
  });
}

/** Bits per weight of each layer, side information apart. */
export function bitsChart(report: ModelReport): string {
  return barChart({
    description: `Bits per weight of each of ${report.layers.length} layers`,
    title: 'Bits per weight',
    pieces: [
      { label: 'codes', color: '#1d4ed8' },
      { label: 'grids, levels, padding', color: '#fdba74' },
    ],
    bars: report.layers.map(({ name, averageBits, bitsPerWeight }) => ({
      label: name,
      values: [averageBits, Math.max(0, bitsPerWeight - averageBits)],
      figure: bitsPerWeight.toFixed(3),
    })),
  });
}

/** Error of each layer's output. */
export function errorChart(report: ModelReport): string {
  return barChart({
    description: `Relative output error of each of ${report.layers.length} layers`,
    title: 'Output error of each layer on its calibration inputs, relative',
    pieces: [{ label: 'error', color: '#ea580c' }],
    bars: report.layers.map(({ name, relativeError }) => ({
      label: name,
      values: [Math.sqrt(relativeError)],
      figure: `${(100 * Math.sqrt(relativeError)).toPrecision(3)} %`,
    })),
  });
}

/** The rate that each layer got. */
export function ratesChart({ layers }: ModelReport): string {
  return barChart({
    description: `Rate of each of ${layers.length} layers`,
    title: 'Bits that each layer was given',
    pieces: [{ label: 'rate', color: '#0d9488' }],
    bars: layers.map(({ name, rate }) => ({ label: name, values: [rate], figure: `${rate} bits` })),
  });
}

function ratesTable({ rates, layers }: AcrossLayersReport): string {
  const head = ['layer', ...rates.map((rate) => `${rate} bits`)];
  const rows = layers.map(({ name, values, choice }) => [
    name,
    ...values.map((value, k) => (k === choice ? `\u25b6 ${value.toExponential(2)}` : value.toExponential(2))),
  ]);
  return htmlTable(head, rows);
}

const importanceTexts = {
  relative: 'The relative error of every layer counts the same.',
  loss: 'Losses count as they are.',
  sensitivity: 'Relative errors count by how much the outputs of the model change when one layer alone is quantised.',
} as const;

/** How bits were shared between layers. */
function ratesSection(report: ModelReport, across: AcrossLayersReport): Section {
  const { importance, value, uniform, gap } = across;
  const beside =
    uniform === null
      ? 'No single rate for all layers fits into the budget.'
      : `The best single rate within the budget, ${uniform.rate} bits, would lose ${uniform.value.toPrecision(4)}.`;
  const proof = gap === 0 ? 'no other choice loses less' : `another choice loses at most ${gap.toPrecision(3)} less`;
  const note = `<p>Every layer was quantised at each of these rates; the marked ones were chosen. ${importanceTexts[importance]} In all ${value.toPrecision(4)}, and ${proof}. ${beside}</p>`;
  return { heading: 'Which layer gets how much', html: ratesChart(report) + note + ratesTable(across) };
}

const tableHead = ['layer', 'outputs x inputs', 'bits', 'bits per weight', 'relative error', 'damping', 'seconds'];

/** The report of a quantised model as cards of the HTML page. */
export function quantizeSections(report: ModelReport): Section[] {
  const rows = report.layers.map((layer) => [
    layer.name,
    `${layer.rows} x ${layer.columns}`,
    layer.averageBits.toFixed(3),
    layer.bitsPerWeight.toFixed(3),
    layer.relativeError.toExponential(2),
    String(layer.damping),
    layer.resumed ? 'resumed' : layer.seconds.toFixed(2),
  ]);
  const note =
    '<p>Relative error: tr((W - Q) H (W - Q)<sup>T</sup>) / tr(W H W<sup>T</sup>) with the damped second moment H of the ' +
    'inputs; pictures show its square root. Bits per weight count everything that is stored.</p>';
  return [
    ...(report.acrossLayers === null ? [] : [ratesSection(report, report.acrossLayers)]),
    { heading: 'Where the bits go', html: allocationChart(report) + bitsChart(report) },
    { heading: 'What it costs', html: errorChart(report) + htmlTable(tableHead, rows) + note },
  ];
}
