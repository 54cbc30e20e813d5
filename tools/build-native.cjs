// Configures and builds the native add-on with CMake and copies what can be loaded to one folder.
// No dependency, because the install step runs it on machines that have only Node, CMake and a compiler.
//
//   node tools/build-native.cjs [--arch x64|arm64] [--dest build/Release] [--config Release] [--build-folder DIR]
//
// DISCRETE_DESCENT_CMAKE_ARGS holds extra CMake arguments, separated by spaces.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const packageRoot = path.resolve(__dirname, '..');
const loadable = /\.(node|so|dylib|dll)$/;

/** Children must not become sub-makes of an outer make (gyp's), nor share its job server. */
function childEnvironment() {
  const environment = { ...process.env };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKEOVERRIDES']) delete environment[name];
  return environment;
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: packageRoot, stdio: 'inherit', env: childEnvironment() });
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${result.status}`);
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** `--name value` and `--name=value` pairs; anything else is a usage error. */
function parseOptions(argv, known) {
  const options = {};
  for (let i = 0; i < argv.length; i += 1) {
    const match = /^--([a-z-]+)(?:=(.*))?$/.exec(argv[i]);
    if (match === null || !known.includes(match[1])) throw new Error(`unknown argument: ${argv[i]}`);
    options[match[1]] = match[2] ?? argv[(i += 1)];
  }
  return options;
}

function crossArguments(arch) {
  if (arch === process.arch) return [];
  if (process.platform === 'linux' && arch === 'arm64') {
    return [`-DCMAKE_TOOLCHAIN_FILE=${path.join(packageRoot, 'cmake', 'linux-arm64.cmake')}`];
  }
  throw new Error(`no toolchain file for ${process.platform}-${arch} on ${process.platform}-${process.arch}`);
}

/** Builds the targets and returns the CMake build folder. */
function buildWithCMake({ arch = process.arch, config = 'Release', buildFolder, definitions = [], targets = [] } = {}) {
  const folder = path.resolve(packageRoot, buildFolder ?? path.join('build-cmake', `${process.platform}-${arch}`));
  const extra = (process.env.DISCRETE_DESCENT_CMAKE_ARGS ?? '').split(' ').filter((word) => word !== '');
  const generator = !fs.existsSync(path.join(folder, 'CMakeCache.txt')) && has('ninja') ? ['-G', 'Ninja'] : [];
  run('cmake', [
    '-S',
    packageRoot,
    '-B',
    folder,
    ...generator,
    `-DCMAKE_BUILD_TYPE=${config}`,
    `-DDD_NODE_EXECUTABLE=${process.execPath}`,
    ...crossArguments(arch),
    ...definitions,
    ...extra,
  ]);
  const target = targets.length === 0 ? [] : ['--target', ...targets];
  run('cmake', ['--build', folder, '--config', config, '--parallel', String(os.availableParallelism()), ...target]);
  return folder;
}

function buildAddon({
  arch,
  config = 'Release',
  dest = path.join('build', 'Release'),
  buildFolder,
  definitions = [],
} = {}) {
  const folder = buildWithCMake({ arch, config, buildFolder, definitions, targets: ['dd_loadable'] });
  const from = path.join(folder, 'lib');
  const to = path.resolve(packageRoot, dest);
  fs.mkdirSync(to, { recursive: true });
  const files = fs.readdirSync(from).filter((name) => loadable.test(name));
  if (!files.some((name) => name.endsWith('.node'))) throw new Error(`the build left no .node file in ${from}`);
  // Written beside and renamed: a process that has the old file mapped keeps a whole one.
  for (const name of files) {
    const temporary = path.join(to, `.${name}.${process.pid}`);
    fs.copyFileSync(path.join(from, name), temporary);
    fs.renameSync(temporary, path.join(to, name));
  }
  return { folder, files: files.map((name) => path.join(to, name)) };
}

module.exports = { buildAddon, buildWithCMake, has, packageRoot, parseOptions };

if (require.main === module) {
  try {
    const options = parseOptions(process.argv.slice(2), ['arch', 'dest', 'config', 'build-folder']);
    const { files } = buildAddon({ ...options, buildFolder: options['build-folder'] });
    for (const file of files) console.log(`built ${path.relative(packageRoot, file)}`);
  } catch (error) {
    console.error(`discrete-descent: ${error.message}`);
    process.exitCode = 1;
  }
}
