// What the package tests share: packing, empty folders, Node binaries of other versions, and counting.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
export const smoke = path.join(root, 'test', 'package', 'smoke.cjs');
export const work = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

const quietNpm = {
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_loglevel: 'error',
  npm_config_update_notifier: 'false',
};

/** Runs a program; throws with its output when the exit status is not `status`. */
export function run(
  command,
  args,
  { cwd = root, env = {}, cleanEnvironment = false, status = 0, timeout = 600_000 } = {},
) {
  const base = cleanEnvironment ? { HOME: process.env.HOME ?? work } : process.env;
  const result = spawnSync(command, args, {
    cwd,
    env: { ...base, ...quietNpm, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout,
  });
  if (result.error) throw result.error;
  if (result.status !== status) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${result.signal ?? result.status}, not ${status}:\n${result.stdout}\n${result.stderr}`,
    );
  }
  return result;
}

/** Packs the package (prebuilds as they are) and returns the tarball's path. */
export function pack(folder = root) {
  const { stdout } = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], { cwd: folder });
  return path.join(work, JSON.parse(stdout)[0].filename);
}

/** A folder of links to these programs and nothing else: a PATH without a compiler, for example. */
export function pathOf(name, programs) {
  const folder = path.join(work, name);
  fs.mkdirSync(folder);
  for (const program of programs) {
    const found = run('sh', ['-c', `command -v ${program}`]).stdout.trim();
    fs.symlinkSync(fs.realpathSync(found), path.join(folder, program));
  }
  return folder;
}

/** An empty project that has the tarball installed. */
export function project(name, tarball, { npmArguments = [], env = {}, cleanEnvironment = false, status = 0 } = {}) {
  const folder = path.join(work, name);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'empty', private: true }));
  const result = run('npm', ['install', ...npmArguments, tarball], { cwd: folder, env, cleanEnvironment, status });
  return {
    folder,
    output: result.stdout + result.stderr,
    installed: path.join(folder, 'node_modules', 'discrete-descent'),
  };
}

/** An official Node binary from the registry's node-<platform> packages. */
export function nodeBinary(arch, version) {
  const name = `node-linux-${arch}`;
  const folder = path.join(work, `${name}-${version}`);
  const binary = path.join(folder, 'package', 'bin', 'node');
  if (!fs.existsSync(binary)) {
    fs.mkdirSync(folder, { recursive: true });
    run('npm', ['pack', `${name}@${version}`, '--pack-destination', folder]);
    run('tar', ['-xzf', `${name}-${version}.tgz`], { cwd: folder });
  }
  return binary;
}

let passed = 0;
let failed = 0;

/** One check: prints its line, goes on after a failure. */
export async function check(title, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${title}\n     ${String(error.stack ?? error).replaceAll('\n', '\n     ')}`);
  }
}

/** Prints the closing line and sets the exit status. */
export function finish(name) {
  console.log(`${name}: ${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}
