/* 16 registers of 8 floats, two a sum. */
#define TILE_QUERIES 4
#include "kernels/score.h"

const kidx_kernels kidx_kernels_avx2 = KERNELS;
