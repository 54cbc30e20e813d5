// Fails when a prebuilt Linux binary would not load where Node itself does, or shows more than it must:
// symbol versions above glibc 2.28, libraries beyond the C library's, exported symbols beyond the entry points,
// symbols not stripped, an executable stack.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { has, packageRoot } = require('./build-native.cjs');

const glibcFloor = [2, 28];
const allowedLibraries =
  /^(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|libpthread\.so\.0|libdl\.so\.2|ld-linux-[a-z0-9-]+\.so\.[12])$/;
const entryPoints = {
  '.node': ['napi_register_module_v1', 'node_api_module_get_api_version_v1'],
  '.so': ['discrete_descent_backend_entry'],
};

function output(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.error || result.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

function aboveFloor(version) {
  const [major, minor = 0] = version.split('.').map(Number);
  return major > glibcFloor[0] || (major === glibcFloor[0] && minor > glibcFloor[1]);
}

/** Everything that is wrong with one file, as sentences. */
function problems(file) {
  const prefix =
    file.includes(`linux-arm64${path.sep}`) && has('aarch64-linux-gnu-objdump') ? 'aarch64-linux-gnu-' : '';
  const found = [];
  const symbols = output(`${prefix}objdump`, ['-T', file]);
  for (const version of new Set([...symbols.matchAll(/GLIBC_([0-9.]+)/g)].map((match) => match[1]))) {
    if (aboveFloor(version)) {
      const names = symbols
        .split('\n')
        .filter((line) => line.includes(`GLIBC_${version})`))
        .map((line) => line.split(/\s+/).pop());
      found.push(`needs GLIBC_${version} for ${names.join(', ')}`);
    }
  }
  for (const [, library] of output(`${prefix}readelf`, ['-d', file]).matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
    if (!allowedLibraries.test(library)) found.push(`needs the library ${library}`);
  }
  const exported = output(`${prefix}nm`, ['-D', '--defined-only', file])
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' ')[2]);
  const expected = entryPoints[path.extname(file)] ?? [];
  for (const name of exported) if (!expected.includes(name)) found.push(`exports ${name}`);
  for (const name of expected) if (!exported.includes(name)) found.push(`does not export ${name}`);
  if (/\.symtab/.test(output(`${prefix}readelf`, ['-SW', file]))) found.push('is not stripped');
  const stack = /GNU_STACK.*\b(R?W?E)\b/.exec(output(`${prefix}readelf`, ['-lW', file]));
  if (stack !== null) found.push('has an executable stack');
  return found;
}

const prebuilds = path.resolve(process.argv[2] ?? path.join(packageRoot, 'prebuilds'));
const files = fs
  .readdirSync(prebuilds, { recursive: true })
  .map((name) => path.join(prebuilds, name))
  .filter((name) => /linux-/.test(name) && ['.node', '.so'].includes(path.extname(name)));
if (files.length === 0) {
  console.error(`no prebuilt Linux binary under ${prebuilds}: run \`npm run prebuild\` first`);
  process.exitCode = 1;
}
for (const file of files) {
  const found = problems(file);
  const name = path.relative(prebuilds, file);
  if (found.length === 0) console.log(`${name}: good for glibc ${glibcFloor.join('.')}`);
  for (const problem of found) {
    console.error(`${name}: ${problem}`);
    process.exitCode = 1;
  }
}
