// clang-format and clang-tidy over our own native files. The version is pinned, because each formats differently.
//   node tools/check-clang.mjs --format [--fix] | --tidy
import { spawnSync } from 'node:child_process';
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
  const folder = process.env.DISCRETE_DESCENT_COMPILE_COMMANDS ?? `build-cmake/${process.platform}-${process.arch}`;
  if (!fs.existsSync(path.join(root, folder, 'compile_commands.json'))) {
    console.error(`no compile commands in ${folder}: run \`npm run compile:native\` first`);
    process.exit(1);
  }
  // Kernel files are compiled once per level from one source; the highest level, listed last, stands for all.
  const commands = new Map(
    JSON.parse(fs.readFileSync(path.join(root, folder, 'compile_commands.json'), 'utf8')).map((entry) => [
      entry.file,
      entry,
    ]),
  );
  const once = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-tidy-'));
  process.on('exit', () => fs.rmSync(once, { recursive: true, force: true }));
  fs.writeFileSync(path.join(once, 'compile_commands.json'), JSON.stringify([...commands.values()]));
  const files = filesWith(/\.cpp$/).filter(
    (file) => commands.has(file) && !file.includes(`${path.sep}tests${path.sep}`),
  );
  // A tenth of the paths that the analyser would look at by itself: three quarters of its time go into the rest.
  const analyser = ['-Xclang', '-analyzer-config', '-Xclang', 'max-nodes=20000'];
  const extra = ['-Wno-unknown-warning-option', ...analyser].map((argument) => `--extra-arg=${argument}`);
  const jobs = os.availableParallelism();
  const chunks = Array.from({ length: jobs }, (_, job) => files.filter((_file, index) => index % jobs === job));
  const { spawn } = await import('node:child_process');
  const statuses = await Promise.all(
    chunks.map(
      (chunk) =>
        new Promise((resolve) => {
          const child = spawn(command, ['--quiet', ...extra, '-p', once, ...chunk], {
            cwd: root,
            stdio: ['ignore', 'inherit', 'ignore'],
          });
          child.on('close', resolve);
        }),
    ),
  );
  if (statuses.some((status) => status !== 0)) process.exit(1);
  console.log(`clang-tidy: ${files.length} files`);
}
