// End to end: perplexity and divergence of a small character model whose linear layers were quantised.
import { quantize } from '../../lib';
import { TinyLanguageModel, type Weights } from '../support/tiny-language-model';
import { vectors } from '../support/vectors';

interface Quality {
  ppl: number;
  kl: number;
}

interface File {
  calibration: string[];
  test: string[];
  expected: { fp: number } & Record<'2', Record<string, Quality>>;
}

const { calibration, test: lines, expected } = vectors<File>('quant/lm_text.json');
const model = new TinyLanguageModel();
const hessians = new Map<string, quantize.Hessian>();
let reference: Float64Array[];

function qualityOf(weights: Weights): Quality {
  const logs = weights === model.weights ? reference : lines.map((line) => model.run(line, weights));
  const scores = lines.map((line, at) => model.score(line, logs[at] as Float64Array, reference[at] as Float64Array));
  const positions = lines.reduce((sum, line) => sum + line.length - 1, 0);
  return {
    ppl: Math.exp(scores.reduce((sum, { loss }) => sum + loss, 0) / positions),
    kl: scores.reduce((sum, { divergence }) => sum + divergence, 0) / positions,
  };
}

function quantised(options: quantize.QuantizeSyncOptions): Weights {
  const weights = { ...model.weights };
  for (const { name, inputs } of model.linears) {
    const hessian = hessians.get(inputs) as quantize.Hessian;
    const given = model.weights[`${name}.weight`] as Float32Array;
    const { columns } = hessian;
    const layer = quantize.quantizeLayerSync(
      { weights: given, rows: given.length / columns, columns, hessian },
      options,
    );
    expect(layer.averageBits).toBeLessThanOrEqual((options.averageBits as number) + 1e-3);
    weights[`${name}.weight`] = layer.dequantize();
  }
  return weights;
}

beforeAll(() => {
  for (const line of calibration) {
    model.run(line, model.weights, (name, inputs) => {
      const columns = inputs.length / (line.length - 1);
      hessians.set(name, (hessians.get(name) ?? quantize.createHessian(columns)).add(inputs));
    });
  }
  reference = lines.map((line) => model.run(line, model.weights));
});

test('in full precision the model has the perplexity of the file', () => {
  const { ppl, kl } = qualityOf(model.weights);
  expect(Math.abs(ppl / expected.fp - 1)).toBeLessThan(1e-4);
  expect(kl).toBe(0);
});

test('2 bits: GPTQ as in the file, levels clearly better than the best of it', () => {
  const wanted = expected['2'];
  const gptq = qualityOf(quantised({ method: 'gptq', averageBits: 2 }));
  expect(Math.abs(gptq.ppl / (wanted['gptq'] as Quality).ppl - 1)).toBeLessThan(0.01);
  const levels = qualityOf(quantised({ mode: 'levels', averageBits: 2 }));
  expect(levels.kl).toBeLessThan(0.85 * (wanted['levelsCdRefit'] as Quality).kl);
  expect(levels.ppl).toBeLessThan(0.95 * (wanted['levelsCdRefit'] as Quality).ppl);
  expect(levels.kl).toBeLessThan(0.9 * gptq.kl);
});
