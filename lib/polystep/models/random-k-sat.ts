// Random instances of MAX-SAT.
import { callNative } from '../../runtime/errors';
import { fail, integer, number, object, parse, withDefault } from '../../runtime/validate';
import { variablesSchema } from './max-sat';
import { nativeObjectives } from './native';

/** A random instance. */
export interface RandomKSatOptions {
  /** Number of variables n. */
  variables: number;
  /** Clauses per variable; default 4.27, where random 3-SAT is hardest. There are trunc(ratio * n) clauses. */
  ratio?: number;
  /** Distinct variables of each clause; default 3. */
  literalsPerClause?: number;
  /** Seed; default 0. */
  seed?: number;
}

/** Clauses of one length, as {@link maxSat} takes them. */
export interface RandomKSat {
  /** Number of variables. */
  variables: number;
  /** DIMACS literals, clause after clause. */
  clauses: Int32Array;
  /** Literals of each clause. */
  literalsPerClause: number;
}

/**
 * Random clauses for {@link maxSat}: distinct variables drawn uniformly, each negated with probability 1/2. Clause c is
 * a function of the seed and c alone.
 *
 * @throws ERR_OUT_OF_RANGE  more literals per clause than variables, or no clause
 */
export function randomKSat(options: RandomKSatOptions): RandomKSat {
  const { variables, ratio, literalsPerClause, seed } = parse(
    options,
    'options',
    object({
      variables: variablesSchema,
      ratio: withDefault(number({ above: 0 }), 4.27),
      literalsPerClause: withDefault(integer({ min: 1, max: 255 }), 3),
      seed: withDefault(integer({ min: 0 }), 0),
    }),
  );
  if (literalsPerClause > variables) {
    fail('ERR_OUT_OF_RANGE', 'options.literalsPerClause', `at most ${variables} (one per variable)`, literalsPerClause);
  }
  const count = Math.trunc(ratio * variables);
  if (count < 1 || count * literalsPerClause > 2 ** 31 - 1) {
    fail('ERR_OUT_OF_RANGE', 'options.ratio', 'such that there are between 1 and 2^31 / k clauses', ratio);
  }
  const clauses = callNative(() => nativeObjectives.randomClauses(variables, literalsPerClause, count, seed));
  return { variables, clauses, literalsPerClause };
}
