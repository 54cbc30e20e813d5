// How runs went: losses over iterations, in powers of ten.
import { arrayOf, fail, object, optional, parse, withDefault } from '../runtime/validate';
import { numbers, text } from './picture';
import { linePlot } from './plot';

/** One run. */
export interface ConvergenceCurve {
  /** Words in the legend. */
  label: string;
  /** What fell: one value per iteration, the start first. */
  values: ArrayLike<number>;
  /** Iterations, seconds or evaluations of the values; default 0, 1, 2, ... */
  at?: ArrayLike<number>;
}

/** What is drawn. */
export interface ConvergencePlot {
  /** Heading. */
  title: string;
  /** Runs to compare; one at least. */
  curves: readonly ConvergenceCurve[];
  /** Default `'iteration'`. */
  xLabel?: string;
  /** Default `'loss'`. */
  yLabel?: string;
}

const colors = ['#1d4ed8', '#ea580c', '#047857', '#9333ea', '#b91c1c', '#52606d'];

/** The next of 1, 2, 5 times a power of ten. */
function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  return power * (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1);
}
const roundUp = (value: number): number => 1 / roundDown(1 / value);

const schema = object({
  title: text,
  curves: arrayOf(object({ label: text, values: numbers, at: optional(numbers) }), { min: 1 }),
  xLabel: withDefault(text, 'iteration'),
  yLabel: withDefault(text, 'loss'),
});

/**
 * Losses over iterations as an SVG picture, in powers of ten; values that are not above 0 are left out.
 *
 * @throws ERR_SHAPE_MISMATCH  `at` of another length than `values`
 */
export function convergencePlot(plot: ConvergencePlot): string {
  const { title, curves, xLabel, yLabel } = parse(plot, 'plot', schema);
  const all = curves.map(({ label, values, at }, k) => {
    const x = at ?? Array.from(values, (_, i) => i);
    if (x.length !== values.length) {
      fail('ERR_SHAPE_MISMATCH', `plot.curves[${k}].at`, `an array of length ${values.length} (as \`values\`)`, x);
    }
    return { label, x, y: values, color: colors[k % colors.length] as string };
  });
  const positive = all.flatMap(({ y }) => Array.from(y).filter((value) => value > 0 && Number.isFinite(value)));
  const [low, high] = positive.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0]);
  const last = all.reduce((most, { x }) => Array.from(x).reduce((a, b) => Math.max(a, b), most), 0);
  return linePlot({
    description: `${title}: ${curves.map(({ label }) => label).join(', ')}`,
    panels: [
      {
        title,
        xLabel,
        yLabel,
        xRange: [0, last === 0 ? 1 : last],
        yRange: high === 0 ? [0.1, 1] : [roundDown(low), roundUp(high)],
        yScale: 'log',
        series: all,
      },
    ],
  });
}
