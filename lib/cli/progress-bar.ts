// A progress line on stderr, only where a person is looking; silent in pipes and logs.
import type { Progress } from '../runtime/run';

/** A line that is drawn over and over. */
export interface ProgressBar {
  update(progress: Progress): void;
  end(): void;
}

const silent: ProgressBar = { update: () => undefined, end: () => undefined };
const barWidth = 24;

function text(label: string, { fraction, objective, lowerBound, seconds, phase }: Progress): string {
  const known = Number.isFinite(fraction);
  const filled = known ? Math.round(Math.min(Math.max(fraction, 0), 1) * barWidth) : 0;
  const bar = known ? `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ` : '';
  const best = Number.isFinite(objective) ? `  best ${objective.toPrecision(6)}` : '';
  const bound = Number.isFinite(lowerBound) ? `  bound ${lowerBound.toPrecision(6)}` : '';
  return `${label} ${bar}${phase}${best}${bound}  ${seconds.toFixed(1)} s`;
}

/**
 * A bar for a stream.
 *
 * @param label   first words of the line
 * @param stream  default stderr; nothing is drawn when it is not a terminal
 */
export function progressBar(label: string, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (!stream.isTTY) return silent;
  return {
    update: (progress) => void stream.write(`\r\u001b[K${text(label, progress).slice(0, (stream.columns || 80) - 1)}`),
    end: () => void stream.write('\r\u001b[K'),
  };
}
