// Unit, property and golden tests of the TypeScript layer and the add-on; package and native tests have their own
// runners (tools/test.mjs). One thread per worker, but where a test is about threads.
process.env.DISCRETE_DESCENT_THREADS ??= '1';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  maxWorkers: 2,
  roots: ['<rootDir>/test'],
  testMatch: ['**/{unit,property,golden,end-to-end}/**/*.test.ts'],
  // Types are checked in their own tier; here they are only stripped.
  testTimeout: 120_000, // a busy machine is not a failure
  transform: { '^.+\\.ts$': ['ts-jest', { diagnostics: false, tsconfig: 'tsconfig.jest.json' }] },
};
