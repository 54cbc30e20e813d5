// The example kernels of the block tests, compiled for the device to see that every Block call exists there.
#include "tests/core/block_examples.kernel.hpp"
