// What each method of quantize costs a small language model, at equal bits: perplexity and divergence.
import type { quantize } from '../lib';
import { LanguageModelTask, type MethodName } from '../test/support/language-model-task';
import type { BenchOptions, Family, Row } from './harness';

const methods: readonly (readonly [string, MethodName, quantize.QuantizeSyncOptions])[] = [
  ['rtn', 'rtn', { method: 'rtn' }],
  ['gptq', 'gptq', { method: 'gptq' }],
  ['baq official', 'baqOfficial', { method: 'baq', mode: 'official' }],
  ['baq int', 'baqInt', { method: 'baq', mode: 'int' }],
  ['baq table', 'tableCdRefit', { method: 'baq', mode: 'table' }],
  ['baq levels', 'levelsCdRefit', { method: 'baq', mode: 'levels' }],
];

function run({ quick, threads, isa }: BenchOptions, onRow: (row: Row) => void): Promise<void> {
  const task = new LanguageModelTask();
  for (const bits of quick ? ([2] as const) : ([2, 3, 4] as const)) {
    for (const [name, key, options] of methods) {
      const begin = process.hrtime.bigint();
      const quantised = task.quantise({ ...options, averageBits: bits, threads });
      const elapsed = Number(process.hrtime.bigint() - begin) / 1e9;
      const { ppl, kl } = task.quality(quantised.weights);
      onRow({
        family: 'language-model',
        name,
        size: `${bits} bits`,
        dtype: 'float32',
        threads,
        isa,
        medianSeconds: elapsed,
        samples: 1,
        measures: {
          'true bits': quantised.averageBits,
          'stored bits': quantised.bitsPerWeight,
          perplexity: ppl,
          divergence: kl,
        },
        peers: { reference: { qualityRatio: task.expected[`${bits}`][key].kl / kl } },
      });
    }
  }
  return Promise.resolve();
}

/** The family. */
export const languageModel: Family = {
  name: 'language-model',
  description:
    'Perplexity per character (4.2156 in full precision) and divergence in nats of a character model with two transformer blocks whose 12 linear layers were quantised, on text it has not seen; the time is that of quantising all layers. Reference: the divergence that an independent implementation in float64 reached with the same data (test/golden/vectors/quant/lm_text.json); a ratio above 1 means that ours is smaller.',
  run,
};
