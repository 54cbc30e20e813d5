// Layers of an ONNX model: found, read, fed, put back. The runtime is a stand-in that answers from a table, so that what
// is asked of it can be seen; real runs are in ocr/test.
import * as fc from 'fast-check';
import { parseOnnx } from '../../../lib/formats';
import {
  convolutionPatches,
  findOnnxLayers,
  onnxLayerInputs,
  onnxLayerWeights,
  type OnnxLayer,
  onnxRuntime,
  type OnnxRuntime,
  type OnnxRuntimeModule,
  type OnnxValue,
  withOnnxWeights,
} from '../../../lib/quantize';
import { errorWith } from '../../support/errors';
import {
  floatTensor,
  integerAttribute,
  integersAttribute,
  model as modelBytes,
  node,
  value,
} from '../../support/onnx-file';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const model = parseOnnx(
  modelBytes({
    nodes: [
      node('MatMul', ['x', 'matmul'], ['a']),
      node('Gemm', ['a', 'gemm', 'bias'], ['b'], integerAttribute('transB', 1), integerAttribute('transA', 1)),
      node('Gemm', ['b', 'gemmPlain'], ['c']),
      node('Conv', ['c', 'pointwise'], ['d']),
      node('Conv', ['d', 'grouped'], ['e'], integerAttribute('group', 2), integersAttribute('pads', [1, 0, 0, 1])),
      node('MatMul', ['shared', 'e'], ['f']), // constant on the left
      node('MatMul', ['f', 'twice'], ['g']),
      node('MatMul', ['g', 'twice'], ['h']),
      node('MatMul', ['h', 'alsoAdded'], ['i']),
      node('Add', ['i', 'alsoAdded'], ['j']),
      node('MatMul', ['j', 'stack'], ['k']), // three dimensions
      node('MatMul', ['k', 'small'], ['y']),
    ],
    initializers: [
      floatTensor('matmul', [2, 3], upTo(6)),
      floatTensor('gemm', [4, 3], upTo(12)),
      floatTensor('bias', [40], upTo(40)),
      floatTensor('gemmPlain', [3, 4], upTo(12)),
      floatTensor('pointwise', [2, 3, 1, 1], upTo(6)),
      floatTensor('grouped', [4, 1, 2, 2], upTo(16)),
      floatTensor('shared', [3, 3], upTo(9)),
      floatTensor('twice', [3, 3], upTo(9)),
      floatTensor('alsoAdded', [3, 3], upTo(9)),
      floatTensor('stack', [2, 3, 3], upTo(18)),
      floatTensor('small', [2, 2], upTo(4)),
    ],
    inputs: [value('x', ['n', 2])],
    outputs: [value('y', ['n', 2])],
  }),
);
const all = findOnnxLayers(model, { minimumWeights: 6, convolutions: 'all' });
const layer = (name: string): OnnxLayer => {
  const found = all.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

test('layers are found in order, and what is no layer is not', () => {
  expect(all.map(({ name, kind, rows, columns }) => [name, kind, rows, columns])).toEqual([
    ['matmul', 'MatMul', 3, 2],
    ['gemm', 'Gemm', 4, 3],
    ['gemmPlain', 'Gemm', 4, 3],
    ['pointwise', 'Conv', 2, 3],
    ['grouped[0]', 'Conv', 2, 4],
    ['grouped[1]', 'Conv', 2, 4],
    ['twice', 'MatMul', 3, 3],
  ]);
  expect(layer('twice').uses.map(({ input }) => input)).toEqual(['f', 'g']);
  const names = (filter: object): string[] => findOnnxLayers(model, filter).map(({ name }) => name);
  expect(names({ minimumWeights: 10 })).toEqual(['gemm', 'gemmPlain']);
  expect(names({ minimumWeights: 6 })).toEqual(['matmul', 'gemm', 'gemmPlain', 'pointwise', 'twice']);
  expect(names({ minimumWeights: 12, convolutions: 'none' })).toEqual(['gemm', 'gemmPlain']);
  expect(names({})).toEqual([]);
});

test('weights come as outputs x inputs and go back', () => {
  expect([...onnxLayerWeights(model, layer('matmul'))]).toEqual([1, 4, 2, 5, 3, 6]);
  expect([...onnxLayerWeights(model, layer('gemm'))]).toEqual(upTo(12));
  expect([...onnxLayerWeights(model, layer('gemmPlain'))]).toEqual([1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
  expect([...onnxLayerWeights(model, layer('grouped[1]'))]).toEqual([9, 10, 11, 12, 13, 14, 15, 16]);
  const same = withOnnxWeights(model, new Map(all.map((entry) => [entry, onnxLayerWeights(model, entry)])));
  expect(Buffer.compare(same.serialize(), model.serialize())).toBe(0);
  const changed = withOnnxWeights(model, new Map([[layer('grouped[1]'), new Float32Array(8).fill(-1)]]));
  expect([...(changed.constants.get('grouped')?.float32() ?? [])]).toEqual([
    ...upTo(8),
    ...new Array<number>(8).fill(-1),
  ]);
  expect(() => withOnnxWeights(model, new Map([[layer('gemm'), new Float32Array(1)]]))).toThrow(
    errorWith('ERR_SHAPE_MISMATCH', 'weights'),
  );
});

const tensor = (shape: number[]): OnnxValue => ({
  shape,
  data: Float32Array.from(upTo(shape.reduce((a, b) => a * b, 1))),
});

test('inputs are handed out by a copy of the model and sampled evenly', async () => {
  const asked: string[][] = [];
  let released = 0;
  const runtime: OnnxRuntime = (bytes) => {
    asked.push([...parseOnnx(bytes).outputs]);
    const run = () =>
      Promise.resolve({ a: tensor([3, 5]), c: tensor([2, 3, 1, 4]), f: tensor([1, 3]), g: tensor([2, 3]) });
    return Promise.resolve({
      run,
      release: () =>
        Promise.resolve().then(() => {
          released += 1;
        }),
    });
  };
  const layers = ['matmul', 'gemm', 'pointwise', 'twice'].map(layer);
  const got: [string, number, number[]][] = [];
  for await (const { layer: { name }, count, rows } of onnxLayerInputs(
    model, layers, runtime, [{ x: tensor([2, 2, 2]) }], { samplesPerRun: 3 },
  )) got.push([name, count, [...rows]]); // prettier-ignore
  expect(asked).toEqual([['y', 'a', 'c', 'f', 'g']]);
  expect(got).toEqual([
    ['matmul', 3, [1, 2, 3, 4, 5, 6]],
    ['gemm', 3, [1, 6, 11, 2, 7, 12, 4, 9, 14]], // columns 0, 1, 3 of 5
    ['pointwise', 3, [1, 5, 9, 3, 7, 11, 14, 18, 22]], // pixels 0 and 2 of the first image, 1 of the second
    ['twice', 1, [1, 2, 3]],
    ['twice', 2, [1, 2, 3, 4, 5, 6]],
  ]);
  expect(released).toBe(1);
});

test('a runtime that does not give what was asked for', async () => {
  let released = 0;
  const giving =
    (results: Record<string, OnnxValue>): OnnxRuntime =>
    () =>
      Promise.resolve({
        run: () => Promise.resolve(results),
        release: () =>
          Promise.resolve().then(() => {
            released += 1;
          }),
      });
  const first = async (name: string, results: Record<string, OnnxValue>) =>
    onnxLayerInputs(model, [layer(name)], giving(results), [{}]).next();
  await expect(first('gemm', {})).rejects.toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'runtime'));
  await expect(first('gemm', { a: { data: new Int32Array(3), shape: [3] } })).rejects.toThrow(
    errorWith('ERR_INVALID_ARG_VALUE', 'runtime'),
  );
  await expect(first('gemm', { a: tensor([5, 2]) })).rejects.toThrow(errorWith('ERR_SHAPE_MISMATCH', 'layer'));
  await expect(first('pointwise', { c: tensor([5, 3]) })).rejects.toThrow(errorWith('ERR_SHAPE_MISMATCH', 'shape'));
  expect(released).toBe(4);
});

test('patches times weights are the convolution, whatever the window', () => {
  const size = fc.integer({ min: 1, max: 6 });
  const window = fc.record({
    batch: fc.integer({ min: 1, max: 2 }), perGroup: fc.integer({ min: 1, max: 2 }), groups: fc.integer({ min: 1, max: 3 }),
    height: size, width: size, kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    pads: fc.tuple(size, size, size, size),
  }); // prettier-ignore
  fc.assert(
    fc.property(window, ({ batch, perGroup, groups, height, width, kernel, strides, dilations, pads }) => {
      const channels = perGroup * groups;
      const { data } = tensor([batch, channels, height, width]) as { data: Float32Array };
      const group = groups - 1;
      const got = convolutionPatches(
        data, [batch, channels, height, width], { kernel, strides, dilations, padding: pads }, { groups, group },
      ); // prettier-ignore
      const expected: number[] = [];
      // The definition: every output position, every tap, zero outside.
      const reach = kernel.map((taps, axis) => (taps - 1) * (dilations[axis] ?? 1) + 1);
      for (let image = 0; image < batch; ++image)
        for (let top = -pads[0]; top + (reach[0] ?? 1) <= height + pads[2]; top += strides[0])
          for (let left = -pads[1]; left + (reach[1] ?? 1) <= width + pads[3]; left += strides[1])
            for (let channel = group * perGroup; channel < channels; ++channel)
              for (let i = 0; i < kernel[0]; ++i)
                for (let j = 0; j < kernel[1]; ++j) {
                  const [y, x] = [top + i * dilations[0], left + j * dilations[1]];
                  const inside = y >= 0 && y < height && x >= 0 && x < width;
                  expected.push(inside ? (data[((image * channels + channel) * height + y) * width + x] ?? NaN) : 0);
                }
      expect([...got.rows]).toEqual(expected);
      expect(got.count * perGroup * kernel[0] * kernel[1]).toBe(expected.length);
    }),
  );
});

test.each([
  ['SAME_UPPER', [1, 2, 3, 4, 5, 0]],
  ['SAME_LOWER', [0, 1, 2, 3, 4, 5]],
  ['VALID', [1, 2, 3, 4]],
] as const)('automatic padding %s', (padding, expected) => {
  const window = { kernel: [2], strides: [2], dilations: [1], padding };
  const { rows } = convolutionPatches(Float32Array.of(1, 2, 3, 4, 5), [1, 1, 5], window);
  expect([...rows]).toEqual(expected);
});

test('a runtime of the caller: tensors and options reach it', async () => {
  const made: unknown[][] = [];
  const module: OnnxRuntimeModule = {
    InferenceSession: {
      create: (_, options) => {
        made.push([options]);
        return Promise.resolve({
          run: (feeds: never) => Promise.resolve({ y: { data: Float32Array.of(1), dims: [1] }, feeds }),
          release: () => Promise.resolve(),
        });
      },
    },
    Tensor: class {
      readonly dims: readonly number[];
      constructor(type: never, data: never, dims: readonly number[]) {
        this.dims = dims;
        made.push([type, data, dims]);
      }
    },
  };
  const session = await onnxRuntime({ module, threads: 2 })(new Uint8Array());
  const results = await session.run({ x: { data: BigInt64Array.of(3n), shape: [1] } });
  expect(results['y']).toEqual({ data: Float32Array.of(1), shape: [1] });
  expect(made[0]).toEqual([expect.objectContaining({ intraOpNumThreads: 2 })]);
  expect(made[1]).toEqual(['int64', BigInt64Array.of(3n), [1]]);
});

test('without onnxruntime-node the error says what to install', async () => {
  await expect(onnxRuntime()(new Uint8Array())).rejects.toThrow(
    expect.objectContaining({
      code: 'ERR_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('npm install onnxruntime-node') as string,
    }) as Error,
  );
});
