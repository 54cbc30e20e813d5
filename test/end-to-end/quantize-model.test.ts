// Whole models through quantizeModel and the command: files, resuming, shards, merging, reports, and what is refused.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formats, quantize } from '../../lib';
import { errorWith } from '../support/errors';
import { floatTensor, model as modelBytes, node, value } from '../support/onnx-file';
import { uniforms } from '../support/philox-random';

const main = path.join(__dirname, '..', '..', 'dist', 'cli', 'main.js');
let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const hash = (file: string): string => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

const shapes = { 'a.weight': [24, 32], 'b.weight': [16, 24], 'c.weight': [40, 16] } as const;
const activations: Record<string, Float32Array> = {};

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'discrete-descent-model-'));
  const random = uniforms(5);
  const tensors = new Map<string, formats.SafetensorsEntry>();
  for (const [name, [rows, columns]] of Object.entries(shapes)) {
    const data = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
    tensors.set(name, { dtype: 'F32', shape: [rows, columns], data });
    activations[name] = Float32Array.from({ length: 64 * columns }, (_, i) => (random() - 0.5) * (1 + (i % columns)));
  }
  tensors.set('embed', { dtype: 'F32', shape: [4], data: Float32Array.of(1, 2, 3, 4) });
  formats.writeSafetensors(at('model.safetensors'), { tensors, metadata: new Map([['made', 'here']]) });
  const inputs = Object.entries(activations).map(([name, data]) => {
    const columns = shapes[name as keyof typeof shapes][1];
    return [name, { dtype: 'F32' as const, shape: [data.length / columns, columns], data }] as const;
  });
  formats.writeSafetensors(at('activations.safetensors'), { tensors: new Map(inputs) });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const request = (output: string, more: Partial<quantize.ModelRequest> = {}): quantize.ModelRequest => ({
  input: at('model.safetensors'),
  output: at(output),
  calibration: { activations },
  averageBits: 2,
  minimumWeights: 100,
  ...more,
});

test('a safetensors model: quantised values in, everything else untouched, a report of every layer', async () => {
  const phases: string[] = [];
  const report = await quantize.quantizeModel(request('plain.safetensors'), {
    onProgress: ({ phase }) => phases.push(phase),
  });
  expect(report).toMatchObject({ status: 'complete', method: 'baq table', weights: 24 * 32 + 16 * 24 + 40 * 16 });
  expect(report.averageBits).toBeLessThanOrEqual(2);
  expect(report.bitsPerWeight).toBeGreaterThan(report.averageBits);
  expect(report.layers.map(({ name }) => name)).toEqual(Object.keys(shapes));
  for (const layer of report.layers) {
    expect(layer.relativeError).toBeGreaterThan(0);
    expect(layer.relativeError).toBeLessThan(0.5);
    expect(Object.values(layer.levelCounts).reduce((sum, count) => sum + count, 0)).toBe(layer.columns);
  }
  expect(phases).toEqual(expect.arrayContaining(['calibration', 'a.weight', 'c.weight']));
  const written = formats.openSafetensors(report.output);
  expect(written.metadata.get('made')).toBe('here');
  expect([...written.float32('embed')]).toEqual([1, 2, 3, 4]);
  const expected = await quantize.quantizeLayer(
    {
      weights: formats.openSafetensors(at('model.safetensors')).float32('b.weight'),
      rows: 16,
      columns: 24,
      activations: activations['b.weight'],
    },
    { averageBits: 2 },
  );
  expect(written.float32('b.weight')).toEqual(expected.dequantize());
  written.close();
  expect(fs.existsSync(at('plain.safetensors.layers'))).toBe(false);
});

test('packed output holds the same values', async () => {
  await quantize.quantizeModel(request('values.safetensors'));
  await quantize.quantizeModel(request('packed.safetensors', { format: 'packed' }));
  const values = formats.openSafetensors(at('values.safetensors'));
  const packed = formats.openSafetensors(at('packed.safetensors'));
  expect(quantize.quantizedLayerNames(packed).sort()).toEqual(Object.keys(shapes));
  for (const name of Object.keys(shapes)) {
    expect(quantize.dequantize(quantize.readQuantized(packed, name).weights)).toEqual(values.float32(name));
  }
  expect(fs.statSync(at('packed.safetensors')).size).toBeLessThan(fs.statSync(at('values.safetensors')).size);
  values.close();
  packed.close();
});

