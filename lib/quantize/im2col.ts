// A convolution as a matrix product: the patches its kernel sees, one per row. Any number of spatial dimensions.
import { makeError } from '../runtime/errors';

/** How a kernel moves over its input; one entry per spatial dimension. */
export interface ConvolutionWindow {
  /** Extents of the kernel. */
  readonly kernel: readonly number[];
  /** Steps between outputs. */
  readonly strides: readonly number[];
  /** Steps between taps. */
  readonly dilations: readonly number[];
  /** Zeros before and behind (all befores, then all behinds), or how to find them from the input. */
  readonly padding: readonly number[] | 'VALID' | 'SAME_UPPER' | 'SAME_LOWER';
}

/** Rows of a matrix. */
export interface SampleRows {
  /** Number of rows. */
  readonly count: number;
  /** count x columns, row-major. */
  readonly rows: Float32Array;
}

/** `count` positions spread evenly over `total`: all of them where there are not more. @internal */
export function spread(total: number, count: number): number[] {
  const taken = Math.min(total, count);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * total) / taken));
}

interface Axis {
  readonly extent: number;
  readonly outputs: number;
  readonly before: number;
}

function axisOf(window: ConvolutionWindow, axis: number, extent: number): Axis {
  const { kernel, strides, dilations, padding } = window;
  const stride = strides[axis] ?? 1;
  const reach = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
  let before: number;
  let behind: number;
  if (padding === 'VALID') before = behind = 0;
  else if (padding === 'SAME_UPPER' || padding === 'SAME_LOWER') {
    const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + reach - extent);
    before = padding === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
    behind = total - before;
  } else {
    before = padding[axis] ?? 0;
    behind = padding[axis + kernel.length] ?? 0;
  }
  return { extent, outputs: Math.max(0, Math.floor((extent + before + behind - reach) / stride) + 1), before };
}

/** Index of each dimension of the flat index `flat`. */
function unravel(flat: number, extents: readonly number[]): number[] {
  const index = new Array<number>(extents.length);
  for (let axis = extents.length - 1; axis >= 0; --axis) {
    const extent = extents[axis] ?? 1;
    index[axis] = flat % extent;
    flat = Math.floor(flat / extent);
  }
  return index;
}

/**
 * The patches of group `group` of `groups` that a convolution sees in an input of shape batch x channels x spatial...,
 * at most `limit` of them, spread evenly over all positions of all images. A row has the order of the kernel's own
 * weights: channel, then position within the kernel.
 */
export function convolutionPatches(
  data: Float32Array,
  shape: readonly number[],
  window: ConvolutionWindow,
  { groups = 1, group = 0, limit = Infinity }: { groups?: number; group?: number; limit?: number } = {},
): SampleRows {
  const { kernel, strides, dilations } = window;
  const [batch = 0, channels = 0, ...extents] = shape;
  if (extents.length !== kernel.length || channels % groups !== 0 || data.length !== shape.reduce((a, b) => a * b, 1)) {
    const message = `an input of shape [${shape.join(', ')}] does not fit a kernel [${kernel.join(', ')}]`;
    throw makeError('ERR_SHAPE_MISMATCH', 'shape', message);
  }
  const axes = extents.map((extent, axis) => axisOf(window, axis, extent));
  const outputs = axes.map((axis) => axis.outputs);
  const positions = outputs.reduce((a, b) => a * b, 1);
  const pixels = extents.reduce((a, b) => a * b, 1);
  const taps = kernel.reduce((a, b) => a * b, 1);
  const tapIndex = Array.from({ length: taps }, (_, tap) => unravel(tap, kernel));
  const perGroup = channels / groups;
  const chosen = spread(batch * positions, limit);
  const rows = new Float32Array(chosen.length * perGroup * taps);
  const source = new Int32Array(taps);
  chosen.forEach((flat, row) => {
    const at = unravel(flat % positions, outputs);
    tapIndex.forEach((offsets, tap) => {
      let pixel = 0;
      axes.forEach(({ extent, before }, axis) => {
        const place = (at[axis] ?? 0) * (strides[axis] ?? 1) - before + (offsets[axis] ?? 0) * (dilations[axis] ?? 1);
        pixel = pixel < 0 || place < 0 || place >= extent ? -1 : pixel * extent + place;
      });
      source[tap] = pixel;
    });
    const image = Math.floor(flat / positions) * channels + group * perGroup;
    for (let channel = 0; channel < perGroup; ++channel) {
      const plane = (image + channel) * pixels;
      const target = (row * perGroup + channel) * taps;
      for (let tap = 0; tap < taps; ++tap) {
        const pixel = source[tap] ?? -1;
        rows[target + tap] = pixel < 0 ? 0 : (data[plane + pixel] ?? 0);
      }
    }
  });
  return { count: chosen.length, rows };
}
