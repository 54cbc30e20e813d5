// A character model of two transformer blocks, run in plain loops: the smallest thing that has an end-to-end loss.
import { vectors } from './vectors';

interface Tensor {
  shape: number[];
  f16: string;
}

interface Part {
  config: {
    d: number;
    blocks: number;
    heads: number;
    ff: number;
    context: number;
    vocab: string;
    layernorm_eps: number;
  };
  tensors: Record<string, Tensor>;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function read({ f16 }: Tensor): Float32Array {
  const bytes = Buffer.from(f16, 'base64');
  return Float32Array.from({ length: bytes.length / 2 }, (_, at) => half(bytes.readUInt16LE(2 * at)));
}

/** Weights by name; a linear layer NAME has NAME.weight (outputs x inputs) and NAME.bias. */
export type Weights = Record<string, Float32Array>;

/** Called with the inputs of linear layers, tokens x inputs, under the name of their first layer. */
type Observer = (name: string, inputs: Float32Array) => void;

/** The model of lm_weights_*.json. */
export class TinyLanguageModel {
  readonly weights: Weights = {};
  readonly #config: Part['config'];

  constructor() {
    const parts = [0, 1, 2, 3, 4].map((part) => vectors<Part>(`quant/lm_weights_${part}.json`));
    this.#config = (parts[0] as Part).config;
    for (const { tensors } of parts) {
      for (const [name, tensor] of Object.entries(tensors)) this.weights[name] = read(tensor);
    }
  }

  /** Linear layers in the order in which they run, with the layer whose inputs they share. */
  get linears(): { name: string; inputs: string }[] {
    return Array.from({ length: this.#config.blocks }, (_, block) =>
      ['q', 'k', 'v', 'o', 'fc1', 'fc2'].map((layer) => ({
        name: `blocks.${block}.${layer}`,
        inputs: `blocks.${block}.${layer === 'k' || layer === 'v' ? 'q' : layer}`,
      })),
    ).flat();
  }

  /** Logarithms of the probabilities of each next character, tokens x vocabulary, for all characters but the last. */
  run(line: string, weights: Weights, observe: Observer = () => undefined): Float64Array {
    const { d, blocks, heads, vocab } = this.#config;
    const tokens = line.length - 1;
    const get = (name: string): Float32Array => weights[name] as Float32Array;
    const linear = (inputs: Float32Array, name: string): Float32Array => {
      const matrix = get(`${name}.weight`);
      const bias = get(`${name}.bias`);
      return product(inputs, matrix, tokens, bias.length).map(
        (value, at) => value + (bias[at % bias.length] as number),
      );
    };
    const x = new Float32Array(tokens * d);
    for (let t = 0; t < tokens; t += 1) {
      const id = vocab.indexOf(line[t] as string);
      for (let j = 0; j < d; j += 1) {
        x[t * d + j] = (get('tok.weight')[id * d + j] as number) + (get('pos.weight')[t * d + j] as number);
      }
    }
    const add = (change: Float32Array): void => change.forEach((value, at) => (x[at] = (x[at] as number) + value));
    for (let block = 0; block < blocks; block += 1) {
      const name = `blocks.${block}`;
      const normed = this.#norm(x, get(`${name}.ln1.weight`), get(`${name}.ln1.bias`));
      observe(`${name}.q`, normed);
      const mixed = attention(
        linear(normed, `${name}.q`),
        linear(normed, `${name}.k`),
        linear(normed, `${name}.v`),
        d,
        heads,
      );
      observe(`${name}.o`, mixed);
      add(linear(mixed, `${name}.o`));
      const second = this.#norm(x, get(`${name}.ln2.weight`), get(`${name}.ln2.bias`));
      observe(`${name}.fc1`, second);
      const hidden = linear(second, `${name}.fc1`).map((value) => Math.max(value, 0));
      observe(`${name}.fc2`, hidden);
      add(linear(hidden, `${name}.fc2`));
    }
    const last = this.#norm(x, get('lnf.weight'), get('lnf.bias'));
    return logSoftmax(product(last, get('tok.weight'), tokens, vocab.length), vocab.length);
  }

  /** Sum of -log p over the characters of a line, and KL(reference || these). */
  score(line: string, logs: Float64Array, reference: Float64Array): { loss: number; divergence: number } {
    const size = this.#config.vocab.length;
    let loss = 0;
    for (let t = 0; t + 1 < line.length; t += 1) {
      loss -= logs[t * size + this.#config.vocab.indexOf(line[t + 1] as string)] as number;
    }
    const divergence = reference.reduce((sum, log, at) => sum + Math.exp(log) * (log - (logs[at] as number)), 0);
    return { loss, divergence };
  }

  #norm(x: Float32Array, weight: Float32Array, bias: Float32Array): Float32Array {
    const { d, layernorm_eps: epsilon } = this.#config;
    const result = new Float32Array(x.length);
    for (let first = 0; first < x.length; first += d) {
      const row = x.subarray(first, first + d);
      const mean = row.reduce((sum, value) => sum + value, 0) / d;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / d;
      const scale = 1 / Math.sqrt(variance + epsilon);
      row.forEach((value, j) => {
        result[first + j] = (value - mean) * scale * (weight[j] as number) + (bias[j] as number);
      });
    }
    return result;
  }
}

/** inputs (tokens x n) matrix^T (outputs x n). */
function product(inputs: Float32Array, matrix: Float32Array, tokens: number, outputs: number): Float32Array {
  const n = inputs.length / tokens;
  const result = new Float32Array(tokens * outputs);
  for (let t = 0; t < tokens; t += 1) {
    for (let i = 0; i < outputs; i += 1) {
      // Four chains, because one waits for its own additions; all inner sizes are multiples of four.
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let j = t * n, m = i * n; m < (i + 1) * n; j += 4, m += 4) {
        a += (inputs[j] as number) * (matrix[m] as number);
        b += (inputs[j + 1] as number) * (matrix[m + 1] as number);
        c += (inputs[j + 2] as number) * (matrix[m + 2] as number);
        d += (inputs[j + 3] as number) * (matrix[m + 3] as number);
      }
      result[t * outputs + i] = a + b + (c + d);
    }
  }
  return result;
}

function attention(q: Float32Array, k: Float32Array, v: Float32Array, d: number, heads: number): Float32Array {
  const width = d / heads;
  const result = new Float32Array(q.length);
  for (let first = 0; first < d; first += width) {
    for (let t = 0; t < q.length / d; t += 1) {
      const scores = Array.from({ length: t + 1 }, (_, s) => {
        let sum = 0;
        for (let j = first; j < first + width; j += 1) sum += (q[t * d + j] as number) * (k[s * d + j] as number);
        return sum / Math.sqrt(width);
      });
      const largest = Math.max(...scores);
      const shares = scores.map((score) => Math.exp(score - largest));
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (let j = first; j < first + width; j += 1) {
        result[t * d + j] = shares.reduce((sum, share, s) => sum + share * (v[s * d + j] as number), 0) / total;
      }
    }
  }
  return result;
}

function logSoftmax(logits: Float32Array, size: number): Float64Array {
  const result = new Float64Array(logits.length);
  for (let first = 0; first < logits.length; first += size) {
    const row = logits.subarray(first, first + size);
    const largest = Math.max(...row);
    const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest;
    row.forEach((value, i) => {
      result[first + i] = value - total;
    });
  }
  return result;
}
