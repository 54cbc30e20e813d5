// The packed tarball as a stranger gets it: installed in empty folders, with and without compiler, required, imported,
// type-checked, in workers, and wrong in all the ways a download can be wrong.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { check, finish, nodeBinary, pack, pathOf, project, root, run, smoke, work } from './support.mjs';

const tarball = pack();
const withoutCompiler = pathOf('path without compiler', ['node', 'npm', 'sh', 'env']);
const buildTools = [
  'cmake',
  'g++',
  'c++',
  'as',
  'ld',
  'ar',
  'ranlib',
  'nm',
  'strip',
  'objcopy',
  'make',
  'uname',
  'sed',
  'cat',
  'rm',
  'mv',
  'touch',
];

const files = run('tar', ['-tzf', tarball])
  .stdout.trim()
  .split('\n')
  .map((name) => name.replace('package/', ''));

await check('the tarball holds what it must and nothing else', () => {
  const allowed =
    /^(dist\/|prebuilds\/|native\/(?!tests\/)|cmake\/|examples\/data\/(README\.md|digits\.npy)$|tools\/(build-native|install)\.cjs$|(package\.json|CMakeLists\.txt|binding\.gyp|README\.md|LICENSE|CHANGELOG\.md|THIRD_PARTY_NOTICES\.md)$)/;
  assert.deepEqual(
    files.filter((name) => !allowed.test(name)),
    [],
  );
  for (const name of [
    'dist/index.js',
    'dist/index.mjs',
    'dist/index.d.ts',
    'dist/index.d.mts',
    'dist/cli/main.js',
    'examples/data/digits.npy',
    'README.md',
    'LICENSE',
    'THIRD_PARTY_NOTICES.md',
    'prebuilds/linux-x64/discrete-descent.glibc.node',
    'prebuilds/linux-arm64/discrete-descent.glibc.node',
  ]) {
    assert(files.includes(name), `${name} is missing`);
  }
  assert(fs.statSync(tarball).size < 20 * 2 ** 20, 'the tarball passes 20 MiB');
});

// A path with spaces and other letters, and install scripts blocked as npm 12 does.
const { folder, installed } = project('prüfung mit leerzeichen', tarball, {
  npmArguments: ['--ignore-scripts'],
  env: { PATH: withoutCompiler },
  cleanEnvironment: true,
});
const prebuiltOnly = { PATH: withoutCompiler, PREBUILDS_ONLY: '1' };
const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);

await check('CommonJS: the golden vectors, without compiler, with install scripts blocked', () => {
  run(process.execPath, [smoke, installed], { env: prebuiltOnly, cleanEnvironment: true });
});

await check('ESM: named and default imports are the same objects, and the names agree with CommonJS', () => {
  write(
    'esm.mjs',
    `
    import assert from 'node:assert/strict';
    import { createRequire } from 'node:module';
    import whole, { dmmv, denseMatrix } from 'discrete-descent';
    import * as namespace from 'discrete-descent';
    const required = createRequire(import.meta.url)('discrete-descent');
    assert.equal(whole.dmmv, dmmv);
    assert.equal(required.dmmv, dmmv);
    assert.deepEqual(Object.keys(namespace).filter((name) => name !== 'default' && name !== 'module.exports').sort(), Object.keys(required).sort());
    assert.equal(denseMatrix(1, 1, [2]).data[0], 2);`,
  );
  run(process.execPath, ['esm.mjs'], { cwd: folder, env: prebuiltOnly, cleanEnvironment: true });
});

write(
  'typed.mts',
  `
  import { dmmv, denseMatrix, type RunOptions } from 'discrete-descent';
  const options: RunOptions = { threads: 1, seed: 3 };
  const problem: dmmv.Problem = dmmv.createProblem({ matrix: denseMatrix(1, 2, [1, 2]), lower: [1], upper: [1], levels: [0, 1] });
  const result: dmmv.SolveResult = await dmmv.solve(problem, options);
  const indices: Int32Array = result.indices;
  if (indices.length !== 2 || result.objective !== 0) throw new Error('wrong result');
`,
);
await check('TypeScript: types resolve for ESM and CommonJS (tsc --module nodenext)', () => {
  write(
    'typed.cts',
    `import dd = require('discrete-descent');\nconst found: dd.dmmv.FirDesign | undefined = undefined;\nvoid found; void dd.dmmv.designFir;`,
  );
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  run(
    process.execPath,
    [tsc, '--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', 'typed.mts', 'typed.cts'],
    { cwd: folder },
  );
});
await check('TypeScript: the same file runs with the type stripping of Node 24', () => {
  run(nodeBinary('x64', '24.21.0'), ['typed.mts'], { cwd: folder, env: prebuiltOnly, cleanEnvironment: true });
});

