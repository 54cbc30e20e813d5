// End to end: perplexity and divergence of a small character model whose linear layers were quantised.
import type { quantize } from '../../lib';
import { LanguageModelTask, type Quality } from '../support/language-model-task';

const task = new LanguageModelTask();
const { expected } = task;

function qualityWith(options: quantize.QuantizeSyncOptions & { averageBits: number }): Quality {
  const { weights, averageBits } = task.quantise(options);
  expect(averageBits).toBeLessThanOrEqual(options.averageBits + 1e-3);
  return task.quality(weights);
}

test('in full precision the model has the perplexity of the file', () => {
  const { ppl } = task.quality(task.model.weights);
  expect(Math.abs(ppl / expected.fp - 1)).toBeLessThan(1e-4);
});

test('2 bits: GPTQ as in the file, levels clearly better than the best of it', () => {
  const wanted = expected['2'];
  const gptq = qualityWith({ method: 'gptq', averageBits: 2 });
  expect(Math.abs(gptq.ppl / wanted.gptq.ppl - 1)).toBeLessThan(0.01);
  const levels = qualityWith({ mode: 'levels', averageBits: 2 });
  expect(levels.kl).toBeLessThan(0.85 * wanted.levelsCdRefit.kl);
  expect(levels.ppl).toBeLessThan(0.95 * wanted.levelsCdRefit.ppl);
  expect(levels.kl).toBeLessThan(0.9 * gptq.kl);
});

// Here levels reach 0.82 of the file's divergence and tables 0.91; `npm run bench -- language-model` has the others.
test.each([
  [3, 'levels', 'levelsCdRefit', 0.9],
  [4, 'table', 'tableCdRefit', 0.97],
] as const)('%i bits, %s: less divergence than in the file, and than that of GPTQ', (averageBits, mode, key, most) => {
  const wanted = expected[`${averageBits}`];
  const { kl } = qualityWith({ mode, averageBits });
  expect(kl).toBeLessThan(most * wanted[key].kl);
  expect(kl).toBeLessThan(0.9 * wanted.gptq.kl);
  expect(kl).toBeGreaterThan(0.5 * wanted[key].kl); // the weights did change
});
