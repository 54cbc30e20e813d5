// What quantising the linear layers of the small language model costs on text it has not seen.
import { quantize } from '../../lib';
import { TinyLanguageModel, type Weights } from './tiny-language-model';
import { vectors } from './vectors';

/** How well a model predicts the test text. */
export interface Quality {
  /** Perplexity per character. */
  ppl: number;
  /** Mean KL(full precision || model) in nats per character. */
  kl: number;
}

/** Names of the methods in `expected`. */
export type MethodName = 'rtn' | 'gptq' | 'baqOfficial' | 'baqInt' | 'tableCdRefit' | 'levelsCdRefit';

interface File {
  calibration: string[];
  test: string[];
  expected: { fp: number } & Record<'2' | '3' | '4', Record<MethodName, Quality>>;
}

/** The model with all its linear layers quantised. */
export interface QuantisedModel {
  weights: Weights;
  /** Mean of log2(levels) over the quantised weights. */
  averageBits: number;
  /** With side information. */
  bitsPerWeight: number;
}

/** The model, its texts, and what an independent implementation in float64 reached with them. */
export class LanguageModelTask {
  readonly model = new TinyLanguageModel();
  readonly expected: File['expected'];
  readonly #hessians = new Map<string, quantize.Hessian>();
  readonly #lines: readonly string[];
  readonly #reference: readonly Float64Array[];

  constructor() {
    const { calibration, test, expected } = vectors<File>('quant/lm_text.json');
    this.expected = expected;
    this.#lines = test;
    for (const line of calibration) {
      this.model.run(line, this.model.weights, (name, inputs) => {
        const columns = inputs.length / (line.length - 1);
        this.#hessians.set(name, (this.#hessians.get(name) ?? quantize.createHessian(columns)).add(inputs));
      });
    }
    this.#reference = test.map((line) => this.model.run(line, this.model.weights));
  }

  /** Quantises every linear layer. */
  quantise(options: quantize.QuantizeSyncOptions): QuantisedModel {
    const weights = { ...this.model.weights };
    let [count, averageBits, bitsPerWeight] = [0, 0, 0];
    for (const { name, inputs } of this.model.linears) {
      const hessian = this.#hessians.get(inputs) as quantize.Hessian;
      const given = weights[`${name}.weight`] as Float32Array;
      const { columns } = hessian;
      const layer = quantize.quantizeLayerSync(
        { weights: given, rows: given.length / columns, columns, hessian },
        options,
      );
      weights[`${name}.weight`] = layer.dequantize();
      count += given.length;
      averageBits += layer.averageBits * given.length;
      bitsPerWeight += layer.bitsPerWeight * given.length;
    }
    return { weights, averageBits: averageBits / count, bitsPerWeight: bitsPerWeight / count };
  }

  /** Perplexity and divergence with these weights. */
  quality(weights: Weights): Quality {
    const sums = { loss: 0, divergence: 0, positions: 0 };
    this.#lines.forEach((line, at) => {
      const reference = this.#reference[at] as Float64Array;
      const logs = weights === this.model.weights ? reference : this.model.run(line, weights);
      const { loss, divergence } = this.model.score(line, logs, reference);
      sums.loss += loss;
      sums.divergence += divergence;
      sums.positions += line.length - 1;
    });
    return { ppl: Math.exp(sums.loss / sums.positions), kl: sums.divergence / sums.positions };
  }
}
