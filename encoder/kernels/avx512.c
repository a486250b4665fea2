/* 32 registers of 16 numbers: 24 hold sums of floats, 16 those of bytes, whose weights
 * take 8. */
#define TILE_ROWS 6
#define TILE_PANELS 4
#define TILE8_ROWS 4
#define TILE8_PANELS 4
#include "kernels/forward_steps.h"
#include "kernels/int8_steps.h"

const kenc_kernels kenc_kernels_avx512 = { FORWARD_STEPS, INT8_STEPS };
