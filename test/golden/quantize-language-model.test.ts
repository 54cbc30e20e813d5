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
  const { ppl, kl } = task.quality(task.model.weights);
  expect(Math.abs(ppl / expected.fp - 1)).toBeLessThan(1e-4);
  expect(kl).toBe(0);
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

// Levels reach 0.82 and 0.97 of the file's divergence, tables 0.79 and 0.91.
test.each([
  [3, 0.9],
  [4, 1.02],
] as const)('%i bits: tables and levels diverge less than those of the file', (averageBits, most) => {
  const wanted = expected[`${averageBits}`];
  const [table, levels] = (['table', 'levels'] as const).map((mode) => qualityWith({ mode, averageBits }));
  expect(table?.kl).toBeLessThan(most * wanted.tableCdRefit.kl);
  expect(levels?.kl).toBeLessThan(most * wanted.levelsCdRefit.kl);
  // GPTQ's of the file: what is beaten, and a sign that something was quantised at all.
  expect(levels?.kl).toBeLessThan(0.9 * wanted.gptq.kl);
  expect(levels?.kl).toBeGreaterThan(0.5 * wanted.levelsCdRefit.kl);
});
