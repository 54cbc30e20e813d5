// What moving bits between layers does to the recogniser: the same bits everywhere beside choices that store no more,
// everything counted, by each importance.
//   node ocr/across-layers.cjs [--bits 2,3] [--modes table,levels] [--lines 96]
// Needs the package built (`npm run compile`) and `npm ci --ignore-scripts --prefix ocr`.
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { quantize } = require('..');
const { batches, calibrationLines, evaluate, modelFiles, onnxruntime, recognise, testLines } = require('./index.cjs');

const importances = ['loss', 'relative', 'sensitivity'];

/**
 * Rows { importance (null: the same bits everywhere), storedBits, characterErrorRate, divergence, report } for one mode of
 * BAQ. Layers are measured once for all importances.
 */
async function acrossLayers(options) {
  const {
    bits = 2,
    mode = 'table',
    lines = 96,
    calibration = 64,
    names = importances,
    rates,
    onRow = () => {},
  } = options;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-across-'));
  const runtime = quantize.onnxRuntime({ module: onnxruntime });
  const inputs = batches(calibrationLines().slice(0, calibration));
  const test = testLines(lines);
  const reference = await recognise(fs.readFileSync(modelFiles.recognition), test);
  const output = path.join(folder, 'quantised.onnx');
  const request = {
    input: modelFiles.recognition,
    output,
    mode,
    averageBits: bits,
    calibration: { inputs, runtime, samplesPerRun: 64 },
  };
  const rows = [];
  const measure = async (importance, more) => {
    const report = await quantize.quantizeModel({ ...request, ...more });
    const { characterErrorRate, divergence } = await evaluate(fs.readFileSync(output), test, reference);
    const storedBits = (8 * report.storedBytes) / report.weights;
    rows.push({ importance, storedBits, characterErrorRate, divergence, report });
    onRow(rows.at(-1));
    return storedBits;
  };
  try {
    const averageBits = await measure(null, {});
    const kept = { averageBits, workFolder: path.join(folder, 'layers'), keepWork: true };
    for (const importance of names) await measure(importance, { ...kept, acrossLayers: { importance, rates } });
    return rows;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      bits: { type: 'string', default: '2,3' },
      modes: { type: 'string', default: 'table,levels' },
      lines: { type: 'string', default: '96' },
    },
  });
  console.log('| mode | bits | importance | true bits | stored, with padding | CER | KL | seconds |');
  console.log('|---|---:|---|---:|---:|---:|---:|---:|');
  for (const bits of values.bits.split(',').map(Number)) {
    for (const mode of values.modes.split(',')) {
      const onRow = ({ importance, storedBits, characterErrorRate, divergence, report }) => {
        const figures = [report.averageBits, storedBits, characterErrorRate].map((value) => value.toFixed(3));
        const cells = [mode, bits, importance ?? 'the same everywhere', ...figures, divergence.toFixed(3)];
        console.log(`| ${cells.join(' | ')} | ${report.seconds.toFixed(1)} |`);
      };
      await acrossLayers({ bits, mode, lines: Number(values.lines), onRow });
    }
  }
}

module.exports = { acrossLayers };

if (require.main === module) {
  main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
