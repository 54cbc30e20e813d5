// The glioma model end to end on the synthetic brain, and the corrected operator, which has no golden vector.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';
import { exampleTumour } from '../../support/glioma';
import { difference } from '../../support/odil';
import { uniforms } from '../../support/philox-random';

const { glioma } = odil;
type Shape3 = odil.glioma.Shape3;

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
const random = (count: number, seed: number): Float64Array => new Float64Array(count).map(uniforms(seed));

/** Tissue with holes, up to the ends of the volume. */
function patchyTissue(shape: Shape3, seed: number): odil.glioma.Tissue {
  const count = shape[0] * shape[1] * shape[2];
  const [white, grey, kind] = [random(count, seed), random(count, seed + 1), random(count, seed + 2)];
  const cut = (values: Float64Array) => values.map((value, i) => ((kind[i] as number) < 0.2 ? 0 : value));
  return { white: { shape, values: cut(white) }, grey: { shape, values: cut(grey) } };
}

describe('volumes', () => {
  test('resampling keeps the corners, and linear functions linear', () => {
    const shape = [4, 5, 3] as const;
    const plane = (x: number, y: number, z: number): number => 1 + 2 * x - 3 * y + 0.5 * z;
    const values = new Float64Array(60);
    values.forEach((_, i) => (values[i] = plane(Math.floor(i / 15), Math.floor(i / 3) % 5, i % 3)));
    const fine = glioma.resample({ shape, values }, [7, 9, 5], 'linear').values;
    fine.forEach((value, i) => {
      const at = [Math.floor(i / 45) / 2, (Math.floor(i / 5) % 9) / 2, (i % 5) / 2] as const;
      expect(value).toBeCloseTo(plane(...at), 12);
    });
    const labels = { shape: [2, 1, 1] as const, values: Float64Array.of(1, 4) };
    expect([...glioma.resample(labels, [4, 1, 1], 'nearest').values]).toEqual([1, 1, 4, 4]);
  });

  test('boxes are moved out by the margin and stay inside', () => {
    const shape = [10, 10, 10] as const;
    const values = new Float64Array(1000);
    for (const x of [1, 2, 3, 4]) values[x * 100 + 5 * 10 + 8] = 1;
    expect(glioma.boundingBox({ shape, values })).toEqual({ from: [1, 5, 8], to: [5, 6, 9] });
    expect(glioma.boundingBox({ shape, values }, 0.1, 0.5)).toEqual({ from: [0, 5, 8], to: [6, 7, 10] });
    expect(glioma.boundingBox({ shape, values }, 0.1, 3)?.from).toEqual([0, 4, 7]);
    expect(glioma.boundingBox({ shape, values }, 1)).toBeUndefined();
    expect([...glioma.crop({ shape, values }, { from: [0, 5, 8], to: [3, 6, 9] }).values]).toEqual([0, 1, 1]);
  });
});

describe('growth', () => {
  test('the corrected operator conserves what it moves, the official one does not', () => {
    const shape = [5, 6, 7] as const;
    const tissue = patchyTissue(shape, 3);
    const start = random(210, 9);
    const grown = (compat?: 'official'): Float64Array =>
      glioma.grow(glioma.diffusionCoefficients(glioma.tissueFaces(tissue, compat), 0.5, 10), start, {
        growth: 0,
        timeStep: 0.1,
        steps: 20,
      });
    expect(total(grown())).toBeCloseTo(total(start), 10);
    expect(Math.abs(total(grown('official')) - total(start))).toBeGreaterThan(1e-3);
    expect(difference(grown(), start)).toBeGreaterThan(0.1);
  });

  test('without diffusion every voxel follows the logistic curve', () => {
    const tissue = patchyTissue([2, 2, 2], 5);
    const still = glioma.diffusionCoefficients(glioma.tissueFaces(tissue), 0, 10);
    const start = random(8, 1);
    const end = glioma.grow(still, start, { growth: 0.1, timeStep: 0.01, steps: 2000 });
    const logistic = start.map((u) => 1 / (1 + (1 / u - 1) * Math.exp(-2)));
    expect(difference(end, logistic)).toBeLessThan(1e-3);
  });
});

