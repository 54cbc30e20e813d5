// What a thrown error of this package must carry.

/** Matches an error by its code and argument. */
export const errorWith = (code: string, argument: string): Error =>
  expect.objectContaining({ code, argument }) as Error;
