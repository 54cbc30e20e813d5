// What the files of the command `solve` hand to each other: a problem with what is known about it, and its solution.
import type { odil } from '..';
import type { PictureFile } from '../report/solution';

/** What is to be solved, and what is known about it. */
export interface SolveTarget {
  /** For headings and the folder of the results. */
  name: string;
  problem: odil.Problem;
  /** Known values of the unknowns, by name. */
  reference?: Readonly<Record<string, Float64Array>>;
  /** Where values were measured, in coordinates. */
  measured?: { x: number[]; y: number[] };
  /** Options of `problem.solve` that the problem's file asks for. */
  solve?: Record<string, unknown>;
  /** What a problem adds to the results. */
  more?: (solution: Found) => More;
}

/** Beside what every solution has. */
export interface More {
  /** A sentence about the case. */
  text?: string;
  /** Lines of the table: name and value. */
  rows: string[][];
  /** Pictures; with `instead` in the place of those of the fields, and the lines in that of the parameters. */
  pictures: PictureFile[];
  instead?: boolean;
  files?: { name: string; write: (file: string) => void }[];
}

/** A solution, whatever the method. */
export interface Found extends odil.State<Float64Array> {
  loss: number;
  status: string;
  iterations: number;
  seconds: number;
  blocks: Record<string, odil.BlockSummary>;
  history: { loss: number; iteration?: number }[];
}
