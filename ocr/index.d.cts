// Types of the OCR workspace. Nothing here needs its packages, so that the root's type check runs without them.

/** Elements of a tensor and its extents. */
export interface Values {
  data: Float32Array;
  shape: readonly number[];
}

/** A drawn line. */
export interface Line {
  /** What is written. */
  text: string;
  /** The picture as the model takes it: 1 x 3 x 48 x 320, blue green red, -1 to 1. */
  input: Values;
}

/** What the model makes of a line. */
export interface Recognition {
  text: string;
  /** 1 x 40 positions x 6625 classes. */
  distribution: Values;
}

/** How good a model is. */
export interface Evaluation {
  characterErrorRate: number;
  /** Mean KL(reference || model) in nats per position; undefined without reference. */
  divergence: number | undefined;
  results: Recognition[];
}

export const modelFiles: Readonly<Record<'recognition' | 'detection' | 'classification', string>>;
/** The module onnxruntime-node, for `quantize.onnxRuntime({ module })`. */
export const onnxruntime: {
  InferenceSession: {
    create(
      model: Uint8Array,
      options?: object,
    ): Promise<{ run(feeds: never): Promise<Readonly<Record<string, unknown>>>; release(): Promise<void> }>;
  };
  Tensor: new (type: never, data: never, dims: readonly number[]) => object;
};
export function drawLines(options: { count: number; seed: number }): Line[];
/** A line as a PNG file. */
export function linePicture(line: Line): Buffer;
export function calibrationLines(count?: number): Line[];
export function testLines(count?: number): Line[];
export function batches(lines: readonly Line[]): Record<string, Values>[];
export function recognise(model: Uint8Array, lines: readonly Line[]): Promise<Recognition[]>;
export function evaluate(
  model: Uint8Array,
  lines: readonly Line[],
  reference?: readonly Recognition[],
): Promise<Evaluation>;
export function decode(distribution: Values, characters: readonly string[]): string;
export function editDistance(a: ArrayLike<string>, b: ArrayLike<string>): number;
export function readingInPieces(truth: string, read: string): { text: string; right: boolean }[];
export function characterErrorRate(truth: readonly string[], read: readonly string[]): number;
export function divergence(reference: Values, other: Values): number;
