// Embeds the fat binary that nvcc made of kernels.cu as read-only data. Test builds without nvcc get a placeholder: the
// right magic and no machine code, which only the fake driver accepts.
#include "cuda/kernel_image.hpp"

#ifdef DD_CUDA_KERNEL_IMAGE
#define DD_IMAGE_BYTES ".incbin \"" DD_CUDA_KERNEL_IMAGE "\"\n"
#else
#define DD_IMAGE_BYTES ".byte 0x50, 0xed, 0x55, 0xba\n.asciz \"placeholder of the tests: no machine code\"\n"
#endif

asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".globl dd_cuda_kernel_image\n"
    ".hidden dd_cuda_kernel_image\n"
    ".type dd_cuda_kernel_image, %object\n"
    "dd_cuda_kernel_image:\n" DD_IMAGE_BYTES
    ".size dd_cuda_kernel_image, . - dd_cuda_kernel_image\n"
    ".popsection\n");
