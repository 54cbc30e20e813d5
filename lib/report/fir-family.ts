// The benchmark family of filters with integer coefficients of N. Brisebarre, S.-I. Filip and G. Hanrot, IEEE TSP
// 66(10), 2018, and what is known of its members: name X35/8 means specification X, 35 taps, 8 bits.
import type { FirBand, FirSpecification } from '../dmmv';

/** A member of the family. */
export interface FirInstance extends FirSpecification {
  /** For example "A35/8". */
  name: string;
  /** Smallest grid ripple, where it has been proven by mixed-integer programming (HiGHS, run to the end). */
  provenOptimum?: number;
}

const low = (weight: number): FirBand[] => [
  { from: 0, to: 0.4, gain: 1 },
  { from: 0.5, to: 1, gain: 0, weight },
];
const stop = (weight: number): FirBand[] => [
  { from: 0, to: 0.24, gain: 1 },
  { from: 0.4, to: 0.68, gain: 0, weight },
  { from: 0.84, to: 1, gain: 1 },
];
const shapes: Record<string, readonly FirBand[]> = {
  A: low(1),
  B: low(10),
  C: stop(1),
  D: stop(10),
  E: [
    { from: 0.02, to: 0.42, gain: 1 },
    { from: 0.52, to: 0.98, gain: 0 },
  ],
};

const provenOptima: Record<string, number> = {
  'A35/8': 0.029980603922715066,
  'B35/9': 0.07717216161681148,
  'C35/8': 0.017870836187593345,
  'D35/9': 0.032503343259580486,
  'E35/8': 0.03299768202276865,
  'E45/8': 0.028877030092605116,
};

/**
 * A member by its name.
 *
 * @param name  letter A to E, taps, slash, bits: "A35/8"
 */
export function firInstance(name: string): FirInstance {
  const match = /^([A-E])(\d+)\/(\d+)$/.exec(name);
  const bands = shapes[match?.[1] ?? ''];
  if (match === null || bands === undefined) throw new RangeError(`no filter family member is called ${name}`);
  const optimum = provenOptima[name];
  return {
    name,
    taps: Number(match[2]),
    wordLength: Number(match[3]),
    bands,
    ...(optimum !== undefined && { provenOptimum: optimum }),
  };
}
