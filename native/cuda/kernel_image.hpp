// The embedded fat binary of all block kernels.
#pragma once

extern "C" {
/// Starts with the fat binary's magic; the driver reads its size from its head. 64-byte aligned.
extern const unsigned char dd_cuda_kernel_image[] __attribute__((visibility("hidden")));
}
