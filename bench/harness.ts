// What every benchmark family produces, and the few statistics they share. Timings that are compared are taken in
// turn, sample by sample, and compared as ratios of medians: the machine's speed drifts, ratios do not.

/** How a peer did on the same case. */
export interface PeerResult {
  /** Median seconds, where time is compared. */
  medianSeconds?: number;
  /** Peer's time over ours (above 1: we are faster), where time is compared. */
  speedRatio?: number;
  /** Peer's objective over ours (above 1: ours is better), where quality is compared. */
  qualityRatio?: number;
  /** Anything else worth a column. */
  note?: string;
}

/** One measured case. */
export interface Row {
  family: string;
  name: string;
  size: string;
  dtype: string;
  threads: number;
  isa: string;
  medianSeconds: number;
  p10Seconds?: number;
  p90Seconds?: number;
  samples: number;
  /** Rate and its unit: GFLOP/s, GB/s, calls/s. */
  rate?: { value: number; unit: string };
  /** Rate over what this machine can do, measured in the same run. */
  limitPercent?: number;
  /** What was reached, by name, where quality is measured. */
  measures?: Record<string, number>;
  peers: Record<string, PeerResult>;
}

/** A family of benchmarks. */
export interface Family {
  name: string;
  /** What is measured and how, one paragraph for the report. */
  description: string;
  run(options: BenchOptions, onRow: (row: Row) => void): Promise<void>;
}

/** Options of a benchmark run. */
export interface BenchOptions {
  /** Fewer sizes and samples. */
  quick: boolean;
  threads: number;
  isa: string;
}

/** The q-quantile of some numbers, by the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

/** Seconds of a call. */
export function seconds(call: () => void): number {
  const begin = process.hrtime.bigint();
  call();
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

/** Median, p10 and p90 of samples. */
export function summary(samples: readonly number[]): {
  medianSeconds: number;
  p10Seconds: number;
  p90Seconds: number;
  samples: number;
} {
  return {
    medianSeconds: quantile(samples, 0.5),
    p10Seconds: quantile(samples, 0.1),
    p90Seconds: quantile(samples, 0.9),
    samples: samples.length,
  };
}
