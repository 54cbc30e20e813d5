// `discrete-descent bench`: times every registered kernel on this machine, beside the machine's own limits. No compiler
// and no peer is needed; comparisons with peers are made in a checkout (`npm run bench`).
import { type Command, InvalidArgumentError } from 'commander';
import { native, type NativeBenchmark, type NativeMachineLimits } from '../runtime/native';
import { textTable } from './table';
import { positiveInteger, positiveNumber, UsageError } from './usage';

interface BenchFlags {
  filter?: RegExp;
  isa?: string;
  threads: number;
  seconds: number;
  json?: boolean;
}

interface Row extends NativeBenchmark {
  kernel: string;
  size: string;
  /** GFLOP/s over the multiply-add limit of the type, one thread. */
  peakPercent: number;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('it must be a regular expression.');
  }
}

function duration(seconds: number): string {
  if (seconds < 1e-6) return `${(seconds * 1e9).toPrecision(3)} ns`;
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} us`;
  return seconds < 1 ? `${(seconds * 1e3).toPrecision(3)} ms` : `${seconds.toPrecision(3)} s`;
}

function measure(flags: BenchFlags, isa: string, limits: NativeMachineLimits): Row[] {
  const rows: Row[] = [];
  for (const { name, benchmarkSizes } of native.kernels.list()) {
    if (flags.filter?.test(name) === false) continue;
    const peak = name.includes('float32') ? limits.gflopsFloat32 : limits.gflopsFloat64;
    benchmarkSizes.forEach((size, position) => {
      const measured = native.kernels.benchmark(name, position, {
        isa,
        threads: flags.threads,
        seconds: flags.seconds,
      });
      rows.push({ kernel: name, size, ...measured, peakPercent: (100 * measured.gflops) / (peak * flags.threads) });
    });
  }
  return rows;
}

function limitsText(limits: NativeMachineLimits): string {
  const bandwidth = limits.bandwidth.map(
    ({ bytes, readGigabytes }) => `${(bytes / 1024).toFixed(0)} KiB ${readGigabytes.toFixed(0)}`,
  );
  return `one thread: ${limits.gflopsFloat64.toFixed(0)} GFLOP/s float64, ${limits.gflopsFloat32.toFixed(0)} float32; read GB/s: ${bandwidth.join(', ')}`;
}

function bench(flags: BenchFlags): void {
  const info = native.buildInfo();
  const isa = flags.isa ?? info.isa;
  if (!info.isaLevels.includes(isa)) throw new UsageError(`--isa must be one of ${info.isaLevels.join(', ')}`);
  const before = info.isa;
  native.setIsa(isa);
  try {
    const limits = native.kernels.machineLimits();
    const rows = measure(flags, isa, limits);
    if (flags.json === true) {
      console.log(JSON.stringify({ version: info.version, isa, threads: flags.threads, limits, rows }));
      return;
    }
    const head = ['kernel', 'size', 'median', 'GFLOP/s', 'of peak', 'GB/s'];
    const cells = rows.map((row) => [
      row.kernel,
      row.size,
      duration(row.medianSeconds),
      row.gflops.toFixed(1),
      `${row.peakPercent.toFixed(0)} %`,
      row.gigabytes.toFixed(1),
    ]);
    console.log(
      `level ${isa}, ${flags.threads} thread${flags.threads === 1 ? '' : 's'}; ${limitsText(limits)}\n\n${textTable(head, cells)}`,
    );
  } finally {
    native.setIsa(before);
  }
}

/** Adds the command. */
export function addBench(program: Command): void {
  program
    .command('bench')
    .description('time every kernel on this machine, beside what the machine can do at most')
    .option('--filter <pattern>', 'only kernels whose name matches, for example "gemm.*float32"', pattern)
    .option('--isa <level>', 'instruction-set level (default: the highest available)')
    .option('--threads <n>', 'threads', positiveInteger, 1)
    .option('--seconds <n>', 'time spent on each case', positiveNumber, 0.3)
    .option('--json', 'print one JSON object and nothing else on stdout')
    .action(bench);
}
