// Growth of a glioma from one set of images (odil.md, section 7.4; odil-engine.md, section 4.6; arXiv 2312.05063).
import { fail, integer, number, object, oneOf, optional, parse, typedArray, withDefault } from '../../runtime/validate';
import {
  abs,
  clip,
  exp,
  type Expression,
  type Field,
  log,
  max,
  min,
  type Parameter,
  sum,
  type Value,
  where,
} from '../expression';
import { type GliomaParameters, type Guess, parameterState } from '../glioma/guess';
import { classes } from '../glioma/labels';
import { type Scan, scanSchema } from '../glioma/patient';
import { leastMatter, tissueFaces } from '../glioma/tissue';
import { pointSchema, resample, type Shape3 } from '../glioma/volume';
import { grid } from '../grid';
import type { ParameterRangeOptions } from '../parameter-range';
import { type ParameterOptions, problem, type Residuals, type Tools } from '../definition';
import type { Problem } from '../problem';

/** Options of `problems.glioma`. */
export interface GliomaOptions {
  /** The images on the model's grid, from `glioma.preparePatient(...).scan`. */
  scan: Scan;
  /**
   * Where the unknowns start and what the prior holds on to, from `glioma.initialGuess`. Default: zeros, no prior.
   * `u` may be left out: `'control-space'` marches it from the parameters.
   */
  guess?: Pick<Guess, 'parameters'> & Partial<Pick<Guess, 'u'>>;
  /** Rows in time, at least 2; default: those of the guess, else 192. */
  timeCells?: number;
  /** Days from the first cell to the images; default 100. */
  days?: number;
  /**
   * Weight of the prior on the parameters, a sum of squares in units of how far each may lie from its guess; 0 for
   * none. Default 3e-4 * 32 / timeCells where there is a guess: without PET the images alone do not identify the
   * parameters, and the best fit is often a worse reconstruction than the guess. 0 with `compat: 'official'`.
   */
  prior?: number;
  /** Weight of the equation, on top of the published 2400; default 1. */
  equationWeight?: number;
  /**
   * `'cut'` (default): the Gaussian at the start is cut at 0.1 as published, so that the loss jumps as the centre
   * moves; `'taper'`: it fades out smoothly.
   */
  initialCondition?: 'cut' | 'taper';
  /**
   * `'official'`: the published operator, which pairs each face's coefficient with the difference across the opposite
   * face, uses the faces along y for z as well, joins the ends of the volume, and stops where u is exactly 0.
   * Default: div(D grad u), closed at the ends.
   */
  compat?: 'official';
}

const positive = number({ above: 0 });
const guessSchema = object({
  u: optional(typedArray(['Float64Array'])),
  parameters: object({
    diffusion: positive,
    growth: positive,
    centre: pointSchema,
    petScale: number({ min: 0 }),
    coreThreshold: number({ min: 0 }),
    oedemaThreshold: number({ min: 0 }),
    ratio: number({ min: 1 }),
    petBackground: number({ min: 0 }),
  }),
  keptDays: optional(number()),
  dice: optional(object({ core: number(), oedema: number() })),
});

const schema = object({
  scan: scanSchema,
  guess: optional(guessSchema),
  timeCells: optional(integer({ min: 2 })),
  days: withDefault(number({ above: 0 }), 100),
  prior: optional(number({ min: 0 })),
  equationWeight: withDefault(number({ min: 0 }), 1),
  initialCondition: withDefault(oneOf(['cut', 'taper']), 'cut'),
  compat: optional(oneOf(['official'])),
});

const spaceAxes = ['x', 'y', 'z'] as const;
type SpaceAxis = (typeof spaceAxes)[number];

const weights = { equation: 2400, start: 1000, labels: 12, labelsWithPet: 4, pet: 45, fluid: 0.01 };
const peak = 1500 / (4 * Math.PI * 15) ** 1.5;
const fourSpread = 4 * 15;
const petFloor = 0.1;

