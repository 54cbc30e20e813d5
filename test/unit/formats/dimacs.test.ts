// Clauses in files: both forms of weights, comments anywhere, and errors that name the line.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formats } from '../../../lib';

const lines = (...text: string[]): string => `${text.join('\n')}\n`;

test('CNF: clauses over several lines, comments between them, the end mark of SATLIB', () => {
  const text = lines('c hello', 'p cnf 4 3', '1 -2', '3 0 -4 0', 'c between', ' 2\t0', '%', '0');
  expect(formats.parseDimacs(text)).toEqual({
    variables: 4,
    literals: Int32Array.of(1, -2, 3, -4, 2),
    clauseStarts: Int32Array.of(0, 3, 4, 5),
  });
  expect(formats.parseDimacs(Buffer.from(text.replaceAll('\n', '\r\n')))).toEqual(formats.parseDimacs(text));
});

test('CNF: an empty clause, and no clause', () => {
  expect(formats.parseDimacs('p cnf 2 1\n0\n').clauseStarts).toEqual(Int32Array.of(0, 0));
  expect(formats.parseDimacs('p cnf 2 0\n').clauseStarts).toEqual(Int32Array.of(0));
});

test('WCNF with a p line', () => {
  expect(formats.parseDimacs(lines('p wcnf 3 2 10', '10 1 2 0', '2.5 -3 0'))).toEqual({
    variables: 3,
    literals: Int32Array.of(1, 2, -3),
    clauseStarts: Int32Array.of(0, 2, 3),
    weights: Float64Array.of(10, 2.5),
    top: 10,
  });
});

test('WCNF without a p line: a hard clause weighs more than everything soft', () => {
  expect(formats.parseDimacs(lines('c since 2022', 'h 1 -2 0', '3 2 0', '4 -5 0'))).toEqual({
    variables: 5,
    literals: Int32Array.of(1, -2, 2, -5),
    clauseStarts: Int32Array.of(0, 2, 3, 4),
    weights: Float64Array.of(8, 3, 4),
    top: 8,
  });
});

test.each([
  ['', 1, 'no `p` line and no clause'],
  [lines('p cnf 2'), 1, 'expected `p cnf VARIABLES CLAUSES`'],
  [lines('p cnf 2 1 5', '1 0'), 1, 'expected `p cnf'],
  [lines('c', 'p cnf 2 1', 'p cnf 2 1'), 3, 'a second `p` line'],
  [lines('2 1 0', 'p wcnf 2 1'), 2, 'a `p` line after clauses'],
  [lines('p cnf 2 1', '1 3 0'), 2, 'variable 3 of 2'],
  [lines('p cnf 2 2', '1 0', '1', '2'), 3, 'not ended by 0'],
  [lines('p cnf 2 1', '1 x 0'), 2, 'expected a literal or 0, got "x"'],
  [lines('p cnf 2 1', '1 2.5 0'), 2, 'expected a literal or 0'],
  [lines('p cnf 2 1', '1 - 0'), 2, 'expected a literal or 0'],
  [lines('p cnf 2 1', '1 99999999999 0'), 2, 'expected a literal or 0'],
  [lines('p cnf 2 2', '1 0'), 3, 'says 2 clauses, there are 1'],
  [lines('p wcnf 2 1 9', '-1 1 0'), 2, 'expected a positive weight, got "-1"'],
  [lines('p wcnf 2 1 9', 'h 1 0'), 2, 'expected a positive weight, got "h"'],
  [lines('x 1 0'), 1, 'expected a positive weight, `h`, or a `p` line first'],
])('%j is refused', (text, line, message) => {
  expect(() => formats.parseDimacs(text)).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_FORMAT',
      argument: 'contents',
      message: expect.stringContaining(message) as string,
    }) as Error,
  );
  expect(() => formats.parseDimacs(text)).toThrow(`\`contents\`, line ${line}: `);
});

test('what is written is read, from a file as well', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dd-dimacs-'));
  try {
    const plain = formats.parseDimacs(lines('p cnf 4 3', '1 -2 3 0', '-4 0', '0'));
    const weighted = { ...plain, weights: Float64Array.of(1, 0.25, 3), top: 3 };
    for (const cnf of [plain, weighted]) {
      expect(formats.parseDimacs(formats.serializeDimacs(cnf))).toEqual(cnf);
      const file = path.join(folder, 'deep', 'clauses.cnf');
      formats.writeDimacs(file, cnf);
      expect(formats.readDimacs(file)).toEqual(cnf);
    }
    const broken = path.join(folder, 'broken.cnf');
    fs.writeFileSync(broken, 'p cnf 1 1\n1\n');
    expect(() => formats.readDimacs(broken)).toThrow(`\`${broken}\`, line 2: this clause is not ended by 0`);
    expect(() => formats.readDimacs(path.join(folder, 'none'))).toThrow('ENOENT');
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('what cannot be written', () => {
  const good = { variables: 2, literals: Int32Array.of(1, -2), clauseStarts: Int32Array.of(0, 2) };
  const refused = (change: Partial<formats.Cnf>, code: string, argument: string): void =>
    expect(() => formats.serializeDimacs({ ...good, ...change })).toThrow(
      expect.objectContaining({ code, argument }) as Error,
    );
  refused({ literals: Int32Array.of(1, 3) }, 'ERR_OUT_OF_RANGE', 'cnf.literals[1]');
  refused({ literals: Int32Array.of(0, 1) }, 'ERR_OUT_OF_RANGE', 'cnf.literals[0]');
  refused({ clauseStarts: Int32Array.of(0, 1) }, 'ERR_SHAPE_MISMATCH', 'cnf.clauseStarts');
  refused({ clauseStarts: Int32Array.of(0, 3, 2) }, 'ERR_SHAPE_MISMATCH', 'cnf.clauseStarts[2]');
  refused({ weights: Float64Array.of(1, 2) }, 'ERR_SHAPE_MISMATCH', 'cnf.weights');
  refused({ weights: Float64Array.of(NaN) }, 'ERR_OUT_OF_RANGE', 'cnf.weights[0]');
  expect(() => formats.parseDimacs(5 as unknown as string)).toThrow('`contents` must be a string or a Uint8Array');
});
