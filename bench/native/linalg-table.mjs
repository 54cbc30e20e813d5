// Turns the JSON lines of dd_bench_linalg (files named on the command line) into the tables of docs/benchmarks/linalg.md
// and one JSON array.
//   node bench/native/linalg-table.mjs --json docs/benchmarks/linalg.json run1.jsonl run2.jsonl > tables.md
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const cases = positionals.flatMap((file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line)),
);
if (values.json) writeFileSync(values.json, `[\n${cases.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);

const groups = Map.groupBy
  ? Map.groupBy(cases, ({ isa, threads }) => `${isa}, ${threads} thread${threads > 1 ? 's' : ''}`)
  : cases.reduce((map, one) => {
      const key = `${one.isa}, ${one.threads} thread${one.threads > 1 ? 's' : ''}`;
      return map.set(key, [...(map.get(key) ?? []), one]);
    }, new Map());

for (const [title, group] of groups) {
  const peers = [...new Set(group.flatMap(({ peers: all }) => Object.keys(all)))];
  console.log(`\n### ${title}\n`);
  console.log(
    `| routine | type | m x n x k | GFLOP/s | % of peak | ${peers.map((peer) => `${peer} (ratio)`).join(' | ')} | difference |`,
  );
  console.log(`|---|---|---|---|---|${peers.map(() => '---|').join('')}---|`);
  for (const { routine, dtype, sizes, ours, peakPercent, peers: all, maxDifference } of group) {
    const cells = peers.map((peer) =>
      all[peer] ? `${all[peer].gflops.toPrecision(3)} (${all[peer].ratio.toFixed(2)})` : '',
    );
    const size = [sizes.m, sizes.n, sizes.k].filter((extent) => extent > 0).join(' x ');
    console.log(
      `| ${routine} | ${dtype} | ${size} | ${ours.gflops.toPrecision(3)} | ${peakPercent.toFixed(0)} | ${cells.join(' | ')} | ${maxDifference.toExponential(1)} |`,
    );
  }
}
