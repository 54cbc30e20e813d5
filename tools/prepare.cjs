// Makes a checkout ready: dependencies, native add-on, dist. Used by `npm test`, `npm run quickstart` and
// `npm run bench`; needs nothing installed but Node, npm, CMake and a compiler.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    ...options,
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${result.status}`);
}

/**
 * Installs the locked versions of a folder of the checkout when its node_modules is missing or older than the lock file.
 * Not `npm ci`, which refuses a lock file that lacks optional binaries of other platforms.
 */
function ensureDependencies(folder = '.') {
  const installed = path.join(root, folder, 'node_modules', '.package-lock.json');
  const wanted = path.join(root, folder, 'package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(wanted).mtimeMs) return;
  console.log(folder === '.' ? 'installing dependencies' : `installing dependencies of ${folder}/`);
  const quietly = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', ...quietly, '--prefix', folder]);
  fs.utimesSync(installed, new Date(), new Date());
}

/** `definitions`: those of the build that follows in the same folder, so that it finds its objects made. */
function ensureNative(definitions = []) {
  console.log('building the native add-on (minutes, the first time)');
  const { DISCRETE_DESCENT_CMAKE_ARGS: given = '', ...environment } = process.env;
  run(process.execPath, [path.join('tools', 'build-native.cjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...environment, DISCRETE_DESCENT_CMAKE_ARGS: [...definitions, given].join(' ').trim() },
  });
}

function ensureDist() {
  console.log('compiling TypeScript');
  run(process.execPath, [path.join('tools', 'build-dist.mjs')]);
}

module.exports = { ensureDependencies, ensureDist, ensureNative, root, run };
