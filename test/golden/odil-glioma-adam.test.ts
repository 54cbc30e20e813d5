// Adam on the glioma problem, end to end from a synthetic brain: losses and parameters of the published operator and of
// the corrected one, measured with the official code.
import { odil } from '../../lib';
import { exampleTumour } from '../support/glioma';

const { glioma } = odil;

function publishedCase(): Pick<odil.problems.GliomaOptions, 'scan' | 'guess'> {
  const { patient } = exampleTumour(16);
  return { scan: patient.scan, guess: glioma.initialGuess(patient, { timeCells: 32, compat: 'official' }) };
}

test.each([
  { compat: 'official', losses: { 50: 0.205, 100: 0.0577 }, last: 0.0126, diffusion: 0.0854, growth: 0.0603 },
  { compat: undefined, losses: { 50: 0.128 }, last: 0.00268, diffusion: 0.1001, growth: 0.0538 },
] as const)('Adam, compat: $compat', async ({ compat, losses, last, diffusion, growth }) => {
  const options = compat === undefined ? { prior: 0 } : { compat };
  using problem = odil.problems.glioma({ ...publishedCase(), ...options });
  const solution = await problem.solve({ method: 'adam', multigrid: { levels: 3 }, maxIterations: 400 });
  const history = solution.history as odil.FirstOrderRecord[];
  for (const [iteration, loss] of Object.entries(losses)) {
    expect(Math.abs((history[Number(iteration)]?.loss as number) / loss - 1)).toBeLessThan(0.01);
  }
  // The loss jumps with the centre of the tumour, so that later values depend on rounding.
  expect(solution.loss).toBeLessThan(1.05 * last);
  const found = glioma.parametersOf(solution);
  expect(Math.abs(found.diffusion / diffusion - 1)).toBeLessThan(0.01);
  expect(Math.abs(found.growth / growth - 1)).toBeLessThan(0.01);
});
