/* 16 registers of 8 floats: 12 hold sums. */
#define TILE_ROWS 6
#define TILE_PANELS 1
#include "kernels/forward_steps.h"

const kenc_kernels kenc_kernels_avx2 = FORWARD_STEPS;
