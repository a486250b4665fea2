/* 32 registers of 16 numbers: 24 hold sums. */
#define TILE_ROWS 6
#define TILE_PANELS 4
#define TILE8_ROWS 8
#define TILE8_PANELS 3
#include "kernels/forward_steps.h"
#include "kernels/int8_steps.h"

const kenc_kernels kenc_kernels_avx512vnni = { FORWARD_STEPS, INT8_STEPS };
