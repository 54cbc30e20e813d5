// The installed package at work, in one file and without a test runner, so that it also runs under an emulator:
//   node smoke.cjs <package folder or name>
// Prints one line of JSON; throws when anything is wrong.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { dmmv, denseMatrix, backends } = require(process.argv[2]);
const { native } = require(path.join(path.dirname(require.resolve(process.argv[2])), 'runtime', 'native.js'));

const vectors = (name) => JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'golden', 'vectors', name), 'utf8'));
const close = (actual, expected) =>
  assert(Math.abs(actual - expected) <= 1e-12 + 1e-12 * Math.abs(expected), `${actual} is not ${expected}`);

function philox() {
  const { known } = vectors('philox.json');
  for (const { counter, key, out } of known)
    assert.deepEqual(native.philox(Int32Array.from([...counter, ...key])), out);
  return known.length;
}

function evaluation() {
  const { cases } = vectors('dmmv/evaluate.json');
  for (const given of cases) {
    const problem = dmmv.createProblem({
      matrix: denseMatrix(given.m, given.n, given.A_rowmajor),
      lower: given.lower.map((value) => value ?? -Infinity),
      upper: given.upper.map((value) => value ?? Infinity),
      weights: given.weight,
      levels: given.levels,
    });
    const evaluated = dmmv.evaluate(problem, given.index);
    close(evaluated.objective, given.objective);
    given.violation.forEach((value, i) => close(evaluated.violations[i], value));
    const flat = dmmv.oneFlipTable(problem, given.index).flatMap((row) => [...row]);
    given.one_flip_table.forEach((value, k) => close(flat[k], value));
  }
  return cases.length;
}

async function optima() {
  const { cases } = vectors('dmmv/exact_small.json');
  for (const given of cases) {
    const problem = dmmv.createProblem({
      matrix: denseMatrix(given.m, given.n, given.A_rowmajor),
      lower: given.b,
      upper: given.b,
      levels: given.levels,
    });
    const { objective } = await dmmv.solve(problem, { target: given.optimum + 1e-9, maxIterations: 200_000 });
    assert(Math.abs(objective - given.optimum) < 1e-9, `${given.name}: ${objective} is not ${given.optimum}`);
  }
  return cases.length;
}

async function filter() {
  const design = await dmmv.designFir(
    {
      taps: 15,
      wordLength: 6,
      bands: [
        { from: 0, to: 0.3, gain: 1 },
        { from: 0.6, to: 1, gain: 0 },
      ],
    },
    { maxIterations: 5000, seed: 1 },
  );
  assert(design.ripple <= design.roundedRipple && design.ripple >= design.lowerBound);
  return { coefficients: [...design.coefficients], ripple: design.ripple };
}

async function mechanisms() {
  const problem = dmmv.createProblem({
    matrix: denseMatrix(
      60,
      30,
      Float64Array.from({ length: 1800 }, (_, k) => Math.sin(k * k)),
    ),
    lower: new Float64Array(60).fill(1),
    upper: new Float64Array(60).fill(1),
    levels: { offset: -1, step: 0.25, count: 9 },
  });
  const controller = new AbortController();
  let reports = 0;
  const running = dmmv.solve(problem, {
    signal: controller.signal,
    onProgress: () => {
      reports += 1;
      controller.abort(new Error('stop now'));
    },
  });
  await assert.rejects(running, /stop now/);
  assert.equal(reports, 1);
  assert.throws(() => dmmv.evaluate(problem, [1, 2]), { code: 'ERR_SHAPE_MISMATCH', argument: 'indices' });
}

async function main() {
  const result = { node: process.versions.node, arch: process.arch, isa: native.buildInfo().isa };
  result.philox = philox();
  result.evaluate = evaluation();
  result.exactSmall = await optima();
  result.filter = await filter();
  await mechanisms();
  assert.equal(backends()[0].name, 'cpu');
  console.log(JSON.stringify(result));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
