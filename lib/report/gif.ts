// Animated GIF files (GIF89a) of at most 256 colours, which is what a colour map has: no colour is approximated.

/** What `encodeGif` needs. @internal */
export interface GifContents {
  /** Pixels in a row. */
  width: number;
  /** Rows. */
  height: number;
  /** 256 colours: red, green and blue one after the other. */
  palette: Uint8Array;
  /** Pixels of each frame as numbers of colours. */
  frames: readonly Uint8Array[];
  /** Hundredths of a second for which a frame is shown. */
  delay: number;
}

const codeBits = 8;
const clearCode = 256;
const endCode = 257;
const mostCodes = 4096;

/** Lempel-Ziv-Welch codes, packed from the lowest bit on. */
function compress(pixels: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  let width = codeBits + 1;
  let next = endCode + 1;
  let known = new Map<number, number>(); // (prefix code, pixel) -> code
  const put = (code: number): void => {
    held |= code << bits;
    bits += width;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  put(clearCode);
  let prefix = pixels[0] as number;
  for (let i = 1; i < pixels.length; i += 1) {
    const pixel = pixels[i] as number;
    const key = prefix * 256 + pixel;
    const code = known.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    put(prefix);
    if (next < mostCodes) {
      // The reader learns a code one step later than the writer, so the width grows after the code that fills it.
      if (next === 1 << width) width += 1;
      known.set(key, next);
      next += 1;
    } else {
      put(clearCode);
      known = new Map();
      width = codeBits + 1;
      next = endCode + 1;
    }
    prefix = pixel;
  }
  put(prefix);
  if (next === 1 << width && width < 12) width += 1;
  put(endCode);
  if (bits > 0) bytes.push(held & 255);
  return Uint8Array.from(bytes);
}

function blocks(data: Uint8Array): Buffer {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 255) {
    const part = data.subarray(at, at + 255);
    parts.push(Uint8Array.of(part.length), part);
  }
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

const uint16 = (value: number): number[] => [value & 255, value >> 8];

/** The file as bytes; frames are shown over and over. @internal */
export function encodeGif({ width, height, palette, frames, delay }: GifContents): Uint8Array {
  const size = [...uint16(width), ...uint16(height)];
  return Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    Uint8Array.from([...size, 0xf7, 0, 0]), // a table of 256 colours follows
    palette,
    Uint8Array.from([0x21, 0xff, 11]),
    Buffer.from('NETSCAPE2.0', 'latin1'),
    Uint8Array.from([3, 1, 0, 0, 0]), // for ever
    ...frames.flatMap((frame) => [
      Uint8Array.from([0x21, 0xf9, 4, 4, ...uint16(delay), 0, 0]),
      Uint8Array.from([0x2c, 0, 0, 0, 0, ...size, 0, codeBits]),
      blocks(compress(frame)),
    ]),
    Uint8Array.of(0x3b),
  ]);
}
