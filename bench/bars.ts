// What the dense routines, the quantiser and odil must reach (the project's requirements, one machine, one run), checked
// against the rows of a run and printed with it, missed ones first. Ratios are peer's median time over ours; percentages are of the
// multiply-add limit of the same run.
import type { Row } from './harness';

interface Bar {
  routine: string;
  /** Sizes as in Row.size. */
  sizes: readonly string[];
  isa: readonly string[];
  threads: number;
  dtypes?: readonly string[];
  /** The peer whose time counts. */
  peer?: string;
  ratio?: number;
  percent?: number;
  /** At most. */
  seconds?: number;
}

const square = (n: number): string => `${n} x ${n}`;
const cube = (n: number): string => `${n} x ${n} x ${n}`;
const tall = (n: number): string => `${n} x ${n} x 2048`;
const native = ['avx512', 'avx2'];
const oneThread = { threads: 1 };
const blas = { ...oneThread, peer: 'openblas' };
const official = { ...oneThread, peer: 'official' };

const bars: readonly Bar[] = [
  { routine: 'gemm', sizes: [32, 64].map(cube), isa: native, ...blas, ratio: 0.85, percent: 75 },
  { routine: 'gemm', sizes: [128, 256].map(cube), isa: native, ...blas, ratio: 1, percent: 85 },
  { routine: 'gemm', sizes: [512, 1024, 2048].map(cube), isa: native, ...blas, ratio: 0.95, percent: 75 },
  { routine: 'gemm', sizes: ['37 x 53 x 71', cube(65), cube(100)], isa: native, ...blas, ratio: 0.75 },
  { routine: 'syrk', sizes: [32, 64, 128, 256].map(tall), isa: native, ...blas, ratio: 1 },
  { routine: 'syrk', sizes: [512, 1024, 2048].map(tall), isa: native, ...blas, ratio: 0.95, percent: 70 },
  {
    routine: 'syrk_mixed',
    sizes: [512, 1024, 2048].map(tall),
    isa: native,
    ...oneThread,
    peer: 'float32',
    ratio: 0.85,
  },
  { routine: 'cholesky', sizes: [64, 256].map(square), isa: ['avx512'], ...blas, ratio: 1.5 },
  { routine: 'cholesky', sizes: [square(1024)], isa: ['avx512'], ...blas, ratio: 1.3, percent: 70 },
  { routine: 'cholesky', sizes: [square(64)], isa: ['avx2'], ...blas, ratio: 1 },
  { routine: 'cholesky', sizes: [square(256)], isa: ['avx2'], ...blas, ratio: 0.9 },
  { routine: 'cholesky', sizes: [square(1024)], isa: ['avx2'], ...blas, ratio: 0.85 },
  { routine: 'inverse', sizes: [64, 256].map(square), isa: ['avx512'], ...blas, ratio: 3 },
  { routine: 'inverse', sizes: [square(1024)], isa: ['avx512'], ...blas, ratio: 1.3 },
  { routine: 'inverse', sizes: [square(64)], isa: ['avx2'], ...blas, ratio: 2.5 },
  { routine: 'inverse', sizes: [square(256)], isa: ['avx2'], ...blas, ratio: 2 },
  { routine: 'inverse', sizes: [square(1024)], isa: ['avx2'], ...blas, ratio: 0.95 },
  ...['gemm', 'syrk', 'cholesky', 'inverse'].map((routine) => ({
    routine,
    sizes: [64, 256, 1024].map({ gemm: cube, syrk: tall }[routine] ?? square),
    isa: ['baseline'],
    ...blas,
    ratio: 0.75,
  })),
  { routine: 'batched_cholesky', sizes: ['4 x 4 x 1024'], isa: native, ...blas, ratio: 10 },
  { routine: 'batched_cholesky', sizes: ['16 x 16 x 64'], isa: native, ...blas, ratio: 5 },
  { routine: 'batched_cholesky', sizes: ['32 x 32 x 16'], isa: native, ...blas, ratio: 4 },
  { routine: 'gptq', sizes: [square(1024)], isa: native, ...oneThread, percent: 65 },
  { routine: 'gptq', sizes: [square(2048)], isa: native, ...oneThread, percent: 70 },
  { routine: 'gptq', sizes: [square(4096)], isa: native, ...oneThread, percent: 75 },
  { routine: 'hessian', sizes: [tall(4096)], isa: ['avx512'], ...oneThread, peer: 'torch', ratio: 5 },
  {
    routine: 'factor and inverse',
    sizes: [1024, 2048, 4096].map(square),
    isa: ['avx512'],
    ...oneThread,
    peer: 'torch',
    ratio: 5,
  },
  { routine: 'GPTQ loop', sizes: [square(4096)], isa: ['avx512'], ...oneThread, peer: 'official', ratio: 10 },
  {
    routine: 'BAQ table, 3 rounds, refined',
    sizes: [square(2048)],
    isa: ['avx512'],
    ...oneThread,
    peer: 'official',
    ratio: 20,
  },
  ...['2', '3', '4', 'mixed'].map((width) => ({
    // From memory: what lies in the cache is read faster than bytes can be looked up (docs/benchmarks/quantize.md).
    routine: `packed gemv, ${width} bits`,
    sizes: [square(16384)],
    isa: native,
    ...oneThread,
    percent: 70,
  })),
  ...['hull', 'core'].map((method) => ({
    routine: `knapsack, ${method}`,
    sizes: ['1000000 x 9'],
    isa: native,
    ...oneThread,
    seconds: 1,
  })),
  // Two threads. The requirement names no routine; it was set by products, the only ones its source had tried. So products,
  // symmetric ones included, and the quantiser's loop. Factorisations are chains of diagonal blocks and of panels that
  // the other core has just written: what they reach is in the table and changes with the machine's hour
  // (docs/benchmarks/linalg.md).
  ...['gemm', 'syrk', 'gptq'].map((routine) => ({
    routine,
    sizes: [256, 512, 1024, 2048, 4096].map({ gemm: cube, syrk: tall }[routine] ?? square),
    isa: native,
    threads: 2,
    peer: 'one thread',
    ratio: 1.7,
  })),
  { routine: 'poisson', sizes: [square(256)], isa: native, ...oneThread, peer: 'cholmod', ratio: 40 },
  { routine: 'poisson, solution', sizes: [square(256)], isa: native, ...official, ratio: 200 },
  { routine: 'poisson, solution', sizes: [square(2048)], isa: native, ...oneThread, seconds: 2 },
  { routine: 'heat with a network, Newton step', sizes: [square(64)], isa: native, ...official, ratio: 100 },
  { routine: 'heat, loss and gradient', sizes: [square(1024)], isa: native, ...official, ratio: 50 },
  ...[
    { routine: 'heat residual', sizes: [64, 256, 1024].map(square), peer: 'hand loop', ratio: 0.8 },
    { routine: 'heat residual', sizes: [square(64)], peer: 'hand loop, both faces', ratio: 1.2 },
    { routine: 'heat residual', sizes: [square(1024)], peer: 'hand loop, both faces', ratio: 0.85 },
    { routine: 'wave residual', sizes: [64, 256, 1024].map(square), peer: 'hand loop', ratio: 1 },
    { routine: 'poisson residual', sizes: [48, 128].map(cube), peer: 'hand loop', ratio: 0.9 },
    // At most 2.5 residuals, and 2.2 in cache where coefficients are constant.
    { routine: 'heat gradient', sizes: [64, 256, 1024].map(square), peer: 'residual', ratio: 1 / 2.5 },
    { routine: 'wave gradient', sizes: [square(64)], peer: 'residual', ratio: 1 / 2.2 },
    { routine: 'poisson gradient', sizes: [cube(48)], peer: 'residual', ratio: 1 / 2.2 },
  ].map((bar) => ({ ...bar, isa: native, threads: 1 })),
];