test('an aborted run leaves no output, is resumed, and ends with the same bytes', async () => {
  await quantize.quantizeModel(request('whole.safetensors'));
  const controller = new AbortController();
  const aborted = quantize.quantizeModel(request('cut.safetensors'), {
    signal: controller.signal,
    onProgress: ({ iterations }) => {
      if (iterations >= 1) controller.abort(new Error('enough'));
    },
  });
  await expect(aborted).rejects.toThrow('enough');
  expect(fs.existsSync(at('cut.safetensors'))).toBe(false);
  expect(fs.readdirSync(at('cut.safetensors.layers'))).toHaveLength(1);
  const report = await quantize.quantizeModel(request('cut.safetensors'));
  expect(report.layers.map(({ resumed }) => resumed)).toEqual([true, false, false]);
  expect(hash(at('cut.safetensors'))).toBe(hash(at('whole.safetensors')));
});

test('layers of other options or of a damaged file are done again', async () => {
  const kept = request('again.safetensors', { keepWork: true });
  await quantize.quantizeModel(kept);
  const [first = ''] = fs.readdirSync(at('again.safetensors.layers')).sort();
  fs.truncateSync(at('again.safetensors.layers', first), 100);
  expect((await quantize.quantizeModel(kept)).layers.map(({ resumed }) => resumed)).toEqual([false, true, true]);
  const other = await quantize.quantizeModel({ ...kept, averageBits: 3 });
  expect(other.layers.map(({ resumed }) => resumed)).toEqual([false, false, false]);
});

test('shards and a merge give the bytes of one run', async () => {
  await quantize.quantizeModel(request('one.safetensors'));
  const shared = { workFolder: at('shards') };
  const first = await quantize.quantizeModel(request('many.safetensors', { ...shared, shard: { index: 0, count: 2 } }));
  expect(first).toMatchObject({ status: 'partial' });
  await expect(quantize.mergeModel(request('many.safetensors', shared))).rejects.toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'request.workFolder'),
  );
  await quantize.quantizeModel(
    request('many.safetensors', { ...shared, shard: { index: 1, count: 2 }, keepWork: true }),
  );
  const merged = await quantize.mergeModel(request('many.safetensors', shared));
  expect(merged.status).toBe('complete');
  expect(hash(at('many.safetensors'))).toBe(hash(at('one.safetensors')));
});

/** Two products, run by hand: y = (x A) B. */
const runtime: quantize.OnnxRuntime = (bytes) => {
  const model = formats.parseOnnx(bytes);
  const multiply = (x: Float32Array, name: string, inputs: number, outputs: number): Float32Array => {
    const weights = model.constants.get(name)?.float32() as Float32Array;
    return Float32Array.from({ length: (x.length / inputs) * outputs }, (_, at) => {
      const row = Math.floor(at / outputs);
      let sum = 0;
      for (let k = 0; k < inputs; k += 1) {
        sum += (x[row * inputs + k] as number) * (weights[k * outputs + (at % outputs)] as number);
      }
      return sum;
    });
  };
  return Promise.resolve({
    run: ({ x }) => {
      const a = multiply(x?.data as Float32Array, 'A', 12, 10);
      const y = multiply(a, 'B', 10, 8);
      return Promise.resolve({ a: { data: a, shape: [a.length / 10, 10] }, y: { data: y, shape: [y.length / 8, 8] } });
    },
    release: () => Promise.resolve(),
  });
};

test.each([false, true])('an ONNX model is run for its calibration; sequential: %s', async (sequential) => {
  const random = uniforms(9);
  const values = (count: number): number[] => Array.from({ length: count }, () => random() - 0.5);
  fs.writeFileSync(
    at('model.onnx'),
    modelBytes({
      nodes: [node('MatMul', ['x', 'A'], ['a']), node('MatMul', ['a', 'B'], ['y'])],
      initializers: [floatTensor('A', [12, 10], values(120)), floatTensor('B', [10, 8], values(80))],
      inputs: [value('x', ['n', 12])],
      outputs: [value('y', ['n', 8])],
    }),
  );
  const runs = [0, 1, 2].map(() => ({ x: { data: Float32Array.from(values(120)), shape: [10, 12] } }));
  const report = await quantize.quantizeModel({
    input: at('model.onnx'),
    output: at(`quantised-${sequential}.onnx`),
    calibration: { inputs: runs, runtime },
    averageBits: 3,
    minimumWeights: 1,
    sequential,
  });
  expect(report.layers.map(({ rows, columns }) => [rows, columns])).toEqual([
    [10, 12],
    [8, 10],
  ]);
  const written = formats.openOnnx(report.output);
  expect(new Set(written.constants.get('A')?.float32()).size).toBeGreaterThan(8);
  expect(written.outputs).toEqual(['y']);
  // The same call gives the same bytes.
  const before = hash(report.output);
  await quantize.quantizeModel({
    input: at('model.onnx'),
    output: report.output,
    calibration: { inputs: () => runs, runtime },
    averageBits: 3,
    minimumWeights: 1,
    sequential,
  });
  expect(hash(report.output)).toBe(before);
});

