// HiGHS (npm package `highs`, WebAssembly, MIT) on the same FIR problem: a mixed-integer program stopped at a time limit.
import type { dmmv } from '../../lib';

/** Rows of min over integers x of max_i |matrix_i x / 2^(bits - 1) - target_i|, x_k in [-2^(bits - 1), 2^(bits - 1) - 1]. */
export interface FilterRows {
  /** Rows x columns, row after row, weights multiplied in. */
  matrix: Float64Array;
  columns: number;
  /** Weights multiplied in. */
  target: Float64Array;
  bits: number;
}

/** What HiGHS had found when its time was over. */
export interface HighsResult {
  /** Ripple recomputed from its rounded coefficients; Infinity when it had no solution. */
  ripple: number;
  seconds: number;
  status: string;
}

/** What is used of the package. */
export interface HighsModule {
  solve(
    model: string,
    options: Record<string, number | string | boolean>,
  ): {
    Status: string;
    Columns: Record<string, { Primal?: number }>;
  };
}

/** The solver; undefined where the package is not installed. */
export async function loadHighs(): Promise<HighsModule | undefined> {
  try {
    const module = (await import('highs')) as unknown as { default: () => Promise<HighsModule> };
    return await module.default();
  } catch {
    return undefined;
  }
}

/** The rows of a type I filter, on the grid of `designFir`. */
export function filterRows({ taps, wordLength, bands, gridDensity = 16 }: dmmv.FirSpecification): FilterRows {
  const columns = (taps + 1) / 2;
  const points = bands.flatMap(({ from, to, gain, weight = 1 }) => {
    const count = Math.ceil((to - from) * gridDensity * columns) + 1;
    return Array.from({ length: count }, (_, i) => ({
      frequency: from + ((to - from) * i) / (count - 1),
      gain,
      weight,
    }));
  });
  return {
    matrix: Float64Array.from(
      points.flatMap(({ frequency, weight }) =>
        Array.from({ length: columns }, (_, k) => weight * (k === 0 ? 1 : 2) * Math.cos(k * Math.PI * frequency)),
      ),
    ),
    columns,
    target: Float64Array.from(points, ({ gain, weight }) => gain * weight),
    bits: wordLength,
  };
}

/** The problem in the LP format; coefficients are in units of the last bit, t is in units of the last bit too. */
function model({ matrix, columns, target, bits }: FilterRows, cutOff: number): string {
  const scale = 2 ** (bits - 1);
  const lines = ['Minimize', ' obj: t', 'Subject To'];
  target.forEach((wanted, i) => {
    const terms = Array.from({ length: columns }, (_, k) => {
      const value = matrix[i * columns + k] as number;
      return `${value < 0 ? '-' : '+'} ${Math.abs(value).toPrecision(17)} x${k}`;
    }).join(' ');
    lines.push(` u${i}: ${terms} - t <= ${(wanted * scale).toPrecision(17)}`);
    lines.push(` l${i}: ${terms} + t >= ${(wanted * scale).toPrecision(17)}`);
  });
  lines.push('Bounds');
  if (Number.isFinite(cutOff)) lines.push(` t <= ${(cutOff * scale).toPrecision(17)}`);
  for (let k = 0; k < columns; k += 1) lines.push(` ${-scale} <= x${k} <= ${scale - 1}`);
  lines.push('General', ` ${Array.from({ length: columns }, (_, k) => `x${k}`).join(' ')}`, 'End');
  return lines.join('\n');
}

/** max_i |matrix_i x / 2^(bits - 1) - target_i|. */
function ripple({ matrix, columns, target, bits }: FilterRows, coefficients: readonly number[]): number {
  const scale = 2 ** (1 - bits);
  return target.reduce((largest, wanted, i) => {
    const sum = coefficients.reduce((total, value, k) => total + value * (matrix[i * columns + k] as number), 0);
    return Math.max(largest, Math.abs(sum * scale - wanted));
  }, 0);
}

/**
 * Runs HiGHS for at most `timeLimitSeconds`; undefined where the package is not installed.
 *
 * @param rows              the filter
 * @param timeLimitSeconds  its time limit
 * @param cutOff            only ripples up to this one are looked for: status `Infeasible` proves that there are none
 */
export async function highsFir(
  rows: FilterRows,
  timeLimitSeconds: number,
  cutOff = Infinity,
): Promise<HighsResult | undefined> {
  const highs = await loadHighs();
  if (highs === undefined) return undefined;
  const begin = process.hrtime.bigint();
  let status = 'failed';
  let columns: Record<string, { Primal?: number }> = {};
  try {
    ({ Status: status, Columns: columns } = highs.solve(model(rows, cutOff), {
      time_limit: timeLimitSeconds,
      threads: 1,
    }));
  } catch (error) {
    status = `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const values = Array.from({ length: rows.columns }, (_, k) => columns[`x${k}`]?.Primal ?? NaN);
  if (values.some((value) => Number.isNaN(value))) return { ripple: Infinity, seconds, status };
  // Always round, then recompute: a printed objective may belong to slightly fractional values.
  return { ripple: ripple(rows, values.map(Math.round)), seconds, status };
}
