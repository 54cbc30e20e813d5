// What a caller can get wrong in odil.problem: every error names the argument.
import { odil } from '../../../lib';
import { errorWith } from '../../support/errors';

const { grid, problem, where } = odil;
const line = grid({ x: { cells: 4 } });
const plane = grid({ t: { cells: 3 }, x: { cells: 4, periodic: true } });
const simple = (build: (symbols: odil.Symbols<{ grid: typeof line; fields: { u: string } }>) => odil.Residuals) =>
  problem({ grid: line, fields: { u: 'c' } }, build);

describe('grids', () => {
  test.each([
    [() => grid({}), 'ERR_INVALID_ARG_VALUE', 'axes'],
    [() => grid(null as never), 'ERR_INVALID_ARG_TYPE', 'axes'],
    [
      () => grid(Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, { cells: 2 }]))),
      'ERR_INVALID_ARG_VALUE',
      'axes',
    ],
    [() => grid({ x: { cells: 2 }, 0: { cells: 2 } }), 'ERR_INVALID_ARG_VALUE', 'axes.0'],
    [() => grid({ x: { cells: 0 } }), 'ERR_OUT_OF_RANGE', 'axes.x.cells'],
    [() => grid({ x: { cells: 2.5 } }), 'ERR_OUT_OF_RANGE', 'axes.x.cells'],
    [() => grid({ x: {} as never }), 'ERR_INVALID_ARG_TYPE', 'axes.x.cells'],
    [() => grid({ x: { cells: 2, lower: 1 } }), 'ERR_INVALID_ARG_VALUE', 'axes.x.upper'],
    [() => grid({ x: { cells: 2, upper: NaN } }), 'ERR_NOT_FINITE', 'axes.x.upper'],
    [() => grid({ x: { cells: 2, periodc: true } as never }), 'ERR_INVALID_ARG_VALUE', 'axes.x.periodc'],
    [() => line.coordinates('y'), 'ERR_INVALID_ARG_VALUE', 'name'],
    [() => line.sample('cc', () => 0), 'ERR_INVALID_ARG_VALUE', 'location'],
  ])('%#', (make, code, argument) => {
    expect(make).toThrow(errorWith(code, argument));
  });
});

describe('declarations', () => {
  const make = (options: object) => () => problem(options as never, () => ({}));
  test.each([
    [{ grid: {}, fields: { u: 'c' } }, 'ERR_INVALID_ARG_TYPE', 'options.grid'],
    [{ grid: line, fields: {} }, 'ERR_INVALID_ARG_VALUE', 'options.fields'],
    [{ grid: line, fields: { u: 'c' }, unknown: 1 }, 'ERR_INVALID_ARG_VALUE', 'options.unknown'],
    [{ grid: line, fields: { u: 'cc' } }, 'ERR_INVALID_ARG_VALUE', 'fields.u'],
    [{ grid: line, fields: { u: '.' } }, 'ERR_INVALID_ARG_VALUE', 'fields.u'],
    [{ grid: line, fields: { u: { location: 'x' } } }, 'ERR_INVALID_ARG_VALUE', 'fields.u.location'],
    [{ grid: line, fields: { u: { location: 'c', initial: [1, 2] } } }, 'ERR_SHAPE_MISMATCH', 'fields.u.initial'],
    [
      { grid: line, fields: { u: { location: 'c', initial: [1, NaN, 2, 3] } } },
      'ERR_NOT_FINITE',
      'fields.u.initial[1]',
    ],
    [{ grid: line, fields: { 'u v': 'c' } }, 'ERR_INVALID_ARG_VALUE', 'fields.u v'],
    [{ grid: line, fields: { at: 'c' } }, 'ERR_INVALID_ARG_VALUE', 'fields.at'],
    [{ grid: line, fields: { u: 'c' }, parameters: { u: {} } }, 'ERR_INVALID_ARG_VALUE', 'parameters.u'],
    [{ grid: line, fields: { u: 'c' }, parameters: { step: {} } }, 'ERR_INVALID_ARG_VALUE', 'parameters.step'],
    [{ grid: line, fields: { u: 'c' }, parameters: { k: { size: 0 } } }, 'ERR_OUT_OF_RANGE', 'parameters.k.size'],
    [
      { grid: line, fields: { u: 'c' }, parameters: { k: { size: 2, initial: [1] } } },
      'ERR_SHAPE_MISMATCH',
      'parameters.k.initial',
    ],
    [{ grid: line, fields: { u: 'c' }, networks: { k: { layers: [1] } } }, 'ERR_SHAPE_MISMATCH', 'networks.k.layers'],
    [
      { grid: line, fields: { u: 'c' }, networks: { k: { layers: [1, 1], activation: 'relu' } } },
      'ERR_INVALID_ARG_VALUE',
      'networks.k.activation',
    ],
    [
      { grid: line, fields: { u: 'c' }, networks: { k: { layers: [1, 1], initial: [1] } } },
      'ERR_SHAPE_MISMATCH',
      'networks.k.initial',
    ],
    [
      { grid: line, fields: { u: 'c' }, networks: { k: { layers: [1, 1], seed: -1 } } },
      'ERR_OUT_OF_RANGE',
      'networks.k.seed',
    ],
  ])('%#', (options, code, argument) => {
    expect(make(options)).toThrow(errorWith(code, argument));
  });

  test('the builder', () => {
    expect(() => problem({ grid: line, fields: { u: 'c' } }, 3 as never)).toThrow(
      errorWith('ERR_INVALID_ARG_TYPE', 'build'),
    );
  });
});

