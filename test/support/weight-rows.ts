// The synthetic weight rows of the dmmv specification: activations with a few large columns, from a portable generator.

/** splitmix64 and Box-Muller as the specification draws them. */
export class SplitMix {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt(seed);
  }

  uniform(): number {
    const mask = (1n << 64n) - 1n;
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & mask;
    let z = this.#state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return Number((z ^ (z >> 31n)) >> 11n) * 2 ** -53;
  }

  normal(): number {
    const a = this.uniform();
    const b = this.uniform();
    return Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
  }
}

const oddBits = (word: number): boolean => word !== 0 && ((word & 1) === 1) !== oddBits(word >>> 1);

/** In place, Sylvester's order: entry j becomes sum_i (-1)^popcount(i and j) values_i. */
function hadamard(values: Float64Array): void {
  if ((values.length & (values.length - 1)) !== 0) {
    const sums = values.map((_, j) => values.reduce((sum, value, i) => sum + (oddBits(i & j) ? -value : value), 0));
    values.set(sums);
    return;
  }
  for (let half = 1; half < values.length; half *= 2) {
    for (let i = 0; i < values.length; i += 1) {
      if ((i & half) !== 0) continue;
      const a = values[i] as number;
      const b = values[i + half] as number;
      values[i] = a + b;
      values[i + half] = a - b;
    }
  }
}

/** tokens x columns activations, token after token, and one row of weights. */
export function weightRow(
  tokens: number,
  columns: number,
  seed: number,
): { activations: Float64Array; weights: Float64Array } {
  const random = new SplitMix(seed);
  const signs = Float64Array.from({ length: columns }, () => (random.uniform() < 0.5 ? 1 : -1));
  const activations = Float64Array.from({ length: tokens * columns }, () => random.normal());
  const weights = Float64Array.from({ length: columns }, () => 0.05 * random.normal());
  const decay = Float64Array.from({ length: columns }, (_, j) => (j + 1) ** -0.5);
  const scale = Math.sqrt(decay.reduce((sum, value) => sum + value * value, 0) / columns);
  const period = columns >= 64 ? { by: 64, at: 17 } : { by: 16, at: 5 };
  for (let k = 0; k < tokens; k += 1) {
    const token = activations.subarray(k * columns, (k + 1) * columns);
    for (let j = 0; j < columns; j += 1) token[j] = ((token[j] as number) * (decay[j] as number)) / scale;
    hadamard(token);
    for (let j = 0; j < columns; j += 1) {
      const large = j % period.by === period.at ? 10 : 1;
      token[j] = ((token[j] as number) * (signs[j] as number) * large) / Math.sqrt(columns);
    }
  }
  return { activations, weights };
}