/** How far the parameters may lie from their guess: logarithms, millimetres, concentrations. */
const spread = { diffusion: 0.5, growth: 0.3, ratio: 0.7, centre: 2, threshold: 0.05 };

/** The published bounds, and the steps that the solver is willing to take at once. */
const ranges: Record<Names, ParameterRangeOptions> = {
  diffusion: { lower: 0.01, upper: 10, transform: 'log' },
  growth: { lower: 0.02, transform: 'log' },
  centre: { scale: 2 },
  petScale: { lower: 0.5, upper: 1.02, transform: 'log' },
  coreThreshold: { lower: 0.5, upper: 0.85, scale: 0.1 },
  oedemaThreshold: { lower: 0.2, upper: 0.5, scale: 0.1 },
  logRatio: { lower: 1, upper: 3, scale: 0.7 / Math.LN10 },
  petBackground: { lower: 0, upper: 0.5, scale: 0.1 },
};

/** Sequences of grids begin at about these. */
const leastCells = { time: 48, space: 12 };

const noParameters: GliomaParameters = {
  diffusion: 0,
  growth: 0,
  centre: [0, 0, 0],
  petScale: 0,
  coreThreshold: 0,
  oedemaThreshold: 0,
  ratio: 1,
  petBackground: 0,
};

type Names =
  'diffusion' | 'growth' | 'centre' | 'petScale' | 'coreThreshold' | 'oedemaThreshold' | 'logRatio' | 'petBackground';
type Model = ReturnType<typeof schema> & Tools<'t' | SpaceAxis> & { u: Field } & Record<Names, Parameter>;

function equation(model: Model, ratio: Expression): Expression {
  const { scan, compat, u, at, step, constant } = model;
  const { shape } = scan;
  const faces = tissueFaces({ white: { shape, values: scan.white }, grey: { shape, values: scan.grey } }, compat);
  const passage = (side: 'upper' | 'lower', k: number): Expression => {
    const { white, grey } = faces[side][k] as (typeof faces)['upper'][number];
    return constant(white, '.ccc').plus(constant(grey, '.ccc').over(ratio));
  };
  const alongAxis = (axis: SpaceAxis, k: number): Expression => {
    const rise = u.shift({ [axis]: 1 }).minus(u);
    const scale = step[axis] ** 2;
    if (compat === 'official') {
      const fall = u.minus(u.shift({ [axis]: -1 }));
      return passage('lower', k).times(rise).minus(passage('upper', k).times(fall)).over(scale);
    }
    const through = where(at[axis].last, 0, passage('upper', k).times(rise));
    return through.minus(where(at[axis].first, 0, through.shift({ [axis]: -1 }))).over(scale);
  };
  // |u| (1 - u); at u = 0, where most cells start, its slope has to be 1 (the official code's is 0).
  const size = compat === 'official' ? abs(u) : where(u.lessThan(0), u.negative(), u);
  const now = sum(...spaceAxes.map(alongAxis))
    .times(abs(model.diffusion))
    .plus(size.times(u.negative().plus(1)).times(abs(model.growth)));
  const rate = u.minus(u.shift({ t: -1 })).over(step.t);
  const mean = now.plus(now.shift({ t: -1 })).over(2);
  return where(at.t.first, 0, rate.minus(mean).times(weights.equation * model.equationWeight));
}

function start({ u, at, centre, initialCondition }: Model): Expression {
  const squares = spaceAxes.map((axis, k) => at[axis].coordinate.minus(centre.element(k)).square());
  const gaussian = exp(sum(...squares).times(-1 / fourSpread)).times(peak);
  const below =
    initialCondition === 'cut'
      ? where(gaussian.greaterThan(0.1), gaussian, 0)
      : gaussian.over(exp(gaussian.minus(0.1).over(-0.03)).plus(1));
  return where(at.t.first, u.minus(min(below, 1)).times(weights.start), 0);
}

