// DIMACS files of clauses: CNF, and WCNF with weights, in the form with a `p` line (weights up to a `top` that means
// hard) and in the form of the MaxSAT evaluations since 2022 (no `p` line, `h` means hard).
import fs from 'node:fs';
import { writePieces } from '../runtime/files';
import { fail } from '../runtime/validate';
import { invalidFormat } from './bytes';

/** Clauses of a satisfiability problem. */
export interface Cnf {
  /** Number of variables; they are called 1 to this. */
  readonly variables: number;
  /** Literals of all clauses one after another: variable v as v or, negated, as -v. */
  readonly literals: Int32Array;
  /** Where each clause begins in `literals`, and their end: one entry more than clauses, the first 0. */
  readonly clauseStarts: Int32Array;
  /** Weight of each clause, positive; absent: 1 each. A hard clause has the weight `top`. */
  readonly weights?: Float64Array;
  /** Weight from which on a clause is hard; absent: none is. */
  readonly top?: number;
}

const newline = 10;
const space = 32;
const tab = 9;
const carriageReturn = 13;

const isBlank = (byte: number): boolean => byte === space || byte === tab || byte === carriageReturn;

/** Numbers that grow; a typed array cannot. */
class Growing<Values extends Int32Array | Float64Array> {
  length = 0;
  #values: Values;
  readonly #make: (length: number) => Values;

  constructor(make: (length: number) => Values) {
    this.#make = make;
    this.#values = make(1024);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = this.#make(2 * this.length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  take(): Values {
    return this.#values.slice(0, this.length) as Values;
  }
}

interface Header {
  variables: number;
  clauses: number;
  weighted: boolean;
  top: number | undefined;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #argument: string;
  #at = 0;
  #line = 1;
  #header: Header | undefined;
  #largest = 0;
  readonly #literals = new Growing((length) => new Int32Array(length));
  readonly #starts = new Growing((length) => new Int32Array(length));
  readonly #weights = new Growing((length) => new Float64Array(length));
  readonly #hard: number[] = [];

  constructor(bytes: Uint8Array, argument: string) {
    this.#bytes = bytes;
    this.#argument = argument;
  }

  read(): Cnf {
    this.#starts.push(0);
    while (this.#skipToToken()) {
      const first = this.#bytes[this.#at] as number;
      if (first === 0x63 /* c */) this.#skipLine();
      else if (first === 0x70 /* p */) this.#readHeader();
      else if (first === 0x25 /* %: what follows in files of SATLIB is no clause */) break;
      else this.#readClause();
    }
    return this.#result();
  }

  #wrong(what: string): Error {
    return invalidFormat(this.#argument, `\`${this.#argument}\`, line ${this.#line}: ${what}`);
  }

