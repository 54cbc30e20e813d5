// Coarse to fine: parameters that were found on a coarser grid are where a finer one starts. The state is not carried
// over: it marches from the parameters.
import { makeError } from '../../runtime/errors';
import { boolean, number, optional, parse } from '../../runtime/validate';
import type { Reals } from '../native';
import type { State } from '../state';
import type { GridRecord } from './evolution';
import type { Solution } from './solution';
import type { Solvable } from './solvable';

/** The run of a sequence. @internal */
export interface GridSequence {
  /** Problems from the coarsest on, without the finest; each is disposed when the next is asked for. */
  coarse(): Generator<Solvable>;
  /** For the next grid. */
  options(): object;
  /** Where its parameters start; undefined at first. */
  readonly parameters: Reals | undefined;
  add(problem: Solvable, solution: Solution): void;
  finish(solution: Solution): Solution;
}

const seconds = (): number => performance.now() / 1000;

/** The sequence that the options ask for, if they do. @internal */
export function gridSequence(problem: Solvable, options: unknown): GridSequence | undefined {
  if (typeof options !== 'object' || options === null || !('gridSequence' in options)) return undefined;
  const { gridSequence: asked, initial, ...rest } = options as Record<string, unknown> & { initial?: State };
  if (parse(asked, 'options.gridSequence', optional(boolean)) !== true) return undefined;
  if (!['auto', 'control-space', undefined].includes(rest['method'] as string | undefined)) {
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      'options.gridSequence',
      "`options.gridSequence` is an option of 'control-space'",
    );
  }
  if (problem.coarser === undefined) {
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      'options.gridSequence',
      '`options.gridSequence` needs a problem that knows its coarser grid: give `coarser` to odil.problem, and cells ' +
        'that can be halved',
    );
  }
  const limit = parse(rest['timeLimitMs'], 'options.timeLimitMs', optional(number({ above: 0, infinite: true })));
  const began = seconds();
  const grids: GridRecord[] = [];
  const count = problem.ranges.lower.length;
  let parameters: Reals | undefined;
  if (initial !== undefined) {
    parameters = problem.pack(initial, 'options.initial', problem.unknowns - count);
  }
  return {
    *coarse() {
      const makers: (() => Solvable)[] = [];
      for (let maker = problem.coarser; maker !== undefined;) {
        makers.unshift(maker);
        const coarse = maker();
        maker = coarse.coarser;
        coarse.dispose();
      }
      for (const make of makers) {
        const coarse = make();
        try {
          yield coarse;
        } finally {
          coarse.dispose();
        }
      }
    },
    options() {
      const left = limit === undefined ? {} : { timeLimitMs: Math.max(1, limit - 1000 * (seconds() - began)) };
      return { ...rest, ...left, method: 'control-space' };
    },
    get parameters() {
      return parameters;
    },
    add(coarse, solution) {
      const { fields, parameters: own, networks } = solution;
      if (coarse.ranges.lower.length !== count) {
        throw makeError('ERR_SHAPE_MISMATCH', 'coarser', '`coarser` must make a problem with the same parameters');
      }
      const found = {
        fields,
        ...(own === undefined ? {} : { parameters: own }),
        ...(networks === undefined ? {} : { networks }),
      };
      parameters = coarse.pack(found, 'state', coarse.unknowns - count);
      const { loss, iterations, seconds: spent } = solution;
      const marches = 'marches' in solution ? solution.marches : 0;
      grids.push({ cells: coarse.grid.axes.map((axis) => axis.cells), loss, iterations, marches, seconds: spent });
    },
    finish(solution) {
      return Object.defineProperties(solution, {
        grids: { value: grids, enumerable: true },
        seconds: { value: seconds() - began, enumerable: true },
      });
    },
  };
}