function labels({ scan, u, at, coreThreshold, oedemaThreshold, constant }: Model): {
  bottom: Expression;
  ceiling: Expression;
} {
  const label = constant(scan.classes, '.ccc'); // one array, not a mask per class: arrays are as large as the state
  const byClass = (healthy: Value, oedema: Value, core: Value): Expression =>
    where(label.lessThan(classes.oedema), healthy, where(label.lessThan(classes.core), oedema, core));
  const [high, low] = [abs(coreThreshold), abs(oedemaThreshold)];
  const least = byClass(0, low, high);
  const most = byClass(low, high, 1);
  const weight = scan.pet === undefined ? weights.labels : weights.labelsWithPet;
  const last = (excess: Expression): Expression => where(at.t.last, max(0, excess).times(weight), 0);
  return { bottom: last(least.minus(u)), ceiling: last(u.minus(most)) };
}

function bounds(model: Model, ratio: Expression): Expression {
  const outside = (value: Expression, low: number, high: number): Expression =>
    max(0, value.negative().plus(low)).plus(max(0, value.minus(high)));
  return sum(
    outside(abs(model.petScale), 0.5, 1.02),
    outside(abs(model.oedemaThreshold), 0.2, 0.5),
    outside(abs(model.coreThreshold), 0.5, 0.85),
    outside(abs(model.diffusion), 0.01, 10),
    max(0, abs(model.growth).negative().plus(0.02)),
    outside(ratio, 10, 1000),
    max(0, abs(model.petBackground).minus(0.5)),
  );
}

function prior(model: Model, guess: GliomaParameters, weight: number): Expression[] {
  const offsets = [
    log(abs(model.diffusion)).minus(Math.log(guess.diffusion)).over(spread.diffusion),
    log(abs(model.growth)).minus(Math.log(guess.growth)).over(spread.growth),
    abs(model.logRatio).times(Math.LN10).minus(Math.log(guess.ratio)).over(spread.ratio),
    ...guess.centre.map((at, k) => model.centre.element(k).minus(at).over(spread.centre)),
    abs(model.coreThreshold).minus(guess.coreThreshold).over(spread.threshold),
    abs(model.oedemaThreshold).minus(guess.oedemaThreshold).over(spread.threshold),
  ];
  // A block contributes its mean; the prior is meant as a sum.
  return offsets.map((offset) => offset.times(Math.sqrt(weight * offsets.length)));
}

function residuals(model: Model, priorWeight: number): Residuals {
  const { scan, u, at, constant, guess } = model;
  const ratio = exp(abs(model.logRatio).times(Math.LN10));
  const fluid = scan.white.map((white, i) => Number(white + (scan.grey[i] as number) < leastMatter));
  const blocks: Record<string, Expression | readonly Expression[]> = {
    bounds: [bounds(model, ratio)],
    equation: equation(model, ratio),
    start: start(model),
    ...labels(model),
    range: abs(u.minus(clip(u, 0, 1))),
    fluid: constant(fluid, '.ccc').times(u).times(weights.fluid),
  };
  if (scan.pet !== undefined) {
    const signal = constant(scan.pet, '.ccc');
    const expected = signal.minus(abs(model.petBackground)).times(abs(model.petScale));
    const misfit = where(signal.greaterThan(petFloor), u.minus(expected).times(weights.pet), 0);
    blocks['pet'] = where(at.t.last, misfit, 0);
  }
  if (guess !== undefined && priorWeight > 0) blocks['prior'] = prior(model, guess.parameters, priorWeight);
  return blocks;
}

