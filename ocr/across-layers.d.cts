// Types of across-layers.cjs.
import type { quantize } from '../lib';

/** How one importance did; null: the same bits everywhere. */
export interface AcrossRow {
  importance: quantize.LayerImportance | null;
  /** Stored bits per weight, padding included. */
  storedBits: number;
  characterErrorRate: number;
  /** Mean KL(float32 || model) in nats per position. */
  divergence: number;
  report: quantize.ModelReport;
}

export function acrossLayers(options: {
  bits?: number;
  mode?: 'table' | 'levels';
  lines?: number;
  /** Lines that calibrate, at most 64 (default). */
  calibration?: number;
  names?: readonly quantize.LayerImportance[];
  rates?: readonly number[];
  onRow?: (row: AcrossRow) => void;
}): Promise<AcrossRow[]>;
