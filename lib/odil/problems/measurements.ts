// What problems with measurements check: one number per point, and at least one point that was measured.
import { fail, parse, typedArray } from '../../runtime/validate';

/** Known values, one per point. @internal */
export function perPoint(values: Float64Array, points: number, argument: string): Float64Array {
  return parse(values, argument, typedArray(['Float64Array'], { length: points, per: 'one value per point' }));
}

/** How many points a mask holds. @internal */
export function measuredPoints(mask: Float64Array, points: number, argument: string): number {
  const known = perPoint(mask, points, argument);
  const count = known.reduce((total, one) => total + Number(one === 1), 0);
  if (count === 0 || known.some((one) => one !== 0 && one !== 1)) {
    fail('ERR_INVALID_ARG_VALUE', argument, 'made of 0 and 1, with at least one 1', mask);
  }
  return count;
}
