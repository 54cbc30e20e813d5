// The time at which a cooling rod reaches a known temperature (odil.md, section 6.5).
import { integer, number, object, parse, withDefault } from '../../runtime/validate';
import { sum, where } from '../expression';
import { grid } from '../grid';
import { problem } from '../definition';
import { neighbours } from './halo';
import { withReference, type WithReference } from './reference';

/** Options of `problems.heatTmax`. */
export interface HeatTmaxOptions {
  /** Cells in time; default 64. Values lie at the nodes between them. */
  timeCells?: number;
  /** Cells in space, at least 2; default 64. */
  cells?: number;
  /** Weight of the measurement; default 1. */
  dataWeight?: number;
  /** The true end time; default 4.5. */
  endTime?: number;
  /** Where the end time starts; default 1. */
  initialEndTime?: number;
}

const schema = object({
  timeCells: withDefault(integer({ min: 1 }), 64),
  cells: withDefault(integer({ min: 2 }), 64),
  dataWeight: withDefault(number({ min: 0 }), 1),
  endTime: withDefault(number({ above: 0 }), 4.5),
  initialEndTime: withDefault(number({ above: 0 }), 1),
});

/**
 * u_t = T u_xx in scaled time t in [0, 1], x in [0, pi], zero walls, u = sin x at the start: field `u` at nodes in time
 * and cells in space, parameter `endTime` = T, blocks `heat` and `data`, a single number: the last temperature in the
 * middle. Row 0 of `u` is replaced by the initial condition and has no influence.
 */
export function heatTmax(options: HeatTmaxOptions = {}): WithReference {
  const given = parse(options, 'options', schema);
  const of = grid({ t: { cells: given.timeCells }, x: { cells: given.cells, upper: Math.PI } });
  const start = of.sample('.c', Math.sin);
  const unknowns = {
    grid: of,
    fields: { u: { location: 'nc', initial: of.sample('nc', (_, x) => Math.sin(x)) } },
    parameters: { endTime: { initial: [given.initialEndTime] } },
  };
  const made = problem(unknowns, ({ u, endTime, at, step, constant }) => {
    const now = where(at.t.first, constant(start, '.c'), u);
    const mirror = { low: () => now.negative(), high: () => now.negative() };
    const { minus, plus } = neighbours(now, 'x', at.x, mirror);
    const curvature = sum(minus, now.times(-2), plus).over(step.x ** 2);
    const before = now.shift({ t: -1 });
    const rate = now.minus(before).over(endTime.times(step.t));
    const spread = curvature.plus(curvature.shift({ t: -1 })).over(2);
    const middle = Math.floor(given.cells / 2);
    const measured = Math.exp(-given.endTime) * (start[middle] as number);
    return {
      heat: where(at.t.first, 0, rate.minus(spread)),
      data: [u.pick({ t: -1, x: middle }).minus(measured).times(given.dataWeight)],
    };
  });
  return withReference(made, {
    u: of.sample('nc', (t, x) => Math.exp(-given.endTime * t) * Math.sin(x)),
    endTime: Float64Array.of(given.endTime),
  });
}
