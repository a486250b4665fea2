/* 32 registers of 16 floats: 24 hold sums. */
#define TILE_ROWS 6
#define TILE_PANELS 4
#include "kernels/forward_steps.h"

const kenc_kernels kenc_kernels_avx512 = FORWARD_STEPS;
