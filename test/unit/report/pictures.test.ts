// Pictures: lines lie where the field has their value, PNG and GIF decode to the colours of the values, colours are even
// steps of lightness, and SVG pictures are drawn by an independent program.
import { spawnSync } from 'node:child_process';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { report } from '../../../lib';
import { errorWith } from '../../support/errors';

/** Pixels of a PNG file of the kind that is written here. */
function decodePng(file: Uint8Array): { width: number; height: number; data: Uint8Array } {
  const view = Buffer.from(file);
  expect(view.subarray(1, 4).toString()).toBe('PNG');
  let [width, height] = [0, 0];
  const parts: Buffer[] = [];
  for (let at = 8; at < view.length;) {
    const length = view.readUInt32BE(at);
    const type = view.subarray(at + 4, at + 8).toString();
    const data = view.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
    if (type === 'IDAT') parts.push(data);
    at += 12 + length;
  }
  const rows = zlib.inflateSync(Buffer.concat(parts));
  const pixels = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y += 1)
    pixels.set(rows.subarray(y * (4 * width + 1) + 1, (y + 1) * (4 * width + 1)), 4 * width * y);
  return { width, height, data: pixels };
}

/** Frames of a GIF file, by the book. */
function decodeGif(file: Uint8Array): {
  width: number;
  height: number;
  palette: Uint8Array;
  frames: number[][];
  delays: number[];
} {
  const view = Buffer.from(file);
  expect(view.subarray(0, 6).toString()).toBe('GIF89a');
  const [width, height] = [view.readUInt16LE(6), view.readUInt16LE(8)];
  const palette = new Uint8Array(view.subarray(13, 13 + 768));
  const frames: number[][] = [];
  const delays: number[] = [];
  let at = 13 + 768;
  const blocks = (): Buffer => {
    const parts: Buffer[] = [];
    for (let length = view[at] as number; length > 0; length = view[at] as number) {
      parts.push(view.subarray(at + 1, at + 1 + length));
      at += 1 + length;
    }
    at += 1;
    return Buffer.concat(parts);
  };
  while (view[at] !== 0x3b) {
    if (view[at] === 0x21) {
      if (view[at + 1] === 0xf9) delays.push(view.readUInt16LE(at + 4));
      at += 2;
      blocks();
      continue;
    }
    expect(view[at]).toBe(0x2c);
    at += 10;
    const minimum = view[at] as number;
    at += 1;
    const data = blocks();
    const [clear, end] = [1 << minimum, (1 << minimum) + 1];
    let [bit, bits] = [0, minimum + 1];
    let table: number[][] = [];
    let previous: number[] | undefined;
    const pixels: number[] = [];
    for (;;) {
      let code = 0;
      for (let k = 0; k < bits; k += 1, bit += 1) code |= (((data[bit >> 3] as number) >> (bit & 7)) & 1) << k;
      if (code === end) break;
      if (code === clear) {
        table = Array.from({ length: end + 1 }, (_, k) => [k]);
        bits = minimum + 1;
        previous = undefined;
        continue;
      }
      const entry: number[] = table[code] ?? [...(previous as number[]), (previous as number[])[0] as number];
      if (previous !== undefined && table.length < 4096) table.push([...previous, entry[0] as number]);
      if (table.length === 1 << bits && bits < 12) bits += 1;
      pixels.push(...entry);
      previous = entry;
    }
    frames.push(pixels);
  }
  return { width, height, palette, frames, delays };
}

test('PNG pixels are the colours of the values, row 0 at the bottom', () => {
  const table = report.colorTable('viridis');
  const file = report.heatMapPng({ values: [0, 1, 0.5, NaN], rows: 2, columns: 2, scale: 2 });
  const { width, height, data } = decodePng(file);
  expect([width, height]).toEqual([4, 4]);
  const pixel = (x: number, y: number): number[] => [...data.subarray(4 * (y * 4 + x), 4 * (y * 4 + x) + 3)];
  expect(pixel(0, 3)).toEqual([...table.subarray(0, 3)]);
  expect(pixel(3, 2)).toEqual([...table.subarray(765, 768)]);
  expect(pixel(1, 1)).toEqual([...table.subarray(3 * 128, 3 * 129)]);
  expect(pixel(3, 0)).toEqual([205, 210, 216]); // a hole
});

