// What the formats of others have in common: one scale and one zero per row and group, none per column.
import { numberToFloat16, float16ToNumber } from '../formats/half';
import { type ErrorDetails, makeError } from '../runtime/errors';
import type { CodedWeights, ScaleGrid } from './coded-weights';
import { rangeStep } from './dequantize';

/** The error of weights that a format has no form for (`ERR_NOT_EXPRESSIBLE`). @internal */
export function notExpressible(format: string, why: string): Error & ErrorDetails {
  return makeError('ERR_NOT_EXPRESSIBLE', 'weights', `${format} cannot hold these weights: ${why}`);
}

/** Weights as value = scale * (code - zero), scales and zeros per row and group. @internal */
export interface AffineWeights {
  rows: number;
  columns: number;
  /** Dropped columns have the code of zero. */
  codes: Int32Array;
  /** Largest number of levels of a column. */
  levels: number;
  grid: ScaleGrid;
}

function scaleGridOf({ rows, columns, levels, grid }: CodedWeights, format: string): ScaleGrid {
  if (grid.kind === 'scale') return grid;
  if (grid.kind === 'ternary') {
    throw notExpressible(format, 'three values per row that are not evenly spaced; store them as float');
  }
  const counts = [...new Set(levels)].filter((count) => count > 1).sort((a, b) => a - b);
  if (counts.length > 1) {
    const list = counts.length > 6 ? `${counts.slice(0, 6).join(', ')}, ...` : counts.join(', ');
    throw notExpressible(format, `columns of different numbers of levels (${list}) have different scales`);
  }
  const groups = grid.groups ?? 1;
  const steps = Array.from({ length: rows * groups }, (_, at) =>
    rangeStep(grid, Math.floor(at / groups), at % groups, counts[0] ?? 2),
  );
  return {
    kind: 'scale',
    groups,
    scale: Float32Array.from(steps, ({ scale }) => scale),
    zero: Float32Array.from(steps, ({ zero }) => zero),
    groupOfColumn: grid.groupOfColumn ?? new Int32Array(columns),
  };
}

/** The weights in this form, exactly, or the error that says why there is none. @internal */
export function affineWeights(weights: CodedWeights, format: string): AffineWeights {
  const { rows, columns } = weights;
  const grid = scaleGridOf(weights, format);
  const codes = Int32Array.from(weights.codes, (code, at) => {
    if ((weights.levels[at % columns] ?? 1) > 1) return code;
    const group = grid.groupOfColumn[at % columns] ?? 0;
    return grid.zero[Math.floor(at / columns) * grid.groups + group] ?? 0;
  });
  return { rows, columns, codes, levels: weights.levels.reduce((a, b) => Math.max(a, b), 1), grid };
}

/**
 * Scale and zero of row i and block k of `block` columns, for formats whose groups are such blocks; refuses weights
 * with a block whose columns do not all lie in one group. @internal
 */
export function blockGroups({ columns, grid }: AffineWeights, block: number, format: string): Int32Array {
  const groups = new Int32Array(Math.ceil(columns / block));
  for (let column = 0; column < columns; ++column) {
    const at = Math.floor(column / block);
    const group = grid.groupOfColumn[column] ?? 0;
    if (column % block === 0) groups[at] = group;
    else if (groups[at] !== group) {
      throw notExpressible(
        format,
        `columns ${at * block} to ${column} lie in different groups, its blocks are ${block} wide`,
      );
    }
  }
  return groups;
}

/** A float16 next to `value`, refused where it is no normal number of that type. @internal */
export function toFloat16(value: number, format: string, what: string): number {
  const bits = numberToFloat16(value);
  const rounded = float16ToNumber(bits);
  if (!Number.isFinite(rounded) || (value !== 0 && Math.abs(rounded) < 2 ** -14)) {
    throw notExpressible(format, `the ${what} ${value} is beyond float16 (6.1e-5 to 65504)`);
  }
  return bits;
}
