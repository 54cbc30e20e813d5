// FIR design as its user meets it.
import { dmmv } from '../../../lib';
import { errorWith } from '../../support/errors';

const lowpass: dmmv.FirSpecification = {
  taps: 21,
  wordLength: 7,
  bands: [
    { from: 0, to: 0.35, gain: 1 },
    { from: 0.55, to: 1, gain: 0, weight: 2 },
  ],
};

test('a filter is symmetric, in range, better than rounding and true to its figures', async () => {
  const design = await dmmv.designFir(lowpass, { maxIterations: 20_000 });
  expect(design.coefficients).toHaveLength(21);
  expect([...design.coefficients].reverse()).toEqual([...design.coefficients]);
  expect(Math.max(...design.coefficients)).toBeLessThanOrEqual(63);
  expect(Math.min(...design.coefficients)).toBeGreaterThanOrEqual(-64);
  expect(design.ripple).toBeLessThanOrEqual(design.roundedRipple);
  expect(design.ripple).toBeGreaterThanOrEqual(design.lowerBound);
  expect(design.continuousRipple).toBeGreaterThanOrEqual(design.ripple * (1 - 1e-12));
  expect(design.continuousRipple).toBeLessThan(design.ripple * 1.05);
  expect(design.unquantisedRipple).toBeLessThanOrEqual(design.ripple);
});

test('the response is the one its ripple speaks of', async () => {
  const design = await dmmv.designFir(lowpass, { maxIterations: 2000 });
  const frequencies = Float64Array.from({ length: 4001 }, (_, i) => i / 4000);
  const response = design.response(frequencies);
  expect(design.response(4001)).toEqual(response);
  let worst = 0;
  for (const { from, to, gain, weight = 1 } of lowpass.bands) {
    frequencies.forEach((frequency, i) => {
      if (frequency >= from && frequency <= to)
        worst = Math.max(worst, weight * Math.abs((response[i] as number) - gain));
    });
  }
  expect(worst).toBeLessThanOrEqual(design.continuousRipple * (1 + 1e-9));
  expect(worst).toBeGreaterThan(design.continuousRipple * 0.98);
  expect(() => design.response(1)).toThrow(errorWith('ERR_OUT_OF_RANGE', 'points'));
});

test('a free passband gain is never worse than a fixed one', async () => {
  const options = { maxIterations: 30_000 };
  const fixed = await dmmv.designFir(lowpass, options);
  const free = await dmmv.designFir({ ...lowpass, gainRange: { min: 0.8, max: 1.3 } }, options);
  expect(free.gainFactor).toBeGreaterThanOrEqual(0.8);
  expect(free.gainFactor).toBeLessThanOrEqual(1.3);
  expect(free.ripple).toBeLessThanOrEqual(fixed.ripple * (1 + 1e-9));
});

test('the synchronous twin designs the same filter', async () => {
  const options = { maxIterations: 3000, seed: 4 };
  expect(dmmv.designFirSync(lowpass, options).coefficients).toEqual(
    (await dmmv.designFir(lowpass, options)).coefficients,
  );
});

test('one tap and two bits are a filter too', async () => {
  const design = await dmmv.designFir({ taps: 1, wordLength: 2, bands: [{ from: 0, to: 1, gain: 0.4 }] });
  expect([...design.coefficients]).toEqual([1]);
  expect(design.ripple).toBeCloseTo(0.1, 12);
});