  /** Over blanks and ends of lines; false at the end of the file. */
  #skipToToken(): boolean {
    for (; this.#at < this.#bytes.length; this.#at += 1) {
      const byte = this.#bytes[this.#at] as number;
      if (byte === newline) this.#line += 1;
      else if (!isBlank(byte)) return true;
    }
    return false;
  }

  #skipLine(): void {
    while (this.#at < this.#bytes.length && this.#bytes[this.#at] !== newline) this.#at += 1;
  }

  #token(): string {
    const begin = this.#at;
    while (this.#at < this.#bytes.length && this.#at < begin + 40) {
      const byte = this.#bytes[this.#at] as number;
      if (byte === newline || isBlank(byte)) break;
      this.#at += 1;
    }
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + begin, this.#at - begin).toString('latin1');
  }

  #readHeader(): void {
    if (this.#header !== undefined) throw this.#wrong('a second `p` line');
    if (this.#starts.length > 1) throw this.#wrong('a `p` line after clauses');
    const begin = this.#at;
    this.#skipLine();
    const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + begin, this.#at - begin).toString('latin1');
    const match = /^p\s+(w?cnf)\s+(\d+)\s+(\d+)(?:\s+(\d+))?\s*$/.exec(text);
    const [variables, clauses, top] = [match?.[2], match?.[3], match?.[4]].map(Number) as [number, number, number];
    const weighted = match?.[1] === 'wcnf';
    if (match === null || (match[4] !== undefined && !weighted)) {
      throw this.#wrong(`expected \`p cnf VARIABLES CLAUSES\` or \`p wcnf VARIABLES CLAUSES TOP\``);
    }
    if (variables > 2 ** 31 - 1 || clauses > 2 ** 31 - 2) throw this.#wrong('more than 2^31 variables or clauses');
    this.#header = { variables, clauses, weighted, top: match[4] === undefined ? undefined : top };
  }

  #readClause(): void {
    const line = this.#line;
    const weighted = this.#header?.weighted ?? true;
    if (weighted) this.#readWeight();
    const limit = this.#header?.variables ?? 2 ** 31 - 1;
    for (;;) {
      if (!this.#skipToToken()) {
        this.#line = line;
        throw this.#wrong('this clause is not ended by 0');
      }
      const literal = this.#readLiteral();
      if (literal === 0) break;
      const variable = Math.abs(literal);
      if (variable > limit) throw this.#wrong(`variable ${variable} of ${limit}`);
      if (variable > this.#largest) this.#largest = variable;
      this.#literals.push(literal);
    }
    this.#starts.push(this.#literals.length);
    if (this.#literals.length > 2 ** 31 - 1) throw this.#wrong('more than 2^31 literals');
  }

  /** Byte by byte: most of a file is this. */
  #readLiteral(): number {
    const bytes = this.#bytes;
    const begin = this.#at;
    let at = begin;
    const negative = bytes[at] === 0x2d;
    if (negative) at += 1;
    let value = 0;
    const digits = at;
    for (; at < bytes.length; at += 1) {
      const digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
      if (at - digits > 10) break;
    }
    const next = at < bytes.length ? (bytes[at] as number) : newline;
    if (at === digits || (next !== newline && !isBlank(next)) || value > 2 ** 31 - 1) {
      throw this.#wrong(`expected a literal or 0, got ${JSON.stringify(this.#token())}`);
    }
    this.#at = at;
    return negative ? -value : value;
  }

  #readWeight(): void {
    const text = this.#token();
    if (this.#header === undefined && text === 'h') {
      this.#hard.push(this.#weights.length);
      this.#weights.push(0);
      return;
    }
    const weight = Number(text);
    if (!/^\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text) || !Number.isFinite(weight) || weight <= 0) {
      const expected = this.#header === undefined ? 'a positive weight, `h`, or a `p` line first' : 'a positive weight';
      throw this.#wrong(`expected ${expected}, got ${JSON.stringify(text)}`);
    }
    this.#weights.push(weight);
  }

  #result(): Cnf {
    const clauses = this.#starts.length - 1;
    const header = this.#header;
    if (header === undefined && clauses === 0) throw this.#wrong('no `p` line and no clause');
    if (header !== undefined && header.clauses !== clauses) {
      throw this.#wrong(`the \`p\` line says ${header.clauses} clauses, there are ${clauses}`);
    }
    const contents = {
      variables: header?.variables ?? this.#largest,
      literals: this.#literals.take(),
      clauseStarts: this.#starts.take(),
    };
    if (header !== undefined && !header.weighted) return contents;
    const weights = this.#weights.take();
    if (header === undefined && this.#hard.length > 0) {
      // One more than everything soft together, so that no hard clause is given up for soft ones.
      const top = weights.reduce((sum, weight) => sum + weight, 1);
      for (const clause of this.#hard) weights[clause] = top;
      return { ...contents, weights, top };
    }
    return header?.top === undefined ? { ...contents, weights } : { ...contents, weights, top: header.top };
  }
}

/** The clauses in `bytes`; `argument` names them in errors. @internal */
export function readDimacsBytes(bytes: Uint8Array, argument: string): Cnf {
  return new Reader(bytes, argument).read();
}

