// Functions that optimisers are compared on, with where their minima lie.
import { callNative } from '../runtime/errors';
import { boolean, fail, integer, number, object, parse, withDefault } from '../runtime/validate';
import { type NativeObjectiveHandle, nativeObjectives } from './models/native';
import { NativeObjective } from './models/native-objective';
import type { OptimizerOptions } from './options';

/** Names of the functions, in the order of native/polystep/objectives/functions.hpp. */
const kinds = [
  'ackley',
  'beale',
  'branin',
  'griewank',
  'levy',
  'rastrigin',
  'rosenbrock',
  'sphere',
  'styblinskiTang',
] as const;

/** What every function takes. */
export interface FunctionOptions {
  /** Standard deviation of normal noise, a function of seed, step and point; default 0. */
  noise?: number;
  /** Whether the sign is turned, for optimisers that maximise; default false. */
  negate?: boolean;
}

/** What functions of any dimension take. */
export interface DimensionedFunctionOptions extends FunctionOptions {
  /** Number of coordinates; default 2. */
  dimension?: number;
}

/** How long a search is: see {@link FunctionObjective.searchOptions}. */
export interface FunctionSearch {
  /** Evaluations of the whole run; default 12000. */
  evaluations?: number;
}

/** A test function as an objective, with what is known of it. */
export class FunctionObjective extends NativeObjective {
  /** Which function. */
  readonly name: string;
  /** Lower end of the usual box, one number per coordinate. */
  readonly lower: Float64Array;
  /** Upper end of the usual box, one number per coordinate. */
  readonly upper: Float64Array;
  /** Where the minimum lies (the maximum when negated), each place it has. */
  readonly optima: readonly Float64Array[];
  /** The value there, without noise. */
  readonly optimum: number;

  /** @internal */
  constructor(
    handle: NativeObjectiveHandle,
    name: string,
    box: { lower: Float64Array; upper: Float64Array },
    optima: readonly Float64Array[],
    optimum: number,
  ) {
    super(handle, box.lower.length);
    this.name = name;
    this.lower = box.lower;
    this.upper = box.upper;
    this.optima = optima;
    this.optimum = optimum;
  }

  /**
   * Options of `minimize` and `createOptimizer` that suit smooth functions, with many minima or few, whatever their
   * coordinates: one simplex around one point, costs standardised at a temperature of 2. In the first 0.3 of the run its
   * radius falls from twice the half width of the box to 0.02 of it, so that dents are averaged over, while momentum
   * grows to 0.95; in the rest it falls to 2e-6 of it, along whatever valley was found. Candidates are not kept in the box.
   * Give `maxEvaluations: evaluations` beside them; `initial` is a random point of the box, its centre where its
   * coordinates differ.
   *
   * @param options  see {@link FunctionSearch}
   * @throws ERR_OUT_OF_RANGE  `evaluations` below those of one step, dimension + 1
   */
  searchOptions(options: FunctionSearch = {}): OptimizerOptions {
    const each = this.dimension + 1;
    const schema = object({ evaluations: withDefault(integer({ min: each }), Math.max(12000, each)) });
    const { evaluations } = parse(options, 'options', schema);
    const width = this.upper.reduce((sum, end, i) => sum + (end - (this.lower[i] as number)), 0) / (2 * this.dimension);
    const [low, high] = [this.lower[0] as number, this.upper[0] as number];
    const alike = this.lower.every((end, i) => end === low && this.upper[i] === high);
    const steps = Math.floor(evaluations / each);
    const wide = Math.round(0.3 * steps);
    const radius = (factor: number) => (step: number) => {
      const [begin, from, end, to] = step < wide ? [0, 2, wide, 0.02] : [wide, 0.02, steps, 2e-6];
      return factor * width * from * (to / from) ** ((step - begin) / (end - begin));
    };
    return {
      mode: 'population',
      polytope: 'simplex',
      scaleCost: 'rowStd',
      epsilon: 2,
      momentum: { initial: 0, final: 0.95, steps: Math.max(1, wide) },
      stepRadius: radius(1),
      probeRadius: radius(2), // the one probe lies at half of it
      adaptiveRadius: false,
      initial: alike ? { uniform: [low, high] } : this.upper.map((end, i) => (end + (this.lower[i] as number)) / 2),
    };
  }
}

interface Facts {
  /** One pair for all coordinates, or one per coordinate. */
  bounds: readonly [number, number] | readonly (readonly [number, number])[];
  /** One coordinate for all, or whole points. */
  optima: number | readonly (readonly number[])[];
  /** Per coordinate where the optimum grows with the dimension. */
  optimum: (dimension: number) => number;
}

