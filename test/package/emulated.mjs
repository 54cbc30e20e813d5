// The prebuilt binaries on every supported Node, on processors without AVX (emulated), and on arm64 (emulated).
import assert from 'node:assert/strict';
import { check, finish, nodeBinary, pack, project, run, smoke } from './support.mjs';

const x64Nodes = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];
const { installed } = project('emulated', pack(), { npmArguments: ['--ignore-scripts'] });
const env = { PREBUILDS_ONLY: '1', DISCRETE_DESCENT_THREADS: '2' };
const results = [];

for (const version of x64Nodes) {
  await check(`Node ${version} on x64`, () => {
    const result = JSON.parse(run(nodeBinary('x64', version), [smoke, installed], { env }).stdout);
    assert.equal(result.node, version);
    results.push(result);
  });
}
for (const [cpu, isa] of [
  ['Nehalem', 'baseline'],
  ['Haswell', 'avx2'],
]) {
  await check(`x64 without AVX-512: ${cpu} takes the ${isa} kernels`, () => {
    const result = JSON.parse(
      run('qemu-x86_64-static', ['-cpu', cpu, nodeBinary('x64', '22.23.3'), smoke, installed], { env }).stdout,
    );
    assert.equal(result.isa, isa);
    results.push(result);
  });
}
await check('arm64 takes the neon kernels', () => {
  const result = JSON.parse(
    run('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', nodeBinary('arm64', '22.23.3'), smoke, installed], {
      env,
    }).stdout,
  );
  assert.equal(result.isa, 'neon');
  results.push(result);
});
await check('all of them designed the same filter', () => {
  assert(results.length >= 7);
  for (const { filter } of results) assert.deepEqual(filter.coefficients, results[0].filter.coefficients);
});

finish('emulated');
