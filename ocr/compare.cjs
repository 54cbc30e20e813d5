// Quantises the recogniser with several methods and measures what each model reads.
//   node ocr/compare.cjs [--bits 2,3,4] [--lines 96] [--methods rtn,gptq,...] [--sequential]
//     [--samples 4]           also prints what each model reads on the first lines
//     [--json out/ocr.json]   figures
//     [--cards out/ocr/cards.json]  pictures of the first number of bits, for `discrete-descent report --include`
// Needs the package built (`npm run compile`) and `npm ci --ignore-scripts --prefix ocr`.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { quantize } = require('..');
const { cards } = require('./cards.cjs');
const { batches, calibrationLines, evaluate, modelFiles, onnxruntime, testLines } = require('./index.cjs');

/** Names of methods and the options of quantizeModel that they stand for. */
const methods = {
  rtn: { method: 'rtn' },
  gptq: { method: 'gptq' },
  'baq official': { method: 'baq', mode: 'official' },
  'baq int': { method: 'baq', mode: 'int' },
  'baq table': { method: 'baq', mode: 'table' },
  'baq levels': { method: 'baq', mode: 'levels' },
};

/**
 * One row per method and number of bits: { method, bits, averageBits, bitsPerWeight, characterErrorRate, divergence,
 * texts, report }. `onRow` gets each as it comes.
 */
async function compare({ bits = [2], lines = 96, names = Object.keys(methods), sequential = false, onRow = () => {} }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-ocr-'));
  const runtime = quantize.onnxRuntime({ module: onnxruntime });
  const inputs = batches(calibrationLines());
  const test = testLines(lines);
  const original = fs.readFileSync(modelFiles.recognition);
  const float32 = await evaluate(original, test);
  const rows = [{ method: 'float32', bits: 32, averageBits: 32, bitsPerWeight: 32, ...summary(float32) }];
  onRow(rows[0]);
  try {
    for (const average of bits) {
      for (const name of names) {
        const output = path.join(folder, `${name.replace(' ', '-')}-${average}.onnx`);
        const report = await quantize.quantizeModel({
          input: modelFiles.recognition,
          output,
          averageBits: average,
          calibration: { inputs, runtime, samplesPerRun: 64 },
          sequential: sequential && name !== 'rtn',
          ...methods[name],
        });
        const quality = await evaluate(fs.readFileSync(output), test, float32.results);
        const { averageBits, bitsPerWeight } = report;
        rows.push({ method: name, bits: average, averageBits, bitsPerWeight, ...summary(quality), report });
        onRow(rows.at(-1));
      }
    }
    return { lines: test, rows };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function summary({ characterErrorRate, divergence, results }) {
  return { characterErrorRate, divergence: divergence ?? 0, texts: results.map(({ text }) => text) };
}

const head = ['method', 'bits', 'true bits', 'stored bits', 'error rate', 'divergence', 'seconds'];

/** A row as texts under `head`. */
function cells({ method, bits, averageBits, bitsPerWeight, characterErrorRate, divergence, report }) {
  return [
    method,
    String(bits),
    averageBits.toFixed(3),
    bitsPerWeight.toFixed(3),
    characterErrorRate.toFixed(4),
    divergence.toFixed(4),
    report?.seconds.toFixed(1) ?? '',
  ];
}

/** A line of a Markdown table that is a table in a terminal, too. */
function tableLine(texts) {
  const padded = texts.map((text, i) => (i === 0 ? text.padEnd(12) : text.padStart(head[i].length)));
  return `| ${padded.join(' | ')} |`;
}

/** What was written on the first lines, and what each model makes of it. */
function printSamples({ lines, rows }, count) {
  for (const [i, { text }] of lines.slice(0, count).entries()) {
    console.log(`\n${'written'.padEnd(12)}   ${text}`);
    for (const { method, texts } of rows) {
      console.log(`${method.padEnd(12)} ${texts[i] === text ? '=' : ' '} ${texts[i]}`);
    }
  }
}

function writeJson(file, contents) {
  fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  fs.writeFileSync(file, `${JSON.stringify(contents, null, 1)}\n`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      bits: { type: 'string', default: '2,3,4' },
      lines: { type: 'string', default: '96' },
      methods: { type: 'string' },
      sequential: { type: 'boolean', default: false },
      samples: { type: 'string', default: '0' },
      json: { type: 'string' },
      cards: { type: 'string' },
    },
  });
  const bits = values.bits.split(',').map(Number);
  const samples = Number(values.samples);
  console.log(tableLine(head));
  console.log(`|${head.map((text, i) => (i === 0 ? '-'.repeat(14) : `${'-'.repeat(text.length + 1)}:`)).join('|')}|`);
  const result = await compare({
    bits,
    lines: Number(values.lines),
    ...(values.methods !== undefined && { names: values.methods.split(',') }),
    sequential: values.sequential,
    onRow: (row) => console.log(tableLine(cells(row))),
  });
  const first = { ...result, rows: result.rows.filter((row) => [32, bits[0]].includes(row.bits)) };
  printSamples(first, samples);
  if (values.json !== undefined) {
    const figures = result.rows.map(({ texts: _, report: __, ...row }) => row);
    writeJson(values.json, figures);
  }
  if (values.cards !== undefined) writeJson(values.cards, cards(first, { head, cells, samples }));
}

module.exports = { cells, compare, head, methods };

if (require.main === module) {
  main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
