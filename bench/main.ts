// `npm run bench`: all families, or those named; JSON, Markdown and SVG under out/bench/.
//   npm run bench -- [family ...] [--quick] [--threads=1]
import os from 'node:os';
import path from 'node:path';
import { writeWhole } from '../lib/runtime/files';
import { native } from '../lib/runtime/native';
import { edge } from './edge';
import { fir } from './fir';
import { gptq } from './gptq';
import type { Family } from './harness';
import { kernels } from './kernels';
import { languageModel } from './language-model';
import { linalg } from './linalg';
import { multigrid } from './multigrid';
import { odilProblems } from './odil';
import { quantization } from './quantize';
import { odilSolve } from './odil-solve';
import { type BenchRun, markdown, svg } from './report';
import { sparse } from './sparse';

const families: readonly Family[] = [
  linalg,
  sparse,
  multigrid,
  odilProblems,
  odilSolve,
  gptq,
  quantization,
  kernels,
  edge,
  fir,
  languageModel,
];

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const quick = args.includes('--quick');
  const threads = Number(args.find((arg) => arg.startsWith('--threads='))?.slice('--threads='.length) ?? 1);
  const names = args.filter((arg) => !arg.startsWith('--'));
  const unknown = names.filter((name) => !families.some((family) => family.name === name));
  if (unknown.length > 0 || !Number.isSafeInteger(threads) || threads < 1) {
    throw new Error(
      `usage: npm run bench -- [${families.map(({ name }) => name).join('|')} ...] [--quick] [--threads=1]`,
    );
  }
  const info = native.buildInfo();
  const run: BenchRun = {
    date: new Date().toISOString().slice(0, 10),
    version: info.version,
    node: process.versions.node,
    processor: os.cpus()[0]?.model.trim() ?? 'unknown processor',
    isa: info.isa,
    threads,
    quick,
    rows: [],
  };
  for (const family of families) {
    if (names.length > 0 && !names.includes(family.name)) continue;
    console.error(`== ${family.name}`);
    await family.run({ quick, threads, isa: info.isa }, (row) => {
      run.rows.push(row);
      const ratios = Object.entries(row.peers).map(
        ([peer, { speedRatio, qualityRatio }]) => `${peer} ${(speedRatio ?? qualityRatio)?.toFixed(2)}`,
      );
      console.error(
        `   ${row.name} ${row.size} ${row.dtype}: ${row.medianSeconds.toExponential(2)} s  ${ratios.join('  ')}`,
      );
    });
  }
  const folder = path.join('out', 'bench');
  writeWhole(path.join(folder, 'results.json'), `${JSON.stringify(run, null, 1)}\n`);
  writeWhole(path.join(folder, 'results.md'), markdown(run, families));
  writeWhole(path.join(folder, 'results.svg'), svg(run));
  console.error(`wrote ${folder}/results.{json,md,svg}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
