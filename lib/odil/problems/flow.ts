// What the steady incompressible flows share: convection against the wind and the flux through a face, on collocated
// cells (odil.md, sections 6.8 and 6.9).
import { type AxisPosition, type Expression, type Value, where } from '../expression';

/** A quantity with its neighbours along one axis, what lies beyond the walls included. */
export interface Line {
  readonly axis: string;
  readonly at: AxisPosition;
  readonly step: number;
  readonly centre: Expression;
  readonly minus: Expression;
  readonly plus: Expression;
}

/** Central first derivative. */
export function slope({ minus, plus, step }: Line): Expression {
  return plus.minus(minus).over(2 * step);
}

/** Central second derivative. */
export function curvature({ minus, centre, plus, step }: Line): Expression {
  return minus
    .minus(centre.times(2))
    .plus(plus)
    .over(step * step);
}

/** Two points further: what a neighbour sees as its own neighbour. */
function further({ axis, minus, plus }: Line): { minus: Expression; plus: Expression } {
  return { minus: minus.shift({ [axis]: -1 }), plus: plus.shift({ [axis]: 1 }) };
}

/**
 * wind * derivative, second order against the wind. The first-order part carries derivatives, what makes it second
 * order is frozen. `beyond` says what lies two points beyond a wall; without it the derivative that would need it is first
 * order.
 */
export function convection(
  line: Line,
  wind: Expression,
  beyond?: (inner: Expression, edge: Expression, halo: Expression) => Expression,
): Expression {
  const { at, centre, minus, plus, step } = line;
  const first = { back: centre.minus(minus).over(step), ahead: plus.minus(centre).over(step) };
  let { minus: minus2, plus: plus2 } = further(line);
  if (beyond !== undefined) {
    minus2 = where(at.first, beyond(plus, centre, minus), minus2);
    plus2 = where(at.last, beyond(minus, centre, plus), plus2);
  }
  const second = {
    back: minus2
      .minus(minus.times(4))
      .plus(centre.times(3))
      .over(2 * step),
    ahead: plus
      .times(4)
      .minus(plus2)
      .minus(centre.times(3))
      .over(2 * step),
  };
  const upwind = (back: Expression, ahead: Expression): Expression => where(wind.greaterThan(0), back, ahead);
  const low = upwind(first.back, first.ahead);
  const high =
    beyond === undefined
      ? upwind(where(at.first, first.back, second.back), where(at.last, first.ahead, second.ahead))
      : upwind(second.back, second.ahead);
  return wind.times(low.plus(high.minus(low).frozen()));
}

/** Flux through the lower face of a cell, in two parts. */
export interface FaceFlux {
  /** Mean of the velocities on both sides. */
  readonly mean: Expression;
  /** Rhie and Chow's damping of pressures that alternate from cell to cell. */
  readonly damping: Expression;
}

/**
 * @param velocity  the component along the line's axis
 * @param pressure  the pressure along that axis; its smooth slope is frozen
 * @param mobility  velocity per slope of the pressure
 */
export function faceFlux(velocity: Expression, pressure: Line, mobility: Expression): FaceFlux {
  const { axis, centre, step } = pressure;
  const back = (value: Expression): Expression => value.shift({ [axis]: -1 });
  const mean = (value: Expression): Expression => value.plus(back(value)).over(2);
  const smooth = mobility.times(slope(pressure).frozen());
  const direct = mean(mobility).times(centre.minus(back(centre)).over(step));
  return { mean: mean(velocity), damping: mean(smooth).minus(direct) };
}

/** Difference of the fluxes through both faces, per length; walls let through what they say. */
export function divergence(
  { axis, at, step }: Line,
  low: Expression,
  walls: { low: Value; high: Value },
  high: Expression = low,
): Expression {
  const above = where(at.last, walls.high, high.shift({ [axis]: 1 }));
  return above.minus(where(at.first, walls.low, low)).over(step);
}
