// Linear-phase FIR filters with integer coefficients.
import { callNative, homes } from '../runtime/errors';
import type { NativeRun } from '../runtime/native';
import { requireBackend, runAsync, runMembers, runSync, type SyncRunOptions, syncRunMembers } from '../runtime/run';
import { fail, integer, object, optional, parse, typedArray } from '../runtime/validate';
import { type FirSpecification, firSpecification, halfLength } from './fir-specification';
import { type NativeFir, nativeDmmv } from './native';
import type { Numbers } from './problem';
import { nativeSearch, searchAt, searchMembers, type SearchOptions, type SearchResult } from './search';

interface FirStart {
  /**
   * Half impulse response to start from, from the centre outwards: h[(taps - 1) / 2 - d] for d = 0, 1, ... (type I), 1, 2,
   * ... (type III), or 1/2, 3/2, ... (types II and IV); integers in units of the last bit. Where the specification asks for a
   * number of zero taps, they are those of this response.
   */
  initial?: Int32Array | readonly number[];
}

/** Options of {@link designFir}. */
export interface FirOptions extends SearchOptions, FirStart {}

/** Options of {@link designFirSync}. */
export interface FirSyncOptions
  extends Omit<SearchOptions, 'signal' | 'onAbort'>, SyncRunOptions<Int32Array>, FirStart {}

/** A designed filter. */
export interface FirDesign extends SearchResult {
  /**
   * The whole impulse response, `taps` integers; divide by 2^(wordLength - 1) for gains. Symmetric (types I and II), or
   * antisymmetric: h[i] = -h[taps - 1 - i].
   */
  readonly coefficients: Int32Array;
  /** Largest weighted error on the grid, divided by `gainFactor`. */
  readonly ripple: number;
  /** Largest weighted error between the grid points too, divided by `gainFactor`. */
  readonly continuousRipple: number;
  /** Ripple of the best filter with real coefficients. */
  readonly unquantisedRipple: number;
  /** Its half impulse response, from the centre outwards, in units of the last bit. */
  readonly unquantised: Float64Array;
  /** The same, every coefficient moved to the nearest one that the specification allows. */
  readonly rounded: Int32Array;
  /** Ripple of `rounded`. */
  readonly roundedRipple: number;
  /** Factor of all gains, 1 without `gainRange`. */
  readonly gainFactor: number;
  /**
   * Amplitude response A(f): the frequency response is A(f) exp(-i pi f (taps - 1) / 2), times i for types III and IV.
   *
   * @param points  frequencies in units of the Nyquist frequency; or how many equally spaced ones from 0 to 1, at least 2
   */
  response(points: number | Numbers): Float64Array;
}

function initialSchema(specification: NativeFir): ReturnType<typeof optional<Int32Array>> {
  return optional((value, argument) => {
    const half = typedArray(['Int32Array'], {
      length: halfLength(specification),
      per: 'from the centre outwards',
    })(value, argument);
    const limit = 2 ** (specification.wordLength - 1);
    half.forEach((coefficient, k) => {
      if (coefficient < -limit || coefficient >= limit) {
        fail('ERR_OUT_OF_RANGE', `${argument}[${k}]`, `in [${-limit}, ${limit - 1}]`, coefficient);
      }
    });
    return half;
  });
}

const argumentsAt = { ...searchAt, ...homes({ specification: ['maxSignedPowers'] }) };

type NativeDesign = Omit<FirDesign, 'response'>;

/** Adds what needs the specification to what native code returned. */
function finish(specification: NativeFir, found: NativeDesign): FirDesign {
  const half = Float64Array.from(found.coefficients.subarray(0, (specification.taps + 1) / 2)).reverse();
  // the centre of an antisymmetric response is none of its coefficients
  const entries = half.subarray(half.length - halfLength(specification));
  return {
    coefficients: found.coefficients,
    ripple: found.ripple,
    continuousRipple: found.continuousRipple,
    unquantisedRipple: found.unquantisedRipple,
    unquantised: found.unquantised,
    rounded: found.rounded,
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
    response: (points) => firResponse(entries, specification, points),
  };
}

/** Amplitude response of a half impulse response in units of the last bit. @internal */
export function firResponse(
  half: Float64Array,
  { type, wordLength }: Pick<NativeFir, 'type' | 'wordLength'>,
  points: number | Numbers,
): Float64Array {
  let frequencies: Float64Array;
  if (typeof points === 'number') {
    const count = parse(points, 'points', integer({ min: 2, max: 2 ** 24 }));
    frequencies = Float64Array.from({ length: count }, (_, i) => i / (count - 1));
  } else {
    frequencies = parse(points, 'points', typedArray(['Float64Array']));
  }
  return callNative(() => nativeDmmv.firResponse(half, type, wordLength, frequencies));
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
 * Designs a linear-phase filter with integer coefficients and the smallest weighted ripple.
 *
 * The response of type I is A(f) = 2^(1 - wordLength) (x_0 + 2 sum_k x_k cos(k pi f)), f in units of the Nyquist frequency;
 * type II has cos((k + 1/2) pi f), types III and IV sines. The ripple is max weight |A(f) - gain - slope f| over a grid;
 * `continuousRipple` also looks between the grid points.
 *
 * @param specification  see {@link FirSpecification}
 * @param options        see {@link FirOptions}; with no limit the run ends when it stagnates
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARG_VALUE  the specification is not one, naming the member
 * @throws ERR_OUT_OF_MEMORY  `maxSignedPowers` allows more than 2^22 values a coefficient
 * Source: arXiv 2508.13437; benchmark family of Brisebarre, Filip, Hanrot, IEEE TSP 66(10), 2018.
 *
 * @example
 * const filter = await dmmv.designFir({
 *   taps: 35, wordLength: 8,
 *   bands: [{ from: 0, to: 0.4, gain: 1 }, { from: 0.5, to: 1, gain: 0 }],
 * });
 */
export async function designFir(specification: FirSpecification, options: FirOptions = {}): Promise<FirDesign> {
  const checked = parse(specification, 'specification', firSpecification);
  const given = parse(options, 'options', object({ ...runMembers, ...searchMembers, initial: initialSchema(checked) }));
  return finish(checked, await runAsync<NativeDesign>(given, start(checked, given), argumentsAt));
}

/** The synchronous twin of {@link designFir}: blocks the calling thread. */
export function designFirSync(specification: FirSpecification, options: FirSyncOptions = {}): FirDesign {
  const checked = parse(specification, 'specification', firSpecification);
  const given = parse(
    options,
    'options',
    object({ ...syncRunMembers, ...searchMembers, initial: initialSchema(checked) }),
  );
  return finish(checked, runSync<NativeDesign>(given, start(checked, given), argumentsAt));
}
