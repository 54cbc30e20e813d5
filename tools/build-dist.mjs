// Compiles lib/ to dist/ as CommonJS and writes the thin ESM face: one copy of classes and native state for both.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');

/** Names of the values (not types) that lib/index.ts exports. */
function exportedValues() {
  const entry = path.join(root, 'lib', 'index.ts');
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.dist.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(entry));
  return checker
    .getExportsOfModule(symbol)
    .map((name) => [name.name, name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name])
    .filter(([, target]) => target.flags & ts.SymbolFlags.Value)
    .map(([name]) => name)
    .sort();
}

fs.rmSync(dist, { recursive: true, force: true });
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const result = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.dist.json'], { cwd: root, stdio: 'inherit' });
if (result.status !== 0) process.exit(result.status ?? 1);

const names = exportedValues();
fs.writeFileSync(
  path.join(dist, 'index.mjs'),
  `import discreteDescent from './index.js';\n\nexport const { ${names.join(', ')} } = discreteDescent;\nexport default discreteDescent;\n`,
);
fs.writeFileSync(
  path.join(dist, 'index.d.mts'),
  "import * as discreteDescent from './index.js';\n\nexport * from './index.js';\nexport default discreteDescent;\n",
);
fs.copyFileSync(
  path.join(root, 'lib', 'runtime', 'node-gyp-build.d.ts'),
  path.join(dist, 'runtime', 'node-gyp-build.d.ts'),
);
const cli = path.join(dist, 'cli', 'main.js');
if (fs.existsSync(cli)) fs.chmodSync(cli, 0o755);
