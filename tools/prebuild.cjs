// Makes the prebuilt binaries: `npm run prebuild` (this machine's platform; on Linux x64 also arm64, when the cross
// compiler is there) or `npm run prebuild -- x64 arm64`. An existing development build is left as it was.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { buildWithCMake, has, packageRoot } = require('./build-native.cjs');

const crossPrefix = 'aarch64-linux-gnu-';
const release = path.join(packageRoot, 'build', 'Release');
const aside = path.join(packageRoot, 'build', `Release-aside-${process.pid}`);

function defaultTargets() {
  const targets = [process.arch];
  if (process.platform === 'linux' && process.arch === 'x64') {
    if (has(`${crossPrefix}g++`)) targets.push('arm64');
    else
      console.error(`linux-arm64 is left out: ${crossPrefix}g++ is not installed (tools/install-debian-packages.sh)`);
  }
  return targets;
}

/** The development build's fat binary of the block kernels, made now if it must be; undefined without nvcc. */
function cudaImage() {
  const folder = buildWithCMake({ targets: ['dd_cuda_image'] });
  const image = path.join(folder, 'cuda', 'kernels.fatbin');
  return fs.existsSync(image) ? image : undefined;
}

function prebuild(arch, image) {
  fs.rmSync(release, { recursive: true, force: true });
  const environment = {
    ...process.env,
    PREBUILD_NODE_GYP: path.join(__dirname, 'prebuild-backend.cjs'),
    ...(image === undefined ? {} : { DISCRETE_DESCENT_CUDA_IMAGE: image }),
  };
  if (arch !== process.arch) environment.PREBUILD_STRIP_BIN = `${crossPrefix}strip`;
  const prebuildify = require.resolve('prebuildify/bin.js', { paths: [packageRoot] });
  const result = spawnSync(process.execPath, [prebuildify, '--napi', '--strip', '--tag-libc', `--arch=${arch}`], {
    cwd: packageRoot,
    stdio: 'inherit',
    env: environment,
  });
  if (result.status !== 0) throw new Error(`prebuildify for ${arch} ended with status ${result.status}`);
}

const targets = process.argv.length > 2 ? process.argv.slice(2) : defaultTargets();
const hadRelease = fs.existsSync(release);
if (hadRelease) fs.renameSync(release, aside);
try {
  const image = cudaImage();
  for (const arch of targets) prebuild(arch, image);
} finally {
  fs.rmSync(release, { recursive: true, force: true });
  if (hadRelease) fs.renameSync(aside, release);
}
for (const folder of fs.readdirSync(path.join(packageRoot, 'prebuilds'))) {
  for (const file of fs.readdirSync(path.join(packageRoot, 'prebuilds', folder))) {
    const { size } = fs.statSync(path.join(packageRoot, 'prebuilds', folder, file));
    console.log(`prebuilds/${folder}/${file}  ${(size / 1024).toFixed(0)} KiB`);
  }
}
