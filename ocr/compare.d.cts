// Types of compare.cjs.
import type { quantize } from '../lib';
import type { Line } from './index.cjs';

/** How one method did. */
export interface Row {
  method: string;
  /** Average bits that were asked for. */
  bits: number;
  averageBits: number;
  bitsPerWeight: number;
  characterErrorRate: number;
  /** Mean KL(float32 || model) in nats per position. */
  divergence: number;
  texts: string[];
  report?: quantize.ModelReport;
}

export const methods: Readonly<Record<string, Partial<quantize.ModelRequest>>>;
export function compare(options: {
  bits?: readonly number[];
  lines?: number;
  names?: readonly string[];
  sequential?: boolean;
  onRow?: (row: Row) => void;
}): Promise<{ lines: Line[]; rows: Row[] }>;
/** Columns of the table of results. */
export const head: readonly string[];
/** A row as texts under `head`. */
export function cells(row: Row): string[];
