// How a run of polystep went, as JSON lines: one object for each step, so that other programs can read on while they plot.
import type { polystep } from '..';
import { writePieces } from '../runtime/files';

/** Writes one line per step; `more` adds members to the line of a step. */
export function writeHistory(
  file: string,
  history: polystep.History,
  more: (step: number) => Record<string, unknown> = () => ({}),
): void {
  const columns = Object.entries(history) as [string, Float64Array][];
  const line = (_: unknown, k: number): string =>
    `${JSON.stringify({ ...Object.fromEntries(columns.map(([name, values]) => [name, values[k]])), ...more(k) })}\n`;
  writePieces(file, Array.from(history.step, line));
}