describe('what is refused, before anything is written', () => {
  test.each<[string, Partial<quantize.ModelRequest>, string]>([
    ['a missing file', { input: 'nowhere.safetensors' }, 'request.input'],
    ['another format', { input: __filename, output: 'x.ts' }, 'request.input'],
    ['output of another format', { output: 'x.onnx' }, 'request.output'],
    ['output over input', { output: undefined, input: 'same.safetensors' }, 'request.output'],
    ['no calibration', { calibration: undefined }, 'request.calibration'],
    ['sequential shards', { sequential: true, shard: { index: 0, count: 2 } }, 'request.sequential'],
    ['a shard beyond the count', { shard: { index: 2, count: 2 } }, 'request.shard.index'],
    ['no such layer', { include: () => false }, 'request.input'],
    ['inputs for a model that cannot run', { calibration: { inputs: [] } }, 'request.calibration.inputs'],
    ['a layer without activations', { calibration: { activations: {} } }, 'request.calibration.activations'],
  ])('%s', async (_, more, argument) => {
    const given = { ...request('refused.safetensors'), ...more };
    if (more.output === undefined && 'output' in more) given.output = given.input;
    await expect(quantize.quantizeModel(given)).rejects.toMatchObject({ argument });
    expect(fs.existsSync(at('refused.safetensors'))).toBe(false);
  });

  test('options of layers are named as options, activations with their layer', async () => {
    await expect(
      quantize.quantizeModel(request('refused.safetensors', { groupSize: 5, method: 'gptq' })),
    ).rejects.toThrow(/a\.weight.*groupSize/);
    const bad = { ...activations, 'b.weight': Float32Array.of(1, NaN) };
    await expect(
      quantize.quantizeModel(request('refused.safetensors', { calibration: { activations: bad } })),
    ).rejects.toThrow(/b\.weight/);
  });
});

const flags = ['--activations', 'activations.safetensors', '--bits', '2', '--minimum-weights', '100'];
function cli(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, 'quantize', ...args], { cwd: folder, encoding: 'utf8' });
}

test('the command writes model and report, and prints one JSON object', () => {
  const { status, stdout, stderr } = cli(
    'model.safetensors',
    '-o',
    'cli.safetensors',
    ...flags,
    '--report',
    'r/index.html',
    '--json',
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ status: 'complete', averageBits: expect.any(Number) as number });
  const page = fs.readFileSync(at('r', 'index.html'), 'utf8');
  expect(page.match(/<svg/g)).toHaveLength(3);
  expect(page).toContain('c.weight');
  // Bars of the allocation fill the width: shares of columns sum to one.
  const bars = [...page.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="14"/g)].map(([, width]) =>
    Number(width),
  );
  expect(bars.length).toBeGreaterThan(9);
  expect(Math.max(...bars)).toBeGreaterThan(100);
});

test('killed in the middle, the command resumes and gives the bytes of an uninterrupted run', async () => {
  expect(cli('model.safetensors', '-o', 'straight.safetensors', ...flags).status).toBe(0);
  const child = spawn(
    process.execPath,
    [main, 'quantize', 'model.safetensors', '-o', 'killed.safetensors', ...flags, '--work', 'killed.work'],
    { cwd: folder, stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('close', resolve));
  // As soon as a layer is there, or the run was too quick to be caught.
  while (
    child.exitCode === null &&
    !(fs.existsSync(at('killed.work')) && fs.readdirSync(at('killed.work')).length > 0)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  child.kill('SIGKILL');
  await ended;
  expect(cli('model.safetensors', '-o', 'killed.safetensors', ...flags, '--work', 'killed.work').status).toBe(0);
  expect(hash(at('killed.safetensors'))).toBe(hash(at('straight.safetensors')));
});

test('used wrongly: exit code 2 and what is wrong', () => {
  const { status, stderr } = cli(
    'model.safetensors',
    '-o',
    'no.safetensors',
    '--bits',
    '2',
    '--minimum-weights',
    '100',
  );
  expect(status).toBe(2);
  expect(stderr).toContain('calibration');
  expect(cli('model.safetensors', '-o', 'no.safetensors', '--shard', '3/2').status).toBe(2);
});