describe('residuals', () => {
  const leaked = {} as { w: odil.Field; k: odil.Parameter };
  const other = problem({ grid: line, fields: { w: 'c' }, parameters: { k: {} } }, ({ w, k }) => {
    leaked.w = w;
    leaked.k = k;
    return { block: w };
  });
  afterAll(() => other.dispose());

  test.each<[Parameters<typeof simple>[0], string, string]>([
    [() => ({}), 'ERR_INVALID_ARG_VALUE', 'residuals'],
    [() => 5 as never, 'ERR_INVALID_ARG_TYPE', 'residuals'],
    [() => ({ block: 1 as never }), 'ERR_INVALID_ARG_TYPE', 'residuals.block'],
    [() => ({ block: [] }), 'ERR_SHAPE_MISMATCH', 'residuals.block'],
    [({ u }) => ({ block: { value: u, location: 'cc' } }), 'ERR_INVALID_ARG_VALUE', 'residuals.block.location'],
    [({ u }) => ({ block: { value: u, wrong: 1 } as never }), 'ERR_INVALID_ARG_VALUE', 'residuals.block.wrong'],
    [({ constant }) => ({ block: constant([1, 2, 3, 4]) }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [({ u, constant }) => ({ block: u.plus(constant([1, 2])) }), 'ERR_SHAPE_MISMATCH', 'values'],
    [({ u, constant }) => ({ block: u.plus(constant([1, 2, 3, NaN])) }), 'ERR_NOT_FINITE', 'values[3]'],
    [({ u, constant }) => ({ block: u.plus(constant([1], 'q')) }), 'ERR_INVALID_ARG_VALUE', 'location'],
    [({ u }) => ({ block: u.plus(NaN) }), 'ERR_NOT_FINITE', 'value'],
    [({ u }) => ({ block: u.plus('1' as never) }), 'ERR_INVALID_ARG_TYPE', 'value'],
    [({ u }) => ({ block: u.shift({ x: 0.5 }) }), 'ERR_INVALID_ARG_VALUE', 'shift.x'],
    [({ u }) => ({ block: u.shift(1 as never) }), 'ERR_INVALID_ARG_TYPE', 'shift'],
    [({ u }) => ({ block: u.shift({ y: 1 }) }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [({ u }) => ({ block: u.shift({ x: -1 }) }), 'ERR_OUT_OF_RANGE', 'block'],
    [({ u, at }) => ({ block: where(at.x.first, 0, u.shift({ x: -2 })) }), 'ERR_OUT_OF_RANGE', 'block'],
    [({ u }) => ({ block: where(true as never, u, 0) }), 'ERR_INVALID_ARG_TYPE', 'condition'],
    [({ u, at }) => ({ block: where(at.x.is(0.5), u, 0) }), 'ERR_INVALID_ARG_VALUE', 'index'],
    [({ u }) => ({ block: [u] }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [({ u }) => ({ block: [u.pick({ x: 4 })] }), 'ERR_OUT_OF_RANGE', 'block'],
    [({ u }) => ({ block: u.minus(u.pick({ x: 0 })) }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [({ u }) => ({ block: [u.pick({ y: 0 })] }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [() => ({ block: leaked.w }), 'ERR_INVALID_ARG_VALUE', 'block'],
    [({ u }) => ({ block: u.times(leaked.k) }), 'ERR_INVALID_ARG_VALUE', 'block'],
  ])('%#', (build, code, argument) => {
    expect(() => simple(build)).toThrow(errorWith(code, argument));
  });

  test('a shift that leaves the grid says where, and what to do', () => {
    expect(() => simple(({ u }) => ({ block: u.shift({ x: 1 }).minus(u) }))).toThrow(
      /shift 1 on axis x.*index 3.*where\(at\.x\.last/,
    );
  });

  test('parameters: one number or an element', () => {
    const withTwo = (build: (k: odil.Parameter, u: odil.Field) => odil.Expression) => () =>
      problem({ grid: line, fields: { u: 'c' }, parameters: { k: { size: 2 } } }, ({ u, k }) => ({
        block: build(k, u),
      }));
    expect(withTwo((k, u) => u.times(k))).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'block'));
    expect(withTwo((k, u) => u.times(k.element(2)))).toThrow(errorWith('ERR_OUT_OF_RANGE', 'index'));
  });

  test('fields of two locations need a location to be given', () => {
    const make = (location?: string) => () =>
      problem({ grid: line, fields: { u: 'c', v: 'n' } }, ({ u, v }) => {
        const value = u.minus(v);
        return { block: location === undefined ? value : { value, location } };
      });
    expect(make()).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'block'));
    using made = make('c')();
    expect(made.residuals).toBe(4);
    expect(make('n')).toThrow(errorWith('ERR_OUT_OF_RANGE', 'block')); // u ends one point before v
  });

  test('a block of known numbers only has nothing to solve for', () => {
    expect(() =>
      simple(({ constant, u }) => ({ good: u, block: { value: constant([1, 2, 3, 4]), location: 'c' } })),
    ).toThrow(errorWith('ERR_INVALID_ARG_VALUE', 'block'));
    expect(() => simple(({ u }) => ({ good: u, block: [u.pick({ x: 0 }).times(0)] }))).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'block'),
    );
  });
});

describe('states', () => {
  const unknowns = { grid: plane, fields: { u: 'cc', v: 'nc' }, parameters: { k: { initial: [2] } } };
  const made = problem(unknowns, ({ u, v, k }) => ({ block: { value: u.times(k).minus(v), location: 'cc' } }));
  afterAll(() => made.dispose());
  const good = (): odil.State => made.initialState();

  test.each<[(state: odil.State) => unknown, string, string]>([
    [() => undefined, 'ERR_INVALID_ARG_TYPE', 'state'],
    [() => ({}), 'ERR_INVALID_ARG_TYPE', 'state.fields'],
    [(state) => ({ ...state, fields: { u: state.fields['u'] } }), 'ERR_INVALID_ARG_TYPE', 'state.fields.v'],
    [(state) => ({ fields: state.fields }), 'ERR_INVALID_ARG_TYPE', 'state.parameters.k'],
    [
      (state) => ({ ...state, fields: { ...state.fields, u: new Float64Array(11) } }),
      'ERR_SHAPE_MISMATCH',
      'state.fields.u',
    ],
    [
      (state) => ({ ...state, fields: { ...state.fields, u: new Float64Array(12).fill(Infinity) } }),
      'ERR_NOT_FINITE',
      'state.fields.u[0]',
    ],
    [
      (state) => ({ ...state, fields: { ...state.fields, v: new Float32Array(16) } }),
      'ERR_INVALID_ARG_TYPE',
      'state.fields.v',
    ],
    [(state) => ({ ...state, parameters: { k: new Float32Array(1) } }), 'ERR_INVALID_ARG_TYPE', 'state.parameters.k'],
  ])('%#', (change, code, argument) => {
    const state = change(good()) as odil.State<Float64Array>;
    for (const call of [() => made.evaluate(state), () => made.gradient(state), () => made.jacobian(state)]) {
      expect(call).toThrow(errorWith(code, argument));
    }
  });

  test('options', () => {
    const state = made.initialState();
    expect(() => made.evaluate(state, { threads: 0 })).toThrow(errorWith('ERR_OUT_OF_RANGE', 'options.threads'));
    expect(() => made.evaluate(state, { normalization: 'max' as 'sum' })).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'options.normalization'),
    );
    expect(() => made.gradient(state, { thread: 1 } as object)).toThrow(
      errorWith('ERR_INVALID_ARG_VALUE', 'options.thread'),
    );
  });

  test('single precision: evaluated as such, but no Jacobian', () => {
    const state = {
      fields: { u: new Float32Array(12).fill(0.1), v: new Float32Array(16) },
      parameters: { k: Float32Array.of(3) },
    };
    const { residuals, loss } = made.evaluate(state);
    expect(residuals['block']).toBeInstanceOf(Float32Array);
    expect(loss).toBeCloseTo(0.09, 6);
    expect(made.gradient(state).gradient.fields['u']).toBeInstanceOf(Float32Array);
    expect(() => made.jacobian(state as never)).toThrow(errorWith('ERR_INVALID_ARG_TYPE', 'state'));
  });
});

test('a disposed problem refuses everything, and disposing again does nothing', () => {
  const made = simple(({ u }) => ({ block: u }));
  const state = made.initialState();
  expect(made.disposed).toBe(false);
  made.dispose();
  made.dispose();
  expect(made.disposed).toBe(true);
  for (const call of [
    () => made.evaluate(state),
    () => made.gradient(state),
    () => made.jacobian(state),
    () => made.program(),
  ]) {
    expect(call).toThrow(errorWith('ERR_DISPOSED', 'problem'));
  }
});
