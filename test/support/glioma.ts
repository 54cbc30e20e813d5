// The tumour of the published code's example in the synthetic brain, and how far a reconstruction is from it.
import { odil } from '../../lib';

const { glioma } = odil;

/** The example as it is solved on so many cells along each axis. */
export function exampleTumour(cells: number): {
  patient: odil.glioma.Patient;
  /** What is to be found: the concentration in the last row. */
  truth: Float64Array;
  /** Of a field's last row: root mean square error, and overlap of what can be seen (a tenth and more). */
  judge: (u: ArrayLike<number>) => { error: number; dice: number };
} {
  const brain = glioma.syntheticBrain(64);
  const tumour = glioma.growTumour(
    brain,
    {
      diffusion: 0.04,
      growth: 0.07,
      ratio: 20,
      centres: [[28, 25, 33]],
      thresholds: { necrotic: 0.8, core: 0.5, oedema: 0.25 },
    },
    { compat: 'official' },
  );
  const shape = [cells, cells, cells] as const;
  const patient = glioma.preparePatient({ labels: tumour.labels, ...brain }, { cells: shape });
  const truth = glioma.resample(glioma.crop(tumour.concentration, patient.box), shape, 'linear').values;
  const visible = (values: Float64Array): Float64Array => values.map((value) => Number(value >= 0.1));
  const judge = (u: ArrayLike<number>): { error: number; dice: number } => {
    const last = Float64Array.from({ length: truth.length }, (_, i) => u[u.length - truth.length + i] as number);
    const squares = truth.reduce((sum, value, i) => sum + (value - (last[i] as number)) ** 2, 0);
    return { error: Math.sqrt(squares / truth.length), dice: glioma.dice(visible(truth), visible(last), 1) };
  };
  return { patient, truth, judge };
}
