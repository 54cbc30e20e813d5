// Reads what ptxas said about the block kernels and fails on spills, on more registers than the launch bounds allow,
// and on kernels of the catalog that were not compiled for every architecture.
//   node tools/check-ptxas.mjs --log build/cuda/ptxas.log --kernels build/dd_kernels
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';

/** Registers per multiprocessor on every architecture since Kepler; a thread can have at most 255. */
const REGISTER_FILE = 65536;

/** Largest register count with which a block of `threads` can start: allocated per warp in units of 256. */
export function registerLimit(threads) {
  const warps = Math.ceil(threads / 32);
  return Math.min(255, Math.floor(REGISTER_FILE / warps / 256) * 8);
}

/** One record per kernel and architecture: { name, architecture, registers, stack, spillStores, spillLoads }. */
export function parsePtxasLog(text) {
  const records = [];
  let current;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '([^']+)' for '(sm_\w+)'/.exec(line);
    if (entry) {
      current = { name: entry[1], architecture: entry[2] };
      records.push(current);
      continue;
    }
    const spills = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (spills && current) {
      [current.stack, current.spillStores, current.spillLoads] = spills.slice(1).map(Number);
      continue;
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used && current) current.registers = Number(used[1]);
  }
  return records;
}

/** Sentences about what is wrong; empty when all is well. `kernels`: [{ name, threads }]. */
export function findProblems(records, kernels) {
  const problems = [];
  const architectures = [...new Set(records.map((record) => record.architecture))];
  if (architectures.length === 0) problems.push('the log names no kernel at all');
  const known = new Map(kernels.map((kernel) => [kernel.name, kernel]));
  for (const record of records) {
    const where = `${record.name} (${record.architecture})`;
    const kernel = known.get(record.name);
    if (!kernel) problems.push(`${where}: not in the catalog`);
    if (record.registers === undefined || record.spillStores === undefined) {
      problems.push(`${where}: no resource line in the log`);
      continue;
    }
    if (record.spillStores > 0 || record.spillLoads > 0) {
      problems.push(`${where}: spills ${record.spillStores} bytes of stores, ${record.spillLoads} of loads`);
    }
    if (kernel && record.registers > registerLimit(kernel.threads)) {
      problems.push(
        `${where}: ${record.registers} registers, a block of ${kernel.threads} threads can have ${registerLimit(kernel.threads)}`,
      );
    }
  }
  for (const kernel of kernels) {
    for (const architecture of architectures) {
      if (!records.some((record) => record.name === kernel.name && record.architecture === architecture)) {
        problems.push(`${kernel.name}: not compiled for ${architecture}`);
      }
    }
  }
  return problems;
}

function main() {
  const { values } = parseArgs({ options: { log: { type: 'string' }, kernels: { type: 'string' } } });
  if (!values.log || !values.kernels) {
    console.error('usage: check-ptxas.mjs --log <ptxas log> --kernels <dd_kernels program>');
    process.exit(2);
  }
  const records = parsePtxasLog(readFileSync(values.log, 'utf8'));
  const kernels = JSON.parse(execFileSync(values.kernels, ['list'], { encoding: 'utf8' }));
  const problems = findProblems(records, kernels);
  for (const problem of problems) console.error(problem);
  const most = records.reduce((a, b) => ((b.registers ?? 0) > (a.registers ?? 0) ? b : a), { registers: 0 });
  console.log(
    `${kernels.length} kernels on ${new Set(records.map((r) => r.architecture)).size} architectures, ` +
      `${problems.length} problems, most registers: ${most.registers} (${most.name ?? 'none'})`,
  );
  process.exit(problems.length === 0 ? 0 : 1);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
