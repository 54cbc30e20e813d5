// What a quantised layer is made of: codes, levels per column and the grid that turns codes into values. Storage,
// packed kernels and quantisers all speak of weights in this one form.

/**
 * One range per row, or per row and group of columns, shared by columns whatever their number of levels
 * (arXiv 2506.05664): with all operations in float32 and `at` = row x groups + group, `scale = range[at] / (levels[j] - 1)`,
 * `zero = roundHalfEven(ratio[at] * (levels[j] - 1))`, `value = scale * (code - zero)`. Scale and zero are never stored.
 */
export interface RangeGrid {
  /** Which grid this is. */
  readonly kind: 'range';
  /** Number of groups; absent: 1. */
  readonly groups?: number;
  /** Largest minus smallest representable value: rows x groups, row-major, positive. */
  readonly range: Float32Array;
  /** Minus the smallest value over the range, so that ratio 0 starts at zero: rows x groups, row-major. */
  readonly ratio: Float32Array;
  /** Group of each column: columns; absent where all columns are in one group. */
  readonly groupOfColumn?: Int32Array;
}

/** Scale and zero per row and group of columns: `value = scale * (code - zero)` in float32. */
export interface ScaleGrid {
  /** Which grid this is. */
  readonly kind: 'scale';
  /** Number of groups. */
  readonly groups: number;
  /** rows x groups, row-major, positive. */
  readonly scale: Float32Array;
  /** rows x groups, row-major, whole numbers. */
  readonly zero: Float32Array;
  /** Group of each column: columns. */
  readonly groupOfColumn: Int32Array;
}

/** Three values per row and group: code 0 is `low`, code 1 is 0, code 2 is `high`. */
export interface TernaryGrid {
  /** Which grid this is. */
  readonly kind: 'ternary';
  /** Number of groups. */
  readonly groups: number;
  /** rows x groups, row-major. */
  readonly low: Float32Array;
  /** rows x groups, row-major. */
  readonly high: Float32Array;
  /** Group of each column: columns. */
  readonly groupOfColumn: Int32Array;
}

/** How codes become values. */
export type QuantizationGrid = RangeGrid | ScaleGrid | TernaryGrid;

/** A weight matrix as codes on a grid. */
export interface CodedWeights {
  /** Outputs of the layer. */
  readonly rows: number;
  /** Inputs of the layer. */
  readonly columns: number;
  /** rows x columns, row-major, columns in their original order; 16 bits when a column has more than 256 levels. */
  readonly codes: Uint8Array | Uint16Array;
  /** Levels of each column, 1 to 65536; a column of one level is dropped: its value is 0 whatever the grid says. */
  readonly levels: Uint32Array;
  /** How codes become values. */
  readonly grid: QuantizationGrid;
}
