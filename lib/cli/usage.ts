// Flags that are numbers, files that flags name, and the error that means "used wrongly" (exit code 2).
import fs from 'node:fs';
import { InvalidArgumentError } from 'commander';

/** The command was used wrongly. */
export class UsageError extends Error {}

function checked(text: string, expected: string, good: (value: number) => boolean): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!good(value)) throw new InvalidArgumentError(`it must be ${expected}.`);
  return value;
}

/** 1, 2, 3, ... */
export const positiveInteger = (text: string): number =>
  checked(text, 'a positive integer', (value) => Number.isSafeInteger(value) && value > 0);

/** 0, 1, 2, ... */
export const wholeNumber = (text: string): number =>
  checked(text, 'a whole number', (value) => Number.isSafeInteger(value) && value >= 0);

/** A finite number above 0. */
export const positiveNumber = (text: string): number =>
  checked(text, 'a positive number', (value) => Number.isFinite(value) && value > 0);

/** What a JSON file holds. */
export function readJson(file: string): unknown {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as Error).message}`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${file} is not JSON: ${(cause as Error).message}`);
  }
}
