// The smallest problem there is: fields at all kinds of locations, each fitted to a plane (odil.md, section 6.7).
import { integer, object, parse, withDefault } from '../../runtime/validate';
import type { Expression } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import { withReference, type WithReference } from './reference';

/** Options of `problems.fields`. */
export interface FieldsOptions {
  /** Cells along x and y; default 8 and 4. */
  cells?: {
    /** Default 8. */
    x?: number;
    /** Default 4. */
    y?: number;
  };
}

const schema = object({
  cells: withDefault(object({ x: withDefault(integer({ min: 1 }), 8), y: withDefault(integer({ min: 1 }), 4) }), {
    x: 8,
    y: 4,
  }),
});

const plane = (x: number, y: number): number => 0.25 * x + 0.5 * y;

/** Fields `cc`, `nn`, `nc`, `cn`, each at the location of its name, on [0, 2] x [0, 1]; a block of that name each. */
export function fields(options: FieldsOptions = {}): WithReference {
  const { cells } = parse(options, 'options', schema);
  const of = grid({ x: { cells: cells.x, upper: 2 }, y: { cells: cells.y } });
  const made = problem({ grid: of, fields: { cc: 'cc', nn: 'nn', nc: 'nc', cn: 'cn' } }, ({ cc, nn, nc, cn, at }) => {
    const target = at.x.coordinate.times(0.25).plus(at.y.coordinate.times(0.5));
    const fit = (field: Expression): Expression => field.minus(target);
    return { cc: fit(cc), nn: fit(nn), nc: fit(nc), cn: fit(cn) };
  });
  return withReference(made, {
    cc: of.sample('cc', plane),
    nn: of.sample('nn', plane),
    nc: of.sample('nc', plane),
    cn: of.sample('cn', plane),
  });
}
