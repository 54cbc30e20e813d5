// `npm test`: installs what is missing, builds, and runs everything that must be green, tier by tier.
//   npm test                     everything
//   npm test -- jest native      only these tiers
//   npm test -- --list           their names
// A tier whose tools are not installed is skipped and says so; with CI=true that is a failure.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import prepare from './prepare.cjs';
import native from './build-native.cjs';

const { root } = prepare;
const inCi = process.env.CI === 'true';
const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const developmentDefinitions = ['-DDD_TESTS=ON', '-DDD_LINT=ON'];
const developmentFolder = `build-cmake/${process.platform}-${process.arch}`;

const declarations = ['dist/index.d.ts', 'dist/index.d.mts'];

class Skip extends Error {}

function run(command, args, { env = {}, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
  });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    if (quiet) process.stdout.write(`${result.stdout}\n${result.stderr}\n`);
    throw new Error(
      `${path.basename(command)} ${args.join(' ')} ended with ${result.signal ?? `status ${result.status}`}`,
    );
  }
}

const node = (script, ...args) => run(process.execPath, [path.join(root, script), ...args]);

function need(command, what) {
  if (!native.has(command)) throw new Skip(`${what} needs ${command} (tools/install-debian-packages.sh)`);
}

/** Programs under ThreadSanitizer need a fixed address layout on kernels that randomise it widely. */
function ctest(folder, { env = {}, fixedAddresses = false } = {}) {
  const args = [
    '--test-dir',
    folder,
    '--output-on-failure',
    '--no-tests=error',
    '--parallel',
    String(os.availableParallelism()),
  ];
  if (fixedAddresses && native.has('setarch')) run('setarch', ['-R', 'ctest', ...args], { env });
  else run('ctest', args, { env });
}

/**
 * Warnings and nvcc's work are checked in the development build; here the CUDA back end is one without kernels, for its
 * host paths.
 */
function sanitized(name, sanitizers, addon) {
  const buildFolder = `build-cmake/${name}`;
  native.buildWithCMake({
    config: 'RelWithDebInfo',
    buildFolder,
    definitions: [
      '-DDD_TESTS=ON',
      `-DDD_ADDON=${addon ? 'ON' : 'OFF'}`,
      `-DDD_SANITIZE=${sanitizers}`,
      '-DDD_CUDA=OFF',
    ],
  });
  return buildFolder;
}

const tiers = {
  types: () => {
    run(bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']);
    // What users' compilers read: it must not name what was stripped from it.
    run(bin('tsc'), [
      ...'--ignoreConfig --noEmit --strict --target es2022 --module nodenext --types node'.split(' '),
      ...declarations,
    ]);
  },
  lint: async () => {
    const eslint = once(spawn(bin('eslint'), ['.'], { cwd: root, stdio: 'inherit' }), 'close');
    let status;
    try {
      node('tools/check-clang.mjs', '--tidy');
    } finally {
      [status] = await eslint;
    }
    if (status !== 0) throw new Error(`eslint ended with status ${status}`);
  },
  format: () => {
    run(bin('prettier'), ['--check', '.', '--log-level', 'warn']);
    node('tools/check-clang.mjs', '--format');
  },
  jest: () => run(bin('jest'), []),
  ocr: () => {
    prepare.ensureDependencies('ocr');
    run(bin('jest'), ['-c', path.join('ocr', 'jest.config.cjs')]);
  },
  native: () => {
    const folder = native.buildWithCMake({
      buildFolder: developmentFolder,
      definitions: developmentDefinitions,
    });
    ctest(folder);
  },
  asan: () =>
    ctest(sanitized('asan', 'address,undefined', true), {
      env: { ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
    }),
  tsan: () =>
    ctest(sanitized('tsan', 'thread', false), { fixedAddresses: true, env: { TSAN_OPTIONS: 'halt_on_error=1' } }),
  addon: () => node('test/package/sanitized-addon.mjs', sanitized('asan', 'address,undefined', true)),
  docs: () => run(bin('typedoc'), ['--logLevel', 'Warn']),
  prebuild: () => {
    node('tools/prebuild.cjs');
    node('tools/check-prebuild.cjs');
  },
  package: () => node('test/package/tarball.mjs'),
  emulated: () => {
    need('qemu-x86_64-static', 'running the binaries on other processors');
    need('qemu-aarch64-static', 'running the arm64 binary');
    node('test/package/emulated.mjs');
  },
};

const asked = process.argv.slice(2);
if (asked.includes('--list')) {
  console.log(Object.keys(tiers).join('\n'));
  process.exit(0);
}
const unknown = asked.filter((name) => !(name in tiers));
if (unknown.length > 0) {
  console.error(`no tier is called ${unknown.join(', ')}; there are ${Object.keys(tiers).join(', ')}`);
  process.exit(2);
}

// Several builds compile the same files with the same flags; what is kept stays within the checkout.
if (native.has('ccache')) {
  process.env.CMAKE_CXX_COMPILER_LAUNCHER ??= 'ccache';
  process.env.CCACHE_DIR ??= path.join(root, 'build-cmake', 'ccache');
  process.env.CCACHE_BASEDIR ??= root;
  process.env.CCACHE_NOHASHDIR ??= '1';
  process.env.CCACHE_SLOPPINESS ??= 'pch_defines,time_macros'; // what precompiled headers need
  // The development build comes first and turns warnings into errors; the same files need not be compiled again without.
  process.env.CCACHE_IGNOREOPTIONS ??= '-Werror';
}
prepare.ensureDependencies();
prepare.ensureNative(developmentDefinitions);
prepare.ensureDist();

const outcomes = { passed: [], failed: [], skipped: [] };
for (const [name, tier] of Object.entries(tiers)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n== ${name}`);
  const begin = Date.now();
  try {
    await tier();
    outcomes.passed.push(name);
    console.log(`== ${name}: passed in ${((Date.now() - begin) / 1000).toFixed(0)} s`);
  } catch (error) {
    const skipped = error instanceof Skip && !inCi;
    outcomes[skipped ? 'skipped' : 'failed'].push(name);
    console.log(`== ${name}: ${skipped ? 'skipped' : 'FAILED'}: ${error.message}`);
  }
}
if (outcomes.failed.length > 0) console.log(`\nfailed: ${outcomes.failed.join(', ')}`);
if (outcomes.skipped.length > 0) console.log(`\nskipped: ${outcomes.skipped.join(', ')}`);
console.log(
  `\ntiers: ${outcomes.passed.length} passed, ${outcomes.failed.length} failed, ${outcomes.skipped.length} skipped`,
);
process.exitCode = outcomes.failed.length > 0 ? 1 : 0;