/**
 * The Fisher-Kolmogorov equation in a brain from one set of images: field `u` (time, x, y, z at cells); parameters
 * `diffusion`, `growth`, `centre`, `petScale`, `coreThreshold`, `oedemaThreshold`, `logRatio` (base 10),
 * `petBackground`, of which the absolute value counts, as published (`glioma.parametersOf` reads them); blocks
 * `bounds`, `equation`, `start`, `bottom`, `ceiling` (what the labels allow in the last row), `range` (0 to 1), `fluid`
 * and, where there is one, `pet` and `prior`. All but `bounds` and `prior` are means over all rows in time.
 *
 * A lower loss is not a better reconstruction: judge by both.
 */
export function glioma(options: GliomaOptions): Problem {
  const given = parse(options, 'options', schema);
  const { scan, guess, compat } = given;
  const cells = scan.shape.reduce((product, count) => product * count, 1);
  const known = guess?.u;
  const timeCells = given.timeCells ?? (known === undefined ? 192 : Math.max(2, Math.floor(known.length / cells)));
  if (known !== undefined && known.length !== timeCells * cells) {
    fail('ERR_SHAPE_MISMATCH', 'options.guess.u', `of length ${timeCells * cells} (timeCells x cells)`, known);
  }
  if (guess === undefined && (given.prior ?? 0) > 0) {
    fail('ERR_INVALID_ARG_VALUE', 'options.guess', 'given where there is a prior', guess);
  }
  const priorWeight = given.prior ?? (compat === 'official' || guess === undefined ? 0 : (3e-4 * 32) / timeCells);
  const periodic = compat === 'official';
  const along = (axis: number) => ({ cells: scan.shape[axis] as number, upper: scan.extent[axis] as number, periodic });
  const of = grid({ t: { cells: timeCells, upper: given.days }, x: along(0), y: along(1), z: along(2) });
  const values = parameterState(guess?.parameters ?? noParameters);
  const parameters = Object.fromEntries(
    Object.entries(values).map(([name, initial]) => [
      name,
      guess === undefined ? { initial } : { initial, ...rangeAround(ranges[name as Names], initial) },
    ]),
  ) as Record<Names, ParameterOptions>;
  const u = known === undefined ? { location: 'cccc' } : { location: 'cccc', initial: known };
  const coarse = guess === undefined ? undefined : coarserScan(scan, timeCells);
  const coarser = () =>
    glioma({
      ...given,
      scan: coarse as Scan,
      guess: { parameters: (guess as NonNullable<typeof guess>).parameters },
      timeCells: timeCells / 2,
      prior: priorWeight,
    });
  return problem({ grid: of, fields: { u }, parameters, ...(coarse === undefined ? {} : { coarser }) }, (symbols) =>
    residuals({ ...given, ...symbols }, priorWeight),
  );
}

/** Between the published bounds, which are moved where the guess lies outside. */
function rangeAround(range: ParameterRangeOptions, initial: Float64Array): ParameterRangeOptions {
  const { lower = -Infinity, upper = Infinity, ...rest } = range as { lower?: number; upper?: number };
  return {
    ...rest,
    ...(lower === -Infinity ? {} : { lower: Math.min(lower, ...initial) }),
    ...(upper === Infinity ? {} : { upper: Math.max(upper, ...initial) }),
  };
}

/** The images on half as many cells, or nothing where they cannot be halved or little would be left. */
function coarserScan(scan: Scan, timeCells: number): Scan | undefined {
  if (timeCells % 2 !== 0 || timeCells / 2 < leastCells.time) return undefined;
  if (scan.shape.some((cells) => cells % 2 !== 0 || cells / 2 < leastCells.space)) return undefined;
  const shape = scan.shape.map((cells) => cells / 2) as unknown as Shape3;
  const half = (values: Float64Array, how: 'linear' | 'nearest') =>
    resample({ shape: scan.shape, values }, shape, how).values;
  return {
    shape,
    extent: scan.extent,
    white: half(scan.white, 'linear'),
    grey: half(scan.grey, 'linear'),
    classes: half(scan.classes, 'nearest'),
    ...(scan.pet === undefined ? {} : { pet: half(scan.pet, 'nearest') }),
  };
}
