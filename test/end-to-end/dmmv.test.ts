// dmmv on the command line, and its worked examples as they are.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { dmmv, formats } from '../../lib';

const root = path.join(__dirname, '..', '..');
const main = path.join(root, 'dist', 'cli', 'main.js');
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-dmmv-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function run(file: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [file, ...args], { cwd: folder, encoding: 'utf8' });
}

/** Grey of each pixel of a PNG of four unfiltered bytes a pixel. */
function pixels(file: string): { width: number; grey: number[] } {
  const bytes = fs.readFileSync(file);
  const width = bytes.readUInt32BE(16);
  const length = bytes.readUInt32BE(33);
  const rows = zlib.inflateSync(bytes.subarray(41, 41 + length));
  const grey: number[] = [];
  for (let at = 0; at < rows.length; at += 4 * width + 1) {
    for (let x = 0; x < width; x += 1) grey.push(rows[at + 1 + 4 * x] as number);
  }
  return { width, grey };
}

const size = 16;
const truth = Float64Array.from({ length: size * size }, (_, k) => {
  const [i, j] = [Math.floor(k / size), k % size];
  return (i > 3 && i < 7 && j > 2 && j < 12) || (i >= 7 && i < 13 && j > 2 && j < 6) ? 1 : 0;
});

function writeSinogram(name: string): void {
  const matrix = dmmv.projector({ size, angles: 8, detectors: 23 });
  const data = new Float64Array(matrix.rows);
  for (let j = 0; j < matrix.columns; j += 1) {
    for (let k = matrix.columnPointers[j] as number; k < (matrix.columnPointers[j + 1] as number); k += 1) {
      const row = matrix.rowIndices[k] as number;
      data[row] = (data[row] as number) + (matrix.values[k] as number) * (truth[j] as number);
    }
  }
  formats.writeNpy(path.join(folder, name), { shape: [8, 23], data });
}

test('tomography writes the image as array and picture, and SIRT beside it', () => {
  writeSinogram('sinogram.npy');
  const flags = '--levels 0,1 --noise 1e-6 --size 16 --time 1 --json -o image'.split(' ');
  const { status, stdout } = run(main, 'tomography', 'sinogram.npy', ...flags);
  expect(status).toBe(0);
  const record = JSON.parse(stdout) as { feasible: boolean; files: Record<string, string> };
  expect(record.feasible).toBe(true);
  const image = formats.readNpy(path.join(folder, 'image.npy'));
  expect(image.shape).toEqual([16, 16]);
  expect([...(image.data as Float64Array)]).toEqual([...truth]);
  const { width, grey } = pixels(path.join(folder, 'image.png'));
  const scale = width / size;
  // The picture is the right way up: every pixel of the image, row 0 at the top.
  truth.forEach((value, k) => {
    const [i, j] = [Math.floor(k / size), k % size];
    const shade = grey[(i * scale + 1) * width + j * scale + 1] as number;
    expect(shade > 128).toBe(value === 1);
  });
  expect(new Set(pixels(path.join(folder, 'image-sirt.png')).grey).size).toBeGreaterThan(10);
});

test('a sinogram of the wrong shape exits with 2', () => {
  formats.writeNpy(path.join(folder, 'flat.npy'), { shape: [4], data: new Float64Array(4) });
  const { status, stderr } = run(main, 'tomography', 'flat.npy', '--levels', '0,1', '--noise', '1');
  expect(status).toBe(2);
  expect(stderr).toContain('angles x detectors');
});

test('a sinogram that is missing or no array, and a list of no filters, exit with 2', () => {
  fs.writeFileSync(path.join(folder, 'no-array.npy'), 'text');
  fs.writeFileSync(path.join(folder, 'none.json'), '[]');
  for (const file of ['missing.npy', 'no-array.npy']) {
    const { status, stderr } = run(main, 'tomography', file, '--levels', '0,1', '--noise', '1');
    expect(status).toBe(2);
    expect(stderr).toContain(`cannot read ${file}`);
  }
  expect(run(main, 'fir', '--spec', 'none.json').status).toBe(2);
});

