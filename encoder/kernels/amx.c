/* As avx512vnni.c, but for the linear layers: tiles of 2 panels, and attention, whose
 * products are too small for tiles, keeps its 8 rows. */
#define TILE_ROWS 6
#define TILE_PANELS 4
#define TILE8_ROWS 8
#define TILE8_PANELS 2
#define LINEAR8_IN_TILES
#include "kernels/forward_steps.h"
#include "kernels/int8_steps.h"

const kenc_kernels kenc_kernels_amx = { FORWARD_STEPS, INT8_STEPS };