test.each<[string, object, string, string]>([
  ['an even length', { taps: 20 }, 'ERR_INVALID_ARG_VALUE', 'specification.taps'],
  ['an odd length', { taps: 21, type: 'IV' }, 'ERR_INVALID_ARG_VALUE', 'specification.taps'],
  ['a centre without sides', { taps: 1, type: 'III' }, 'ERR_OUT_OF_RANGE', 'specification.taps'],
  ['an unknown type', { type: 'V' }, 'ERR_INVALID_ARG_VALUE', 'specification.type'],
  ['a zero tap beyond the end', { zeroTaps: [0, 21] }, 'ERR_OUT_OF_RANGE', 'specification.zeroTaps[1]'],
  ['more zero taps than taps', { zeroTaps: 22 }, 'ERR_OUT_OF_RANGE', 'specification.zeroTaps'],
  ['no signed powers', { maxSignedPowers: 0 }, 'ERR_OUT_OF_RANGE', 'specification.maxSignedPowers'],
  ['too many levels', { wordLength: 30, maxSignedPowers: 9 }, 'ERR_OUT_OF_MEMORY', 'specification.maxSignedPowers'],
  ['no taps', { taps: 0 }, 'ERR_OUT_OF_RANGE', 'specification.taps'],
  ['one bit', { wordLength: 1 }, 'ERR_OUT_OF_RANGE', 'specification.wordLength'],
  ['no bands', { bands: [] }, 'ERR_SHAPE_MISMATCH', 'specification.bands'],
  [
    'a band beyond Nyquist',
    { bands: [{ from: 0, to: 1.1, gain: 1 }] },
    'ERR_OUT_OF_RANGE',
    'specification.bands[0].to',
  ],
  ['a band backwards', { bands: [{ from: 0.5, to: 0.4, gain: 1 }] }, 'ERR_OUT_OF_RANGE', 'specification.bands[0].to'],
  [
    'overlapping bands',
    {
      bands: [
        { from: 0, to: 0.5, gain: 1 },
        { from: 0.4, to: 1, gain: 0 },
      ],
    },
    'ERR_OUT_OF_RANGE',
    'specification.bands[1].from',
  ],
  [
    'a weight of 0',
    { bands: [{ from: 0, to: 1, gain: 1, weight: 0 }] },
    'ERR_OUT_OF_RANGE',
    'specification.bands[0].weight',
  ],
  ['a gain of NaN', { bands: [{ from: 0, to: 1, gain: NaN }] }, 'ERR_NOT_FINITE', 'specification.bands[0].gain'],
  ['a gain range backwards', { gainRange: { min: 2, max: 1 } }, 'ERR_OUT_OF_RANGE', 'specification.gainRange.max'],
  ['a misspelt member', { tapes: 3 }, 'ERR_INVALID_ARG_VALUE', 'specification.tapes'],
])('%s is refused', async (_, change, code, argument) => {
  await expect(dmmv.designFir({ ...lowpass, ...change })).rejects.toMatchObject({ code, argument });
});

const types = [
  ['I', 21],
  ['II', 22],
  ['III', 21],
  ['IV', 22],
] as const;

/** The discrete Fourier transform of an impulse response at one frequency, its linear phase taken off: [real, imaginary]. */
function transform(coefficients: Int32Array, wordLength: number, frequency: number): [number, number] {
  const centre = (coefficients.length - 1) / 2;
  const part = (wave: (angle: number) => number): number =>
    coefficients.reduce((sum, value, i) => sum + value * wave(Math.PI * frequency * (centre - i)), 0) /
    2 ** (wordLength - 1);
  return [part(Math.cos), part(Math.sin)];
}