test('dmmv solve reads a problem, one-sided rows and soft rows included, and proves optima', () => {
  const problem = {
    matrix: [
      [1, 2, 3],
      [4, -5, 6],
      [1, 1, 1],
    ],
    lower: [2.5, 0.5, null],
    upper: [2.5, 0.5, 1],
    weights: [1, 2, 1],
    levels: [-1, 0, 1, 2],
  };
  fs.writeFileSync(path.join(folder, 'problem.json'), JSON.stringify(problem));
  const searched = run(main, 'dmmv', 'solve', 'problem.json', '--time', '1', '--json');
  const proven = run(main, 'dmmv', 'solve', 'problem.json', '--exact', '-o', 'result.json', '--json');
  expect([searched.status, proven.status]).toEqual([0, 0]);
  const [a, b] = [searched, proven].map(({ stdout }) => JSON.parse(stdout) as { objective: number; status: string });
  expect(a?.objective).toBe(b?.objective);
  expect(b?.status).toBe('optimal');
  expect(JSON.parse(fs.readFileSync(path.join(folder, 'result.json'), 'utf8'))).toEqual(b);
});

test.each([
  ['no object', '[]'],
  ['rows of different lengths', '{"matrix": [[1, 2], [3]], "lower": [0, 0], "upper": [0, 0], "levels": [0, 1]}'],
  ['no levels', '{"matrix": [[1]], "lower": [0], "upper": [0]}'],
  ['an entry that is no number', '{"matrix": [[1, null]], "lower": [0], "upper": [0], "levels": [0, 1]}'],
  ['soft rows that are no object', '{"matrix": [[1]], "lower": [0], "upper": [0], "levels": [0, 1], "softRows": 3}'],
])('dmmv solve: %s exits with 2', (_, text) => {
  fs.writeFileSync(path.join(folder, 'bad.json'), text);
  expect(run(main, 'dmmv', 'solve', 'bad.json').status).toBe(2);
});

test('dmmv solve: soft rows need a target, play no part in a proof; a proof has no target', () => {
  const problem = {
    matrix: { rows: 2, columns: 3, columnPointers: [0, 1, 2, 3], rowIndices: [0, 1, 0], values: [1, 2, 3] },
    lower: [0.4, null],
    upper: [0.4, 1],
    levels: { offset: -1, step: 0.5, count: 5 },
    softRows: { matrix: [[1, 1, 1]], lower: [2], upper: [null], multipliers: [1] },
  };
  fs.writeFileSync(path.join(folder, 'soft.json'), JSON.stringify(problem));
  const solve = (...flags: string[]): ReturnType<typeof run> => run(main, 'dmmv', 'solve', 'soft.json', ...flags);
  expect(solve().status).toBe(2);
  const soft = solve('--target', '1', '--time', '0.3', '--json');
  const proven = solve('--exact', '--json');
  expect([soft.status, proven.status]).toEqual([0, 0]);
  const { values } = JSON.parse(soft.stdout) as { values: number[] };
  expect(values.reduce((sum, value) => sum + value, 0)).toBeGreaterThan(0);
  const { objective, status } = JSON.parse(proven.stdout) as { objective: number; status: string };
  expect(objective).toBeCloseTo(0.1, 12);
  expect(status).toBe('optimal');
  expect(solve('--exact', '--target', '1').status).toBe(2);
});

test('fir writes words for $readmemh that are the coefficients in two s complement', () => {
  const flags = '--taps 11 --bits 6 --band 0:0.3:1 --band 0.6:1:0 --time 0.3 -o filter --json'.split(' ');
  const { status, stdout } = run(main, 'fir', ...flags);
  expect(status).toBe(0);
  const { coefficients } = JSON.parse(stdout) as { coefficients: number[] };
  const lines = fs.readFileSync(path.join(folder, 'filter.hex'), 'utf8').trim().split('\n');
  const words = lines.filter((line) => !line.startsWith('//')).map((line) => parseInt(line, 16));
  expect(words.map((word) => (word >= 32 ? word - 64 : word))).toEqual(coefficients);
  expect(coefficients.some((value) => value < 0)).toBe(true);
});

test.each([
  ['partition-numbers', /difference (\d+), proven: true; best of all splits \1\n/],
  ['bent-function', /largest correlation 8, bent functions have 8\n/],
  ['fixed-point-polynomial', /proven: true\n/],
])('the example %s runs and is right', (name, expected) => {
  const { status, stdout } = run(path.join(root, 'examples', `${name}.mjs`));
  expect(status).toBe(0);
  expect(stdout).toMatch(expected);
});
