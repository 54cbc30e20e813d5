// Types of cards.cjs.
import type { Line } from './index.cjs';
import type { Row } from './compare.cjs';

/** A card of the report page. */
export interface Card {
  heading: string;
  html: string;
}

export function cards(
  result: { lines: readonly Line[]; rows: readonly Row[] },
  options: { head: readonly string[]; cells: (row: Row) => string[]; samples: number },
): Card[];
