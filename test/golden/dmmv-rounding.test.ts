// quantisation.json: rows of weights rounded against activations. Optima and best known values must be met.
import { dmmv } from '../../lib';
import { vectors } from '../support/vectors';
import { weightRow } from '../support/weight-rows';

interface RoundingCase {
  name: string;
  seed: number;
  K: number;
  n: number;
  bits: number;
  rtn_index: number[];
  rtn_objective: number;
  best_objective: number;
  best_index: number[];
  w_first: number[];
  X_checksum: number;
}

const { cases } = vectors<{ cases: RoundingCase[] }>('dmmv/quantisation.json');

// Effort that suffices at each width with room to spare: a second or two at most.
const effort = (columns: number): { sweeps: number; attempts: number } => {
  if (columns <= 16) return { sweeps: 2000, attempts: 16 };
  return columns <= 64 ? { sweeps: 200, attempts: 64 } : { sweeps: 100, attempts: 8 };
};

describe.each(cases.map((given) => [given.name, given] as const))('%s', (_, given) => {
  const { activations, weights } = weightRow(given.K, given.n, given.seed);
  const layer = { weights, rows: 1, columns: given.n, activations, bits: given.bits };

  test('the instance is the one of the vector', () => {
    given.w_first.forEach((weight, j) => expect(weights[j]).toBeCloseTo(weight, 12));
    const sum = activations.reduce((total, value) => total + Math.abs(value), 0);
    expect(Math.abs(sum - given.X_checksum) / given.X_checksum).toBeLessThan(1e-9);
  });

  test('nearest levels and the known codes are worth what the vector says', async () => {
    const near = await dmmv.roundWeights({ ...layer, initial: given.rtn_index }, { sweeps: 1, moves: 'unit' });
    expect(near.nearestErrors[0]).toBeCloseTo(given.rtn_objective, 8);
    const known = await dmmv.roundWeights({ ...layer, initial: given.best_index }, { sweeps: 1, moves: 'unit' });
    expect(known.errors[0]).toBeLessThan(given.best_objective + 1e-8);
  });

  test('the best known error is met or beaten from scratch', async () => {
    const rounded = await dmmv.roundWeights(layer, { ...effort(given.n), seed: 1 });
    expect(rounded.errors[0]).toBeLessThan(given.best_objective + 1e-8);
    expect(rounded.codes.every((code) => code >= 0 && code < 2 ** given.bits)).toBe(true);
  });
});
