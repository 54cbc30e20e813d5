// `discrete-descent solve`: problems by name, by JSON file, by a module of the user's, from images; what it writes and
// how it exits.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formats, odil } from '../../lib';

const main = path.join(__dirname, '..', '..', 'dist', 'cli', 'main.js');
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-solve-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => path.join(folder, name);
function solve(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'solve', ...args], { cwd: folder, encoding: 'utf8' });
}
interface Result {
  status: string;
  loss: number;
  unknowns: number;
  iterations: number;
  parameters: Record<string, number[]>;
  fields: Record<string, { file: string; shape: number[] }>;
  history: { loss: number }[];
  files: Record<string, string>;
}
function solved(...args: string[]): Result {
  const { status, stdout, stderr } = solve(...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Result;
}

test('a problem by name: fields, numbers, pictures and a page', () => {
  const result = solved(
    'poisson',
    '--cells',
    '16',
    '--set',
    'reference=osc',
    '--set',
    'rightHandSide=exact',
    '-o',
    'poisson',
  );
  expect(result.loss).toBeLessThan(1e-10);
  expect(result.unknowns).toBe(256);
  const u = formats.readNpy(at('poisson/u.npy'));
  expect(u.shape).toEqual([16, 16]);
  using same = odil.problems.poisson({ cells: 16, reference: 'osc', rightHandSide: 'exact' });
  expect(same.evaluate({ fields: { u: u.data as Float64Array } }).loss).toBeLessThan(1e-10);
  expect(Object.keys(result.files)).toEqual(
    expect.arrayContaining(['u.npy', 'solution.json', 'u.svg', 'u-difference.svg', 'index.html']),
  );
  const page = fs.readFileSync(at('poisson/index.html'), 'utf8');
  expect(page.match(/<svg/g)?.length).toBeGreaterThanOrEqual(2);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  expect(JSON.parse(fs.readFileSync(at('poisson/solution.json'), 'utf8'))).toMatchObject({ loss: result.loss });
});

test('heat with an unknown conductivity makes its own measurements, the same for the same seed', () => {
  const flags = [
    'heat',
    '--cells',
    '12',
    '--time-cells',
    '12',
    '--infer-conductivity',
    '--measurements',
    '20',
    '--max-iterations',
    '8',
  ];
  const result = solved(...flags, '-o', 'heat', '--cards', 'cards.json');
  expect(result.unknowns).toBe(144 + 46);
  expect(result.history.length).toBeGreaterThan(3);
  expect(result.history[result.history.length - 1]?.loss).toBeLessThan(result.history[0]?.loss as number);
  expect(Object.keys(result.files)).toEqual(expect.arrayContaining(['conductivity.svg', 'u.svg', 'convergence.svg']));
  expect(JSON.parse(fs.readFileSync(at('cards.json'), 'utf8'))).toEqual([
    { heading: 'Heat with unknown conductivity', html: expect.stringContaining('<svg') as string },
  ]);
  expect(solved(...flags, '-o', 'again', '--no-pictures').loss).toBe(result.loss);
  expect(fs.readdirSync(at('again')).sort()).toEqual(['solution.json', 'u.npy']);
});

test('a JSON file with arrays beside it', () => {
  const mask = Float64Array.from({ length: 64 }, (_, i) => Number(i % 5 === 0));
  formats.writeNpy(at('mask.npy'), { shape: [8, 8], data: mask });
  fs.writeFileSync(at('values.json'), JSON.stringify(Array.from({ length: 8 }, () => new Array<number>(8).fill(0.1))));
  const file = {
    problem: 'heat',
    options: { cells: 8, timeCells: 8, data: { mask: 'mask.npy', values: 'values.json', weight: 3 } },
    solve: { maxIterations: 20, normalization: 'sum' },
  };
  fs.writeFileSync(at('case.json'), JSON.stringify(file));
  const result = solved('case.json', '-o', 'case', '--field-format', 'json');
  using problem = odil.problems.heat({
    ...file.options,
    data: { mask, values: new Float64Array(64).fill(0.1), weight: 3 },
  });
  expect(result.loss).toBe(problem.solveSync({ maxIterations: 20, normalization: 'sum' }).loss);
  const u = JSON.parse(fs.readFileSync(at('case/u.json'), 'utf8')) as { shape: number[]; values: number[] };
  expect(u).toMatchObject({ shape: [8, 8] });
  expect(u.values).toHaveLength(64);
});

const definition = `
  axes: { t: { cells: 6 }, x: { cells: 8, upper: 2 } },
  fields: { u: 'cc' },
  parameters: { rate: { initial: [0.5] } },
  residuals: ({ u, rate, at, where, step }) => ({
    decay: where(at.t.first, u.minus(1), u.minus(u.shift({ t: -1 })).over(step.t).plus(u.times(rate))),
    seen: [u.pick({ t: -1, x: 3 }).minus(0.5)],
  }),`;

test('a module of the user: an object, or a function of the package', () => {
  fs.writeFileSync(at('decay.mjs'), `export default {${definition} solve: { maxIterations: 50 } };`);
  fs.writeFileSync(at('decay.cjs'), `module.exports = ({ odil }) => (odil.exp(0), {${definition} });`);
  const result = solved('decay.mjs', '-o', 'decay');
  expect(result.loss).toBeLessThan(1e-20);
  expect(result.parameters['rate']?.[0]).toBeCloseTo(1.2 * (2 ** 0.2 - 1) * 5, 6);
  expect(solved('decay.cjs', '-o', 'decay2').parameters).toEqual(result.parameters);
});

test('a module in TypeScript where Node reads it; otherwise it says what to do', () => {
  fs.writeFileSync(at('decay.mts'), `const none: number = 0;\nexport default {${definition} };\nvoid none;`);
  const { status, stderr } = solve('decay.mts', '-o', 'typed');
  if ((process.features as { typescript?: unknown }).typescript) {
    expect(status).toBe(0);
  } else {
    expect(status).toBe(2);
    expect(stderr).toMatch(/decay\.mts is TypeScript, .* use Node 22\.18 or newer, or compile it to JavaScript/);
  }
});

test('glioma from NIfTI files: the result lies on the voxels of the images', () => {
  const brain = odil.glioma.syntheticBrain(32);
  const tumour = odil.glioma.growTumour(
    brain,
    {
      diffusion: 0.04,
      growth: 0.07,
      ratio: 20,
      centres: [[14, 13, 17]],
      thresholds: { oedema: 0.25, core: 0.5, necrotic: 0.8 },
    },
    { days: 60 },
  );
  const affine: formats.Affine = [
    [1, 0, 0, -10],
    [0, 1, 0, 5],
    [0, 0, 1, 7],
  ];
  const write = (name: string, { shape, values }: odil.glioma.Volume): void =>
    formats.writeNifti(at(name), { shape, values, affine });
  write('seg.nii.gz', tumour.labels);
  write('wm.nii', brain.white);
  write('gm.nii', brain.grey);
  const images = ['--labels', 'seg.nii.gz', '--white', 'wm.nii', '--grey', 'gm.nii'];
  const sizes = ['--cells', '12', '--time-cells', '6', '--max-iterations', '3', '--slice'];
  const result = solved('glioma', ...images, ...sizes, '-o', 'tumour');
  expect(result.fields['u']?.shape).toEqual([6, 12, 12, 1]);
  const found = formats.readNifti(at('tumour/concentration.nii.gz'));
  expect(found.shape.slice(0, 2)).toEqual([32, 32]);
  expect(found.affine[0][3]).toBe(-10);
  expect(found.affine[2][3]).toBeGreaterThan(7);
  expect(Math.max(...found.values)).toBeGreaterThan(0.3);
  expect(fs.readFileSync(at('tumour/slices.svg'), 'utf8')).toContain('core (image)');
  // The other labels of BraTS.
  const renamed = tumour.labels.values.map((label) => ({ 0: 0, 1: 4, 3: 2, 4: 1 })[label] as number);
  write('brats.nii', { shape: tumour.labels.shape, values: renamed });
  const same = solved(
    'glioma',
    '--labels',
    'brats.nii',
    ...images.slice(2),
    '--label-values',
    '4,2,1',
    ...sizes,
    '-o',
    'other',
  );
  expect(same.loss).toBe(result.loss);
});

test('glioma without oedema says that there is nothing to guess from', () => {
  const { white, grey } = odil.glioma.syntheticBrain(16);
  const core = Float64Array.from({ length: 16 ** 3 }, (_, i) =>
    Number(Math.abs((i % 16) - 8) < 3 && Math.abs((i >> 8) - 8) < 3),
  );
  formats.writeNifti(at('core.nii'), { shape: [16, 16, 16], values: core });
  formats.writeNifti(at('white.nii'), white);
  formats.writeNifti(at('grey.nii'), grey);
  const files = ['--labels', 'core.nii', '--white', 'white.nii', '--grey', 'grey.nii'];
  const { status, stderr } = solve('glioma', ...files, '--cells', '6', '--time-cells', '6', '-o', 'never');
  expect(stderr).toMatch(/no oedema on a grid of 6 cells/);
  expect(status).toBe(2);
});

test.each([
  ['an unknown problem', ['nothing'], /nothing is no problem: .*poisson.*glioma/],
  ['an option that the problem does not have', ['wave', '--set', 'colour=3'], /`options\.colour` is not an option/],
  ['an option that solve does not have', ['wave', '--option', 'speed=3'], /`options\.speed` is not an option/],
  ['a method that there is not', ['wave', '--method', 'prayer'], /`options\.method` must be one of/],
  ['a module that is missing', ['equation.mjs'], /cannot read equation\.mjs/],
  ['a module that exports nothing', ['empty.mjs'], /empty\.mjs must export by default/],
  ['a module that throws', ['throws.mjs'], /cannot load throws\.mjs: no luck/],
  ['a JSON file that is none', ['text.json'], /text\.json is not JSON/],
  ['a JSON file without a problem', ['other.json'], /other\.json must hold \{ "problem": name/],
  ['an array that is missing', ['absent.json'], /cannot read .*absent\.npy/],
  ['glioma without images', ['glioma'], /glioma needs --labels, --white and --grey/],
  [
    'a conductivity of something else',
    ['wave', '--infer-conductivity'],
    /--infer-conductivity belongs to the problem heat/,
  ],
  ['an assignment without a name', ['wave', '--set', '=3'], /name=value/],
])('%s exits with 2 and says why', (_, args, message) => {
  fs.writeFileSync(at('empty.mjs'), 'export const nothing = 0;');
  fs.writeFileSync(at('throws.mjs'), "throw new Error('no luck');");
  fs.writeFileSync(at('text.json'), 'a text that is long enough to be no header of anything at all'.repeat(10));
  fs.writeFileSync(at('other.json'), '{ "problem": "life" }');
  fs.writeFileSync(at('absent.json'), '{ "problem": "heat", "options": { "initial": "absent.npy" } }');
  const { status, stdout, stderr } = solve(...args, '-o', 'never');
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(fs.existsSync(at('never'))).toBe(false);
});

test('files that are damaged exit with 1 and are named', () => {
  fs.writeFileSync(at('damaged.npy'), 'numbers');
  fs.writeFileSync(at('damaged.json'), '{ "problem": "heat", "options": { "initial": "damaged.npy" } }');
  fs.writeFileSync(at('damaged.nii'), 'voxels'.repeat(100));
  const image = solve('glioma', '--labels', 'damaged.nii', '--white', 'a', '--grey', 'b', '-o', 'never');
  expect(image).toMatchObject({ status: 1, stdout: '' });
  expect(image.stderr).toMatch(/`damaged\.nii` is not a NIfTI file/);
  const array = solve('damaged.json', '-o', 'never');
  expect(array).toMatchObject({ status: 1, stdout: '' });
  expect(array.stderr).toMatch(/damaged\.npy` does not begin like an NPY file/);
});

test('a folder that cannot be made exits with 1', () => {
  fs.writeFileSync(at('occupied'), '');
  const { status, stderr } = solve('wave', '--cells', '4', '--time-cells', '4', '-o', 'occupied/results');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^discrete-descent: /);
});
