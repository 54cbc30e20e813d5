#!/bin/sh
# What the full test run needs beyond Node, npm, a C++ compiler and CMake, as Debian packages: the cross compiler and
# user-mode emulators for the prebuilt binaries, clang's formatter and linter, and the peers of the benchmarks.
# Needs root. `npm test` alone does not need it: what is missing is then skipped, and said so.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends \
  cmake g++ ninja-build ccache binutils \
  g++-aarch64-linux-gnu binutils-aarch64-linux-gnu qemu-user-static \
  clang-14 clang-format-14 clang-tidy-14 \
  librsvg2-bin
