// The picture of a designed filter: magnitude on top, weighted error in the bands below.
import type { FirDesign, FirSpecification } from '../dmmv';
import { firResponse } from '../dmmv/fir';
import { typeNumbers } from '../dmmv/fir-specification';
import { linePlot, type Series } from './plot';

const colors = { ours: '#1d4ed8', rounding: '#ea580c', real: '#94a3b8' };
const points = 2049;

const decibels = (response: Float64Array): Float64Array =>
  response.map((value) => 20 * Math.log10(Math.max(Math.abs(value), 1e-12)));

function inBands(
  specification: FirSpecification,
  gainFactor: number,
  frequencies: Float64Array,
  response: Float64Array,
): Float64Array {
  return frequencies.map((frequency, i) => {
    const band = specification.bands.find(({ from, to }) => frequency >= from - 1e-12 && frequency <= to + 1e-12);
    return band === undefined
      ? NaN
      : ((band.weight ?? 1) * ((response[i] as number) - gainFactor * (band.gain + (band.slope ?? 0) * frequency))) /
          gainFactor;
  });
}

/** A ripple with three digits. @internal */
export function rippleText(value: number): string {
  return value >= 1e-3 ? value.toPrecision(3) : value.toExponential(2);
}

/**
 * Magnitude and weighted error of a filter, beside what rounding gives, as SVG text.
 *
 * @param specification  what was asked for
 * @param design         what `designFir` returned
 * @param name           heading of the picture
 */
export function firPlot(specification: FirSpecification, design: FirDesign, name: string): string {
  const frequencies = Float64Array.from({ length: points }, (_, i) => i / (points - 1));
  const { gainFactor, ripple, roundedRipple } = design;
  const { wordLength, type = 'I' } = specification;
  const form = { type: typeNumbers[type], wordLength };
  const responses = {
    ours: design.response(frequencies),
    rounding: firResponse(Float64Array.from(design.rounded), form, frequencies),
    real: firResponse(design.unquantised, form, frequencies),
  };
  const curve = (key: keyof typeof responses, label: string, y: Float64Array, width?: number): Series => ({
    label,
    x: frequencies,
    y,
    color: colors[key],
    ...(width !== undefined && { width }),
  });
  const error = (key: keyof typeof responses): Float64Array =>
    inBands(specification, gainFactor, frequencies, responses[key]);
  const floor = Math.max(-160, Math.floor((20 * Math.log10(Math.max(design.unquantisedRipple, 1e-9)) - 25) / 10) * 10);
  const reach = Math.max(roundedRipple, ripple) * 1.15 || 1;
  const shaded = specification.bands.map(({ from, to, gain, slope = 0, weight = 1 }) => ({
    from,
    to,
    label: `gain ${gain}${slope === 0 ? '' : ` + ${slope} f`}${weight === 1 ? '' : `, weight ${weight}`}`,
  }));
  return linePlot({
    description: `${name}: response and weighted error of the designed filter and of rounding`,
    panels: [
      {
        title: `${name}: magnitude`,
        xLabel: 'frequency (fraction of Nyquist)',
        yLabel: 'dB',
        xRange: [0, 1],
        yRange: [floor, 10],
        shaded,
        series: [
          curve('real', 'real coefficients', decibels(responses.real), 1.4),
          curve('rounding', 'rounded', decibels(responses.rounding), 1.4),
          curve('ours', 'discrete-descent', decibels(responses.ours)),
        ],
      },
      {
        title: `${name}: weighted error in the bands`,
        xLabel: 'frequency (fraction of Nyquist)',
        yLabel: 'weight x (response - gain)',
        xRange: [0, 1],
        yRange: [-reach, reach],
        shaded: shaded.map(({ from, to }) => ({ from, to })),
        levels: [
          { y: roundedRipple, label: `rounded: ${rippleText(roundedRipple)}`, color: colors.rounding },
          { y: ripple, label: `discrete-descent: ${rippleText(ripple)}`, color: colors.ours },
          { y: -ripple, label: '', color: colors.ours },
        ],
        series: [
          curve('rounding', 'rounded', error('rounding'), 1.4),
          curve('ours', 'discrete-descent', error('ours')),
        ],
      },
    ],
  });
}
