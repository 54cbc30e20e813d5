// The real model, quantised and read with: a third of the test lines, 2 bits.
import { cards } from '../cards.cjs';
import { cells, compare, head, type Row } from '../compare.cjs';
import { linePicture, readingInPieces } from '../index.cjs';

jest.setTimeout(600_000);

interface Context {
  drawImage(image: object, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { data: Uint8ClampedArray };
}

/** What a test needs of @napi-rs/canvas, whose own types are not there for the root's type check. */
interface Canvas {
  createCanvas: (width: number, height: number) => { getContext: (kind: '2d') => Context };
  loadImage: (bytes: Buffer) => Promise<object>;
}

const names = ['rtn', 'gptq', 'baq official', 'baq table', 'baq levels'];
let result: Awaited<ReturnType<typeof compare>>;
const of = (method: string): Row => result.rows.find((row) => row.method === method) as Row;

beforeAll(async () => {
  result = await compare({ bits: [2], lines: 32, names });
});

test('2 bits: tables and levels read most of what GPTQ and rounding lose', () => {
  expect(of('float32').characterErrorRate).toBeLessThan(0.02);
  for (const name of names.filter((method) => method !== 'baq official')) {
    expect(of(name).averageBits).toBeLessThanOrEqual(2.0001);
  }
  expect(of('rtn').characterErrorRate).toBeGreaterThan(0.9);
  expect(of('gptq').characterErrorRate).toBeGreaterThan(0.5);
  for (const name of ['baq table', 'baq levels']) {
    expect(of(name).characterErrorRate).toBeLessThan(0.2);
    expect(of(name).divergence).toBeLessThan(0.6);
    expect(of(name).divergence).toBeLessThan(of('baq official').divergence);
  }
});

test('cards of the report: figures and readings of every method, pictures of the lines, the allocation', () => {
  const [figures, readings, allocation, ...others] = cards(result, { head, cells, samples: 3 });
  expect(others).toEqual([]);
  for (const name of names) {
    expect(figures?.html).toContain(of(name).characterErrorRate.toFixed(4));
    expect(readings?.html.split(`<th>${name}</th>`)).toHaveLength(4);
    expect(allocation?.html).toContain(`>${name}</text>`);
  }
  for (const line of result.lines.slice(0, 3)) {
    expect(readings?.html).toContain(`src="data:image/png;base64,${linePicture(line).toString('base64')}"`);
  }
  for (const { name } of of('baq table').report?.layers ?? []) expect(allocation?.html).toContain(name.slice(-18));
});

test('a picture of a line is the tensor that the model sees', async () => {
  const { createCanvas, loadImage } = jest.requireActual<Canvas>('@napi-rs/canvas');
  const [line] = result.lines;
  if (line === undefined) throw new Error('no line');
  const [width, height] = [320, 48];
  const context = createCanvas(width, height).getContext('2d');
  context.drawImage(await loadImage(linePicture(line)), 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const blue = Float32Array.from({ length: width * height }, (_, pixel) => (data[4 * pixel + 2] ?? NaN) / 127.5 - 1);
  line.input.data.subarray(0, width * height).forEach((value, pixel) => {
    if (Math.abs(value - (blue[pixel] ?? NaN)) > 1e-6) throw new Error(`pixel ${pixel}`);
  });
});

test('a reading in pieces: what is right, wrong, missing', () => {
  const marked = (truth: string, read: string) =>
    readingInPieces(truth, read).map(({ text, right }) => (right ? text : `<${text}>`)).join(''); // prettier-ignore
  expect(marked('river bank', 'river bank')).toBe('river bank');
  expect(marked('river bank', 'rivxr bonk')).toBe('riv<x>r b<o>nk');
  expect(marked('river', 'xriver')).toBe('<x>river');
  expect(marked('river', 'rver')).toBe('r<>ver');
  expect(marked('river bank', 'rivbanks')).toBe('riv<>bank<s>');
  expect(marked('river', 'rive')).toBe('rive<>');
  expect(marked('river', '')).toBe('<>');
  expect(marked('', 'river')).toBe('<river>');
});
