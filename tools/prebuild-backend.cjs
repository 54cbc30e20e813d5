#!/usr/bin/env node
// What prebuildify runs in place of node-gyp (environment variable PREBUILD_NODE_GYP): everything but the architecture
// is ignored, the build is the same as everywhere.
'use strict';

const { buildAddon } = require('./build-native.cjs');

const given = process.argv.find((argument) => argument.startsWith('--arch='));
const arch = given === undefined ? process.arch : given.slice('--arch='.length);
const image = process.env.DISCRETE_DESCENT_CUDA_IMAGE;
buildAddon({
  arch,
  buildFolder: `build-cmake/prebuild-${process.platform}-${arch}`,
  definitions: ['-DDD_LINT=ON', ...(image === undefined ? [] : [`-DDD_CUDA_IMAGE=${image}`])],
});
