// HiGHS (npm package `highs`, WebAssembly, MIT) on the same FIR problem: a mixed-integer program stopped at a time limit.
import { dmmv } from '../../lib';

/** What HiGHS had found when its time was over. */
export interface HighsResult {
  /** Ripple recomputed from its rounded coefficients; Infinity when it had no solution. */
  ripple: number;
  seconds: number;
  status: string;
}

interface HighsModule {
  solve(
    model: string,
    options: Record<string, number | string | boolean>,
  ): {
    Status: string;
    Columns: Record<string, { Primal?: number }>;
  };
}

async function loadHighs(): Promise<HighsModule | undefined> {
  try {
    const module = (await import('highs')) as unknown as { default: () => Promise<HighsModule> };
    return await module.default();
  } catch {
    return undefined;
  }
}

function grid({
  taps,
  bands,
  gridDensity = 16,
}: dmmv.FirSpecification): { frequency: number; gain: number; weight: number }[] {
  return bands.flatMap(({ from, to, gain, weight = 1 }) => {
    const count = Math.ceil((to - from) * gridDensity * ((taps + 1) / 2)) + 1;
    return Array.from({ length: count }, (_, i) => ({
      frequency: from + ((to - from) * i) / (count - 1),
      gain,
      weight,
    }));
  });
}

/** The problem in the LP format; coefficients are in units of the last bit, t is in units of the last bit too. */
function model(specification: dmmv.FirSpecification): string {
  const half = (specification.taps + 1) / 2;
  const scale = 2 ** (specification.wordLength - 1);
  const lines = ['Minimize', ' obj: t', 'Subject To'];
  grid(specification).forEach(({ frequency, gain, weight }, i) => {
    const terms = Array.from({ length: half }, (_, k) => {
      const value = (k === 0 ? 1 : 2) * Math.cos(k * Math.PI * frequency);
      return `${value < 0 ? '-' : '+'} ${Math.abs(value).toPrecision(17)} x${k}`;
    }).join(' ');
    const slack = (1 / weight).toPrecision(17);
    lines.push(` u${i}: ${terms} - ${slack} t <= ${(gain * scale).toPrecision(17)}`);
    lines.push(` l${i}: ${terms} + ${slack} t >= ${(gain * scale).toPrecision(17)}`);
  });
  lines.push('Bounds');
  for (let k = 0; k < half; k += 1) lines.push(` ${-scale} <= x${k} <= ${scale - 1}`);
  lines.push('General', ` ${Array.from({ length: half }, (_, k) => `x${k}`).join(' ')}`, 'End');
  return lines.join('\n');
}

/**
 * Runs HiGHS for at most `timeLimitSeconds`; undefined where the package is not installed.
 *
 * @param specification     the filter
 * @param timeLimitSeconds  its time limit
 */
export async function highsFir(
  specification: dmmv.FirSpecification,
  timeLimitSeconds: number,
): Promise<HighsResult | undefined> {
  const highs = await loadHighs();
  if (highs === undefined) return undefined;
  const half = (specification.taps + 1) / 2;
  const begin = process.hrtime.bigint();
  let status = 'failed';
  let columns: Record<string, { Primal?: number }> = {};
  try {
    ({ Status: status, Columns: columns } = highs.solve(model(specification), {
      time_limit: timeLimitSeconds,
      threads: 1,
    }));
  } catch (error) {
    status = `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const values = Array.from({ length: half }, (_, k) => columns[`x${k}`]?.Primal ?? NaN);
  if (values.some((value) => Number.isNaN(value))) return { ripple: Infinity, seconds, status };
  // Always round, then recompute: a printed objective may belong to slightly fractional values.
  const evaluated = await dmmv.designFir(specification, {
    initial: values.map(Math.round),
    maxIterations: 1,
    bound: false,
  });
  return { ripple: evaluated.trace[0]?.objective ?? evaluated.ripple, seconds, status };
}