const zero = (): number => 0;

const facts: Record<(typeof kinds)[number], Facts> = {
  ackley: { bounds: [-6, 6], optima: 0, optimum: zero },
  beale: { bounds: [-4.5, 4.5], optima: [[3, 0.5]], optimum: zero },
  branin: {
    bounds: [
      [-5, 10],
      [0, 15],
    ],
    optima: [
      [-Math.PI, 12.275],
      [Math.PI, 2.275],
      [3 * Math.PI, 2.475],
    ],
    optimum: () => 10 / (8 * Math.PI),
  },
  griewank: { bounds: [-600, 600], optima: 0, optimum: zero },
  levy: { bounds: [-10, 10], optima: 1, optimum: zero },
  rastrigin: { bounds: [-5.12, 5.12], optima: 0, optimum: zero },
  rosenbrock: { bounds: [-5, 5], optima: 1, optimum: zero },
  sphere: { bounds: [-5.12, 5.12], optima: 0, optimum: zero },
  styblinskiTang: {
    bounds: [-5, 5],
    optima: -2.903534027771177,
    optimum: (dimension) => -39.16616570377142 * dimension,
  },
};

function make(name: (typeof kinds)[number], dimension: number, noise: number, negate: boolean): FunctionObjective {
  const { bounds, optima, optimum } = facts[name];
  const end = (side: 0 | 1): Float64Array =>
    Float64Array.from({ length: dimension }, (_, i) => {
      const pair = bounds[0];
      return typeof pair === 'number' ? (bounds[side] as number) : ((bounds[i] as readonly number[])[side] as number);
    });
  const places =
    typeof optima === 'number'
      ? [new Float64Array(dimension).fill(optima)]
      : optima.map((place) => Float64Array.from(place));
  const kind = kinds.indexOf(name);
  const handle = callNative(() => nativeObjectives.createFunction({ kind, dimension, noise, negate }));
  const value = negate ? -optimum(dimension) : optimum(dimension);
  return new FunctionObjective(handle, name, { lower: end(0), upper: end(1) }, places, value);
}

const common = { noise: withDefault(number({ min: 0 }), 0), negate: withDefault(boolean, false) };

function ofAnyDimension(
  name: (typeof kinds)[number],
  options: DimensionedFunctionOptions,
  least: number,
): FunctionObjective {
  const { dimension, noise, negate } = parse(
    options,
    'options',
    object({ dimension: withDefault(integer({ min: 1, max: 2 ** 31 - 1 }), 2), ...common }),
  );
  if (dimension < least) fail('ERR_OUT_OF_RANGE', 'options.dimension', `an integer of at least ${least}`, dimension);
  return make(name, dimension, noise, negate);
}

function ofTwo(name: (typeof kinds)[number], options: FunctionOptions): FunctionObjective {
  const { noise, negate } = parse(options, 'options', object(common));
  return make(name, 2, noise, negate);
}

/** -20 exp(-0.2 sqrt(mean x^2)) - exp(mean cos(2 pi x)) + 20 + e: a funnel full of dents; 0 at the origin. */
export function ackley(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('ackley', options, 1);
}

/** Beale's function of two variables: flat valleys with sharp walls; 0 at (3, 0.5). */
export function beale(options: FunctionOptions = {}): FunctionObjective {
  return ofTwo('beale', options);
}

/** Branin's function of two variables: three minima of one depth, 0.397887. */
export function branin(options: FunctionOptions = {}): FunctionObjective {
  return ofTwo('branin', options);
}

/** sum x^2 / 4000 - prod cos(x_i / sqrt(i)) + 1: a wide bowl with ripples; 0 at the origin. */
export function griewank(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('griewank', options, 1);
}

/** Levy's function: waves along and across; 0 at (1, ..., 1). */
export function levy(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('levy', options, 1);
}

/** sum x^2 - 10 cos(2 pi x) + 10: a grid of minima; 0 at the origin. */
export function rastrigin(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('rastrigin', options, 1);
}

/** sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2, two coordinates and more: a curved valley; 0 at (1, ..., 1). */
export function rosenbrock(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('rosenbrock', options, 2);
}

/** sum x^2: 0 at the origin. */
export function sphere(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('sphere', options, 1);
}

/** sum (x^4 - 16 x^2 + 5 x) / 2: two valleys a coordinate, one deeper; -39.16617 a coordinate. */
export function styblinskiTang(options: DimensionedFunctionOptions = {}): FunctionObjective {
  return ofAnyDimension('styblinskiTang', options, 1);
}
