// Which coordinates stand for which parameters.
import { callNative } from '../runtime/errors';
import {
  arrayOf,
  boolean,
  fail,
  integer,
  number,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  typedArray,
  withDefault,
} from '../runtime/validate';
import { type NativeSubspace, nativeDirections, nativePolystep, nativeSubspaces } from './native';
import { rankScheduleSchema, type RankSchedule } from './schedules';

/**
 * How coordinates act on a matrix. `'hybrid'` (default): orthonormal random directions, fixed for the run; `'linear'`:
 * normal random directions; `'lowRank'`: factors B A, bilinear and flat at its start, for diagnostics; `'factored'`: A B0
 * with fixed orthonormal B0, drawn again at an absorb; `'sparse'`: a few signs per direction, never stored;
 * `'adaptive'`: one orthonormal basis over all parameters, drawn again in every step.
 */
export type SubspaceKind = 'hybrid' | 'linear' | 'lowRank' | 'factored' | 'sparse' | 'adaptive';

/** A subspace of the parameters. */
export interface SubspaceOptions {
  /** Default `'hybrid'`. */
  kind?: SubspaceKind;
  /** Shape of each tensor of the parameter vector, in order; the first extent counts rows. */
  shapes: readonly (readonly number[])[];
  /** Coordinates are rank (rows + columns); default 4. `'auto'`: min(rows, columns) / 16 within [4, 64]. */
  rank?: number | 'auto';
  /** Ranks from given steps on, instead of `rank`. */
  rankSchedule?: RankSchedule;
  /** Coordinates at most, those of one-dimensional tensors included; projected tensors keep at least one each. */
  maxSubspaceDim?: number;
  /** No tensor gets more coordinates than it has parameters; default true. Release 0.7 had no such cap. */
  cap?: boolean;
  /** Dense bases above this many bytes become sparse ones, drawn when used; default 64 MiB. */
  maxBasisBytes?: number;
  /** Bases to use instead of drawing, one per tensor: parameters x coordinates numbers row by row, or undefined. */
  bases?: readonly (Float64Array | readonly number[] | undefined)[];
  /**
   * What each new basis of kind `'adaptive'` begins with: nothing (default); the principal directions of the last five
   * displacements; the displacements of the particles with the most concentrated weights.
   */
  directions?: 'random' | 'displacements' | 'transport';
  /**
   * Share of the basis that is led so: of `'displacements'` it grows from 0 to this in `directionSteps`, at least one
   * direction. Default 0.5, of `'transport'` 0.3.
   */
  directionShare?: number;
  /** See `directionShare`; default 200. */
  directionSteps?: number;
  /** Absorbs every so many steps; default 0: only when an adaptive radius sees stagnation. */
  absorbEvery?: number;
}

/** @internal */
export interface CheckedSubspace {
  kind: SubspaceKind;
  shapes: number[][];
  rank: number | 'auto';
  rankSchedule: [number, number][] | undefined;
  maxSubspaceDim: number | undefined;
  cap: boolean;
  maxBasisBytes: number;
  bases: (Float64Array | undefined)[] | undefined;
  directions: (typeof nativeDirections)[number];
  directionShare: number | undefined;
  directionSteps: number;
  absorbEvery: number;
}

const rankSchema: Schema<number | 'auto'> = (value, argument) =>
  value === 'auto' ? value : integer({ min: 1 })(value, argument);

/** @internal */
export const subspaceSchema: Schema<CheckedSubspace> = object({
  kind: withDefault(oneOf(nativeSubspaces), 'hybrid'),
  shapes: arrayOf(arrayOf(integer({ min: 1 }), { min: 1 }), { min: 1 }),
  rank: withDefault(rankSchema, 4),
  rankSchedule: optional(rankScheduleSchema),
  maxSubspaceDim: optional(integer({ min: 1 })),
  cap: withDefault(boolean, true),
  maxBasisBytes: withDefault(number({ min: 0, infinite: true }), 2 ** 26),
  bases: optional(arrayOf(optional(typedArray(['Float64Array'])))),
  directions: withDefault(oneOf(nativeDirections), 'random'),
  directionShare: optional(number({ above: 0, max: 1 })),
  directionSteps: withDefault(integer({ min: 1 }), 200),
  absorbEvery: withDefault(integer({ min: 0 }), 0),
});

/** A tensor and its coordinates. */
export interface SubspaceEntry {
  /** First extent of its shape. */
  readonly rows: number;
  /** Product of the others. */
  readonly columns: number;
  /** Coordinates that stand for it. */
  readonly coordinates: number;
  /** Rank after clamping to the shape. */
  readonly rank: number;
  /** Whether it has a basis: tensors of one dimension have one coordinate per parameter. */
  readonly projected: boolean;
  /** Whether its basis is drawn when used instead of kept. */
  readonly sparse: boolean;
  /** Position of its first coordinate. */
  readonly first: number;
}

const product = (extents: readonly number[]): number => extents.reduce((all, extent) => all * extent, 1);

