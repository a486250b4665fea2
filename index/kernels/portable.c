/* The reference: GCC vector types and fmaf(). */
#define KBASE_V16_PORTABLE 1
#define TILE_QUERIES 4
#define CODE_QUERIES 2
#define CODE_PANELS 1
#include "kernels/codes.h"
#include "kernels/score.h"

const kidx_kernels kidx_kernels_portable = KERNELS;
