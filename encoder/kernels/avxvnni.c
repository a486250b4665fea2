/* 16 registers of 8 numbers: 12 hold sums. */
#define TILE_ROWS 6
#define TILE_PANELS 1
#define TILE8_ROWS 6
#define TILE8_PANELS 1
#include "kernels/forward_steps.h"
#include "kernels/int8_steps.h"

const kenc_kernels kenc_kernels_avxvnni = { FORWARD_STEPS, INT8_STEPS };
