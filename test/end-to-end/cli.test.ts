// The command line on real files: what it writes, what it prints, how it exits.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { dmmv } from '../../lib';
import packageJson from '../../package.json';

const main = path.join(__dirname, '..', '..', 'dist', 'cli', 'main.js');
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-cli-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' });
}

const read = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');

const lowpass = ['--taps', '21', '--bits', '7', '--band', '0:0.35:1', '--band', '0.55:1:0:2', '--time', '0.5'];

interface FirRecord {
  coefficients: number[];
  ripple: number;
  roundedRipple: number;
  lowerBound: number | null;
  files: Record<string, string>;
}

/** Coordinates of every path of an SVG picture. */
function pathPoints(svg: string): number[][] {
  return [...svg.matchAll(/<path d="([^"]+)"/g)].map(([, commands]) =>
    (commands ?? '').split(/[ML ]/).filter(Boolean).map(Number),
  );
}

test('fir writes coefficients, C header and picture, and prints one JSON object', () => {
  const { status, stdout, stderr } = cli('fir', ...lowpass, '-o', 'parts/low-pass', '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const result = JSON.parse(stdout) as FirRecord;
  expect(result.coefficients).toHaveLength(21);
  expect(result.ripple).toBeLessThanOrEqual(result.roundedRipple);
  expect(JSON.parse(read('parts/low-pass.json'))).toMatchObject({
    coefficients: result.coefficients,
    ripple: result.ripple,
  });
  expect(fs.readdirSync(path.join(folder, 'parts')).sort()).toEqual([
    'low-pass.h',
    'low-pass.hex',
    'low-pass.json',
    'low-pass.svg',
  ]);
});

test('the C header compiles and holds the same numbers', () => {
  cli('fir', ...lowpass, '-o', 'filter');
  fs.writeFileSync(
    path.join(folder, 'check.c'),
    '#include <stdio.h>\n#include "filter.h"\nint main(void) { for (int i = 0; i < FILTER_TAPS; ++i) printf("%d ", (int)filter[i]); return 0; }\n',
  );
  expect(spawnSync('cc', ['-Wall', '-Werror', 'check.c', '-o', 'check'], { cwd: folder }).status).toBe(0);
  const printed = spawnSync('./check', { cwd: folder, encoding: 'utf8' }).stdout.trim().split(' ').map(Number);
  expect(printed).toEqual((JSON.parse(read('filter.json')) as FirRecord).coefficients);
});

test('the picture has curves of many finite points and says what it shows', () => {
  cli('fir', ...lowpass, '-o', 'picture');
  const svg = read('picture.svg');
  const paths = pathPoints(svg);
  expect(paths).toHaveLength(5);
  for (const points of paths) {
    expect(points.length).toBeGreaterThan(1000);
    expect(points.every(Number.isFinite)).toBe(true);
    expect(new Set(points).size).toBeGreaterThan(500);
  }
  expect(svg).toMatch(/<title>[^<]*weighted error/);
  const rendered = spawnSync('rsvg-convert', ['picture.svg', '-o', 'picture.png'], { cwd: folder });
  // A blank picture of this size compresses to a few kilobytes.
  if (rendered.error === undefined) expect(fs.statSync(path.join(folder, 'picture.png')).size).toBeGreaterThan(20_000);
});

test('a JSON specification gives the same filter as flags, and flags override it', () => {
  const specification: dmmv.FirSpecification = {
    taps: 21,
    wordLength: 7,
    bands: [
      { from: 0, to: 0.35, gain: 1 },
      { from: 0.55, to: 1, gain: 0, weight: 2 },
    ],
  };
  fs.writeFileSync(path.join(folder, 'spec.json'), JSON.stringify(specification));
  const fromFile = cli('fir', '--spec', 'spec.json', '--time', '0.5', '--json', '-o', 'a');
  const fromFlags = cli('fir', ...lowpass, '--json', '-o', 'b');
  expect((JSON.parse(fromFile.stdout) as FirRecord).ripple).toBeCloseTo(
    (JSON.parse(fromFlags.stdout) as FirRecord).ripple,
    12,
  );
  const shorter = cli('fir', '--spec', 'spec.json', '--taps', '11', '--time', '0.2', '--json', '-o', 'c');
  expect((JSON.parse(shorter.stdout) as FirRecord).coefficients).toHaveLength(11);
});

test('fir designs every type, and all filters of an array', () => {
  fs.writeFileSync(
    path.join(folder, 'many.json'),
    JSON.stringify(
      ['III', 'IV'].map((type, k) => ({ taps: 11 + k, type, bands: [{ from: 0.2, to: 0.8, gain: 0.9 }] })),
    ),
  );
  const flags = '--bits 8 --zero-taps @0 --signed-powers 2 --time 0.2 --json'.split(' ');
  const { status, stdout } = cli('fir', '--spec', 'many.json', ...flags, '-o', 'many');
  expect(status).toBe(0);
  const designs = JSON.parse(stdout) as FirRecord[];
  expect(designs.map(({ coefficients }) => coefficients.length)).toEqual([11, 12]);
  designs.forEach(({ coefficients }, k) => {
    expect(coefficients.map((value) => -value + 0)).toEqual([...coefficients].reverse().map((value) => value + 0));
    expect(coefficients[0]).toBe(0);
    expect(read(`many-${k + 1}.h`)).toMatch(/Antisymmetric FIR filter, 1[12] taps of 8 bits/);
    const words = read(`many-${k + 1}.hex`)
      .split('\n')
      .slice(1, -1)
      .map((word) => parseInt(word, 16));
    expect(words.map((word) => (word >= 128 ? word - 256 : word))).toEqual(coefficients);
  });
});

test.each([
  ['no arguments', ['fir'], /give --taps, --bits and at least one --band/],
  ['an unknown flag', ['fir', '--tapes', '3'], /unknown option/],
  ['an unknown command', ['fur'], /unknown command/],
  ['an even length', ['fir', '--taps', '20', '--bits', '7', '--band', '0:1:1'], /`specification\.taps` must be odd/],
  ['a malformed band', ['fir', '--band', '0:x:1'], /from:to:gain\[:weight/],
  ['a missing file', ['fir', '--spec', 'nowhere.json'], /cannot read nowhere\.json/],
  ['a fractional count', ['fir', '--taps', '2.5'], /positive integer/],
])('%s exits with 2 and says why', (_, args, message) => {
  const { status, stdout, stderr } = cli(...args);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
  expect(stdout).toBe('');
});

test('a file that is no JSON, and one that is no specification, exit with 2 and write nothing', () => {
  fs.writeFileSync(path.join(folder, 'broken.json'), '{ taps: 3');
  fs.writeFileSync(path.join(folder, 'other.json'), '{ "taps": "many", "wordLength": 3, "bands": 7 }');
  for (const name of ['broken.json', 'other.json']) expect(cli('fir', '--spec', name, '-o', 'never').status).toBe(2);
  expect(fs.existsSync(path.join(folder, 'never.json'))).toBe(false);
});

test('a place that cannot be written exits with 1', () => {
  fs.writeFileSync(path.join(folder, 'occupied'), '');
  const { status, stderr } = cli('fir', ...lowpass, '-o', 'occupied/filter');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^discrete-descent: /);
});

test('report writes a page with a picture for each filter', () => {
  const flags = '--filter A35/8 E35/8 --time 1 --tomography 3 -o report --json'.split(' ');
  const { status, stdout } = cli('report', ...flags);
  expect(status).toBe(0);
  const { rows, tomography } = JSON.parse(stdout) as {
    rows: { name: string; ripple: number; provenOptimum: number }[];
    tomography: { wrongPixels: number; sirtWrongPixels: number };
  };
  expect(tomography.wrongPixels).toBeLessThan(tomography.sirtWrongPixels);
  expect(rows.map(({ name }) => name)).toEqual(['A35/8', 'E35/8']);
  for (const { ripple, provenOptimum } of rows) expect(ripple).toBeCloseTo(provenOptimum, 9);
  const page = read('report/index.html');
  expect(page.match(/<svg/g)).toHaveLength(2);
  const pictures = [...page.matchAll(/data:image\/png;base64,([^"]+)/g)].map(([, data]) => data as string);
  expect(pictures).toHaveLength(4);
  for (const data of pictures) expect(Buffer.from(data, 'base64').subarray(1, 4).toString()).toBe('PNG');
  expect(new Set(pictures.slice(0, 3)).size).toBe(3);
  expect(pictures[3] === pictures[0]).toBe(tomography.wrongPixels === 0);
  expect(page).toContain(`discrete-descent: ${tomography.wrongPixels} wrong`);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
});

test('report shows the cards of other programs above its own, and refuses what is none', () => {
  fs.writeFileSync(path.join(folder, 'cards.json'), '[{ "heading": "a < b", "html": "<p>made elsewhere</p>" }]');
  const flags = ['--filter', 'A35/8', '--time', '1', '--no-tomography', '-o', 'included', '--include'];
  expect(cli('report', ...flags, 'cards.json').status).toBe(0);
  const page = read('included/index.html');
  expect(page).toContain('a &#60; b');
  expect(page.indexOf('<p>made elsewhere</p>')).toBeLessThan(page.indexOf('<svg'));
  fs.writeFileSync(path.join(folder, 'no-cards.json'), '[{ "heading": "a" }]');
  for (const file of ['no-cards.json', 'absent.json']) {
    const { status, stderr } = cli('report', ...flags, file);
    expect(status).toBe(2);
    expect(stderr).toContain(file);
  }
});

test('doctor tests every kernel and is content', () => {
  const { status, stdout } = cli('doctor', '--json');
  expect(status).toBe(0);
  const diagnosis = JSON.parse(stdout) as {
    passed: boolean;
    kernels: { name: string; results: unknown[] }[];
    backends: { name: string }[];
  };
  expect(diagnosis.passed).toBe(true);
  expect(diagnosis.kernels.map(({ name }) => name)).toEqual(expect.arrayContaining(['core.sum.float64']));
  expect(diagnosis.kernels.every(({ results }) => results.length >= 5)).toBe(true);
  expect(diagnosis.backends.map(({ name }) => name)).toContain('cpu');
});

test('bench times kernels that match a pattern', () => {
  const { status, stdout } = cli('bench', '--filter', 'core.sum', '--seconds', '0.02', '--json');
  expect(status).toBe(0);
  const { rows } = JSON.parse(stdout) as { rows: { kernel: string; medianSeconds: number }[] };
  expect(rows.length).toBeGreaterThan(0);
  for (const { kernel, medianSeconds } of rows) {
    expect(kernel).toMatch(/core\.sum/);
    expect(medianSeconds).toBeGreaterThan(0);
  }
  expect(cli('bench', '--isa', 'sse9').status).toBe(2);
});

test('--version is the package s', () => {
  expect(cli('--version').stdout.trim()).toBe(packageJson.version);
});