await check('worker threads: four at once, and terminated while they compute', () => {
  write(
    'workers.cjs',
    `
    const { Worker, isMainThread, parentPort } = require('node:worker_threads');
    const { dmmv, denseMatrix } = require('discrete-descent');
    const make = () => dmmv.createProblem({ matrix: denseMatrix(200, 100, Float64Array.from({ length: 20000 }, (_, k) => Math.cos(k * k))),
      lower: new Float64Array(200), upper: new Float64Array(200), levels: { offset: -1, step: 0.125, count: 17 } });
    if (isMainThread) {
      (async () => {
        const workers = Array.from({ length: 4 }, () => new Worker(__filename));
        await Promise.all(workers.map((worker) => new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))));
        const begin = Date.now();
        await Promise.all(workers.map((worker) => worker.terminate()));
        if (Date.now() - begin > 5000) throw new Error('termination took ' + (Date.now() - begin) + ' ms');
        await dmmv.solve(make(), { maxIterations: 10 });
      })();
    } else {
      dmmv.solve(make(), { maxIterations: 50 }).then(() => {
        for (let k = 0; k < 3; k += 1) dmmv.solve(make(), { timeLimitMs: 60000, onProgress: () => {} });
        setTimeout(() => parentPort.postMessage('busy'), 100);
      });
    }`,
  );
  run(process.execPath, ['workers.cjs'], { cwd: folder, env: prebuiltOnly, cleanEnvironment: true, timeout: 60_000 });
});

for (const [how, ending, status] of [
  ['process.exit()', 'process.exit(7)', 7],
  ['an uncaught exception', 'throw new Error("deliberate")', 1],
]) {
  await check(`${how} while jobs run ends at once and cleanly`, () => {
    write(
      'exit.cjs',
      `
      const { dmmv, denseMatrix } = require('discrete-descent');
      const problem = dmmv.createProblem({ matrix: denseMatrix(200, 100, Float64Array.from({ length: 20000 }, (_, k) => Math.cos(k * k))),
        lower: new Float64Array(200), upper: new Float64Array(200), levels: { offset: -1, step: 0.125, count: 17 } });
      for (let k = 0; k < 3; k += 1) dmmv.solve(problem, { timeLimitMs: 60000, onProgress: () => {} });
      setTimeout(() => { ${ending}; }, 150);`,
    );
    const begin = Date.now();
    run(process.execPath, ['exit.cjs'], {
      cwd: folder,
      env: prebuiltOnly,
      cleanEnvironment: true,
      status,
      timeout: 30_000,
    });
    assert(Date.now() - begin < 10_000, 'it took more than 10 s');
  });
}

await check('an idle environment is not kept alive, a pending job keeps it', () => {
  write(
    'alive.cjs',
    `
    const { dmmv, denseMatrix } = require('discrete-descent');
    const problem = dmmv.createProblem({ matrix: denseMatrix(1, 2, [1, 2]), lower: [0.5], upper: [0.5], levels: [0, 1] });
    dmmv.solve(problem, { timeLimitMs: 200 }).then(() => console.log('settled'));`,
  );
  assert.match(
    run(process.execPath, ['alive.cjs'], { cwd: folder, env: prebuiltOnly, cleanEnvironment: true, timeout: 30_000 })
      .stdout,
    /settled/,
  );
});

await check('two copies in one process do not disturb each other', () => {
  const second = path.join(work, 'second copy');
  fs.cpSync(installed, path.join(second, 'node_modules', 'discrete-descent'), { recursive: true });
  for (const name of ['node-gyp-build', 'commander'])
    fs.cpSync(path.join(folder, 'node_modules', name), path.join(second, 'node_modules', name), { recursive: true });
  write(
    'twice.cjs',
    `
    const one = require('discrete-descent'), two = require(${JSON.stringify(path.join(second, 'node_modules', 'discrete-descent'))});
    if (one === two) throw new Error('one copy');
    const make = (dd) => dd.dmmv.createProblem({ matrix: dd.denseMatrix(1, 2, [1, 2]), lower: [1], upper: [1], levels: [0, 1] });
    Promise.all([one.dmmv.solve(make(one)), two.dmmv.solve(make(two))]).then((results) => { if (results.some((r) => r.objective !== 0)) process.exit(1); });`,
  );
  run(process.execPath, ['twice.cjs'], { cwd: folder, env: prebuiltOnly, cleanEnvironment: true });
});

await check('the command line: fir writes its three files, doctor is healthy, wrong use exits with 2', () => {
  const cli = (args, options = {}) =>
    run(process.execPath, [path.join(installed, 'dist', 'cli', 'main.js'), ...args], {
      cwd: folder,
      env: prebuiltOnly,
      cleanEnvironment: true,
      ...options,
    });
  const { stdout } = cli([
    'fir',
    '--taps',
    '15',
    '--bits',
    '6',
    '--band',
    '0:0.3:1',
    '--band',
    '0.6:1:0',
    '--time',
    '1',
    '-o',
    'lowpass',
    '--json',
  ]);
  const result = JSON.parse(stdout);
  assert.equal(result.coefficients.length, 15);
  for (const extension of ['json', 'h', 'svg'])
    assert(fs.statSync(path.join(folder, `lowpass.${extension}`)).size > 100);
  assert.equal(JSON.parse(cli(['doctor', '--json']).stdout).passed, true);
  cli(['fir', '--taps', '14', '--bits', '6', '--band', '0:1:1'], { status: 2 });
  cli(['fir', '--tapes', '15'], { status: 2 });
  cli(['fir', '--spec', 'missing.json'], { status: 2 });
});