test('GIF frames decode to the steps of the values, however often the table of codes fills up', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 110 }),
      fc.integer({ min: 1, max: 110 }),
      fc.integer(),
      fc.boolean(),
      (rows, columns, seed, noisy) => {
        let state = seed >>> 0;
        const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
        const frames = [0, 1].map((t) =>
          Float64Array.from({ length: rows * columns }, (_, i) => (noisy ? next() : ((i + t) % 17) / 17)),
        );
        const range = [0, 1] as const;
        const decoded = decodeGif(report.heatMapGif({ frames, rows, columns, range, scale: 1, secondsPerFrame: 0.25 }));
        expect(decoded).toMatchObject({ width: columns, height: rows, delays: [25, 25] });
        expect(decoded.palette).toEqual(report.colorTable('viridis'));
        frames.forEach((frame, t) => {
          const expected: number[] = [];
          for (let row = rows - 1; row >= 0; row -= 1) {
            frame.slice(row * columns, (row + 1) * columns).forEach((value) => expected.push(Math.floor(value * 256)));
          }
          expect(decoded.frames[t]).toEqual(expected);
        });
      },
    ),
    { numRuns: 25, examples: [[150, 150, 1, true]] }, // 22 500 pixels in noise: the table of 4096 codes fills up five times
  );
});

test('contours lie where a plane has their value, are closed around a hill and part saddles', () => {
  const plane = Float64Array.from({ length: 6 * 9 }, (_, i) => 2 * (i % 9) + 3 * Math.floor(i / 9));
  const lines = report.contourLines(plane, 9, 7.3);
  expect(lines).toHaveLength(1);
  for (const [column, row] of lines[0] as report.Polyline) expect(2 * column + 3 * row).toBeCloseTo(7.3, 12);
  const hill = Float64Array.from({ length: 400 }, (_, i) => Math.hypot((i % 20) - 9.3, Math.floor(i / 20) - 10.1));
  const [circle, ...others] = report.contourLines(hill, 20, 6);
  expect(others).toEqual([]);
  expect(circle?.[0]).toEqual(circle?.[circle.length - 1]);
  for (const [column, row] of circle as report.Polyline) {
    expect(Math.hypot(column - 9.3, row - 10.1)).toBeGreaterThan(5.9);
    expect(Math.hypot(column - 9.3, row - 10.1)).toBeLessThan(6.1);
  }
  expect(report.contourLines([1, 0, 0, 1], 2, 0.4)).toHaveLength(2);
  expect(report.contourLines([1, NaN, 0, 1], 2, 0.5)).toEqual([]);
});

test('contours of random fields end only at the border, and every point lies on an edge between above and below', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 30, maxLength: 30 }), (values) => {
      for (const line of report.contourLines(values, 6, 0.1)) {
        const [first, last] = [line[0], line[line.length - 1]] as [
          readonly [number, number],
          readonly [number, number],
        ];
        const border = ([x, y]: readonly [number, number]): boolean => x === 0 || y === 0 || x === 5 || y === 4;
        if (first[0] !== last[0] || first[1] !== last[1]) expect(border(first) && border(last)).toBe(true);
        for (const [x, y] of line) {
          const at = (column: number, row: number): number => values[row * 6 + column] as number;
          const ends = [at(Math.floor(x), Math.floor(y)), at(Math.ceil(x), Math.ceil(y))];
          expect(Math.min(...ends)).toBeLessThanOrEqual(0.1);
          expect(Math.max(...ends)).toBeGreaterThanOrEqual(0.1);
        }
      }
    }),
  );
});

