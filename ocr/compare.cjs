// Quantises the recogniser with several methods and measures what each model reads.
//   node ocr/compare.cjs [--bits 2,3,4] [--lines 96] [--methods rtn,gptq,...] [--sequential] [--json out/ocr.json]
// Needs the package built (`npm run compile`) and `npm ci --ignore-scripts --prefix ocr`.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { quantize } = require('..');
const { batches, calibrationLines, evaluate, modelFiles, onnxruntime, recognise, testLines } = require('./index.cjs');

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
  const reference = await recognise(original, test);
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
        const quality = await evaluate(fs.readFileSync(output), test, reference);
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

module.exports = { compare, methods };

if (require.main === module) {
  const { values } = parseArgs({
    options: {
      bits: { type: 'string', default: '2,3,4' },
      lines: { type: 'string', default: '96' },
      methods: { type: 'string' },
      sequential: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  console.log('| method | bits | true bits | with side information | character error rate | divergence | seconds |');
  console.log('|---|---:|---:|---:|---:|---:|---:|');
  compare({
    bits: values.bits.split(',').map(Number),
    lines: Number(values.lines),
    ...(values.methods !== undefined && { names: values.methods.split(',') }),
    sequential: values.sequential,
    onRow: ({ method, bits, averageBits, bitsPerWeight, characterErrorRate, divergence, report }) => {
      const cells = [
        method,
        bits,
        averageBits.toFixed(3),
        bitsPerWeight.toFixed(3),
        characterErrorRate.toFixed(4),
        divergence.toFixed(4),
        report?.seconds.toFixed(1) ?? '',
      ];
      console.log(`| ${cells.join(' | ')} |`);
    },
  })
    .then(({ rows }) => {
      if (values.json === undefined) return;
      fs.mkdirSync(path.dirname(path.resolve(values.json)), { recursive: true });
      fs.writeFileSync(
        values.json,
        `${JSON.stringify(
          rows.map(({ texts: _, report: __, ...row }) => row),
          null,
          1,
        )}\n`,
      );
    })
    .catch((error) => {
      console.error(error);
      process.exitCode = 1;
    });
}