test.each(types)(
  'type %s: the transform of its coefficients is the response and has the ripple',
  async (type, taps) => {
    const bands = [
      { from: 0.1, to: 0.5, gain: 0.2, slope: 0.6 },
      { from: 0.75, to: 0.9, gain: 0, weight: 2 },
    ];
    const design = await dmmv.designFir({ taps, type, wordLength: 8, bands }, { maxIterations: 5000 });
    const antisymmetric = type === 'III' || type === 'IV';
    design.coefficients.forEach((value, i) => {
      expect(value + 0).toBe((antisymmetric ? -1 : 1) * (design.coefficients[taps - 1 - i] as number) + 0);
    });
    const frequencies = Float64Array.from({ length: 2001 }, (_, i) => i / 2000);
    const response = design.response(frequencies);
    let worst = 0;
    frequencies.forEach((frequency, i) => {
      const [real, imaginary] = transform(design.coefficients, 8, frequency);
      const value = response[i] as number;
      expect(Math.abs(value - (antisymmetric ? imaginary : real))).toBeLessThan(1e-13);
      expect(Math.abs(antisymmetric ? real : imaginary)).toBeLessThan(1e-13);
      for (const { from, to, gain, slope = 0, weight = 1 } of bands) {
        if (frequency >= from && frequency <= to)
          worst = Math.max(worst, weight * Math.abs(value - gain - slope * frequency));
      }
    });
    expect(worst).toBeLessThanOrEqual(design.continuousRipple * (1 + 1e-9));
    expect(worst).toBeGreaterThan(design.continuousRipple * 0.98);
    expect(design.ripple).toBeLessThanOrEqual(design.roundedRipple);
    expect(design.ripple).toBeGreaterThanOrEqual(design.lowerBound);
  },
);

test('coefficients of few signed powers of two, some of them zero', async () => {
  const specification = { ...lowpass, wordLength: 10, maxSignedPowers: 2, zeroTaps: [3, 7] };
  const halves: Int32Array[] = [];
  const design = await dmmv.designFir(specification, {
    maxIterations: 5000,
    onProgress: ({ best }) => halves.push(best as Int32Array),
  });
  const terms = (value: number): number => {
    const bits = ((3 * Math.abs(value)) ^ Math.abs(value)) >> 1; // ones where the non-adjacent form has digits
    return bits.toString(2).replaceAll('0', '').length;
  };
  expect(Math.max(...[...design.coefficients].map(terms))).toBe(2);
  expect([3, 17, 7, 13].map((tap) => design.coefficients[tap])).toEqual([0, 0, 0, 0]);
  for (const half of halves) expect(half).toHaveLength(11);
  const again = await dmmv.designFir(specification, {
    initial: design.coefficients.slice(10),
    maxIterations: 1,
  });
  expect(again.ripple).toBeLessThanOrEqual(design.ripple);
  await expect(dmmv.designFir(specification, { initial: new Int32Array(11).fill(7 * 16 + 5) })).rejects.toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
    argument: 'options.initial[0]',
  });
});

test('a number of zero taps', async () => {
  const design = await dmmv.designFir({ ...lowpass, zeroTaps: 8 }, { maxIterations: 2000 });
  expect(design.coefficients.filter((value) => value === 0).length).toBeGreaterThanOrEqual(8);
});

test('a batch makes the designs that each specification gives alone, whatever the threads', async () => {
  const specifications: dmmv.FirSpecification[] = types.map(([type, taps]) => ({
    taps,
    type,
    wordLength: 7,
    bands: [{ from: 0.2, to: 0.8, gain: 0.5 }],
  }));
  const ended: number[] = [];
  const designs = await dmmv.designFirBatch(specifications, {
    maxIterations: 2000,
    threads: 3,
    onDesign: (_, index) => ended.push(index),
  });
  expect(ended.sort()).toEqual([0, 1, 2, 3]);
  for (const [k, specification] of specifications.entries()) {
    const { coefficients } = await dmmv.designFir(specification, { maxIterations: 2000, threads: 2 });
    expect(designs[k]?.coefficients).toEqual(coefficients);
  }
  await expect(dmmv.designFirBatch([lowpass, { ...lowpass, taps: 8 }])).rejects.toMatchObject({
    argument: 'specifications[1].taps',
  });
  const reason = new Error('enough');
  await expect(
    dmmv.designFirBatch(specifications, {
      onDesign: () => {
        throw reason;
      },
      maxIterations: 100,
    }),
  ).rejects.toBe(reason);
  await expect(dmmv.designFirBatch([lowpass], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('a start outside the word is refused', async () => {
  await expect(dmmv.designFir(lowpass, { initial: new Int32Array(11).fill(64) })).rejects.toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
    argument: 'options.initial[0]',
  });
});
