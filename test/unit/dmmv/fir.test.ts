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

test('a start outside the word is refused', async () => {
  await expect(dmmv.designFir(lowpass, { initial: new Int32Array(11).fill(64) })).rejects.toMatchObject({
    code: 'ERR_OUT_OF_RANGE',
    argument: 'options.initial[0]',
  });
});
