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

test('groups: ranges of their own, counted by the budget, by call and by command', async () => {
  const options = { groupSize: 10, allowTail: true, budget: 'stored', averageBits: 6, format: 'packed' } as const;
  const report = await quantize.quantizeModel(request('groups.safetensors', options));
  for (const { bitsPerWeight } of report.layers) expect(bitsPerWeight).toBeLessThanOrEqual(6);
  const packed = formats.openSafetensors(at('groups.safetensors'));
  const { grid } = quantize.readQuantized(packed, 'a.weight').weights;
  expect(grid).toMatchObject({ kind: 'range', groups: 4 });
  packed.close();
  const flags = ['--activations', at('activations.safetensors'), '--minimum-weights', '100', '--json', '--packed'];
  const how = ['--bits', '6', '--group-size', '10', '--budget', 'stored', '-o', at('command-groups.safetensors')];
  const done = spawnSync(process.execPath, [main, 'quantize', at('model.safetensors'), ...flags, ...how]);
  expect([done.status, done.stderr.toString()]).toEqual([0, '']);
  const codes = (file: string): Uint8Array[] => {
    const opened = formats.openSafetensors(at(file));
    const found = Object.keys(shapes).map((name) => opened.bytes(`${name}.codes`));
    opened.close();
    return found;
  };
  expect(codes('command-groups.safetensors')).toEqual(codes('groups.safetensors'));
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

describe('bits across layers', () => {
  const rates = [1, 2, 3, 4];
  const across = (output: string, more: Partial<quantize.ModelRequest> = {}): quantize.ModelRequest =>
    request(output, { averageBits: 7, acrossLayers: { rates }, ...more });
  const bytesIn = (file: string): number => {
    const opened = formats.openSafetensors(file);
    const bytes = opened.names.reduce((sum, name) => sum + opened.info(name).byteLength, 0);
    opened.close();
    return bytes;
  };

  test('everything that is stored is within the budget, and no other choice of rates loses less', async () => {
    const report = await quantize.quantizeModel(across('across.safetensors', { format: 'packed' }));
    const { rates: used, layers, value, gap, importance, uniform } = report.acrossLayers as quantize.AcrossLayersReport;
    expect([used, importance, gap]).toEqual([rates, 'relative', 0]);
    expect(bytesIn(report.output)).toBe(report.storedBytes);
    expect(8 * report.storedBytes).toBeLessThanOrEqual(7 * report.weights);
    expect(report.bitsPerWeight * report.weights).toBeLessThanOrEqual(8 * report.storedBytes + 1e-6);
    let best = Infinity;
    for (let code = 0; code < rates.length ** layers.length; code += 1) {
      const choice = layers.map((_, i) => Math.floor(code / rates.length ** i) % rates.length);
      const bytes = layers.reduce((sum, { storedBytes }, i) => sum + (storedBytes[choice[i] as number] as number), 0);
      if (8 * bytes > 7 * report.weights) continue;
      best = Math.min(
        best,
        layers.reduce((sum, { values }, i) => sum + (values[choice[i] as number] as number), 0),
      );
    }
    expect(value).toBeCloseTo(best, 12);
    expect(report.layers.reduce((sum, { relativeError }) => sum + relativeError, 0)).toBeCloseTo(value, 12);
    expect(value).toBeLessThanOrEqual(uniform?.value ?? Infinity);
    expect(new Set(report.layers.map(({ rate }) => rate)).size).toBeGreaterThan(1);
    // What was chosen is what quantizeLayer gives at that rate.
    const [{ name, rate } = { name: '', rate: 0 }] = report.layers;
    const opened = formats.openSafetensors(at('model.safetensors'));
    const weights = opened.float32(name);
    opened.close();
    const alone = await quantize.quantizeLayer(
      { weights, rows: 24, columns: 32, activations: activations[name] },
      { averageBits: rate },
    );
    const written = formats.openSafetensors(report.output);
    expect(quantize.dequantize(quantize.readQuantized(written, name).weights)).toEqual(alone.dequantize());
    written.close();
    expect(fs.existsSync(at('across.safetensors.layers'))).toBe(false);
  });

  test('never worse than the same rate everywhere at the same cost', async () => {
    for (const rate of [1.5, 2, 3]) {
      const uniform = await quantize.quantizeModel(request('uniform.safetensors', { averageBits: rate }));
      expect(uniform.acrossLayers).toBeNull();
      const averageBits = (8 * uniform.storedBytes) / uniform.weights;
      const report = await quantize.quantizeModel(
        across('moved.safetensors', { averageBits, acrossLayers: { rates: [1, 1.5, 2, 2.5, 3, 4] } }),
      );
      const sum = ({ layers }: quantize.ModelReport): number => layers.reduce((all, one) => all + one.relativeError, 0);
      expect(sum(report)).toBeLessThanOrEqual(sum(uniform));
      expect(report.storedBytes).toBeLessThanOrEqual(uniform.storedBytes);
    }
  });

  test('an aborted run keeps every rate of every layer, and ends with the same bytes; so do shards', async () => {
    await quantize.quantizeModel(across('across-whole.safetensors'));
    const controller = new AbortController();
    const aborted = quantize.quantizeModel(across('across-cut.safetensors'), {
      signal: controller.signal,
      onProgress: ({ iterations }) => {
        if (iterations >= 6) controller.abort(new Error('enough'));
      },
    });
    await expect(aborted).rejects.toThrow('enough');
    expect(fs.readdirSync(at('across-cut.safetensors.layers'))).toHaveLength(6);
    const report = await quantize.quantizeModel(across('across-cut.safetensors'));
    expect(report.layers.map(({ resumed }) => resumed)).toEqual([true, false, false]);
    expect(hash(at('across-cut.safetensors'))).toBe(hash(at('across-whole.safetensors')));

    const shared = { workFolder: at('across-shards') };
    const shard = (index: number): Promise<quantize.ModelReport> =>
      quantize.quantizeModel(across('across-many.safetensors', { ...shared, shard: { index, count: 3 } }));
    expect(await shard(2)).toMatchObject({ status: 'partial', layers: [], acrossLayers: null });
    await shard(0);
    await expect(quantize.mergeModel(across('across-many.safetensors', shared))).rejects.toThrow(/1 of 3 layers/);
    await shard(1);
    await quantize.mergeModel(across('across-many.safetensors', shared));
    expect(hash(at('across-many.safetensors'))).toBe(hash(at('across-whole.safetensors')));
  });

  test('another budget is another choice from what is kept', async () => {
    const kept = across('budgets.safetensors', { keepWork: true });
    await quantize.quantizeModel(kept);
    const other = await quantize.quantizeModel({ ...kept, averageBits: 5.5 });
    expect(other.layers.every(({ resumed }) => resumed)).toBe(true);
    expect(8 * other.storedBytes).toBeLessThanOrEqual(5.5 * other.weights);
  });

  test.each<[string, Partial<quantize.ModelRequest>, string]>([
    ['sequential calibration', { sequential: true }, 'request.sequential'],
    ['one rate only', { method: 'gptq', ternary: true, acrossLayers: true }, 'request.acrossLayers'],
    ['rates that fall', { acrossLayers: { rates: [2, 1] } }, 'request.acrossLayers.rates[1]'],
    ['no rates', { acrossLayers: { rates: [] } }, 'request.acrossLayers.rates'],
    ['nine bits', { acrossLayers: { rates: [9] } }, 'request.acrossLayers.rates[0]'],
    ['a misspelt member', { acrossLayers: { rate: [2] } as object }, 'request.acrossLayers.rate'],
    [
      'sensitivity of a model that cannot run',
      { acrossLayers: { importance: 'sensitivity' } },
      'request.acrossLayers.importance',
    ],
    ['a budget below the cheapest rates', { averageBits: 1 }, 'request.averageBits'],
  ])('refused: %s', async (_, more, argument) => {
    await expect(quantize.quantizeModel(across('no.safetensors', more))).rejects.toMatchObject({ argument });
    expect(fs.existsSync(at('no.safetensors'))).toBe(false);
  });
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

/** Writes y = x A B as a model; returns inputs for three runs of it. */
function writeTwoProducts(name: string, seed: number): { x: { data: Float32Array; shape: number[] } }[] {
  const random = uniforms(seed);
  const values = (count: number): number[] => Array.from({ length: count }, () => random() - 0.5);
  fs.writeFileSync(
    at(name),
    modelBytes({
      nodes: [node('MatMul', ['x', 'A'], ['a']), node('MatMul', ['a', 'B'], ['y'])],
      initializers: [floatTensor('A', [12, 10], values(120)), floatTensor('B', [10, 8], values(80))],
      inputs: [value('x', ['n', 12])],
      outputs: [value('y', ['n', 8])],
    }),
  );
  return [0, 1, 2].map(() => ({ x: { data: Float32Array.from(values(120)), shape: [10, 12] } }));
}

test.each([false, true])('an ONNX model is run for its calibration; sequential: %s', async (sequential) => {
  const runs = writeTwoProducts('model.onnx', 9);
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

test('what a layer is worth is measured by the outputs of the model, where it can be run', async () => {
  const runs = writeTwoProducts('probed.onnx', 11);
  const probed: quantize.ModelRequest = {
    input: at('probed.onnx'),
    output: at('probed-across.onnx'),
    calibration: { inputs: runs, runtime },
    averageBits: 10,
    acrossLayers: { rates: [1, 2] },
    minimumWeights: 1,
  };
  const phases: string[] = [];
  const cut = new AbortController();
  const aborted = quantize.quantizeModel(probed, {
    signal: cut.signal,
    onProgress: ({ phase, iterations }) => {
      phases.push(phase);
      if (iterations === 5) cut.abort(new Error('enough'));
    },
  });
  await expect(aborted).rejects.toThrow('enough');
  expect(phases).toContain('A alone');
  let count = 0;
  const counted: quantize.OnnxRuntime = async (bytes) => {
    const session = await runtime(bytes);
    return { ...session, run: (inputs) => ((count += 1), session.run(inputs)) };
  };
  const report = await quantize.quantizeModel({ ...probed, calibration: { inputs: runs, runtime: counted } });
  expect(report.layers.map(({ resumed }) => resumed)).toEqual([true, false]);
  // Calibration was done; the model itself and one layer were not: three inputs each.
  expect(count).toBe(6);
  expect(report.acrossLayers?.importance).toBe('sensitivity');
  for (const [index, name] of ['A', 'B'].entries()) {
    const alone = await quantize.quantizeModel({
      ...probed,
      output: at(`alone-${name}.onnx`),
      averageBits: 2,
      acrossLayers: false,
      include: (layer) => layer === name,
    });
    let moved = 0;
    let whole = 0;
    const sessions = await Promise.all(
      [probed.input, alone.output].map((file) => runtime(Uint8Array.from(fs.readFileSync(file)))),
    );
    for (const inputs of runs) {
      const [before, after] = await Promise.all(sessions.map((session) => session.run(inputs)));
      (before?.y?.data as Float32Array).forEach((y, i) => {
        whole += y ** 2;
        moved += (y - ((after?.y?.data as Float32Array)[i] as number)) ** 2;
      });
    }
    expect(report.acrossLayers?.layers[index]?.values[1]).toBeCloseTo(moved / whole, 6);
  }
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
    ['nine bits', { averageBits: 9 }, 'request.averageBits'],
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

test('the command moves bits between layers and shows where they went', () => {
  const across = ['--across-layers', '--rates', '1,2,3,4', '--report', 'across/index.html'];
  const bits = ['--activations', 'activations.safetensors', '--bits', '6.5', '--minimum-weights', '100'];
  const { status, stdout, stderr } = cli('model.safetensors', '-o', 'across-cli.safetensors', ...bits, ...across);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toMatch(/across layers, relative: .* in all \(no choice is better\); .* at \d bits everywhere/);
  const page = fs.readFileSync(at('across', 'index.html'), 'utf8');
  expect(page.match(/<svg/g)).toHaveLength(4);
  expect(page.match(/\u25b6/g)).toHaveLength(3);
  expect(page).toContain('Which layer gets how much');
  expect(cli('model.safetensors', '-o', 'no.safetensors', ...bits, '--rates', '1,2').stderr).toContain(
    '--across-layers',
  );
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