/**
 * The clauses in a DIMACS file's contents, CNF or WCNF (with a `p` line, or without one as the MaxSAT evaluations write
 * it since 2022). Hard clauses get the weight `top`.
 *
 * @throws ERR_INVALID_FORMAT  with the line: no clause and no `p` line, something that is no literal or weight, a
 *                             variable beyond the declared number, a clause without its 0, another number of clauses
 * Cost: one pass over the bytes.
 */
export function parseDimacs(contents: Uint8Array | string): Cnf {
  if (typeof contents === 'string') return readDimacsBytes(Buffer.from(contents, 'latin1'), 'contents');
  if (!(contents instanceof Uint8Array)) {
    fail('ERR_INVALID_ARG_TYPE', 'contents', 'a string or a Uint8Array', contents);
  }
  return readDimacsBytes(contents, 'contents');
}

/** The clauses in a DIMACS file, as `parseDimacs`. Throws as it does, and what the system says where there is no file. */
export function readDimacs(file: string): Cnf {
  return readDimacsBytes(fs.readFileSync(file), file);
}

function checkCnf({ variables, literals, clauseStarts, weights }: Cnf): void {
  const clauses = clauseStarts.length - 1;
  if (clauseStarts[0] !== 0 || clauseStarts[clauses] !== literals.length) {
    fail('ERR_SHAPE_MISMATCH', 'cnf.clauseStarts', `ascending from 0 to ${literals.length}`, clauseStarts);
  }
  for (let c = 0; c < clauses; c += 1) {
    if ((clauseStarts[c] as number) > (clauseStarts[c + 1] as number)) {
      fail('ERR_SHAPE_MISMATCH', `cnf.clauseStarts[${c + 1}]`, 'at least the one before', clauseStarts[c + 1]);
    }
  }
  for (let i = 0; i < literals.length; i += 1) {
    const literal = literals[i] as number;
    if (literal === 0 || Math.abs(literal) > variables) {
      fail('ERR_OUT_OF_RANGE', `cnf.literals[${i}]`, `a literal of ${variables} variables`, literal);
    }
  }
  if (weights !== undefined && weights.length !== clauses) {
    fail('ERR_SHAPE_MISMATCH', 'cnf.weights', `a Float64Array of length ${clauses} (one per clause)`, weights);
  }
  const bad = weights?.findIndex((weight) => !(weight > 0 && weight < Infinity)) ?? -1;
  if (bad >= 0) fail('ERR_OUT_OF_RANGE', `cnf.weights[${bad}]`, 'positive and finite', weights?.[bad]);
}

function* dimacsPieces({ variables, literals, clauseStarts, weights, top }: Cnf): Generator<string> {
  const clauses = clauseStarts.length - 1;
  const last = top === undefined ? '' : ` ${top}`;
  yield weights === undefined ? `p cnf ${variables} ${clauses}\n` : `p wcnf ${variables} ${clauses}${last}\n`;
  for (let from = 0; from < clauses; from += 4096) {
    const lines: string[] = [];
    for (let c = from; c < Math.min(clauses, from + 4096); c += 1) {
      const of = literals.subarray(clauseStarts[c], clauseStarts[c + 1]);
      lines.push([...(weights === undefined ? [] : [weights[c]]), ...of, 0].join(' '), '\n');
    }
    yield lines.join('');
  }
}

/**
 * Clauses as the text of a DIMACS file: CNF, or WCNF with a `p` line where there are weights.
 *
 * @throws ERR_SHAPE_MISMATCH  `clauseStarts` does not fit `literals`, or `weights` the clauses
 * @throws ERR_OUT_OF_RANGE    a literal that is 0 or beyond the variables, a weight that is not positive
 */
export function serializeDimacs(cnf: Cnf): string {
  checkCnf(cnf);
  return [...dimacsPieces(cnf)].join('');
}

/** Writes clauses as a DIMACS file, whole or not at all. Throws as `serializeDimacs`. */
export function writeDimacs(file: string, cnf: Cnf): void {
  checkCnf(cnf);
  writePieces(file, dimacsPieces(cnf));
}