test('colour maps get lighter by even steps; the diverging one is lightest in the middle and even on both sides', () => {
  const lightness = (name: report.ColorMapName): number[] => {
    const table = report.colorTable(name);
    return Array.from({ length: 256 }, (_, k) => {
      const [r, g, b] = [0, 1, 2].map((c) => {
        const s = (table[3 * k + c] as number) / 255;
        return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
      return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
    });
  };
  for (const name of ['viridis', 'grey', 'heat'] as const) {
    const light = lightness(name);
    const mean = ((light[255] as number) - (light[0] as number)) / 255;
    expect(mean * 255).toBeGreaterThan(60);
    for (let k = 8; k < 256; k += 8) {
      const step = ((light[k] as number) - (light[k - 8] as number)) / 8;
      expect(step).toBeGreaterThan(0.4 * mean);
      expect(step).toBeLessThan(1.8 * mean);
    }
  }
  const light = lightness('diverging');
  for (let k = 0; k < 120; k += 8) {
    expect(light[k] as number).toBeLessThan(light[k + 8] as number);
    expect(Math.abs((light[k] as number) - (light[255 - k] as number))).toBeLessThan(4);
  }
});

const field = { values: Float64Array.from({ length: 24 }, (_, i) => Math.sin(i)), rows: 4, columns: 6 };
const pictures: Record<string, () => string> = {
  'heat map': () =>
    report.heatMap({
      ...field,
      title: 'a < b',
      xLabel: 'x',
      yLabel: 't',
      valueLabel: 'u',
      contours: [{ levels: [0, 0.5], label: 'zero', dashes: '4 3' }],
      points: { x: [1, 2], y: [3, 1], label: 'seen' },
    }),
  'smooth heat map': () => report.heatMap({ ...field, title: 'smooth', pixelated: false, colors: 'diverging' }),
  'constant heat map': () => report.heatMap({ values: new Float64Array(24), rows: 4, columns: 6, title: 'nothing' }),
  'slices of a volume': () =>
    report.volumeSlices({
      shape: [4, 3, 2],
      background: field.values,
      values: field.values.map(Math.abs),
      title: 'volume',
      contours: [{ values: field.values, level: 0.2, label: 'a level', color: '#22d3ee' }],
    }),
  'convergence plot': () =>
    report.convergencePlot({
      title: 'runs',
      curves: [
        { label: 'one', values: [1, 1e-3, 1e-9, 0] },
        { label: 'other', values: Float64Array.of(2, 1, 0.5), at: [0, 10, 20] },
      ],
    }),
};

test.each(Object.keys(pictures))('%s: one file without holes in its numbers, drawn by librsvg where it is', (name) => {
  const svg = (pictures[name] as () => string)();
  expect(svg).not.toMatch(/NaN|undefined|Infinity|https?:\/\/(?!www\.w3\.org)|a < b/);
  const { status, stdout, error } = spawnSync('rsvg-convert', ['--format', 'png'], { input: svg });
  if (error !== undefined) return;
  expect(status).toBe(0);
  expect(stdout.length).toBeGreaterThan(3000);
});

test('wrong arguments are named', () => {
  const wrong: [() => unknown, string, string][] = [
    [() => report.heatMapPng({ ...field, rows: 5 }), 'ERR_SHAPE_MISMATCH', 'picture.values'],
    [
      () => report.heatMapPng({ ...field, values: 'u' as unknown as Float64Array }),
      'ERR_INVALID_ARG_TYPE',
      'picture.values',
    ],
    [() => report.heatMap({ ...field, title: 'a', range: [1, 1] }), 'ERR_INVALID_ARG_VALUE', 'picture.range'],
    [() => report.heatMap({ ...field, title: 7 as unknown as string }), 'ERR_INVALID_ARG_TYPE', 'picture.title'],
    [
      () => report.heatMap({ ...field, title: 'a', contours: [{ levels: [0], of: [1] }] }),
      'ERR_SHAPE_MISMATCH',
      'picture.contours[0].of',
    ],
    [
      () => report.heatMap({ ...field, title: 'a', points: { x: [1], y: [1, 2] } }),
      'ERR_SHAPE_MISMATCH',
      'picture.points.y',
    ],
    [() => report.heatMapGif({ frames: [], rows: 1, columns: 1 }), 'ERR_SHAPE_MISMATCH', 'animation.frames'],
    [() => report.contourLines(field.values, 1, 0), 'ERR_OUT_OF_RANGE', 'columns'],
    [
      () => report.volumeSlices({ shape: [2, 2, 2], background: field.values, title: 'a' }),
      'ERR_SHAPE_MISMATCH',
      'picture.background',
    ],
    [
      () => report.volumeSlices({ shape: [4, 3, 2], background: field.values, title: 'a', at: [4, 0, 0] }),
      'ERR_OUT_OF_RANGE',
      'picture.at[0]',
    ],
    [
      () => report.convergencePlot({ title: 'a', curves: [{ label: 'b', values: [1], at: [] }] }),
      'ERR_SHAPE_MISMATCH',
      'plot.curves[0].at',
    ],
    [() => report.encodePng({ width: 1, height: 1, data: new Uint8Array(3) }), 'ERR_SHAPE_MISMATCH', 'pixels.data'],
  ];
  for (const [call, code, argument] of wrong) expect(call).toThrow(errorWith(code, argument));
});
