// What a filter shall do, checked.
import {
  arrayOf,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import type { NativeFir } from './native';

/** One frequency band of a specification. */
export interface FirBand {
  /** Lower edge in units of the Nyquist frequency, 0 to 1. */
  from: number;
  /** Upper edge, at least `from`. */
  to: number;
  /** Wanted response in the band; with `slope`, the one that its line has at frequency 0. */
  gain: number;
  /** Change of the wanted response over the whole range of frequencies: it is gain + slope f at f. Default 0. */
  slope?: number;
  /** Weight of the error in the band, positive; default 1. */
  weight?: number;
}

/** Limits of a common factor of all gains. */
export interface GainRange {
  /** Smallest factor, positive. */
  min: number;
  /** Largest factor, at least `min`. */
  max: number;
}

/**
 * Symmetry and parity of a linear-phase filter, and what its response is bound to be whatever the coefficients are:
 * `'I'` symmetric, odd length, free; `'II'` symmetric, even length, 0 at Nyquist; `'III'` antisymmetric, odd length, 0 at
 * frequency 0 and at Nyquist; `'IV'` antisymmetric, even length, 0 at frequency 0. A band that holds such a zero and wants
 * something else there has that as its least ripple.
 */
export type FirType = 'I' | 'II' | 'III' | 'IV';

/** What a filter shall do. */
export interface FirSpecification {
  /** Length of the impulse response, up to 4095: odd for types I and III, even for types II and IV. */
  taps: number;
  /**
   * Bits of a coefficient with its sign, 2 to 30: integers in [-2^(wordLength - 1), 2^(wordLength - 1) - 1]; without the
   * lowest one in antisymmetric filters, whose mirror image would need another bit.
   */
  wordLength: number;
  /** Bands in ascending order; at least one. */
  bands: readonly FirBand[];
  /** Grid points per band: ceil(width * gridDensity * (taps + 1) / 2) + 1; default 16. */
  gridDensity?: number;
  /** Lets the search choose one common factor of all gains in this range; ripples are divided by it. Default: 1. */
  gainRange?: GainRange;
  /** Default `'I'`. */
  type?: FirType;
  /**
   * Taps that are zero, with their mirror images: their positions in the impulse response, 0 to taps - 1; or how many
   * there are at least, at positions chosen by linear relaxations. Default: none.
   */
  zeroTaps?: number | readonly number[];
  /**
   * Most terms of a coefficient written as a sum of signed powers of two, 2^0 to 2^(wordLength - 1): one less is the
   * number of adders that its product takes. Default: any number.
   */
  maxSignedPowers?: number;
}

const bandSchema = object({
  from: number({ min: 0, max: 1 }),
  to: number({ min: 0, max: 1 }),
  gain: number(),
  slope: withDefault(number(), 0),
  weight: withDefault(number({ above: 0 }), 1),
});

const specificationSchema = object({
  taps: integer({ min: 1, max: 4095 }),
  wordLength: integer({ min: 2, max: 30 }),
  bands: arrayOf(bandSchema, { min: 1 }),
  gridDensity: withDefault(number({ above: 0, max: 1e4 }), 16),
  gainRange: optional(object({ min: number({ above: 0 }), max: number({ above: 0 }) })),
  type: withDefault(oneOf(['I', 'II', 'III', 'IV']), 'I'),
  zeroTaps: withDefault((value) => value, 0),
  maxSignedPowers: withDefault(integer({ min: 1 }), 0),
});

/** Types as native code counts them. @internal */
export const typeNumbers: Readonly<Record<FirType, number>> = { I: 1, II: 2, III: 3, IV: 4 };

/** Entries of a half impulse response, from the centre outwards. @internal */
export function halfLength({ taps, type }: NativeFir): number {
  return type === typeNumbers.I ? (taps + 1) / 2 : Math.floor(taps / 2);
}

function checkTaps(taps: number, type: FirType, argument: string): void {
  const odd = type === 'I' || type === 'III';
  if ((taps % 2 === 1) !== odd) {
    fail('ERR_INVALID_ARG_VALUE', argument, `${odd ? 'odd' : 'even'} (a type ${type} filter)`, taps);
  }
  if (type === 'III' && taps < 3) fail('ERR_OUT_OF_RANGE', argument, 'at least 3 (a type III filter)', taps);
}

function zeroTapsOf(value: unknown, taps: number, argument: string): { zeroTaps: Int32Array; zeroTapCount: number } {
  if (typeof value === 'number') {
    return { zeroTaps: new Int32Array(), zeroTapCount: parse(value, argument, integer({ min: 0, max: taps })) };
  }
  const positions = parse(value, argument, typedArray(['Int32Array']));
  positions.forEach((tap, k) => parse(tap, `${argument}[${k}]`, integer({ min: 0, max: taps - 1 })));
  return { zeroTaps: positions, zeroTapCount: 0 };
}

/** A specification as native code reads it. @internal */
export const firSpecification: Schema<NativeFir> = (value, argument) => {
  const given = parse(value, argument, specificationSchema);
  const { taps, bands, gainRange } = given;
  checkTaps(taps, given.type, `${argument}.taps`);
  bands.forEach((band, k) => {
    if (band.to < band.from)
      fail('ERR_OUT_OF_RANGE', `${argument}.bands[${k}].to`, `at least \`from\` (${band.from})`, band.to);
    const previous = bands[k - 1];
    if (previous !== undefined && band.from < previous.to) {
      fail(
        'ERR_OUT_OF_RANGE',
        `${argument}.bands[${k}].from`,
        `at least the end of the band before (${previous.to})`,
        band.from,
      );
    }
  });
  if (gainRange !== undefined && gainRange.max < gainRange.min) {
    fail('ERR_OUT_OF_RANGE', `${argument}.gainRange.max`, `at least \`min\` (${gainRange.min})`, gainRange.max);
  }
  return {
    taps,
    wordLength: given.wordLength,
    bands,
    gridDensity: given.gridDensity,
    gainRange,
    type: typeNumbers[given.type],
    ...zeroTapsOf(given.zeroTaps, taps, `${argument}.zeroTaps`),
    maxSignedPowers: given.maxSignedPowers,
  };
};
