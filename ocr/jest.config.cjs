// Tests with a real model; they need `npm ci --ignore-scripts` in this folder, the root's tests do not.
const path = require('node:path');
const root = require('../jest.config.js');

const tsconfig = path.join(__dirname, '..', 'tsconfig.jest.json');

/** @type {import('jest').Config} */
module.exports = {
  ...root,
  testEnvironment: path.join(__dirname, 'jest-environment.cjs'),
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  maxWorkers: 1,
  transform: { '^.+\\.ts$': [require.resolve('ts-jest'), { diagnostics: false, tsconfig }] },
};
