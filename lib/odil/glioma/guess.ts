// Where inference starts: parameters by rules of thumb and a forward run that is stopped where it looks most like the
// images (odil.md, section 7.5).
import { makeError } from '../../runtime/errors';
import { integer, number, object, oneOf, optional, parse, withDefault } from '../../runtime/validate';
import type { State } from '../state';
import { diffusionCoefficients, grow, type Growth, seed } from './forward';
import { classes, dice, segment } from './labels';
import type { Patient } from './patient';
import { tissueFaces } from './tissue';
import { resample, type Shape3, voxels } from './volume';

/** What is inferred of a tumour beside its concentration. */
export interface GliomaParameters {
  /** Diffusion in white matter, mm^2 per day. */
  diffusion: number;
  /** Proliferation per day. */
  growth: number;
  /** Where it began, mm from the corner of the part. */
  centre: Shape3;
  /** Concentration per PET signal. */
  petScale: number;
  /** Concentration from which a voxel looks like core. */
  coreThreshold: number;
  /** Concentration from which a voxel looks like oedema. */
  oedemaThreshold: number;
  /** Diffusion in white over that in grey matter. */
  ratio: number;
  /** PET signal of healthy tissue. */
  petBackground: number;
}

/** An initial guess. */
export interface Guess {
  /** Concentrations, time by x by y by z, row-major. */
  readonly u: Float64Array;
  /** By rules of thumb. */
  readonly parameters: GliomaParameters;
  /** Days of the forward run that were kept; the parameters stretch them to all days. */
  readonly keptDays: number;
  /** Agreement of the last row with the images. */
  readonly dice: {
    /** Of the core. */
    readonly core: number;
    /** Of the oedema. */
    readonly oedema: number;
  };
}

/** Options of `initialGuess`. */
export interface InitialGuessOptions {
  /** Rows in time; default 192. */
  timeCells?: number;
  /** Days from the first cell to the images; default 100. */
  days?: number;
  /** Most steps of the forward run; default 4608. */
  steps?: number;
  /** `'official'`: with the faces of the published code. */
  compat?: 'official';
}

const guessed = {
  growth: 0.12,
  ratio: 100,
  coreThreshold: 0.65,
  oedemaThreshold: 0.3,
  petScale: 1,
  petBackground: 0.3,
};
const steepestDiffusion = 25;
const scoreEvery = 100;
const fewestScores = 10;

/** Parameters as the unknowns of `problems.glioma`. */
export function parameterState(of: GliomaParameters): Required<State<Float64Array>>['parameters'] {
  return {
    diffusion: Float64Array.of(of.diffusion),
    growth: Float64Array.of(of.growth),
    centre: Float64Array.from(of.centre),
    petScale: Float64Array.of(of.petScale),
    coreThreshold: Float64Array.of(of.coreThreshold),
    oedemaThreshold: Float64Array.of(of.oedemaThreshold),
    logRatio: Float64Array.of(Math.log10(of.ratio)),
    petBackground: Float64Array.of(of.petBackground),
  };
}

/** The reverse: what the unknowns of `problems.glioma` mean. */
export function parametersOf(state: State): GliomaParameters {
  const one = (name: string, element = 0): number => state.parameters?.[name]?.[element] as number;
  return {
    diffusion: Math.abs(one('diffusion')),
    growth: Math.abs(one('growth')),
    centre: [one('centre', 0), one('centre', 1), one('centre', 2)],
    petScale: Math.abs(one('petScale')),
    coreThreshold: Math.abs(one('coreThreshold')),
    oedemaThreshold: Math.abs(one('oedemaThreshold')),
    ratio: 10 ** Math.abs(one('logRatio')),
    petBackground: Math.abs(one('petBackground')),
  };
}

/**
 * An initial guess from a patient's images. The forward run is made twice, once to find where to stop and once to keep
 * the rows that are wanted: memory is that of the result, not of all steps.
 *
 * @throws ERR_OUT_OF_RANGE  more rows than steps that were kept
 * Cost: up to 2 `steps` explicit steps, seconds at 48^3.
 */
export function initialGuess(patient: Patient, options: InitialGuessOptions = {}): Guess {
  const { timeCells, days, steps, compat } = parse(
    options,
    'options',
    object({
      timeCells: withDefault(integer({ min: 2 }), 192),
      days: withDefault(number({ above: 0 }), 100),
      steps: withDefault(integer({ min: 1 }), 4608),
      compat: optional(oneOf(['official'])),
    }),
  );
  const { scan, centre } = patient;
  const { shape } = scan;
  const count = (label: number): number => scan.classes.reduce((total, value) => total + Number(value === label), 0);
  const [core, oedema] = [count(classes.core), count(classes.oedema)];
  const diffusion = Math.min(core === 0 ? 0.12 : oedema / core, steepestDiffusion * guessed.growth);

  const start = resample(seed(patient.classes.shape, centre), shape, 'linear').values;
  const tissue = { white: { shape, values: scan.white }, grey: { shape, values: scan.grey } };
  const coefficients = diffusionCoefficients(tissueFaces(tissue, compat), diffusion, guessed.ratio);
  const growth: Growth = {
    growth: guessed.growth,
    timeStep: days / steps,
    steps,
    spacing: shape.map((cells, axis) => (scan.extent[axis] as number) / cells) as unknown as Shape3,
  };

  const thresholds = { core: guessed.coreThreshold, oedema: guessed.oedemaThreshold };
  const agreement = (state: Float64Array): { core: number; oedema: number } => {
    const found = segment(state, thresholds);
    return { core: dice(scan.classes, found, classes.core), oedema: dice(scan.classes, found, classes.oedema) };
  };
  const scores = [0];
  let kept = steps;
  grow(coefficients, start, {
    ...growth,
    afterStep: (step, state) => {
      if (step % scoreEvery !== 0) return false;
      const found = agreement(state);
      const score = found.core * core + found.oedema * oedema;
      scores.push(score);
      const [before, last] = [scores.at(-3) as number, scores.at(-2) as number];
      const falling = scores.length > fewestScores && before > last && before > score && score > 0;
      if (falling) kept = step - 2 * scoreEvery;
      return falling;
    },
  });

  const stride = Math.floor(kept / timeCells);
  if (stride === 0) {
    throw makeError(
      'ERR_OUT_OF_RANGE',
      'options.timeCells',
      `\`options.timeCells\` must be at most ${kept}, the steps of the forward run that were kept, got the number ${timeCells}`,
    );
  }
  const u = new Float64Array(timeCells * voxels(shape));
  let row = 0;
  const last = grow(coefficients, start, {
    ...growth,
    afterStep: (step, state) => {
      if (step % stride === 0) {
        u.set(state, row * state.length);
        row += 1;
      }
      return row === timeCells;
    },
  });
  const keptDays = growth.timeStep * kept;
  return {
    u,
    parameters: {
      ...guessed,
      diffusion: (diffusion * keptDays) / days,
      growth: (guessed.growth * keptDays) / days,
      centre,
    },
    keptDays,
    dice: agreement(last),
  };
}