describe('equation of the problem', () => {
  const shape = [3, 4, 5] as const;
  const tissue = patchyTissue(shape, 11);
  const extent = [6, 5, 4] as const;
  const cells = 60;
  const scan: odil.glioma.Scan = {
    shape,
    extent,
    white: tissue.white.values,
    grey: tissue.grey.values,
    classes: random(cells, 21).map((value) => Math.floor(3 * value)),
  };
  const parameters: odil.glioma.GliomaParameters = {
    diffusion: 0.3,
    growth: 0.07,
    centre: [3, 2.5, 2],
    petScale: 1,
    coreThreshold: 0.6,
    oedemaThreshold: 0.3,
    ratio: 20,
    petBackground: 0.2,
  };
  const state = (u: Float64Array): odil.State<Float64Array> => ({
    fields: { u },
    parameters: glioma.parameterState(parameters),
  });
  const spacing = shape.map((count, axis) => (extent[axis] as number) / count) as unknown as Shape3;

  test('is Crank-Nicolson with the operator of the forward model', () => {
    using problem = odil.problems.glioma({ scan, timeCells: 3, days: 6 });
    const u = random(3 * cells, 31);
    const found = problem.evaluate(state(u)).residuals['equation'] as Float64Array;
    // One explicit step of length 1 is u + (L u + rho u (1 - u)).
    const coefficients = glioma.diffusionCoefficients(glioma.tissueFaces(tissue), 0.3, 20);
    const rows = [0, 1, 2].map((t) => u.subarray(t * cells, (t + 1) * cells));
    const changes = rows.map((row) => {
      const next = glioma.grow(coefficients, row, { growth: 0.07, timeStep: 1, steps: 1, spacing });
      return next.map((value, i) => value - (row[i] as number));
    });
    const expected = new Float64Array(3 * cells);
    for (const t of [1, 2]) {
      for (let i = 0; i < cells; i += 1) {
        const rise = ((rows[t]?.[i] as number) - (rows[t - 1]?.[i] as number)) / 2;
        const change = ((changes[t]?.[i] as number) + (changes[t - 1]?.[i] as number)) / 2;
        expected[t * cells + i] = 2400 * (rise - change);
      }
    }
    expect(difference(found, expected)).toBeLessThan(1e-10);
  });

  test('empty cells can grow: the slope of the reaction at 0 is 1, in the official code 0', () => {
    const diagonal = (compat?: 'official'): number => {
      using problem = odil.problems.glioma({ scan, timeCells: 2, days: 6, ...(compat && { compat }) });
      const matrix = problem.jacobian(state(new Float64Array(2 * cells)));
      // The row of `equation` (after the one of `bounds`) for the last cell and time, by that cell's own value.
      const column = 2 * cells - 1;
      for (let k = matrix.columnPointers[column] as number; k < (matrix.columnPointers[column + 1] as number); k += 1) {
        if (matrix.rowIndices[k] === 2 * cells) return (matrix.values[k] as number) / 2400;
      }
      return NaN;
    };
    const faces = (compat?: 'official'): number => {
      const { upper, lower } = glioma.diffusionCoefficients(glioma.tissueFaces(tissue, compat), 0.3, 20);
      return [0, 1, 2].reduce((sum, k) => {
        const both = (upper[k]?.[cells - 1] as number) + (lower[k]?.[cells - 1] as number);
        return sum + both / (spacing[k] as number) ** 2;
      }, 0);
    };
    expect(diagonal()).toBeCloseTo(1 / 3 + faces() / 2 - 0.07 / 2, 12);
    expect(diagonal('official')).toBeCloseTo(1 / 3 + faces('official') / 2, 12);
  });

  test('start: cut by default, tapered where asked for', () => {
    const at = (initialCondition: 'cut' | 'taper'): Float64Array => {
      using problem = odil.problems.glioma({ scan, timeCells: 2, initialCondition });
      return problem.evaluate(state(new Float64Array(2 * cells))).residuals['start'] as Float64Array;
    };
    const [cut, taper] = [at('cut'), at('taper')];
    const g = (x: number, y: number, z: number): number =>
      (1500 / (60 * Math.PI) ** 1.5) * Math.exp(-((x - 3) ** 2 + (y - 2.5) ** 2 + (z - 2) ** 2) / 60);
    const corner = g(1, 0.625, 0.4);
    expect(cut[0]).toBeCloseTo(-1000 * corner, 10);
    expect(taper[0]).toBeCloseTo((-1000 * corner) / (1 + Math.exp(-(corner - 0.1) / 0.03)), 10);
    expect(total(cut.subarray(cells))).toBe(0);
  });

  test('prior: a sum of squares in units of its spreads, none at the guess', () => {
    const guess = { u: random(2 * cells, 1), parameters, keptDays: 50, dice: { core: 1, oedema: 1 } };
    using problem = odil.problems.glioma({ scan, guess, prior: 0.01 });
    const own = problem.initialState();
    expect(problem.evaluate(own).blocks['prior']?.loss).toBeLessThan(1e-30);
    const moved = glioma.parameterState({ ...parameters, diffusion: 0.3 * Math.exp(1), centre: [5, 2.5, 2] });
    const { loss } = problem.evaluate({ fields: own.fields, parameters: moved }).blocks['prior'] as { loss: number };
    expect(loss).toBeCloseTo(0.01 * (2 ** 2 + 1), 12);
    using byDefault = odil.problems.glioma({ scan, guess });
    const weight = (byDefault.evaluate({ fields: own.fields, parameters: moved }).blocks['prior'] as { loss: number })
      .loss;
    expect(weight).toBeCloseTo(3e-4 * 16 * 5, 12);
    using official = odil.problems.glioma({ scan, guess, compat: 'official' });
    expect(official.blockNames).not.toContain('prior');
  });

  test('parameters there and back', () => {
    const back = glioma.parametersOf(state(new Float64Array(0)));
    expect(back.ratio).toBeCloseTo(20, 12);
    expect({ ...back, ratio: 20 }).toEqual(parameters);
  });

  test.each([
    [{ scan: { ...scan, white: random(3, 1) } }, 'ERR_SHAPE_MISMATCH', 'options.scan.white'],
    [{ scan: { ...scan, extent: [1, 0, 1] as const } }, 'ERR_OUT_OF_RANGE', 'options.scan.extent[1]'],
    [{ scan, prior: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.guess'],
    [{ scan, prior: -1 }, 'ERR_OUT_OF_RANGE', 'options.prior'],
    [{ scan, guess: 3 as never }, 'ERR_INVALID_ARG_TYPE', 'options.guess'],
    [
      { scan: { ...scan, classes: new Float64Array(cells).fill(4) } },
      'ERR_INVALID_ARG_VALUE',
      'options.scan.classes[0]',
    ],
    [{ scan, guess: { u: random(7, 1), parameters } }, 'ERR_SHAPE_MISMATCH', 'options.guess.u'],
    [
      { scan, guess: { u: random(cells * 2, 1), parameters: { ...parameters, growth: 0 } } },
      'ERR_OUT_OF_RANGE',
      'options.guess.parameters.growth',
    ],
    [{ scan, guess: { u: random(cells * 2, 1).fill(NaN), parameters } }, 'ERR_NOT_FINITE', 'options.guess.u[0]'],
  ])('bad options %#', (options, code, argument) => {
    expect(() => odil.problems.glioma(options)).toThrow(errorWith(code, argument));
  });
});

test('the published case: crop, initial guess and its error, as measured with the official code', () => {
  const { patient, judge } = exampleTumour(16);
  expect(patient.box).toEqual({ from: [4, 4, 9], to: [54, 49, 59] });
  const guess = glioma.initialGuess(patient, { timeCells: 32, compat: 'official' });
  expect(guess.keptDays).toBeCloseTo(47.743, 3);
  expect(guess.parameters.diffusion).toBeCloseTo(0.1152, 3);
  expect(guess.parameters.growth).toBeCloseTo(0.0573, 4);
  [23.96, 21.13, 23.696].forEach((at, axis) => expect(guess.parameters.centre[axis]).toBeCloseTo(at, 2));
  const { error, dice } = judge(guess.u);
  expect(error).toBeCloseTo(0.0769, 4);
  expect(dice).toBeCloseTo(0.805, 3);
});

describe('patients', () => {
  const shape = [32, 32, 32] as const;
  const brain = glioma.syntheticBrain(32);
  const tumour = glioma.growTumour(
    brain,
    {
      diffusion: 0.05,
      growth: 0.1,
      ratio: 20,
      centres: [[15, 13, 17]],
      thresholds: { necrotic: 0.8, core: 0.5, oedema: 0.2 },
    },
    { days: 20 },
  );
  const images = { labels: tumour.labels, ...brain };

  test('drawn tumours: the same for the same seed, within the published ranges', () => {
    const draws = Array.from({ length: 50 }, (_, seed) => glioma.drawTumour(seed, [64, 64, 64]));
    expect(glioma.drawTumour(7, [64, 64, 64])).toEqual(draws[7]);
    expect(new Set(draws.map(({ diffusion }) => diffusion)).size).toBe(50);
    for (const { diffusion, growth, ratio, centres, thresholds } of draws) {
      for (const rate of [diffusion, growth]) expect(Math.abs(rate - 0.1175)).toBeLessThanOrEqual(0.0825);
      expect(Math.abs(ratio - 20)).toBeLessThanOrEqual(10);
      expect(thresholds.oedema < thresholds.core && thresholds.core < thresholds.necrotic).toBe(true);
      for (const at of centres[0] as Shape3) expect(at >= 19 && at <= 32 && Number.isInteger(at)).toBe(true);
    }
    expect(glioma.drawTumour(1, [64, 64, 64], 3).centres).toHaveLength(3);
  });

  test('PET: in [0, 1], in tissue only, the same bytes for the same seed', () => {
    const pet = glioma.petImage(tumour, brain, 4);
    expect(pet.values.reduce((a, b) => Math.max(a, b))).toBe(1);
    expect(pet.values.every((value) => value >= 0)).toBe(true);
    const fluid = pet.values.filter(
      (_, i) => (brain.white.values[i] as number) + (brain.grey.values[i] as number) < 0.1,
    );
    expect(total(fluid)).toBe(0);
    expect(glioma.petImage(tumour, brain, 4)).toEqual(pet);
    expect(glioma.petImage(tumour, brain, 5)).not.toEqual(pet);
  });

  test('with PET, and back into the volume it came from', () => {
    const pet = glioma.petImage(tumour, brain);
    const patient = glioma.preparePatient({ ...images, pet }, { cells: [6, 6, 6] });
    expect(patient.scan.pet).toHaveLength(216);
    const core = patient.classes.values.filter((value) => value === glioma.classes.core);
    expect(core.length).toBeGreaterThan(0);
    const back = glioma.restore(new Float64Array(216).fill(2), patient, shape);
    const inside = back.values.filter((value) => value === 2).length;
    expect(inside).toBe(patient.classes.values.length);
    using problem = odil.problems.glioma({ scan: patient.scan, timeCells: 4 });
    expect(problem.blockNames).toContain('pet');
  });

  test('labels of the BraTS challenge itself', () => {
    const renamed = tumour.labels.values.map((label) => [0, 4, 0, 2, 1][label] as number);
    const challenge = { shape, values: renamed };
    const patient = glioma.preparePatient(
      { ...images, labels: challenge },
      { cells: [6, 6, 6], labels: { enhancing: 4, oedema: 2, necrotic: 1 } },
    );
    expect(patient).toEqual(glioma.preparePatient(images, { cells: [6, 6, 6] }));
  });

  test('the guess refuses more rows than its run has steps', () => {
    const patient = glioma.preparePatient(images, { cells: [4, 4, 4] });
    expect(() => glioma.initialGuess(patient, { timeCells: 20, steps: 10 })).toThrow(
      errorWith('ERR_OUT_OF_RANGE', 'options.timeCells'),
    );
  });

  test.each([
    [
      { ...images, white: { shape: [2, 2, 2] as const, values: new Float64Array(8) } },
      'ERR_SHAPE_MISMATCH',
      'images.white.shape',
    ],
    [{ ...images, labels: { shape, values: new Float64Array(32768) } }, 'ERR_INVALID_ARG_VALUE', 'images.labels'],
    [
      { ...images, labels: { shape, values: new Float64Array(32768).fill(3) } },
      'ERR_INVALID_ARG_VALUE',
      'images.labels',
    ],
    [
      { ...images, grey: { shape, values: new Float64Array(32768).fill(NaN) } },
      'ERR_NOT_FINITE',
      'images.grey.values[0]',
    ],
    [{ ...images, pet: { shape, values: new Float64Array(32768) } }, 'ERR_INVALID_ARG_VALUE', 'images.pet'],
    [
      { ...images, labels: { shape, values: new Float64Array(32768).fill(2) } },
      'ERR_INVALID_ARG_VALUE',
      'images.labels.values[0]',
    ],
    [{ ...images, grey: { shape, values: [1] } }, 'ERR_SHAPE_MISMATCH', 'images.grey.values'],
  ])('bad images %#', (bad, code, argument) => {
    expect(() => glioma.preparePatient(bad)).toThrow(errorWith(code, argument));
  });
});

describe('plans', () => {
  const shape = [9, 8, 7] as const;
  const count = 9 * 8 * 7;
  const at = (i: number): Shape3 => [Math.floor(i / 56), Math.floor(i / 7) % 8, i % 7];

  test('the standard plan is a dilation inside the brain', () => {
    const tumour = { shape, values: random(count, 2).map((value) => Number(value > 0.99)) };
    const brain = { shape, values: random(count, 3).map((value) => Number(value > 0.3)) };
    const seeds = Array.from(tumour.values.keys()).filter((i) => tumour.values[i] === 1);
    expect(seeds.length).toBeGreaterThan(2);
    const near = (i: number): boolean =>
      seeds.some((j) => Math.hypot(...at(i).map((x, axis) => x - (at(j)[axis] as number))) <= 2.5);
    const expected = brain.values.map((inside, i) => Number(inside === 1 && near(i)));
    expect(glioma.standardPlan(tumour, brain, 2.5).values).toEqual(expected);
    const nothing = { shape, values: new Float64Array(count) };
    expect(total(glioma.standardPlan(nothing, brain).values)).toBe(0);
  });

  test('the model plan takes the highest concentrations, as many as the other plan', () => {
    const concentration = { shape, values: random(count, 4) };
    const brain = { shape, values: new Float64Array(count).fill(1) };
    const like = { shape, values: new Float64Array(count).map((_, i) => Number(i < 50)) };
    const plan = glioma.modelPlan(concentration, brain, like);
    expect(total(plan.values)).toBe(50);
    const least = concentration.values.filter((_, i) => plan.values[i] === 1).reduce((a, b) => Math.min(a, b));
    const rest = concentration.values.filter((_, i) => plan.values[i] === 0).reduce((a, b) => Math.max(a, b));
    expect(least).toBeGreaterThan(rest);
    expect(glioma.coverage(plan, plan)).toBe(100);
    expect(glioma.coverage(plan, brain)).toBeCloseTo((100 * 50) / count, 12);
    expect(() => glioma.coverage(plan, { shape, values: new Float64Array(count) })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'recurrence'),
    );
    expect(() => glioma.modelPlan(concentration, { shape: [1, 1, 1], values: new Float64Array(1) }, like)).toThrow(
      errorWith('ERR_SHAPE_MISMATCH', 'brain'),
    );
  });
});

test('brains: one for every seed, fractions of what fills a voxel, nothing at the ends of the volume', () => {
  const size = 20;
  const brains = [undefined, 0, 1, 2, 3, 4, 5, 6, 7].map((seed) =>
    glioma.syntheticBrain(size, seed === undefined ? {} : { seed }),
  );
  for (const { white, grey } of brains) {
    const total = white.values.map((value, i) => value + (grey.values[i] as number));
    expect(Math.min(...white.values, ...grey.values)).toBe(0);
    expect(Math.max(...total)).toBeLessThanOrEqual(1 + 1e-12);
    // About as much tissue as in the formulas without a seed: a fifth of the volume.
    const share = total.reduce((sum, value) => sum + value, 0) / size ** 3;
    expect(share).toBeGreaterThan(0.12);
    expect(share).toBeLessThan(0.3);
    const ends = total.filter((_, i) => {
      const at = [Math.floor(i / size ** 2), Math.floor(i / size) % size, i % size];
      return at.some((index) => index === 0 || index === size - 1);
    });
    expect(Math.max(...ends)).toBeLessThan(0.1);
  }
  for (const [i, a] of brains.entries()) {
    for (const b of brains.slice(i + 1)) expect(a.white.values).not.toEqual(b.white.values);
  }
  expect(glioma.syntheticBrain(size, { seed: 3 })).toEqual(brains[4]);
  expect(() => glioma.syntheticBrain(size, { seed: -1 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.seed'));
});
