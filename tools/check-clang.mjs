// clang-format and clang-tidy over our own native files. The version is pinned, because each formats differently.
//   node tools/check-clang.mjs --format [--fix] | --tidy
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const version = 14;
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const folders = ['native', 'bench/native'];

function tool(name) {
  for (const command of [`${name}-${version}`, name]) {
    const result = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (result.status === 0 && result.stdout.includes(`version ${version}.`)) return command;
  }
  console.error(`${name} ${version} is not installed (tools/install-debian-packages.sh)`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

function filesWith(pattern) {
  return folders
    .map((folder) => path.join(root, folder))
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => fs.readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name)))
    .filter((file) => pattern.test(file));
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(1);
}

const fix = process.argv.includes('--fix');
if (process.argv.includes('--format')) {
  const files = filesWith(/\.(cpp|hpp|h|cu|c)$/);
  run(tool('clang-format'), fix ? ['-i', ...files] : ['--dry-run', '--Werror', ...files]);
  console.log(`clang-format: ${files.length} files`);
}
if (process.argv.includes('--tidy')) {
  const command = tool('clang-tidy');
  // Files of a room are read several at once (cmake/unity.cmake): checks walk through the standard library, too.
  const folder = path.join(root, 'build-cmake', 'tidy');
  const definitions = ['-DDD_TESTS=ON', '-DDD_CUDA=OFF', `-DDD_NODE_EXECUTABLE=${process.execPath}`];
  run('cmake', ['-S', root, '-B', folder, '--log-level=WARNING', ...definitions]);
  // Kernel files are compiled once per level from one source; the highest level, listed last, stands for all.
  const commands = new Map(
    JSON.parse(fs.readFileSync(path.join(folder, 'compile_commands.json'), 'utf8')).map((entry) => [entry.file, entry]),
  );
  const onePerFile = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-tidy-'));
  process.on('exit', () => fs.rmSync(onePerFile, { recursive: true, force: true }));
  fs.writeFileSync(path.join(onePerFile, 'compile_commands.json'), JSON.stringify([...commands.values()]));
  const ours = (file) => folders.some((name) => file.startsWith(path.join(root, name) + path.sep));
  const isTest = (file) => file.startsWith(path.join(root, 'native', 'tests') + path.sep);
  const files = [...commands.keys()].filter((file) => (ours(file) && !isTest(file)) || file.includes('/united/'));
  // A fortieth of the paths that the analyser would look at by itself: nine tenths of its time go into the rest.
  const analyser = ['-analyzer-config', 'max-nodes=5000'];
  const forIncluded = ['-analyzer-opt-analyze-headers'];
  const forCompiler = (names) => names.flatMap((name) => ['--extra-arg=-Xclang', `--extra-arg=${name}`]);
  const jobs = os.availableParallelism();
  const waiting = [...files];
  let failed = false;
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const names = file.includes('/united/') ? [...analyser, ...forIncluded] : analyser;
      const args = [
        '--quiet',
        '--extra-arg=-Wno-unknown-warning-option',
        ...forCompiler(names),
        '-p',
        onePerFile,
        file,
      ];
      const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'ignore'] });
      const [status] = await once(child, 'close');
      failed ||= status !== 0;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  if (failed) process.exit(1);
  console.log(`clang-tidy: ${files.length} translation units`);
}
