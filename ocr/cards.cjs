// What the recogniser reads after quantisation, as cards of the report page (`discrete-descent report --include`).
'use strict';

const { linePicture, readingInPieces } = require('./index.cjs');
const { barChart } = require('../dist/report/bars.js');
const { escapeHtml, htmlTable } = require('../dist/report/html.js');
const { allocationChart, methodsChart } = require('../dist/report/quantize-report.js');

const wrongColor = '#ea580c';

/** A text with what is wrong in colour and a bar where something is missing. */
function markedText(truth, read) {
  if (read === '') return '<em>nothing</em>';
  return readingInPieces(truth, read)
    .map(({ text, right }) => {
      if (right) return escapeHtml(text);
      const style = text === '' ? `border-left:2px solid ${wrongColor};margin:0 1px` : `color:${wrongColor}`;
      return `<span style="${style}">${escapeHtml(text)}</span>`;
    })
    .join('');
}

function sampleFigure(line, readings) {
  const picture = linePicture(line).toString('base64');
  const rows = readings.map(
    ({ method, text }) =>
      `<tr><th>${escapeHtml(method)}</th><td>${text === line.text ? '&#10003;' : ''}</td><td>${markedText(line.text, text)}</td></tr>`,
  );
  return `<figure><img src="data:image/png;base64,${picture}" alt="${escapeHtml(line.text)}" width="320" height="48"><table>${rows.join('')}</table></figure>`;
}

function errorChart(rows) {
  return barChart({
    description: `Character error rates of ${rows.length} models`,
    title: 'Characters read wrong',
    pieces: [{ label: 'wrong', color: wrongColor }],
    bars: rows.map(({ method, characterErrorRate }) => ({
      label: method,
      values: [characterErrorRate],
      figure: `${(100 * characterErrorRate).toFixed(1)} %`,
    })),
  });
}

/**
 * The cards, for what `compare` returns at one number of bits.
 *
 * @param head, cells  of the table of results
 * @param samples      how many lines to show
 */
function cards({ lines, rows }, { head, cells, samples }) {
  const quantised = rows.filter(({ report }) => report !== undefined);
  const { bits, report } = quantised[0];
  const table = quantised.find(({ method }) => method === 'baq table') ?? quantised.at(-1);
  const figures = lines.slice(0, samples).map((line, i) =>
    sampleFigure(
      line,
      rows.map(({ method, texts }) => ({ method, text: texts[i] })),
    ),
  );
  return [
    {
      heading: `Text recognition with ${bits} bits per weight`,
      html:
        `<p>A network that reads lines of text (PP-OCRv4, ${report.layers.length} layers with ${(report.weights / 1e6).toFixed(2)} million weights), ` +
        `quantised by every method to ${bits} bits on average and tried on ${lines.length} lines that it has not seen.</p>` +
        errorChart(rows) +
        htmlTable(head, rows.map(cells)) +
        '<p>True bits: of the codes, on average over the weights; stored bits: with the grids of the rows and the bits of the columns. ' +
        'Error rate: wrong, missing and additional characters over those written. Divergence: mean KL(float32 || quantised) of the ' +
        'distributions over 6625 characters, in nats per position. <em>baq official</em> is the published code, which keeps to no budget.</p>',
    },
    {
      heading: 'What each model reads',
      html: `<div class="columns">${figures.join('')}</div><p>In colour: characters that are not there; bars: characters that are missing. &#10003;: no error.</p>`,
    },
    {
      heading: 'Where the bits go',
      html:
        '<p>A column of a layer holds the weights of one of its inputs; all of them get the same number of bits. Inputs that matter ' +
        'get more, others none.</p>' +
        methodsChart(quantised.map((row) => row.report)) +
        allocationChart(table.report),
    },
  ];
}

module.exports = { cards };