await check('the install script is content with the prebuilt binary and needs no compiler', () => {
  project('scripts allowed', tarball, { env: { PATH: withoutCompiler }, cleanEnvironment: true });
});

await check('a truncated binary: the error names the platform, the reason and the way out', () => {
  const broken = path.join(work, 'broken');
  fs.cpSync(path.join(folder, 'node_modules'), path.join(broken, 'node_modules'), { recursive: true });
  const binary = path.join(
    broken,
    'node_modules',
    'discrete-descent',
    'prebuilds',
    'linux-x64',
    'discrete-descent.glibc.node',
  );
  fs.truncateSync(binary, 5000);
  const { stderr } = run(process.execPath, ['-e', "require('discrete-descent')"], {
    cwd: broken,
    env: prebuiltOnly,
    cleanEnvironment: true,
    status: 1,
  });
  for (const expected of [
    /ERR_NATIVE_UNAVAILABLE/,
    /linux-x64/,
    /glibc \d/,
    /discrete-descent\.glibc\.node/,
    /npm rebuild discrete-descent/,
  ])
    assert.match(stderr, expected);
});

await check('a binary for another processor: the same message', () => {
  const broken = path.join(work, 'broken');
  const prebuilds = path.join(broken, 'node_modules', 'discrete-descent', 'prebuilds');
  fs.copyFileSync(
    path.join(prebuilds, 'linux-arm64', 'discrete-descent.glibc.node'),
    path.join(prebuilds, 'linux-x64', 'discrete-descent.glibc.node'),
  );
  const { stderr } = run(process.execPath, ['-e', "require('discrete-descent')"], {
    cwd: broken,
    env: prebuiltOnly,
    cleanEnvironment: true,
    status: 1,
  });
  for (const expected of [/ERR_NATIVE_UNAVAILABLE/, /linux-x64/, /npm rebuild discrete-descent/])
    assert.match(stderr, expected);
});

await check("the layout of pnpm: a link to a store, dependencies beside the package's real place", () => {
  const store = path.join(work, 'store', 'node_modules');
  fs.cpSync(path.join(folder, 'node_modules'), store, { recursive: true });
  const linked = path.join(work, 'linked', 'node_modules');
  fs.mkdirSync(linked, { recursive: true });
  fs.symlinkSync(path.join(store, 'discrete-descent'), path.join(linked, 'discrete-descent'));
  run(process.execPath, ['-e', "require('discrete-descent').backends()"], {
    cwd: path.join(work, 'linked'),
    env: prebuiltOnly,
    cleanEnvironment: true,
  });
});

await check('loading and solving write nothing into the package: it may be read-only', () => {
  const listing = () =>
    fs
      .readdirSync(installed, { recursive: true })
      .map((name) => `${name} ${fs.statSync(path.join(installed, name)).mtimeMs}`);
  const before = listing();
  run(process.execPath, [smoke, installed], { env: prebuiltOnly, cleanEnvironment: true });
  assert.deepEqual(listing(), before);
});

// The same package without prebuilt binaries.
const bare = path.join(work, 'bare');
fs.mkdirSync(bare);
run('tar', ['-xzf', tarball, '-C', bare]);
fs.rmSync(path.join(bare, 'package', 'prebuilds'), { recursive: true });
const sourceTarball = pack(path.join(bare, 'package'));

await check(
  'without prebuilt binary and compiler the install fails with one paragraph that says what is missing',
  () => {
    const { output } = project('hopeless', sourceTarball, {
      npmArguments: ['--foreground-scripts'],
      env: { PATH: withoutCompiler },
      cleanEnvironment: true,
      status: 1,
    });
    assert.match(output, /CMake 3\.18 or newer/);
    assert.match(output, /C\+\+20 compiler/);
    assert.match(output, /apt-get install cmake g\+\+ make/);
  },
);

// Files that the test run has compiled with the same flags are taken from its cache, where it has one.
const { CMAKE_CXX_COMPILER_LAUNCHER: launcher, ...environment } = process.env;
const cached =
  launcher === undefined
    ? {}
    : {
        CMAKE_CXX_COMPILER_LAUNCHER: run('sh', ['-c', `command -v ${launcher}`]).stdout.trim(),
        ...Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('CCACHE_'))),
        CCACHE_BASEDIR: work,
      };

await check('without prebuilt binary it builds from source with CMake and g++ only, and works', () => {
  const { installed: built } = project('from source', sourceTarball, {
    env: { ...cached, PATH: pathOf('path-with-compiler', ['node', 'npm', 'sh', 'env', ...buildTools]) },
    cleanEnvironment: true,
  });
  assert(fs.existsSync(path.join(built, 'build', 'Release', 'discrete-descent.node')));
  run(process.execPath, [smoke, built]);
});

await check('publint finds nothing', () => {
  run(process.execPath, [path.join(root, 'node_modules', 'publint', 'src', 'cli.js'), tarball, '--strict']);
});
await check('are the types wrong? no', () => {
  run(process.execPath, [path.join(root, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js'), tarball]);
});

finish('tarball');
