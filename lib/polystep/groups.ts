// Which rows of block mode are scaled and assigned without the others.
import { arrayOf, fail, integer, number, object, oneOf, optional, parse, type Schema } from '../runtime/validate';

/** How rows (particles of block mode) are grouped. */
export interface GroupOptions {
  /**
   * `'tensors'`: the coordinates of one tensor, or of `count` tensors in a row, are a group, whose last row is padded by
   * itself, so that no row holds numbers of two groups. `'rows'`: the rows in order, cut into `count` parts that differ
   * by one row at most.
   */
  by: 'tensors' | 'rows';
  /** Tensors of a group (default 1), or how many groups rows are cut into (default 2). */
  count?: number;
  /** What the temperature is multiplied by, a number per group; default 1. */
  epsilonFactors?: Float64Array | readonly number[];
  /** What both radii are multiplied by, a number per group; default 1. */
  radiusFactors?: Float64Array | readonly number[];
}

/** A group of rows. */
export interface RowGroup {
  /** Coordinates it holds. */
  readonly coordinates: number;
  /** Rows over them, the last one padded. */
  readonly rows: number;
}

/** @internal */
export interface CheckedGroups {
  by: 'tensors' | 'rows';
  count: number | undefined;
  epsilonFactors: readonly number[] | undefined;
  radiusFactors: readonly number[] | undefined;
}

const factors: Schema<number[]> = (value, argument) =>
  arrayOf(number({ above: 0 }))(ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value, argument);

const members = {
  by: oneOf(['tensors', 'rows']),
  count: optional(integer({ min: 1 })),
  epsilonFactors: optional(factors),
  radiusFactors: optional(factors),
};
/** @internal */
export const groupsSchema: Schema<CheckedGroups> = object(members);

/** Groups over tensors of `sizes` coordinates. @internal */
export function groupsOf({ by, count }: CheckedGroups, sizes: readonly number[], width: number): RowGroup[] {
  const made = (coordinates: number): RowGroup => ({ coordinates, rows: Math.ceil(coordinates / width) });
  if (by === 'tensors') {
    const together = count ?? 1;
    return Array.from({ length: Math.ceil(sizes.length / together) }, (_, g) =>
      made(sizes.slice(g * together, (g + 1) * together).reduce((sum, size) => sum + size, 0)),
    );
  }
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const rows = Math.ceil(all / width);
  const parts = count ?? 2;
  if (parts > rows) fail('ERR_OUT_OF_RANGE', 'options.groups.count', `at most ${rows} (one per row)`, parts);
  const groups: RowGroup[] = [];
  for (let g = 0, first = 0; g < parts; g += 1) {
    const own = Math.floor(rows / parts) + (g < rows % parts ? 1 : 0);
    groups.push(made(Math.min(own * width, all - first)));
    first += own * width;
  }
  return groups;
}

/** Coordinates and factors of each group, as native code reads them. @internal */
export function nativeGroups(checked: CheckedGroups, groups: readonly RowGroup[]): Float64Array {
  for (const name of ['epsilonFactors', 'radiusFactors'] as const) {
    const given = checked[name];
    if (given !== undefined && given.length !== groups.length) {
      fail('ERR_SHAPE_MISMATCH', `options.groups.${name}`, `of length ${groups.length} (one per group)`, given);
    }
  }
  return Float64Array.from(
    groups.flatMap(({ coordinates }, g) => [
      coordinates,
      checked.epsilonFactors?.[g] ?? 1,
      checked.radiusFactors?.[g] ?? 1,
    ]),
  );
}

/**
 * The groups that {@link OptimizerOptions.groups} makes of tensors.
 *
 * @param sizes    coordinates of each tensor, in order
 * @param options  see {@link GroupOptions}, and `particleDimension`, numbers of a row
 * @throws ERR_OUT_OF_RANGE  more groups than rows
 */
export function rowGroups(
  sizes: readonly number[],
  options: Pick<GroupOptions, 'by' | 'count'> & { particleDimension: number },
): RowGroup[] {
  const checkedSizes = parse(sizes, 'sizes', arrayOf(integer({ min: 1 }), { min: 1 }));
  const { by, count } = members;
  const given = parse(options, 'options', object({ by, count, particleDimension: integer({ min: 1 }) }));
  const { particleDimension, ...checked } = given;
  return groupsOf({ ...checked, epsilonFactors: undefined, radiusFactors: undefined }, checkedSizes, particleDimension);
}
