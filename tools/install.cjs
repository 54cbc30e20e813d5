// The install step: use the prebuilt binary when one loads, else build from source, else say what is missing.
// The package must also work when this never runs (npm 12 blocks install scripts): it writes nothing that a prebuilt
// binary needs.
'use strict';

const { buildAddon, has, packageRoot } = require('./build-native.cjs');
const packageJson = require('../package.json');

function sourceBuildForced() {
  const value = process.env.npm_config_build_from_source;
  return value === 'true' || value === '' || value === packageJson.name;
}

function prebuiltLoads() {
  try {
    require('node-gyp-build')(packageRoot);
    return true;
  } catch {
    return false;
  }
}

const compilerHints = {
  linux: 'Debian or Ubuntu: apt-get install cmake g++ make',
  darwin: 'macOS: xcode-select --install && brew install cmake',
  win32: 'Windows: winget install Kitware.CMake Microsoft.VisualStudio.2022.BuildTools',
};

function compilerFound() {
  if (process.platform === 'win32') return true; // CMake finds MSVC by itself and says so when it cannot
  return [process.env.CXX, 'c++', 'g++', 'clang++'].some((command) => command !== undefined && has(command));
}

function install() {
  if (!sourceBuildForced() && prebuiltLoads()) return;
  const missing = [];
  if (!has('cmake')) missing.push('CMake 3.18 or newer (looked for `cmake` on PATH)');
  if (!compilerFound()) missing.push('a C++20 compiler (looked for $CXX, c++, g++, clang++ on PATH)');
  if (missing.length > 0) {
    console.error(
      `discrete-descent has no usable prebuilt binary for ${process.platform}-${process.arch} and cannot build one: ` +
        `${missing.join(' and ')} missing. ${compilerHints[process.platform] ?? ''}`,
    );
    process.exitCode = 1;
    return;
  }
  try {
    buildAddon();
  } catch (error) {
    console.error(`discrete-descent: building from source failed: ${error.message}`);
    process.exitCode = 1;
  }
}

install();