/** Entries at a rank. @internal */
export function layOut(subspace: CheckedSubspace, rank: number | 'auto', bytesPerNumber: number): SubspaceEntry[] {
  const { kind, shapes, cap, maxSubspaceDim, maxBasisBytes } = subspace;
  if (kind === 'adaptive') {
    const total = shapes.reduce((sum, shape) => sum + product(shape), 0);
    const coordinates = Math.min(rank === 'auto' ? 4 : rank, maxSubspaceDim ?? Infinity, total);
    return [{ rows: total, columns: 1, coordinates, rank: coordinates, projected: true, sparse: false, first: 0 }];
  }
  const entries = shapes.map((shape) => {
    const rows = shape[0] as number;
    const columns = product(shape.slice(1));
    const projected = shape.length > 1;
    const small = Math.min(rows, columns);
    const own = Math.min(rank === 'auto' ? Math.min(Math.max(Math.floor(small / 16), 4), 64) : rank, small);
    let coordinates = projected ? own * (kind === 'factored' ? rows : rows + columns) : rows * columns;
    if (cap && kind !== 'lowRank') coordinates = Math.min(coordinates, rows * columns);
    return { rows, columns, coordinates, rank: own, projected };
  });
  const total = (): number => entries.reduce((sum, { coordinates }) => sum + coordinates, 0);
  if (maxSubspaceDim !== undefined && total() > maxSubspaceDim) {
    if (kind === 'lowRank' || kind === 'factored') {
      fail(
        'ERR_INVALID_ARG_VALUE',
        'options.subspace.maxSubspaceDim',
        `absent for '${kind}', whose counts are those of its factors`,
        maxSubspaceDim,
      );
    }
    const free = entries.reduce((sum, entry) => sum + (entry.projected ? 0 : entry.coordinates), 0);
    const scale = (maxSubspaceDim - free) / (total() - free);
    const projected = entries.filter((entry) => entry.projected);
    for (const entry of projected) entry.coordinates = Math.max(1, Math.round(entry.coordinates * scale));
    // Rounding up may pass the cap by a few: the largest gives way.
    while (total() > maxSubspaceDim) {
      const largest = projected.reduce((a, b) => (b.coordinates > a.coordinates ? b : a));
      if (largest.coordinates <= 1) break;
      largest.coordinates -= 1;
    }
  }
  let first = 0;
  return entries.map((entry) => {
    const dense = kind === 'hybrid' || kind === 'linear';
    const bytes = entry.rows * entry.columns * entry.coordinates * bytesPerNumber;
    const placed = {
      ...entry,
      sparse: entry.projected && (kind === 'sparse' || (dense && bytes > maxBasisBytes)),
      first,
    };
    first += entry.coordinates;
    return placed;
  });
}

/** @internal */
export function nativeSubspace(
  subspace: CheckedSubspace,
  entries: readonly SubspaceEntry[],
  seed: number,
): NativeSubspace {
  return {
    kind: nativeSubspaces.indexOf(subspace.kind),
    entries: Float64Array.from(
      entries.flatMap(({ rows, columns, coordinates, rank, projected, sparse }) => [
        rows,
        columns,
        coordinates,
        rank,
        projected ? 1 : 0,
        sparse ? 1 : 0,
      ]),
    ),
    seed,
    epoch: 0,
    bases: entries.map((_, i) => subspace.bases?.[i]),
  };
}

/** A subspace with its layout. */
export interface Subspace {
  /** Coordinates of all tensors. */
  readonly dimension: number;
  /** Parameters of all tensors. */
  readonly parameters: number;
  /** Layout, tensor by tensor (one entry over everything for `'adaptive'`). */
  readonly entries: readonly SubspaceEntry[];
  /** base + B c in float64, from `parameters` and `dimension` numbers. */
  expand(base: Float64Array | readonly number[], coordinates: Float64Array | readonly number[]): Float64Array;
}

/**
 * Coordinates that stand for many parameters, as block-mode runs use them with `options.subspace`.
 *
 * @param options  see {@link SubspaceOptions}; `seed` of the bases, default 0
 * @throws ERR_OUT_OF_RANGE  a rank below 1; ERR_SHAPE_MISMATCH  bases of another size
 * Cost of expand: parameters x coordinates of each dense tensor. Source: arXiv 2605.01928, section 5.
 */
export function createSubspace(options: SubspaceOptions & { seed?: number }): Subspace {
  const { seed: given, ...rest } = options;
  const seed = parse(given, 'options.seed', withDefault(integer({ min: 0 }), 0));
  const checked = parse(rest, 'options', subspaceSchema);
  const entries = layOut(checked, checked.rankSchedule?.[0]?.[1] ?? checked.rank, 8);
  const dimension = entries.reduce((sum, { coordinates }) => sum + coordinates, 0);
  const parameters = entries.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  const description = nativeSubspace(checked, entries, seed);
  return {
    dimension,
    parameters,
    entries,
    expand: (base, coordinates) => {
      const from = parse(base, 'base', typedArray(['Float64Array'], { length: parameters, per: 'one per parameter' }));
      const c = parse(coordinates, 'coordinates', typedArray(['Float64Array'], { length: dimension }));
      return callNative(() => nativePolystep.expandSubspace(description, from, c));
    },
  };
}
