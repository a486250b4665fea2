/* The reference: GCC vectors and fmaf(), for any CPU. Every other set must match it bit
 * for bit. */
#define KBASE_V16_PORTABLE
#define TILE_ROWS 4
#define TILE_PANELS 1
#define TILE8_ROWS 2
#define TILE8_PANELS 1
#include "kernels/forward_steps.h"
#include "kernels/int8_steps.h"

const kenc_kernels kenc_kernels_portable = { FORWARD_STEPS, INT8_STEPS };
