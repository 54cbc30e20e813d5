// synthetic.json: the generator itself, and every method's error on generated layers.
import { quantize } from '../../lib';
import { type GeneratedLayer, generateLayer, type Preset, relativeError, SplitMix } from '../support/layers';
import { vectors } from '../support/vectors';

interface Case {
  preset: Preset;
  seed: number;
  M: number;
  N: number;
  T: number;
  r: number;
  bits: number;
  rtn: number;
  gptq: number;
  gptqAct: number;
  baqOfficial: number;
  baqOfficialBits: number;
  baqInt: number;
  table4: number;
  table4cdRefit: number;
  levels4: number;
  levels4cd: number;
}

interface Random {
  seed: number;
  u64: string[];
  uniform: number[];
  normal: number[];
  t4: number[];
  layer_hard_seed1: { W_first5: number[]; X_first5: number[]; W_sum: number; X_sumsq: number };
}

const { cases, rng } = vectors<{ cases: Case[]; rng: Random }>('quant/synthetic.json');

test('the generator makes the numbers of the file', () => {
  const of = (next: (random: SplitMix) => number | bigint, count: number): (number | bigint)[] => {
    const random = new SplitMix(rng.seed);
    return Array.from({ length: count }, () => next(random));
  };
  expect(of((random) => random.next(), rng.u64.length)).toEqual(rng.u64.map((word) => BigInt(word)));
  const close = (actual: ArrayLike<number | bigint>, expected: number[]): void => {
    expected.forEach((value, at) => expect(Number(actual[at]) / value).toBeCloseTo(1, 6));
  };
  close(
    of((random) => random.uniform(), 4),
    rng.uniform,
  );
  close(
    of((random) => random.normal(), 4),
    rng.normal,
  );
  close(
    of((random) => random.student(), 3),
    rng.t4,
  );
  const { weights, activations } = generateLayer('hard', 1, { M: 64, N: 128, T: 512, r: 32 });
  close(weights, rng.layer_hard_seed1.W_first5);
  close(activations, rng.layer_hard_seed1.X_first5);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const squares = activations.reduce((total, x) => total + x * x, 0);
  close([sum, squares], [rng.layer_hard_seed1.W_sum, rng.layer_hard_seed1.X_sumsq]);
});

describe.each(cases.map((given) => [`${given.preset} ${given.seed}, ${given.bits} bits`, given] as const))(
  '%s',
  (_, given) => {
    let layer: GeneratedLayer;
    beforeAll(() => {
      layer = generateLayer(given.preset, given.seed, given);
    });
    const run = (options: quantize.QuantizeSyncOptions): { error: number; found: quantize.QuantizedLayer } => {
      const { weights, rows, columns, hessian } = layer;
      const found = quantize.quantizeLayerSync(
        { weights, rows, columns, hessian },
        { averageBits: given.bits, ...options },
      );
      return { error: relativeError(layer, found.dequantize()), found };
    };

    test('uniform methods to 0.5 %', () => {
      const plain = (options: quantize.QuantizeSyncOptions): number => run(options).error;
      expect(Math.abs(plain({ method: 'rtn' }) / given.rtn - 1)).toBeLessThan(0.005);
      expect(Math.abs(plain({ method: 'gptq' }) / given.gptq - 1)).toBeLessThan(0.005);
      expect(Math.abs(plain({ method: 'gptq', actOrder: true }) / given.gptqAct - 1)).toBeLessThan(0.005);
    });

    test('allocated methods to 5 %', () => {
      const official = run({ mode: 'official' });
      expect(Math.abs(official.found.averageBits / given.baqOfficialBits - 1)).toBeLessThan(0.001);
      const correct = run({ method: 'gptq', levels: official.found.levels });
      expect(Math.abs(correct.error / given.baqOfficial - 1)).toBeLessThan(0.05);
      const raw = { coordinateDescent: 0, refitScales: false };
      expect(run({ mode: 'int', ...raw }).error / given.baqInt).toBeLessThan(1.05);
      expect(run({ mode: 'table', ...raw }).error / given.table4).toBeLessThan(1.05);
      expect(run({ mode: 'levels', ...raw }).error / given.levels4).toBeLessThan(1.05);
      const table = run({ mode: 'table' });
      expect(table.error / given.table4cdRefit).toBeLessThan(1.05);
      const levels = run({ mode: 'levels' });
      expect(levels.error / given.levels4cd).toBeLessThan(1.05);
      for (const { found } of [table, levels]) expect(found.averageBits).toBeLessThanOrEqual(given.bits + 1e-3);
    });
  },
);
