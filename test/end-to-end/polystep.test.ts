// The commands `maxsat` and `train` on real files: what they write, what they print, how they exit.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formats, polystep } from '../../lib';

const main = path.join(__dirname, '..', '..', 'dist', 'cli', 'main.js');
let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-polystep-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' });
}

const read = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');
const lines = (name: string): Record<string, unknown>[] =>
  read(name)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('maxsat', () => {
  test('the assignment it writes satisfies as many clauses of the file as it says', () => {
    const { variables, clauses } = polystep.models.randomKSat({ variables: 150, seed: 3 });
    const clauseStarts = Int32Array.from({ length: clauses.length / 3 + 1 }, (_, c) => 3 * c);
    formats.writeDimacs(path.join(folder, 'a.cnf'), { variables, literals: clauses, clauseStarts });
    const places = ['-o', 'a.txt', '--history', 'a.jsonl', '--plot', 'a.svg', '--cards', 'a.json'];
    const { status, stdout, stderr } = cli('maxsat', 'a.cnf', '--sweeps', '60', ...places, '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const said = JSON.parse(stdout) as { satisfied: number; unsatisfied: number; clauses: number };
    const text = read('a.txt');
    const literals = [...text.matchAll(/^v (.*)$/gm)].flatMap(([, line]) => (line as string).split(' ').map(Number));
    expect(literals.map(Math.abs)).toEqual([...Array.from({ length: 150 }, (_, i) => i + 1), 0]);
    const truths = new Set(literals);
    let satisfied = 0;
    for (let c = 0; c < clauses.length; c += 3) {
      if (clauses.subarray(c, c + 3).some((literal) => truths.has(literal))) satisfied += 1;
    }
    expect(said).toMatchObject({ satisfied, clauses: 640, unsatisfied: 640 - satisfied });
    expect(satisfied).toBeGreaterThan(625);
    expect(text).toMatch(`o ${640 - satisfied}\n`);
    const history = lines('a.jsonl');
    expect(history).toHaveLength(60);
    expect(history.at(-1)).toMatchObject({ step: 59, best: 640 - satisfied });
    expect(read('a.svg')).toMatch(/^<svg/);
    expect(JSON.parse(read('a.json'))).toHaveLength(1);
    expect(read('a.json')).toContain('<svg');
  });

  test('clauses easy to satisfy are satisfied, by local search where the sweeps are few', () => {
    const flags = ['--random', '300', '--ratio', '3', '--sweeps', '2', '--polish', '20', '--json', '-o', 'b.txt'];
    const { status, stdout } = cli('maxsat', ...flags);
    expect(status).toBe(0);
    const said = JSON.parse(stdout) as { satisfied: number; search: { unsatisfied: number }; polish: object };
    expect(said).toMatchObject({ satisfied: 900, polish: { status: 'satisfied' } });
    expect(said.search.unsatisfied).toBeGreaterThan(0);
    expect(read('b.txt')).toMatch(/^o 0\ns SATISFIABLE\n/);
  });

  test.each([
    ['neither file nor --random', [], /either a file or --random/],
    ['both', ['a.cnf', '--random', '9'], /either a file or --random/],
    ['a ratio for a file', ['a.cnf', '--ratio', '3'], /--ratio/],
    ['a missing file', ['nowhere.cnf'], /cannot read nowhere\.cnf/],
    ['no sweeps', ['--random', '9', '--sweeps', '0'], /positive integer/],
  ])('%s exits with 2 and says why', (_, args, message) => {
    const { status, stdout, stderr } = cli('maxsat', ...args);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
    expect(stdout).toBe('');
  });

  test('a malformed file exits with 2 and names the line', () => {
    fs.writeFileSync(path.join(folder, 'bad.cnf'), 'p cnf 2 1\n1 3 0\n');
    const { status, stderr } = cli('maxsat', 'bad.cnf');
    expect(status).toBe(2);
    expect(stderr).toMatch(/bad\.cnf.*line 2/);
  });
});

describe('train', () => {
  test('lif learns digits and writes history, parameters and pictures', () => {
    const { status, stdout, stderr } = cli('train', 'lif', '--steps', '40', '--seed', '1', '-o', 'lif', '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const said = JSON.parse(stdout) as { testAccuracy: number; parameters: number };
    expect(said.testAccuracy).toBeGreaterThan(0.8);
    expect(said.parameters).toBe(2410);
    expect(formats.readNpy(path.join(folder, 'lif', 'parameters.npy')).shape).toEqual([2410]);
    const history = lines('lif/history.jsonl');
    expect(history).toHaveLength(40);
    expect(history.at(-1)).toMatchObject({ step: 39, testAccuracy: said.testAccuracy });
    for (const name of ['curve', 'confusion', 'spikes']) expect(read(`lif/${name}.svg`)).toMatch(/^<svg/);
  });

  test.each([
    ['mlp', ['--activation', 'sign', '--weights', 'ternary'], 0.5, []],
    ['tree', ['--depth', '3'], 0.75, ['tree.svg']],
  ])('%s learns, and has no spikes to show', (task, flags, least, pictures) => {
    const { status, stdout } = cli('train', task, ...flags, '--steps', '40', '-o', task, '--json');
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { testAccuracy: number }).testAccuracy).toBeGreaterThan(least);
    expect(fs.readdirSync(path.join(folder, task)).sort()).toEqual([
      'confusion.svg',
      'curve.svg',
      'history.jsonl',
      'parameters.npy',
      'result.json',
      ...pictures,
    ]);
    for (const picture of pictures) expect(read(`${task}/${picture}`)).toMatch(/^<svg[^]*feature \d+/);
  });

  test('own data: rows with the label at the end; others exit with 2', () => {
    const rows = Array.from({ length: 100 }, (_, i) => [i % 2 === 0 ? 3 : -3, i % 7, i % 2]);
    formats.writeNpy(path.join(folder, 'own.npy'), { shape: [100, 3], data: Float64Array.from(rows.flat()) });
    const { stdout } = cli(
      'train',
      'mlp',
      '--data',
      'own.npy',
      '--hidden',
      '4',
      '--steps',
      '200',
      '-o',
      'own',
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({ parameters: 22 });
    expect((JSON.parse(stdout) as { testAccuracy: number }).testAccuracy).toBeGreaterThan(0.9);
    formats.writeNpy(path.join(folder, 'half.npy'), { shape: [6, 2], data: new Float64Array(12).fill(0.5) });
    for (const name of ['half.npy', 'absent.npy']) {
      const { status, stderr } = cli('train', 'mlp', '--data', name, '-o', 'never');
      expect(status).toBe(2);
      expect(stderr).toContain(name);
    }
    expect(fs.existsSync(path.join(folder, 'never'))).toBe(false);
  });

  test('an unknown task exits with 2', () => {
    expect(cli('train', 'svm')).toMatchObject({ status: 2, stdout: '' });
  });
});