/** One requirement met by a row, or not. */
export interface Verdict {
  row: Row;
  /** "1.20 of openblas (1.00 asked)". */
  text: string;
  held: boolean;
}

function verdict(bar: Bar, row: Row): Verdict | undefined {
  const parts: string[] = [];
  let held = true;
  const ratio = bar.peer === undefined ? undefined : row.peers[bar.peer]?.speedRatio;
  if (bar.ratio !== undefined && bar.peer !== undefined && ratio !== undefined) {
    parts.push(`${ratio.toFixed(2)} of ${bar.peer} (${bar.ratio.toFixed(2)} asked)`);
    held &&= ratio >= bar.ratio;
  }
  if (bar.percent !== undefined && row.limitPercent !== undefined) {
    parts.push(`${row.limitPercent.toFixed(0)} % of the limit (${bar.percent} % asked)`);
    held &&= row.limitPercent >= bar.percent;
  }
  if (bar.seconds !== undefined) {
    parts.push(`${row.medianSeconds.toFixed(2)} s (at most ${bar.seconds} s asked)`);
    held &&= row.medianSeconds <= bar.seconds;
  }
  return parts.length === 0 ? undefined : { row, text: parts.join(', '), held };
}

/** Every requirement that the rows speak of. */
export function verdicts(rows: readonly Row[]): Verdict[] {
  return bars.flatMap((bar) =>
    rows
      .filter(
        (row) =>
          row.name === bar.routine &&
          bar.sizes.includes(row.size) &&
          bar.isa.includes(row.isa) &&
          row.threads === bar.threads,
      )
      .flatMap((row) => verdict(bar, row) ?? []),
  );
}
