// Finished layers on disk, one file each, which appear whole: what a run that was cut, or other machines, have done.
import fs from 'node:fs';
import path from 'node:path';
import { openSafetensors } from '../formats';
import { dequantize } from './dequantize';
import type { QuantizedLayer } from './quantized-layer';
import { readQuantized, type StoredLayer, writeQuantized } from './storage';

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

const fingerprintKey = 'discrete-descent.fingerprint';

function countLevels(levels: Uint32Array): Record<string, number> {
  const counts = new Map<number, number>();
  for (const count of levels) counts.set(count, (counts.get(count) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => a - b));
}

/** Layers of one model, calibration and set of options, told apart by a fingerprint. @internal */
export class ModelWork {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #names: readonly string[];
  readonly #done = new Map<number, string>();

  /** `names` of the model's layers in their order. */
  constructor(folder: string, fingerprint: string, names: readonly string[]) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
    this.#names = names;
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
      const same = opened.metadata.get(fingerprintKey) === this.#fingerprint;
      opened.close();
      return same;
    } catch {
      return false;
    }
  }

  has(layer: number): boolean {
    return this.#done.has(layer);
  }

  keep(layer: number, quantized: QuantizedLayer, seconds: number): void {
    const name = this.#names[layer] as string;
    const record: LayerRecord = {
      name,
      rows: quantized.rows,
      columns: quantized.columns,
      averageBits: quantized.averageBits,
      bitsPerWeight: quantized.bitsPerWeight,
      loss: quantized.loss,
      relativeError: quantized.energy === null || quantized.energy === 0 ? 0 : quantized.loss / quantized.energy,
      damping: quantized.damping,
      deadColumns: quantized.deadColumns.length,
      levelCounts: countLevels(quantized.levels),
      seconds,
    };
    const file = path.join(
      this.#folder,
      `${String(layer).padStart(5, '0')}-${this.#fingerprint.slice(0, 16)}.safetensors`,
    );
    writeQuantized(file, {
      layers: new Map([[name, { weights: quantized, details: { ...record } }]]),
      metadata: new Map([[fingerprintKey, this.#fingerprint]]),
    });
    this.#done.set(layer, file);
  }

  #read(layer: number): Required<StoredLayer> {
    const file = openSafetensors(this.#done.get(layer) as string);
    try {
      return readQuantized(file, this.#names[layer] as string);
    } finally {
      file.close();
    }
  }

  record(layer: number): LayerRecord {
    return this.#read(layer).details as unknown as LayerRecord;
  }

  /** Values of all finished layers, read when they are asked for. */
  values(): Map<number, () => Float32Array> {
    const layers = [...this.#done.keys()].sort((a, b) => a - b);
    return new Map(layers.map((layer) => [layer, () => dequantize(this.#read(layer).weights)]));
  }

  /** All layers in one file. */
  writePacked(target: string, layers: readonly number[]): void {
    writeQuantized(target, {
      layers: new Map(layers.map((layer) => [this.#names[layer] as string, this.#read(layer)])),
    });
  }

  /** Removes the files of this run, and the folder when nothing else is in it. */
  remove(): void {
    for (const file of this.#done.values()) fs.rmSync(file, { force: true });
    this.#done.clear();
    if (fs.existsSync(this.#folder) && fs.readdirSync(this.#folder).length === 0) fs.rmdirSync(this.#folder);
  }
}
