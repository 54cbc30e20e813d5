// A real model to quantise: PP-OCRv4 text recognition on lines drawn here. Knows nothing of the library: models go in
// as bytes, so that tests, benchmarks and the quickstart judge every quantiser the same way.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const onnxruntime = require('onnxruntime-node');
const { drawLines, linePicture } = require('./lines.cjs');
const { characterErrorRate, decode, divergence, editDistance, readingInPieces } = require('./metrics.cjs');

const assets = path.join(__dirname, 'node_modules', '@gutenye', 'ocr-models', 'assets');
/** Files of the models: recognition, detection, classification of direction. */
const modelFiles = {
  recognition: path.join(assets, 'ch_PP-OCRv4_rec_infer.onnx'),
  detection: path.join(assets, 'ch_PP-OCRv4_det_infer.onnx'),
  classification: path.join(assets, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'),
};
const inputName = 'x';

/** The character of each class: blank first, then the lines of the dictionary, space last. */
function readCharacters() {
  const lines = fs
    .readFileSync(path.join(assets, 'ppocr_keys_v1.txt'), 'utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
  return ['', ...lines, ' '];
}

/** Runs the recogniser on lines: its distributions (positions x classes) and the texts read from them. */
async function recognise(model, lines) {
  const characters = readCharacters();
  const session = await onnxruntime.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const results = [];
    for (const { input } of lines) {
      const tensor = new onnxruntime.Tensor('float32', input.data, input.shape);
      const { data, dims } = (await session.run({ [inputName]: tensor }))[session.outputNames[0]];
      const distribution = { data: Float32Array.from(data), shape: dims };
      results.push({ text: decode(distribution, characters), distribution });
    }
    return results;
  } finally {
    await session.release();
  }
}

/**
 * Character error rate of a model on lines and, where the results of the original model on the same lines are given,
 * the mean divergence from them in nats per position.
 */
async function evaluate(model, lines, reference) {
  const results = await recognise(model, lines);
  const truth = lines.map(({ text }) => text);
  const read = results.map(({ text }) => text);
  const moved = reference?.map(({ distribution }, i) => divergence(distribution, results[i].distribution));
  return {
    characterErrorRate: characterErrorRate(truth, read),
    divergence: moved === undefined ? undefined : moved.reduce((sum, value) => sum + value, 0) / moved.length,
    results,
  };
}

/** Lines to calibrate with, and others to test on. */
const calibrationLines = (count = 64) => drawLines({ count, seed: 1 });
const testLines = (count = 96) => drawLines({ count, seed: 3 });

/** Lines as the inputs of a model run. */
const batches = (lines) => lines.map(({ input }) => ({ [inputName]: input }));

module.exports = {
  batches,
  calibrationLines,
  characterErrorRate,
  decode,
  divergence,
  drawLines,
  editDistance,
  evaluate,
  linePicture,
  modelFiles,
  onnxruntime,
  readingInPieces,
  recognise,
  testLines,
};
