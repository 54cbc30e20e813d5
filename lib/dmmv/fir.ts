// Linear-phase FIR filters with integer coefficients.
import { callNative } from '../runtime/errors';
import type { NativeRun } from '../runtime/native';
import { requireBackend, runAsync, runMembers, runSync, type SyncRunOptions, syncRunMembers } from '../runtime/run';
import { arrayOf, fail, integer, number, object, optional, parse, typedArray, withDefault } from '../runtime/validate';
import { type NativeFir, nativeDmmv } from './native';
import type { Numbers } from './problem';
import { nativeSearch, searchMembers, type SearchOptions, type SearchResult } from './search';

/** One frequency band of a specification. */
export interface FirBand {
  /** Lower edge in units of the Nyquist frequency, 0 to 1. */
  from: number;
  /** Upper edge, at least `from`. */
  to: number;
  /** Wanted response in the band. */
  gain: number;
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

/** What a filter shall do. */
export interface FirSpecification {
  /** Length of the impulse response, odd (type I), 1 to 4095. */
  taps: number;
  /** Bits of a coefficient with its sign, 2 to 30: integers in [-2^(wordLength - 1), 2^(wordLength - 1) - 1]. */
  wordLength: number;
  /** Bands in ascending order; at least one. */
  bands: readonly FirBand[];
  /** Grid points per band: ceil(width * gridDensity * (taps + 1) / 2) + 1; default 16. */
  gridDensity?: number;
  /** Lets the search choose one common factor of all gains in this range; ripples are divided by it. Default: 1. */
  gainRange?: GainRange;
}

interface FirStart {
  /** Half impulse response to start from: centre tap first, (taps + 1) / 2 integers. */
  initial?: Int32Array | readonly number[];
}

/** Options of {@link designFir}. */
export interface FirOptions extends SearchOptions, FirStart {}

/** Options of {@link designFirSync}. */
export interface FirSyncOptions
  extends Omit<SearchOptions, 'signal' | 'onAbort'>, SyncRunOptions<Int32Array>, FirStart {}

/** A designed filter. */
export interface FirDesign extends SearchResult {
  /** The whole symmetric impulse response, `taps` integers; divide by 2^(wordLength - 1) for gains. */
  readonly coefficients: Int32Array;
  /** Largest weighted error on the grid, divided by `gainFactor`. */
  readonly ripple: number;
  /** Largest weighted error between the grid points too, divided by `gainFactor`. */
  readonly continuousRipple: number;
  /** Ripple of the best filter with real coefficients. */
  readonly unquantisedRipple: number;
  /** Its half impulse response, centre tap first, in units of the last bit. */
  readonly unquantised: Float64Array;
  /** Ripple after rounding those coefficients one by one. */
  readonly roundedRipple: number;
  /** Factor of all gains, 1 without `gainRange`. */
  readonly gainFactor: number;
  /**
   * Amplitude response.
   *
   * @param points  frequencies in units of the Nyquist frequency; or how many equally spaced ones from 0 to 1, at least 2
   */
  response(points: number | Numbers): Float64Array;
}

const bandSchema = object({
  from: number({ min: 0, max: 1 }),
  to: number({ min: 0, max: 1 }),
  gain: number(),
  weight: withDefault(number({ above: 0 }), 1),
});

const specificationMembers = {
  taps: integer({ min: 1, max: 4095 }),
  wordLength: integer({ min: 2, max: 30 }),
  bands: arrayOf(bandSchema, { min: 1 }),
  gridDensity: withDefault(number({ above: 0, max: 1e4 }), 16),
  gainRange: optional(object({ min: number({ above: 0 }), max: number({ above: 0 }) })),
};

function checkSpecification(given: unknown): NativeFir {
  const specification = parse(given, 'specification', object(specificationMembers));
  const { taps, bands } = specification;
  if (taps % 2 === 0) fail('ERR_INVALID_ARG_VALUE', 'specification.taps', 'odd (a type I filter)', taps);
  bands.forEach((band, k) => {
    if (band.to < band.from)
      fail('ERR_OUT_OF_RANGE', `specification.bands[${k}].to`, `at least \`from\` (${band.from})`, band.to);
    const previous = bands[k - 1];
    if (previous !== undefined && band.from < previous.to) {
      fail(
        'ERR_OUT_OF_RANGE',
        `specification.bands[${k}].from`,
        `at least the end of the band before (${previous.to})`,
        band.from,
      );
    }
  });
  const { gainRange } = specification;
  if (gainRange !== undefined && gainRange.max < gainRange.min) {
    fail('ERR_OUT_OF_RANGE', 'specification.gainRange.max', `at least \`min\` (${gainRange.min})`, gainRange.max);
  }
  return specification;
}

function initialSchema(specification: NativeFir): ReturnType<typeof optional<Int32Array>> {
  return optional((value, argument) => {
    const length = (specification.taps + 1) / 2;
    const half = typedArray(['Int32Array'], { length, per: 'centre tap to outermost' })(value, argument);
    const limit = 2 ** (specification.wordLength - 1);
    half.forEach((coefficient, k) => {
      if (coefficient < -limit || coefficient >= limit) {
        fail('ERR_OUT_OF_RANGE', `${argument}[${k}]`, `in [${-limit}, ${limit - 1}]`, coefficient);
      }
    });
    return half.map((coefficient) => coefficient + limit);
  });
}

type NativeDesign = Omit<FirDesign, 'response'>;

/** Adds what needs the specification to what native code returned. */
function finish(specification: NativeFir, found: NativeDesign): FirDesign {
  const half = Float64Array.from(found.coefficients.subarray((specification.taps - 1) / 2));
  return {
    coefficients: found.coefficients,
    ripple: found.ripple,
    continuousRipple: found.continuousRipple,
    unquantisedRipple: found.unquantisedRipple,
    unquantised: found.unquantised,
    roundedRipple: found.roundedRipple,
    gainFactor: found.gainFactor,
    lowerBound: found.lowerBound,
    gap: found.ripple - found.lowerBound,
    multipliers: found.multipliers,
    status: found.status,
    iterations: found.iterations,
    evaluations: found.evaluations,
    seconds: found.seconds,
    trace: found.trace,
    response: (points) => firResponse(half, specification.wordLength, points),
  };
}

function firResponse(half: Float64Array, wordLength: number, points: number | Numbers): Float64Array {
  let frequencies: Float64Array;
  if (typeof points === 'number') {
    const count = parse(points, 'points', integer({ min: 2, max: 2 ** 24 }));
    frequencies = Float64Array.from({ length: count }, (_, i) => i / (count - 1));
  } else {
    frequencies = parse(points, 'points', typedArray(['Float64Array']));
  }
  return callNative(() => nativeDmmv.firResponse(half, wordLength, frequencies));
}

type CheckedFir = Parameters<typeof nativeSearch>[0] & {
  backend: 'auto' | 'cpu' | 'cuda';
  initial: Int32Array | undefined;
};

function start(specification: NativeFir, options: CheckedFir): (run: NativeRun) => unknown {
  requireBackend(options.backend, 'the search runs on the CPU only');
  const search = nativeSearch(options, options.initial && { initial: options.initial });
  return (run) => nativeDmmv.designFir(specification, search, run);
}

/**
 * Designs a symmetric filter of odd length with integer coefficients and the smallest weighted ripple.
 *
 * The response is A(f) = 2^(1 - wordLength) (x_0 + 2 sum_k x_k cos(k pi f)), f in units of the Nyquist frequency, and
 * the ripple max weight |A(f) - gain| over a grid; `continuousRipple` also looks between the grid points.
 *
 * @param specification  see {@link FirSpecification}
 * @param options        see {@link FirOptions}; with no limit the run ends when it stagnates
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARG_VALUE  the specification is not one, naming the member
 * Source: arXiv 2508.13437; benchmark family of Brisebarre, Filip, Hanrot, IEEE TSP 66(10), 2018.
 *
 * @example
 * const filter = await dmmv.designFir({
 *   taps: 35, wordLength: 8,
 *   bands: [{ from: 0, to: 0.4, gain: 1 }, { from: 0.5, to: 1, gain: 0 }],
 * });
 */
export async function designFir(specification: FirSpecification, options: FirOptions = {}): Promise<FirDesign> {
  const checked = checkSpecification(specification);
  const given = parse(options, 'options', object({ ...runMembers, ...searchMembers, initial: initialSchema(checked) }));
  return finish(checked, await runAsync<NativeDesign>(given, start(checked, given)));
}

/** The synchronous twin of {@link designFir}: blocks the calling thread. */
export function designFirSync(specification: FirSpecification, options: FirSyncOptions = {}): FirDesign {
  const checked = checkSpecification(specification);
  const given = parse(
    options,
    'options',
    object({ ...syncRunMembers, ...searchMembers, initial: initialSchema(checked) }),
  );
  return finish(checked, runSync<NativeDesign>(given, start(checked, given)));
}
