// Finished layers on disk, one file each, which appear whole: what a run that was cut, or other machines, have done.
import fs from 'node:fs';
import path from 'node:path';
import { openSafetensors, type SafetensorsEntry, writeSafetensors } from '../formats';
import type { QuantizedLayer } from './quantized-layer';
import { layerTensors, readLayer } from './storage';

/** What is known of a finished layer. */
export interface LayerRecord {
  /** Name of the layer. */
  readonly name: string;
  /** Outputs. */
  readonly rows: number;
  /** Inputs. */
  readonly columns: number;
  /** Mean of log2(levels). */
  readonly averageBits: number;
  /** Bits per weight with side information. */
  readonly bitsPerWeight: number;
  /** 1/2 tr((W - Q) Hd (W - Q)^T). */
  readonly loss: number;
  /** tr((W - Q) Hd (W - Q)^T) / tr(W Hd W^T). */
  readonly relativeError: number;
  /** Damping really used. */
  readonly damping: number;
  /** Columns whose input is always 0. */
  readonly deadColumns: number;
  /** How many columns have how many levels. */
  readonly levelCounts: Readonly<Record<string, number>>;
  /** Seconds it took. */
  readonly seconds: number;
}

const recordKey = 'discrete-descent.layer-record';

function countLevels(levels: Uint32Array): Record<string, number> {
  const counts = new Map<number, number>();
  for (const count of levels) counts.set(count, (counts.get(count) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => a - b));
}

/** Layers of one model, calibration and set of options, told apart by a fingerprint. @internal */
export class ModelWork {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #done = new Map<number, string>();

  constructor(folder: string, fingerprint: string) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
    if (!fs.existsSync(folder)) return;
    const form = new RegExp(`^(\\d+)-${fingerprint.slice(0, 16)}\\.safetensors$`);
    for (const name of fs.readdirSync(folder)) {
      const match = form.exec(name);
      if (match !== null && this.#isWhole(path.join(folder, name)))
        this.#done.set(Number(match[1]), path.join(folder, name));
    }
  }

  /** A file of another run, or one that was damaged, counts as not there. */
  #isWhole(file: string): boolean {
    try {
      const opened = openSafetensors(file);
      const same = opened.metadata.get('discrete-descent.fingerprint') === this.#fingerprint;
      opened.close();
      return same;
    } catch {
      return false;
    }
  }

  has(layer: number): boolean {
    return this.#done.has(layer);
  }

  keep(layer: number, name: string, quantized: QuantizedLayer, seconds: number): void {
    const record: LayerRecord = {
      name,
      rows: quantized.rows,
      columns: quantized.columns,
      averageBits: quantized.averageBits,
      bitsPerWeight: quantized.bitsPerWeight,
      loss: quantized.loss,
      relativeError: quantized.energy > 0 ? quantized.loss / quantized.energy : 0,
      damping: quantized.damping,
      deadColumns: quantized.deadColumns.length,
      levelCounts: countLevels(quantized.levels),
      seconds,
    };
    const { tensors, metadata } = layerTensors(name, quantized);
    const file = path.join(
      this.#folder,
      `${String(layer).padStart(5, '0')}-${this.#fingerprint.slice(0, 16)}.safetensors`,
    );
    writeSafetensors(file, {
      tensors,
      metadata: new Map([
        ...metadata,
        [recordKey, JSON.stringify(record)],
        ['discrete-descent.fingerprint', this.#fingerprint],
      ]),
    });
    this.#done.set(layer, file);
  }

  record(layer: number): LayerRecord {
    const file = openSafetensors(this.#done.get(layer) as string);
    try {
      return JSON.parse(file.metadata.get(recordKey) as string) as LayerRecord;
    } finally {
      file.close();
    }
  }

  #values(layer: number): Float32Array {
    const file = openSafetensors(this.#done.get(layer) as string);
    try {
      const { name } = JSON.parse(file.metadata.get(recordKey) as string) as LayerRecord;
      return readLayer(file, name).dequantize();
    } finally {
      file.close();
    }
  }

  /** Values of all finished layers, read when they are asked for. */
  values(): Map<number, () => Float32Array> {
    return new Map([...this.#done.keys()].sort((a, b) => a - b).map((layer) => [layer, () => this.#values(layer)]));
  }

  /** All layers' tensors in one file. */
  writePacked(target: string, layers: readonly number[]): void {
    const tensors = new Map<string, SafetensorsEntry>();
    const metadata = new Map<string, string>();
    for (const layer of layers) {
      const file = openSafetensors(this.#done.get(layer) as string);
      try {
        for (const name of file.names) {
          const { dtype, shape } = file.info(name);
          const from = this.#done.get(layer) as string;
          tensors.set(name, { dtype, shape, data: () => readBytes(from, name) });
        }
        for (const [key, value] of file.metadata) {
          if (key !== recordKey && key !== 'discrete-descent.fingerprint') metadata.set(key, value);
        }
      } finally {
        file.close();
      }
    }
    writeSafetensors(target, { tensors, metadata });
  }

  /** Removes the files of this run, and the folder when nothing else is in it. */
  remove(): void {
    for (const file of this.#done.values()) fs.rmSync(file, { force: true });
    this.#done.clear();
    if (fs.existsSync(this.#folder) && fs.readdirSync(this.#folder).length === 0) fs.rmdirSync(this.#folder);
  }
}

function readBytes(from: string, name: string): Uint8Array {
  const file = openSafetensors(from);
  try {
    return file.bytes(name);
  } finally {
    file.close();
  }
}
