// PNG files: true colour with transparency, compressed by zlib (www.w3.org/TR/png-3).
import zlib from 'node:zlib';
import { integer, object, parse } from '../runtime/validate';
import { makeError } from '../runtime/errors';

/** Pixels of a picture. */
export interface Pixels {
  /** Pixels in a row. */
  width: number;
  /** Rows. */
  height: number;
  /** Red, green, blue and opacity of each pixel, row by row from the top. */
  data: Uint8Array;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = (c & 1) !== 0 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (crcTable[(c ^ byte) & 255] as number) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

const sides = object({
  width: integer({ min: 1, max: 32767 }),
  height: integer({ min: 1, max: 32767 }),
  data: (value: unknown) => value,
});

/**
 * A PNG file as bytes.
 *
 * @throws ERR_SHAPE_MISMATCH  `data` does not hold four bytes per pixel
 */
export function encodePng(pixels: Pixels): Uint8Array {
  const { width, height } = parse(pixels, 'pixels', sides);
  const { data } = pixels;
  if (!(data instanceof Uint8Array) || data.length !== 4 * width * height) {
    throw makeError('ERR_SHAPE_MISMATCH', 'pixels.data', '`pixels.data` must be a Uint8Array of four bytes per pixel');
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6], 8); // eight bits, red green blue opacity
  // Every row starts with the number of its filter: 0, none.
  const rows = Buffer.alloc(height * (4 * width + 1));
  for (let y = 0; y < height; y += 1) {
    rows.set(data.subarray(4 * width * y, 4 * width * (y + 1)), y * (4 * width + 1) + 1);
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows, { level: 9 })),
    chunk('IEND', new Uint8Array()),
  ]);
}
