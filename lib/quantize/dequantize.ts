// Codes to values, operation by operation as in native code: every result is the same float32, bit for bit.
import { roundHalfEven } from '../formats/half';
import type { CodedWeights, RangeGrid } from './coded-weights';

const { fround } = Math;

/** Step and zero of a row and group of a range grid for a number of levels above 1. @internal */
export function rangeStep(
  grid: RangeGrid,
  row: number,
  group: number,
  levels: number,
): { scale: number; zero: number } {
  const at = row * (grid.groups ?? 1) + group;
  // Quotients and products of float32 numbers, computed in float64 and rounded once more, are those of float32.
  return {
    scale: fround((grid.range[at] ?? NaN) / (levels - 1)),
    zero: roundHalfEven(fround((grid.ratio[at] ?? NaN) * (levels - 1))),
  };
}

/** The values of coded weights, rows x columns, row-major. */
export function dequantize({ rows, columns, codes, levels, grid }: CodedWeights): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < rows; ++i) {
    for (let j = 0; j < columns; ++j) {
      const count = levels[j] ?? 1;
      if (count <= 1) continue;
      const at = i * columns + j;
      const code = codes[at] ?? 0;
      if (grid.kind === 'range') {
        const { scale, zero } = rangeStep(grid, i, grid.groupOfColumn?.[j] ?? 0, count);
        values[at] = scale * fround(code - zero);
        continue;
      }
      const group = i * grid.groups + (grid.groupOfColumn[j] ?? 0);
      if (grid.kind === 'scale') values[at] = (grid.scale[group] ?? NaN) * fround(code - (grid.zero[group] ?? NaN));
      else values[at] = code === 0 ? (grid.low[group] ?? NaN) : code === 2 ? (grid.high[group] ?? NaN) : 0;
    }
  }
  return values;
}
