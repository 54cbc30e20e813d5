// All block kernels for the device: one translation unit, the list of native/block_kernels.hpp.
#include "block_kernels.hpp"
